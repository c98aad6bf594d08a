"""git-credential-oauth: the helper that asks, alone or with git's own store, which keeps what it got in a plain file."""
import os

from ..bench import PEER, Contestant
from ..home import consented
from ..install import found


def home(bench, address, helpers):
    folder = bench.new("git")
    config = "".join(f"[credential]\n\thelper = {helper}\n" for helper in helpers)
    config += (f'[credential "{address}"]\n\toauthClientId = a\n\toauthClientSecret = b\n\toauthScopes = openid\n'
               "\toauthAuthURL = /oauth\n\toauthTokenURL = /oauth/token\n")
    (folder / ".gitconfig").write_text(config)
    (folder / "asked").write_text(f"protocol=http\nhost={address.removeprefix('http://')}\n\n")
    # It waits for what opens a browser, and gives up where that fails.
    for opener in ("open", "xdg-open"):
        os.symlink("/bin/true", folder / opener)
    env = bench.environment(folder)
    return folder, {**env, "PATH": f"{folder}:{env['PATH']}", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def consent(bench, address, store=False):
    if not found("git-credential-oauth"):
        return None
    folder, env = home(bench, address, ["store", "oauth"] if store else ["oauth"])
    script = 'git credential fill <"$HOME/asked" | git credential approve' if store else 'exec git-credential-oauth get <"$HOME/asked"'
    kept = folder / ".git-credentials"
    run = consented(bench, ["sh", "-c", script], env, before=lambda _: kept.unlink(missing_ok=True))
    note = "with git's store, a plain file" if store else "stores nothing"
    return Contestant(PEER, "git-credential-oauth", run, note)


def token(bench):
    """What git itself does for a credential that it has: no refresh, no expiry."""
    if not found("git"):
        return None
    folder, env = home(bench, "http://store.invalid", ["store"])
    (folder / ".git-credentials").write_text("http://oauth2:access@store.invalid\n")
    run = bench.timed(["sh", "-c", 'exec git credential fill <"$HOME/asked"'], env)
    return Contestant(PEER, "git credential fill", run, "in a plain file")
