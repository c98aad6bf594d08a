//! Who asks, where a proxy stands in between: its word is taken only if it's one of those that are trusted.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The proxies whose word is taken for who asks. Those on this machine always are.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Those of these networks, beside the ones on this machine.
    pub fn of(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Reads a network, or one address.
    pub fn network(text: &str) -> Result<IpNet, String> {
        let one = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        one.or_else(|_| text.parse().map(|it: IpNet| it.trunc())).map_err(|_| {
            "it isn't an IP address (10.0.0.5) or a network (10.0.0.0/24, 2001:db8::/64)".to_owned()
        })
    }

    /// Whether an address is one of theirs.
    pub(super) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether any is on another machine.
    pub(super) fn are_elsewhere(&self) -> bool {
        !self.0.is_empty()
    }

    /// Who asks: the peer, or whom a trusted proxy names, as X-Forwarded-For or as Forwarded (RFC 7239). Each proxy adds to
    /// the right, so the rightmost that isn't one itself is the last that anybody vouches for; what stands before it, anybody
    /// could have written. A head with both headers was touched by somebody whom the proxy didn't see to: neither is believed.
    pub(super) fn source(&self, peer: IpAddr, head: &[u8]) -> IpAddr {
        let peer = peer.to_canonical();
        // defense: S62 only-trusted-proxies-say-who-asks
        if !self.trust(peer) {
            return peer;
        }
        let head = String::from_utf8_lossy(head);
        let values = |wanted: &str| {
            let headers = head.lines().skip(1).take_while(|line| !line.is_empty());
            let values = headers
                .filter_map(|line| line.split_once(':'))
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned());
            values.collect::<Vec<_>>().join(",")
        };
        let (plain, structured) = (values("x-forwarded-for"), values("forwarded"));
        let named: Vec<Option<IpAddr>> = match (plain.is_empty(), structured.is_empty()) {
            (false, true) => plain.rsplit(',').map(address).collect(),
            (true, false) => structured.rsplit(',').map(forwarded_for).collect(),
            _ => return peer,
        };
        let mut last = peer;
        for hop in named {
            // What isn't an address ends what is vouched for.
            let Some(hop) = hop else { return last };
            // defense: S62 what-no-proxy-vouches-for
            if !self.trust(hop) {
                return hop;
            }
            last = hop;
        }
        last
    }
}

/// Whom one element of Forwarded names as the one it's for.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let value = named.next()?.trim();
    address(value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value))
}

/// An address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse::<IpAddr>().ok();
    alone.or_else(|| text.parse().ok().map(|it: SocketAddr| it.ip())).map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::of(networks.iter().map(|it| TrustedProxies::network(it).unwrap()).collect())
    }

    fn asked(proxies: &TrustedProxies, peer: &str, headers: &str) -> IpAddr {
        proxies.source(ip(peer), format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n").as_bytes())
    }

    #[test]
    fn only_a_trusted_proxy_says_who_asks() {
        let (here, there) = (proxies(&[]), proxies(&["10.0.0.5", "10.1.0.0/16", "2001:db8::/64"]));
        let named = "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n";
        for peer in ["127.0.0.1", "::ffff:127.0.0.1", "::1"] {
            assert_eq!(asked(&here, peer, named), ip("192.0.2.7"));
            assert_eq!(asked(&there, peer, named), ip("192.0.2.7"));
        }
        for peer in ["10.0.0.5", "10.1.200.3", "::ffff:10.0.0.5", "2001:db8::99"] {
            assert_eq!(asked(&there, peer, named), ip("192.0.2.7"), "{peer}");
            assert_eq!(asked(&here, peer, named), ip(peer).to_canonical(), "{peer}");
        }
        for peer in ["10.0.0.6", "10.2.0.1", "2001:db8:0:1::1", "192.0.2.7"] {
            assert_eq!(asked(&there, peer, named), ip(peer), "{peer}");
        }
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_asks() {
        let it = proxies(&["10.0.0.0/24"]);
        let from = |headers: &str| asked(&it, "10.0.0.5", headers);
        assert_eq!(from("X-Forwarded-For: 203.0.113.9, 192.0.2.7, 10.0.0.7, 127.0.0.1"), ip("192.0.2.7"));
        // In several lines, as proxies add them.
        assert_eq!(from("X-Forwarded-For: 192.0.2.7\r\nx-forwarded-for: 10.0.0.7"), ip("192.0.2.7"));
        // Nobody but proxies: the one that heard it first.
        assert_eq!(from("X-Forwarded-For: 10.0.0.9, 10.0.0.7"), ip("10.0.0.9"));
        assert_eq!(from("X-Forwarded-For: 192.0.2.7:4711"), ip("192.0.2.7"));
        assert_eq!(from("X-Forwarded-For: [2001:db8::7]:4711"), ip("2001:db8::7"));
        assert_eq!(from("X-Forwarded-For: ::ffff:192.0.2.7"), ip("192.0.2.7"));
        assert_eq!(
            from("Forwarded: for=203.0.113.9, for=192.0.2.7;proto=https;by=10.0.0.5"),
            ip("192.0.2.7")
        );
        assert_eq!(from("Forwarded: proto=https;For=\"[2001:db8::7]:4711\""), ip("2001:db8::7"));
    }

    #[test]
    fn what_cannot_be_read_or_was_not_from_the_proxy_is_not_believed() {
        let it = proxies(&["10.0.0.0/24"]);
        let from = |headers: &str| asked(&it, "10.0.0.5", headers);
        for headers in [
            "",
            "X-Forwarded-For: nobody",
            "X-Forwarded-For: 192.0.2.7, unknown",
            "X-Forwarded-For: 192.0.2.7,",
            "Forwarded: for=_hidden",
            "Forwarded: proto=https",
            // The one that the proxy doesn't know of is the visitor's own.
            "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.8",
            "Accept: */*\r\n\r\nX-Forwarded-For: 192.0.2.7",
        ] {
            assert_eq!(from(headers), ip("10.0.0.5"), "{headers:?}");
        }
        assert_eq!(from("X-Forwarded-For: nobody, 10.0.0.7"), ip("10.0.0.7"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "10.0.0", "10.0.0.0/33", "proxy.example", "10.0.0.5:80", "::/129", "10.0.0.0/-1"] {
            assert!(TrustedProxies::network(bad).is_err(), "{bad:?}");
        }
        assert_eq!(TrustedProxies::network("10.0.0.77/24").unwrap().to_string(), "10.0.0.0/24");
    }
}
