"""pizauth: a daemon that keeps tokens in memory alone."""
import os
import subprocess

from ..bench import PEER, Contestant
from ..home import consented

# In place of an account's addresses, where nobody consents.
NOWHERE = "http://127.0.0.1:1"


class Daemon:
    """A running daemon. It has an account for each round: one consents once."""

    def __init__(self, bench, address, count):
        self.bench = bench
        self.folder = bench.new("pizauth")
        self.fifo = self.folder / "stored"
        os.mkfifo(self.fifo)
        self.env = bench.environment(self.folder, SHELL="/bin/sh")
        # Else it and who asks whether it's up make it at the same moment, and one of them ends with an error.
        (self.folder / "pizauth").mkdir(mode=0o700)
        config = self.folder / "pizauth.conf"
        config.write_text(f'token_event_cmd = "printf x >{self.fifo}";\n' + "".join(
            f'account "store{at}" {{ auth_uri = "{address}/oauth"; token_uri = "{address}/oauth/token"; client_id = "a"; '
            f'client_secret = "b"; scopes = ["openid"]; redirect_uri = "http://127.0.0.1/"; }}\n' for at in range(count)))
        self.process, _ = bench.start([bench.pizauth, "server", "-d", "-c", config], self.env, first_line=False)
        asked = [bench.pizauth, "status"]
        bench.until(lambda: not subprocess.run(asked, env=self.env, capture_output=True).returncode, self.process)

    @classmethod
    def with_account(cls, bench, address):
        if not bench.pizauth:
            return None
        daemon = cls(bench, address, 1)
        daemon.consented()(0)
        return daemon

    def consented(self):
        return consented(self.bench, lambda at: [self.bench.pizauth, "show", f"store{at}"], self.env, until=self.fifo)

    def token(self):
        run = self.bench.timed([self.bench.pizauth, "show", "store0"], self.env)
        return Contestant(PEER, "pizauth show", run, "the daemon up, in memory")


def status(bench, count):
    if not bench.pizauth:
        return None
    daemon = Daemon(bench, NOWHERE, count)
    run = bench.timed([bench.pizauth, "status"], daemon.env)
    return Contestant(PEER, "pizauth status", run, "the daemon up, in memory")


def consent(bench, address):
    """Its daemon goes on: done is when it tells that it has the token, which a shell passes on."""
    if not bench.pizauth:
        bench.note("pizauth was left out: no package registry has it; --pizauth PATH names a binary.")
        return None
    return Contestant(PEER, "pizauth", Daemon(bench, address, 200).consented(), "in memory alone; told by its event")
