//! Says how a browser on another machine reaches the port that waits on this one.

use crate::system::Env;

/// What a person at a terminal without a display is told: only a browser that reaches this machine's own address can come
/// back to the port that waits here. `$BROWSER` names one that does.
pub(in crate::command) fn from_afar(env: &Env, ports: &[u16]) -> Option<String> {
    let around = env.surroundings();
    if ports.is_empty()
        || !env.terminal.interactive()
        || around.display
        || env.variables.get("BROWSER").is_some()
    {
        return None;
    }
    let named = if ports.len() == 1 { "the port" } else { "the ports" };
    let forwards: Vec<_> = ports.iter().map(|port| format!("-L {port}:127.0.0.1:{port}")).collect();
    let forwards = forwards.join(" ");
    let place = if around.ssh { "This is an SSH session" } else { "There is no display here" };
    Some(format!(
        "{place}: forward {named} from where the browser is (ssh {forwards} …), then open the address there. \
         For an admin elsewhere: Ctrl-C, then --no-wait."
    ))
}
