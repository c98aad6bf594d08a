//! A connection without TLS: whoever holds the port, or could put a socket there, gets no password. A server that asks for one in
//! the clear, or hashed so that the hash is as good as it, isn't answered; SCRAM proves to each side that the other knows the
//! password, and shows it to neither.
//!
//! Sources: PostgreSQL's manual, 55.2.1 and 55.7 (messages), 55.3 (SCRAM-SHA-256, RFC 7677).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may be asked for before whoever answers has proven anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedAuthentication {
    /// SCRAM and nothing else: a password is at hand, and only who knows it is given anything.
    Scram,
    /// No password either: nothing secret is shown.
    NoPassword,
    /// Anything: only the server can be here.
    None,
}

/// Why a server isn't answered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SignInRefused(&'static str);

/// A connection whose first messages are looked at.
pub(super) struct SignInGuard<S> {
    stream: S,
    proof: AllowedAuthentication,
    /// The head of the message that is being read: its kind, its length, and the request's number.
    head: Vec<u8>,
    /// How much of the rest of a message that isn't looked at is still to come.
    rest: usize,
    decided: bool,
}

impl<S> SignInGuard<S> {
    pub(super) fn new(stream: S, proof: AllowedAuthentication) -> Self {
        Self {
            stream,
            proof,
            head: Vec::with_capacity(9),
            rest: 0,
            decided: proof == AllowedAuthentication::None,
        }
    }

    /// Looks at what came, before anybody else does.
    fn look(&mut self, mut came: &[u8]) -> Result<(), SignInRefused> {
        while let (false, Some((&byte, after))) = (self.decided, came.split_first()) {
            if self.rest > 0 {
                let skipped = self.rest.min(came.len());
                self.rest -= skipped;
                came = &came[skipped..];
                continue;
            }
            self.head.push(byte);
            came = after;
            match *self.head {
                // What the server asks for before anybody is signed in.
                [b'R', _, _, _, _, a, b, c, d] => {
                    self.permits(u32::from_be_bytes([a, b, c, d]))?;
                    self.decided = true;
                }
                [b'R', ..] => {}
                // It refuses; whatever comes behind that, nothing is sent any more.
                [b'E'] => self.decided = true,
                // A notice. The length counts itself.
                [_, a, b, c, d] => {
                    self.rest = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
                    self.head.clear();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn permits(&self, request: u32) -> Result<(), SignInRefused> {
        const OK: u32 = 0;
        const CLEARTEXT: u32 = 3;
        const MD5: u32 = 5;
        match (request, self.proof) {
            // defense: S61 no-password-in-the-clear
            (CLEARTEXT, _) => Err(SignInRefused("it asks for the password in the clear, without TLS")),
            (MD5, _) => Err(SignInRefused("it asks for the password hashed with MD5, without TLS")),
            // defense: S61 server-knows-the-password
            (OK, AllowedAuthentication::Scram) => {
                Err(SignInRefused("it asks for no password, so it doesn't prove its identity"))
            }
            _ => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SignInGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let looked = self.look(&into.filled()[before..]);
        Poll::Ready(looked.map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SignInGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn request(number: u32) -> Vec<u8> {
        message(b'R', &number.to_be_bytes())
    }

    /// What a server says, in pieces of this size.
    fn looked(proof: AllowedAuthentication, said: &[u8], piece: usize) -> Result<(), String> {
        let mut guard = SignInGuard::new((), proof);
        said.chunks(piece).try_for_each(|came| guard.look(came)).map_err(|e| e.to_string())
    }

    #[test]
    fn only_scram_is_answered_where_a_password_is_at_hand_however_the_bytes_come() {
        let scram = [&10u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat();
        let notice = message(b'N', b"Rather long: R\0\0\0\x08\0\0\0\x03\0");
        for piece in 1..20 {
            for before in [&b""[..], &notice, &[&notice[..], &notice].concat()] {
                let said = |request: &[u8]| [before, request].concat();
                let of = |proof, request: &[u8]| looked(proof, &said(request), piece);
                assert_eq!(of(AllowedAuthentication::Scram, &message(b'R', &scram)), Ok(()));
                assert_eq!(of(AllowedAuthentication::NoPassword, &message(b'R', &scram)), Ok(()));
                assert_eq!(of(AllowedAuthentication::NoPassword, &request(0)), Ok(()));
                assert!(
                    of(AllowedAuthentication::Scram, &request(0))
                        .unwrap_err()
                        .contains("asks for no password")
                );
                for proof in [AllowedAuthentication::Scram, AllowedAuthentication::NoPassword] {
                    assert!(of(proof, &request(3)).unwrap_err().contains("in the clear"));
                    let md5 = [&5u32.to_be_bytes()[..], b"salt"].concat();
                    assert!(of(proof, &message(b'R', &md5)).unwrap_err().contains("MD5"));
                }
                assert_eq!(of(AllowedAuthentication::None, &request(3)), Ok(()));
                assert_eq!(of(AllowedAuthentication::Scram, &message(b'E', b"SFATAL\0\0")), Ok(()));
            }
        }
    }

    #[test]
    fn what_is_no_message_of_a_server_has_an_end() {
        for piece in [1, 3, 1000] {
            assert_eq!(
                looked(AllowedAuthentication::Scram, b"HTTP/1.1 400 Bad Request\r\n\r\n", piece),
                Ok(())
            );
            assert_eq!(
                looked(AllowedAuthentication::Scram, &[b'N', 0, 0, 0, 0, b'N', 0, 0, 0, 0], piece),
                Ok(())
            );
        }
    }
}
