"""gh: logins at many hosts."""
from ..bench import PEER, Contestant
from ..install import found

# Closed, on loopback: `auth status` asks every host, and is refused at once. That is the least it can cost.
PROXY = {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}


def home(bench, count):
    folder = bench.new("gh")
    hosts = [f"h{at}.invalid:\n    oauth_token: gho_{at:036}\n    user: ann\n    git_protocol: https\n" for at in range(count)]
    (folder / "hosts.yml").write_text("".join(hosts))
    (folder / "config.yml").write_text("git_protocol: https\nprompt: disabled\n")
    return bench.environment(folder, GH_CONFIG_DIR=str(folder), GH_NO_UPDATE_NOTIFIER="1", **PROXY)


def status(bench, count):
    if not found("gh"):
        return None
    run = bench.timed(["gh", "auth", "status"], home(bench, count), codes=(1,))
    return Contestant(PEER, "gh auth status", run, "each host refused at once")


def token(bench):
    if not found("gh"):
        return None
    return Contestant(PEER, "gh auth token", bench.timed(["gh", "auth", "token", "-h", "h0.invalid"], home(bench, 1)), "in a plain file")
