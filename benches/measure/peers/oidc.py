"""oidc-agent: an agent that keeps accounts unlocked in memory, and encrypted in files."""
import itertools
import socket

from ..bench import PEER, Contestant
from ..home import consented
from ..install import found


class Agent:
    """A running agent. It holds the port of each account's listener for as long as it lives."""

    def __init__(self, bench, address):
        self.bench, self.address = bench, address
        self.folder = bench.new("oidc")
        (self.folder / ".oidc-agent").mkdir(mode=0o700)
        self.env = bench.environment(self.folder, OIDC_CONFIG_DIR=str(self.folder / ".oidc-agent"),
                                     OIDC_SOCK=str(self.folder / "socket"))
        # It says where its socket is, but not before its buffer is full.
        process, _ = bench.start(["oidc-agent", "-d", f"--socket-path={self.folder / 'socket'}"], self.env, first_line=False)
        bench.until((self.folder / "socket").exists, process)

    @classmethod
    def with_account(cls, bench, address):
        if not found("oidc-gen"):
            return None
        agent = cls(bench, address)
        agent.consented()(0)
        return agent

    def consented(self):
        """Makes another account each round."""
        def words(at):
            return ["oidc-gen", "--manual", f"--iss={self.address}", "--client-id=a", "--client-secret=b",
                    f"--redirect-uri=http://localhost:{free_port()}", "--scope=openid offline_access", "--no-url-call",
                    "--no-scheme", "--flow=code", "--pw-cmd=echo bench", "--prompt=none", "--confirm-yes", f"store{at}"]

        return consented(self.bench, words, self.env)

    def token(self, anew=False):
        words = ["oidc-token", *(["--force-new"] if anew else []), "store0"]
        note = "the agent up, refreshed" if anew else "the agent up"
        return Contestant(PEER, "oidc-token", self.bench.timed(words, self.env), note)


def consent(bench, address):
    if not found("oidc-gen"):
        return None
    return Contestant(PEER, "oidc-gen", Agent(bench, address).consented(), "asks its agent every second or two")


def free_port():
    """Below those that the kernel gives to anyone: oidc-gen takes none of the upper ones."""
    for port in itertools.count(20_000):
        with socket.socket() as it:
            try:
                it.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
