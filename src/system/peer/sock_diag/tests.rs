use super::*;

const US: u32 = 1000;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

/// As the kernel answers, on a machine that orders bytes as this one does.
fn answer(kind: u16, number: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (u32::try_from(HEAD + body.len()).unwrap()).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(number.to_ne_bytes());
    bytes.extend(7u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

fn socket(family: u8, state: u8, ends: &str, user: u32, inode: u32) -> Vec<u8> {
    let mut bytes = vec![family, state, 0, 0];
    bytes.extend(unhex(ends));
    // The interface and the cookie, then the timer and both queues.
    bytes.extend([0; 24]);
    bytes.extend(user.to_ne_bytes());
    bytes.extend(inode.to_ne_bytes());
    // What follows isn't read.
    bytes.extend([0x05, 0, 0x08, 0, 0, 0, 0, 0]);
    bytes
}

const V4: &str = "9c40 1267 7f000001 00000000 00000000 00000000 7f000001 00000000 00000000 00000000";
const V6: &str = "9c40 1267 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000001";
const MAPPED: &str = "9c40 1267 00000000 00000000 0000ffff 7f000001 00000000 00000000 0000ffff 7f000001";

fn found(local: &str, remote: &str, established: bool, user: u32, orphaned: bool) -> Found {
    Found::Socket(Connection { local: at(local), remote: at(remote), established, user, orphaned })
}

#[cfg(target_endian = "little")]
#[test]
fn one_socket_is_asked_about_by_both_its_ends() {
    let asked = request(at("127.0.0.1:40000"), at("127.0.0.1:4711"), 9).unwrap();
    let expected = "48000000 1400 0100 09000000 00000000  02 06 00 00 ffffffff
        9c40 1267 7f000001 00000000 00000000 00000000 7f000001 00000000 00000000 00000000
        01000000 ffffffff ffffffff";
    assert_eq!(asked, unhex(expected));
    let asked = request(at("[::1]:40000"), at("[2001:db8::2]:4711"), 0x0102_0304).unwrap();
    let expected = "48000000 1400 0100 04030201 00000000  0a 06 00 00 ffffffff
        9c40 1267 00000000 00000000 00000000 00000001 20010db8 00000000 00000000 00000002
        01000000 ffffffff ffffffff";
    assert_eq!(asked, unhex(expected));
    assert_eq!(request(at("127.0.0.1:1"), at("[::1]:2"), 1), None);
}

#[test]
fn what_is_told_of_a_socket_is_read() {
    let told = |family, state, ends, user, inode| {
        reply(&answer(BY_FAMILY, 3, &socket(family, state, ends, user, inode)), 3).unwrap().unwrap()
    };
    let (peer, local) = ("127.0.0.1:40000", "127.0.0.1:4711");
    assert_eq!(told(IPV4, 1, V4, 1001, 5), found(peer, local, true, 1001, false));
    assert_eq!(told(IPV4, 4, V4, 0, 0), found(peer, local, false, 0, true));
    assert_eq!(told(IPV6, 1, V6, US, u32::MAX), found("[::1]:40000", "[::1]:4711", true, US, false));
    // An IPv4 connection of a socket of both families.
    assert_eq!(told(IPV6, 8, MAPPED, US, 5), found(peer, local, false, US, false));
}

#[test]
fn only_an_answer_to_the_question_counts() {
    let body = socket(IPV4, 1, V4, US, 5);
    assert_eq!(reply(&answer(BY_FAMILY, 2, &body), 3), None, "to an earlier one");
    let error = |number: i32| reply(&answer(ERROR, 3, &number.to_ne_bytes()), 3);
    assert_eq!(error(-2), Some(Some(Found::Nothing)));
    for other in [0, 2, -1, -13, -22, -95] {
        assert_eq!(error(other), Some(None), "{other}");
    }
    for kind in [0, 1, 3, 21] {
        assert_eq!(reply(&answer(kind, 3, &body), 3), Some(None), "{kind}");
    }
    assert_eq!(reply(&answer(BY_FAMILY, 3, &socket(1, 1, V4, US, 5)), 3), Some(None), "another family");
    // Cut off anywhere, it tells nothing.
    let whole = answer(BY_FAMILY, 3, &body);
    for size in 0..HEAD + 72 {
        assert!(matches!(reply(&whole[..size], 3), None | Some(None)), "{size}");
    }
    assert!(matches!(reply(&whole[..HEAD + 72], 3), Some(Some(Found::Socket(_)))));
    for size in 0..HEAD + 4 {
        let whole = answer(ERROR, 3, &(-2i32).to_ne_bytes());
        assert!(matches!(reply(&whole[..size], 3), None | Some(None)), "{size}");
    }
}

/// What is made of these answers; the questions must be about these ends.
fn judged(answers: [Option<Found>; 2]) -> Verdict {
    let (peer, local) = (at("127.0.0.1:40000"), at("127.0.0.1:4711"));
    let mut questions = [(peer, local), (local, peer)].into_iter().zip(answers);
    judge(peer, local, US, |from, to| {
        let (question, answer) = questions.next().unwrap();
        assert_eq!((from, to), question);
        answer
    })
}

fn ours(established: bool) -> Option<Found> {
    Some(found("127.0.0.1:4711", "127.0.0.1:40000", established, US, false))
}

fn listening() -> Option<Found> {
    Some(found("127.0.0.1:4711", "0.0.0.0:0", false, US, false))
}

#[test]
fn the_peers_socket_says_whose_it_is() {
    let theirs = |user, orphaned| {
        judged([Some(found("127.0.0.1:40000", "127.0.0.1:4711", true, user, orphaned)), None])
    };
    assert_eq!(theirs(US, false), Verdict::Owner(PeerOwner::Ours));
    assert_eq!(theirs(0, false), Verdict::Owner(PeerOwner::Ours));
    assert_eq!(theirs(0, true), Verdict::Owner(PeerOwner::NotOurs), "the kernel tells an orphan as root's");
    for user in [1001, 65534, 1, 100_000] {
        assert_eq!(theirs(user, false), Verdict::Owner(PeerOwner::NotOurs), "{user}");
    }
}

#[test]
fn a_peer_that_is_gone_is_nobodys() {
    for peer in [Found::Nothing, found("127.0.0.1:40000", "0.0.0.0:0", false, US, false)] {
        assert_eq!(judged([Some(peer), ours(false)]), Verdict::Owner(PeerOwner::NotOurs));
    }
    assert_eq!(judged([Some(Found::Nothing), listening()]), Verdict::Owner(PeerOwner::NotOurs));
}

#[test]
fn the_list_is_read_for_what_the_kernel_does_not_tell() {
    let in_the_list = Verdict::InTheList;
    assert_eq!(judged([Some(Found::Nothing), ours(true)]), in_the_list, "a peer in a network of its own");
    // Somebody else's that listens on the peer's port isn't the peer.
    let other = found("0.0.0.0:40000", "0.0.0.0:0", false, 1001, false);
    assert_eq!(judged([Some(other), ours(true)]), in_the_list);
    assert_eq!(judged([None, None]), in_the_list);
    assert_eq!(judged([Some(Found::Nothing), None]), in_the_list);
}

#[test]
fn a_kernel_that_finds_not_even_who_listens_cannot_look() {
    assert_eq!(judged([Some(Found::Nothing), Some(Found::Nothing)]), Verdict::CannotLook);
}
