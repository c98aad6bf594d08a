//! A bounded store: finds by key, forgets the oldest first, never searches.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use jiff::Timestamp;

/// At most `most` values, each of which may be forgotten after its time.
pub(super) struct ExpiringMap<K, V> {
    values: HashMap<K, (Timestamp, V)>,
    order: VecDeque<K>,
    most: usize,
}

impl<K: Clone + Eq + Hash, V> ExpiringMap<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), most }
    }

    /// Keeps `value` until `until`; what is over by `now`, or too many, goes.
    pub(super) fn insert(&mut self, key: K, value: V, until: Timestamp, now: Timestamp) {
        while let Some(oldest) = self.order.front() {
            let live = self.values.get(oldest).is_some_and(|(until, _)| now < *until);
            if live && self.values.len() < self.most {
                break;
            }
            self.values.remove(oldest);
            self.order.pop_front();
        }
        self.order.push_back(key.clone());
        self.values.insert(key, (until, value));
    }

    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<&V> {
        self.values.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.values.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut kept = ExpiringMap::new(2);
        for key in 0..3 {
            kept.insert(key, key, at(100), at(0));
        }
        assert_eq!([0, 1, 2].map(|key| kept.get(&key, at(0)).is_some()), [false, true, true]);
    }

    #[test]
    fn what_is_over_is_gone_and_its_room_free() {
        let mut kept = ExpiringMap::new(10);
        kept.insert("a", (), at(10), at(0));
        assert!(kept.get(&"a", at(9)).is_some());
        assert!(kept.get(&"a", at(10)).is_none());
        kept.insert("b", (), at(20), at(10));
        kept.remove(&"b");
        kept.insert("c", (), at(20), at(10));
        assert_eq!((kept.values.len(), kept.order.len()), (1, 1));
    }
}
