//! What kind of place this is, as far as it matters to a consent: a desk with a screen, or somewhere far from one.

use super::variables::Variables;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

/// What the environment shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Someone is logged in from another machine.
    pub ssh: bool,
    /// Linux inside Windows: its browser is the other system's.
    pub wsl: bool,
    /// A container: no browser, and often no lasting disk.
    pub container: bool,
    /// A browser could show a window.
    pub display: bool,
    /// Wine, which runs Windows' programs on another system.
    pub wine: bool,
}

impl Surroundings {
    /// Looks around; nothing is started, and nothing waits.
    pub(super) fn look(variables: &Variables) -> Self {
        let set = |name: &str| variables.get(name).is_some();
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default().to_lowercase();
        let wsl = set("WSL_DISTRO_NAME") || text("/proc/sys/kernel/osrelease").contains("microsoft");
        Self {
            ssh: set("SSH_CONNECTION") || set("SSH_TTY"),
            wsl,
            container: cfg!(unix)
                && (set("container")
                    || Path::new("/.dockerenv").exists()
                    || Path::new("/run/.containerenv").exists()),
            display: cfg!(any(windows, target_os = "macos"))
                || wsl
                || set("DISPLAY")
                || set("WAYLAND_DISPLAY"),
            wine: cfg!(windows) && is_wine(variables),
        }
    }
}

/// Wine has its own programs among the system's, which Windows has never had.
fn is_wine(variables: &Variables) -> bool {
    let system = variables.get("SystemRoot").or_else(|| variables.get("windir")).unwrap_or(r"C:\windows");
    Path::new(system).join("system32").join("winecfg.exe").exists()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackAddress {
    /// 127.0.0.1.
    Ipv4(u16),
    /// `[::1]`.
    Ipv6(u16),
}

/// Whether a redirect could be caught there; 0 is any port. Let go at once.
///
/// # Errors
/// The system's word.
pub fn can_listen(at: LoopbackAddress) -> Result<(), String> {
    let address = match at {
        LoopbackAddress::Ipv4(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        LoopbackAddress::Ipv6(port) => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    };
    TcpListener::bind(address).map(drop).map_err(|e| e.to_string())
}
