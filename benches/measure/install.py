"""Brings what is measured: the peers from Debian, and builds of the program and the floors."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each is what some people use instead of ours for a part of what it does. openssl makes
# certbot's certificates; the last two are for the keyring's rows.
DEBIAN = ["certbot", "gh", "git", "git-credential-oauth", "oidc-agent-cli", "rclone", "openssl", "dbus", "gnome-keyring"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def peers():
    """Installs the Debian packages that are missing. pizauth is in no registry: see --pizauth."""
    missing = [name for name in DEBIAN if not is_installed(name)]
    if not missing:
        return
    say(f"Installing from Debian: {' '.join(missing)}")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for arguments in (["update", "-q"], ["install", "-yq", "--no-install-recommends", *missing]):
        subprocess.run([*as_root, *environment, "apt-get", *arguments], check=True, stdout=sys.stderr)


def is_installed(package):
    asked = ["dpkg-query", "-W", "-f", "${Status}", package]
    found = subprocess.run(asked, capture_output=True, text=True)
    return "install ok installed" in found.stdout


def program():
    """Our release binary."""
    cargo(ROOT, target())
    return target() / "release" / "biotrack-auth"


def floors():
    """The folder of the floors' binaries: their own workspace, built as ours is."""
    folder = target() / "floor"
    cargo(ROOT / "benches" / "floor", folder)
    return folder / "release"


def target():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def cargo(where, folder):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder)}
    subprocess.run(["cargo", "build", "--release", "--locked", "-q"], cwd=where, env=environment, check=True)


def found(name):
    """A peer's path, or None where it isn't there."""
    return shutil.which(name)
