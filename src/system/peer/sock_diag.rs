//! What the kernel tells of one TCP socket (netlink, `sock_diag(7)`): it looks the socket up, and so answers as soon on a
//! machine with many connections as on one with few.

use super::connection::{Connection, PeerOwner};
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

const HEAD: usize = 16;
const REQUEST: usize = HEAD + 56;
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const IS_REQUEST: u16 = 1;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TCP: u8 = 6;
const ESTABLISHED: u8 = 1;
/// A socket that is bound to an interface is found by that interface alone, and any user may bind theirs to this one, over
/// which all goes that stays on the machine. Its number is the same everywhere; sockets that aren't bound are found by it, too.
const LOOPBACK: u32 = 1;

/// This kernel can't look. It isn't asked again: at each question it would start a program that looks for its module.
static CANNOT_LOOK: AtomicBool = AtomicBool::new(false);

/// What was found between two ends.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Where no socket has both ends, it's one that listens at the first.
    Socket(Connection),
    /// Also what a kernel says that can't look.
    Nothing,
}

/// What became of the question.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Owner(PeerOwner),
    /// The list of all connections tells more.
    InTheList,
    CannotLook,
}

/// Who is at the `peer` end, where the kernel tells; `None` where the list of all connections may tell more.
pub(super) fn owner_of(peer: SocketAddr, local: SocketAddr, us: u32) -> Option<PeerOwner> {
    if CANNOT_LOOK.load(Ordering::Relaxed) {
        return None;
    }
    // The kernel has answered before the request counts as sent: nothing has to be waited for.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let kernel =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG)).ok()?;
    // Nobody but the kernel can send to a socket that is connected to it.
    connect(&kernel, &SocketAddrNetlink::new(0, 0)).ok()?;
    let mut number = 0;
    let look = |from, to| {
        number += 1;
        look_up(&kernel, from, to, number)
    };
    match judge(peer, local, us, look) {
        Verdict::Owner(owner) => return Some(owner),
        Verdict::InTheList => {}
        Verdict::CannotLook => CANNOT_LOOK.store(true, Ordering::Relaxed),
    }
    None
}

/// `look` tells what is between two ends at this moment; `None` where it can't.
fn judge(
    peer: SocketAddr,
    local: SocketAddr,
    us: u32,
    mut look: impl FnMut(SocketAddr, SocketAddr) -> Option<Found>,
) -> Verdict {
    let Some(found) = look(peer, local) else { return Verdict::InTheList };
    if let Found::Socket(it) = found
        && it.is_between(peer, local)
    {
        return Verdict::Owner(it.owner(us));
    }
    match look(local, peer) {
        // That nobody is at the other end of a connection is left to the list: a peer that is hidden from a look-up by the way
        // in which it is routed is in there.
        Some(Found::Socket(it)) if it.established && it.is_between(local, peer) => Verdict::InTheList,
        Some(Found::Socket(_)) => Verdict::Owner(PeerOwner::NotOurs),
        // Where our end is gone, the socket that listens on its port is found.
        Some(Found::Nothing) => Verdict::CannotLook,
        None => Verdict::InTheList,
    }
}

fn look_up(kernel: &OwnedFd, from: SocketAddr, to: SocketAddr, number: u32) -> Option<Found> {
    send(kernel, &request(from, to, number)?, SendFlags::empty()).ok()?;
    let mut buffer = [0; 4096];
    loop {
        let (size, _) = recv(kernel, &mut buffer, RecvFlags::empty()).ok()?;
        if let Some(found) = reply(buffer.get(..size)?, number) {
            return found;
        }
    }
}

/// Asks for the socket that has these two ends: `nlmsghdr` and `inet_diag_req_v2`. `None` for ends of two families.
fn request(from: SocketAddr, to: SocketAddr, number: u32) -> Option<Vec<u8>> {
    let family = match (from, to) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => IPV4,
        (SocketAddr::V6(_), SocketAddr::V6(_)) => IPV6,
        _ => return None,
    };
    let mut bytes = Vec::with_capacity(REQUEST);
    bytes.extend((REQUEST as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(IS_REQUEST.to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([family, TCP, 0, 0]);
    // In any state.
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(padded(from.ip()));
    bytes.extend(padded(to.ip()));
    bytes.extend(LOOPBACK.to_ne_bytes());
    // Whichever socket has them now.
    bytes.extend([0xff; 8]);
    Some(bytes)
}

fn padded(host: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match host {
        IpAddr::V4(it) => bytes[..4].copy_from_slice(&it.octets()),
        IpAddr::V6(it) => bytes = it.octets(),
    }
    bytes
}

/// What the kernel says to the request of this number; `None` where it doesn't speak to that one.
fn reply(bytes: &[u8], number: u32) -> Option<Option<Found>> {
    if word(bytes, 8)? != number {
        return None;
    }
    Some(match u16::from_ne_bytes(part(bytes, 4)?) {
        BY_FAMILY => connection(bytes.get(HEAD..)?).map(Found::Socket),
        ERROR => {
            let not_there = i32::from_ne_bytes(part(bytes, HEAD)?) == -Errno::NOENT.raw_os_error();
            not_there.then_some(Found::Nothing)
        }
        _ => None,
    })
}

/// An `inet_diag_msg`.
fn connection(bytes: &[u8]) -> Option<Connection> {
    let [family, state] = part(bytes, 0)?;
    let end = |port, host| {
        let port = u16::from_be_bytes(part(bytes, port)?);
        let host = match family {
            IPV4 => IpAddr::from(part::<4>(bytes, host)?),
            // A socket of both families tells an IPv4 peer as IPv6.
            IPV6 => IpAddr::from(part::<16>(bytes, host)?).to_canonical(),
            _ => return None,
        };
        Some(SocketAddr::new(host, port))
    };
    Some(Connection {
        local: end(4, 8)?,
        remote: end(6, 24)?,
        established: state == ESTABLISHED,
        user: word(bytes, 64)?,
        orphaned: word(bytes, 68)? == 0,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(part(bytes, at)?))
}

fn part<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
