//! Ports that browsers refuse to go to, whatever listens there: a redirect to one of them never arrives.

use url::Url;

/// The list of the Fetch standard (2.9, port blocking).
const BLOCKED: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether browsers refuse it. 0, which is no port, means any free one here, and none of those is refused.
pub fn is_blocked(port: u16) -> bool {
    port != 0 && BLOCKED.contains(&port)
}

/// The port of an address, where browsers refuse it.
pub fn blocked_port_of(address: &Url) -> Option<u16> {
    address.port().filter(|port| is_blocked(*port))
}

/// Reads a port that a browser goes to, as a flag has it; 0 is any free one.
///
/// # Errors
/// It's no port, or browsers refuse it.
pub fn browsers_port(text: &str) -> Result<u16, String> {
    let port = text.parse().map_err(|_| "isn't a port from 0 to 65535".to_owned())?;
    match is_blocked(port) {
        true => Err("browsers refuse this port: choose another, for example 8990".to_owned()),
        false => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_refuse_is_no_port_to_listen_on() {
        for port in ["6000", "5060", "6667", "22", "10080", "x", "65536"] {
            assert!(browsers_port(port).is_err(), "{port}");
        }
        for port in ["0", "8990", "80", "443", "5000", "49152"] {
            assert_eq!(browsers_port(port), Ok(port.parse().unwrap()));
        }
    }
}
