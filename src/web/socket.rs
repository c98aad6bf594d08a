//! What both servers of browsers need of the machine.

use crate::error::{Error, Result};
use crate::system::Env;
use std::sync::mpsc::Sender;
use tokio::runtime::Handle;

/// Tells of Ctrl-C or a polite signal, counted from this moment on and not only once the runtime gets round to it.
pub(super) fn on_interrupt<T: Send + 'static>(
    env: &Env,
    runtime: &Handle,
    to: &Sender<T>,
    told: T,
) -> Result<()> {
    let (to, interrupts) = (to.clone(), env.interrupts()?);
    runtime.spawn(async move {
        interrupts.come(1).await;
        let _ = to.send(told);
    });
    Ok(())
}

/// What a listener that can't be bound means, where a certain port was wanted, or any.
pub(super) fn unbound(wanted: Option<u16>) -> impl Fn(std::io::Error) -> Error {
    move |e| match wanted {
        Some(port) => Error::ListenerTaken { port, reason: e.to_string() },
        None => Error::Listener { reason: e.to_string() },
    }
}
