//! Ctrl-C and the polite signals.

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

/// Waits for the first of Ctrl-C, SIGTERM and SIGHUP; from its first poll on, none of them ends the process.
#[cfg(unix)]
pub async fn any() {
    let (sender, mut first) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let Ok(mut arrivals) = signal(kind) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move {
            arrivals.recv().await;
            let _ = sender.try_send(());
        });
    }
    first.recv().await;
}

/// Waits for Ctrl-C; from its first poll on, it doesn't end the process.
#[cfg(not(unix))]
pub async fn any() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
