//! A line to a server that goes silent, as behind a firewall that forgot it: whatever is sent is taken and never arrives.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// It runs until the tests end.
pub struct Line {
    pub port: u16,
    silent: Arc<AtomicBool>,
}

impl Line {
    /// To a port of this machine; it carries.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, silent) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let is_silent = silent.clone();
        std::thread::spawn(move || {
            for ours in listener.incoming().map_while(Result::ok) {
                // Where nobody answers at the other end, whoever comes is let go.
                let Ok(theirs) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (from, to) = (ours.try_clone().unwrap(), theirs.try_clone().unwrap());
                let (there, back) = (is_silent.clone(), is_silent.clone());
                std::thread::spawn(move || carry(from, to, &there));
                std::thread::spawn(move || carry(theirs, ours, &back));
            }
        });
        Self { port, silent }
    }

    /// From here on nothing gets through; what is swallowed never arrives, and its connection carries nothing any more.
    pub fn goes_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// New connections carry again.
    pub fn carries(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 65536];
    let mut is_broken = false;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        is_broken |= silent.load(Ordering::SeqCst);
        if !is_broken && to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Nobody hears of an end, either.
    if !is_broken {
        let _ = to.shutdown(Shutdown::Both);
    }
}
