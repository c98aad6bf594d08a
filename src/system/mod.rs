//! Everything that touches the machine: clock, environment, randomness, network, browser, folders, terminal.
//! `main` makes one [`Env`] and hands it down; nothing else in the program asks the machine anything.

mod boot;
mod browser;
mod clean_writer;
mod clock;
mod earlier_home;
mod env;
pub mod fault;
pub mod files;
pub mod hook;
mod http;
mod input;
mod keyring;
mod keys;
mod multiplexer;
mod paste;
mod paths;
mod peer;
mod printer;
mod programs;
mod prompt;
mod random;
mod replace_process;
pub mod signals;
mod steps;
mod stopped;
mod surroundings;
mod terminal;
pub mod threads;
mod tty;
mod variables;
mod wrap;
mod zones;

pub use browser::{
    Browser, BrowserChoice, LaunchOutcome, SystemBrowser, check_safe_to_open, found, is_there,
    written_authority,
};
pub use clock::{Clock, OnceEvent, SystemClock};
pub use env::{Env, Invoker, LazyRuntime, ProgressLine};
pub use http::{
    Http, HttpFault, HttpOptions, Network, PendingResponse, Proxy, ProxyRules, SystemNetwork, Transport,
    is_this_machine,
};
pub use input::{HiddenTyping, Input, KeyInputGuard};
pub use keyring::{KeyringFault, KeyringStore, KeyringThread};
pub use keys::TypedInput;
pub use paths::Paths;
pub use peer::{PeerOwner, owner_of};
pub use printer::MovingLines;
pub use random::{OsRandom, Random};
pub use replace_process::{ProcessReplacer, ReplaceOutcome};
pub use signals::{InterruptCounter, Signals};
pub use steps::{NoObserver, StepObserver, WatchedStep};
pub use stopped::{READ_GRACE, was_stopped_at};
pub use surroundings::{LoopbackAddress, Surroundings, can_listen};
pub use terminal::{Color, PassphrasePrompt, Terminal, Verbosity};
pub use variables::Variables;
pub use zones::zone;
