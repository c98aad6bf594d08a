//! Says how a browser on another machine reaches the port that waits on this one.

use crate::system::Env;

/// What a person at a terminal without a display is told: only a browser that reaches this machine's own address can come
/// back to the port that waits here. `$BROWSER` names one that does.
pub(in crate::command) fn from_afar(env: &Env, port: Option<u16>) -> Option<String> {
    let around = env.surroundings();
    let port = port
        .filter(|_| env.terminal.attended() && !around.display && env.variables.get("BROWSER").is_none())?;
    let place = if around.ssh { "This is an SSH session" } else { "There is no display here" };
    Some(format!(
        "{place}: forward the port from where the browser is (ssh -L {port}:127.0.0.1:{port} …), then open the address there. \
         For an admin elsewhere: Ctrl-C, then --no-wait."
    ))
}
