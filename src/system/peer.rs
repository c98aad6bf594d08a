//! Whose the other end of a connection on this machine is, where the system tells: Linux does, of one connection by netlink
//! and of all of them in /proc/net.

mod connection;
#[cfg(target_os = "linux")]
mod sock_diag;

pub use connection::PeerOwner;

#[cfg(any(target_os = "linux", test))]
use connection::Connection;
#[cfg(any(target_os = "linux", test))]
use std::net::IpAddr;
use std::net::SocketAddr;

/// Who is at the `peer` end of a connection to our `local` one. `None`: only the list of all connections of this machine could
/// tell, which takes long where there are many, and `may_list` says no.
pub fn owner_of(peer: SocketAddr, local: SocketAddr, may_list: impl FnOnce() -> bool) -> Option<PeerOwner> {
    #[cfg(target_os = "linux")]
    {
        let us = rustix::process::geteuid().as_raw();
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let (peer, local) = (canonical(peer), canonical(local));
        sock_diag::owner_of(peer, local, us)
            .or_else(|| may_list().then(|| judge(peer, local, us, connections)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (peer, local, may_list);
        Some(PeerOwner::Unknown)
    }
}

/// What the system lists of both families; `None` where it lists nothing.
#[cfg(target_os = "linux")]
fn connections() -> Option<String> {
    let read = |name| std::fs::read_to_string(name).ok();
    let ipv4 = read("/proc/net/tcp")?;
    // A machine without IPv6 has no second list.
    Some(ipv4 + &read("/proc/net/tcp6").unwrap_or_default())
}

/// `read` lists the connections at this moment. A peer whose end isn't listed has closed it in between, or is in a network
/// of its own: which of the two, our own end tells.
#[cfg(any(target_os = "linux", test))]
fn judge(
    peer: SocketAddr,
    local: SocketAddr,
    us: u32,
    mut read: impl FnMut() -> Option<String>,
) -> PeerOwner {
    let mut look = || read().map(|list| list.lines().filter_map(connection).collect::<Vec<_>>());
    let Some(list) = look() else { return PeerOwner::Unknown };
    if let Some(it) = list.iter().find(|it| it.is_between(peer, local)) {
        return it.owner(us);
    }
    // Our end is read after the peer's was missed: were it closed, this one wouldn't be open.
    match look().and_then(|list| list.into_iter().find(|it| it.is_between(local, peer))) {
        Some(it) if it.established => PeerOwner::Unknown,
        _ => PeerOwner::NotOurs,
    }
}

/// `sl local remote state queues timer retransmits uid timeout inode …`, addresses in hexadecimal.
#[cfg(any(target_os = "linux", test))]
fn connection(line: &str) -> Option<Connection> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, _, _, user, _, inode, ..] = fields[..] else { return None };
    Some(Connection {
        local: address(local)?,
        remote: address(remote)?,
        established: state == "01",
        user: user.parse().ok()?,
        orphaned: inode == "0",
    })
}

/// Four bytes at a time, each four as this machine's processor orders them. A socket of both families lists an IPv4 peer
/// as IPv6: it's compared as what it is.
#[cfg(any(target_os = "linux", test))]
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let bytes = hex::decode(host).ok()?;
    let (words, []) = bytes.as_chunks::<4>() else { return None };
    let bytes: Vec<u8> = words.iter().flat_map(|word| u32::from_be_bytes(*word).to_ne_bytes()).collect();
    let host = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
    };
    Some(SocketAddr::new(host, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1000;
    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// As the kernel writes an address on this machine.
    fn listed(address: SocketAddr) -> String {
        let bytes = match address.ip() {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        };
        let words = bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        format!("{}:{:04X}", words.map(|word| format!("{word:08X}")).collect::<String>(), address.port())
    }

    fn line(from: &str, to: &str, state: &str, user: u32, inode: u32) -> String {
        let (from, to) = (listed(at(from)), listed(at(to)));
        format!(
            "   1: {from} {to} {state} 00000000:00000000 00:00000000 00000000  {user:4}        0 {inode} 1 0\n"
        )
    }

    fn judged(looks: &[&str]) -> PeerOwner {
        let mut looks = looks.iter();
        let mut read = move || looks.next().map(|lines| format!("{HEAD}{lines}"));
        judge(at("127.0.0.1:40000"), at("127.0.0.1:4711"), US, &mut read)
    }

    #[test]
    fn the_peers_line_says_whose_it_is() {
        let ours = line("127.0.0.1:4711", "127.0.0.1:40000", "01", US, 7);
        let theirs = |user, inode| line("127.0.0.1:40000", "127.0.0.1:4711", "01", user, inode) + &ours;
        assert_eq!(judged(&[&theirs(US, 9)]), PeerOwner::Ours);
        assert_eq!(judged(&[&theirs(0, 9)]), PeerOwner::Ours);
        for user in [1001, 65534, 1, 100_000] {
            assert_eq!(judged(&[&theirs(user, 9)]), PeerOwner::NotOurs, "{user}");
        }
    }

    #[test]
    fn what_nobody_holds_any_more_is_nobodys() {
        // The kernel lists an orphan as root's.
        let orphan = line("127.0.0.1:40000", "127.0.0.1:4711", "05", 0, 0);
        assert_eq!(judged(&[&orphan]), PeerOwner::NotOurs);
        // Reset: both ends are gone, or ours is left closing.
        assert_eq!(judged(&["", ""]), PeerOwner::NotOurs);
        let closing = line("127.0.0.1:4711", "127.0.0.1:40000", "08", US, 7);
        assert_eq!(judged(&[&closing, &closing]), PeerOwner::NotOurs);
    }

    #[test]
    fn a_peer_in_a_network_of_its_own_is_unknown() {
        let ours = line("127.0.0.1:4711", "127.0.0.1:40000", "01", US, 7);
        assert_eq!(judged(&[&ours, &ours]), PeerOwner::Unknown);
        assert_eq!(judged(&[]), PeerOwner::Unknown);
    }

    #[test]
    fn other_connections_say_nothing() {
        let ours = line("127.0.0.1:4711", "127.0.0.1:40000", "01", US, 7);
        let others = [
            line("127.0.0.1:40001", "127.0.0.1:4711", "01", 1001, 9),
            line("127.0.0.1:40000", "127.0.0.1:4712", "01", 1001, 9),
            line("127.0.0.2:40000", "127.0.0.1:4711", "01", 1001, 9),
            "   2: garbage\n".into(),
            "   3: 0100007F:ZZZZ 0100007F:1267 01 0:0 0:0 0 1001 0 9\n".into(),
            "   4: 007F:9C40 0100007F:1267 01 0:0 0:0 0 1001 0 9\n".into(),
        ];
        assert_eq!(judged(&[&(others.concat() + &ours), &ours]), PeerOwner::Unknown);
    }

    #[test]
    fn a_socket_of_both_families_is_found() {
        let peer = line("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:4711", "01", 1001, 9);
        assert_eq!(judged(&[&peer]), PeerOwner::NotOurs);
        let peer = line("[::1]:40000", "[::1]:4711", "01", US, 9);
        let read = || Some(peer.clone());
        assert_eq!(judge(at("[::1]:40000"), at("[::1]:4711"), US, read), PeerOwner::Ours);
    }

    /// Without the list of all connections, which a flood of visits would have read as often.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_that_a_connection_of_this_test_is_ours() {
        use std::net::{TcpListener, TcpStream};

        let no_list = || -> bool { panic!("the list is read") };
        for at in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(at) else { continue };
            let mut place = listener.local_addr().unwrap();
            if place.ip().is_unspecified() {
                // A server of both families, and a client of IPv4.
                place.set_ip([127, 0, 0, 1].into());
            }
            let Ok(client) = TcpStream::connect(place) else { continue };
            let (server, peer) = listener.accept().unwrap();
            let local = server.local_addr().unwrap();
            assert_eq!(owner_of(peer, local, no_list), Some(PeerOwner::Ours), "{at}");
            let us = rustix::process::geteuid().as_raw();
            let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
            assert_eq!(judge(canonical(peer), canonical(local), us, connections), PeerOwner::Ours, "{at}");
            drop(client);
            assert_eq!(owner_of(peer, local, no_list), Some(PeerOwner::NotOurs), "{at}");
            drop(server);
            assert_eq!(owner_of(peer, local, no_list), Some(PeerOwner::NotOurs), "{at}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_list_alone_tells_takes_leave() {
        // The kernel isn't asked about ends of two families.
        let (peer, local) = (at("[::1]:1"), at("127.0.0.1:2"));
        assert_eq!(owner_of(peer, local, || false), None);
        assert_eq!(owner_of(peer, local, || true), Some(PeerOwner::NotOurs));
    }
}
