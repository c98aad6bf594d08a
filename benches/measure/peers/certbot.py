"""certbot: certificates that end, and are renewed before they do."""
import os

from ..bench import PEER, Contestant
from ..install import found

FILES = ["cert", "privkey", "chain", "fullchain"]


def status(bench, count):
    if not found("certbot"):
        return None
    folder = bench.new("certbot")
    env = bench.environment(folder)
    pem = {name: folder / f"{name}.pem" for name in ("cert", "privkey")}
    bench.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "60", "-subj", "/CN=store.example",
               "-addext", "subjectAltName=DNS:store.example", "-keyout", pem["privkey"], "-out", pem["cert"]], env)
    text = {name: pem["privkey" if name == "privkey" else "cert"].read_text() for name in FILES}
    config = folder / "config"
    (config / "renewal").mkdir(parents=True)
    for at in range(count):
        lineage(config, f"store{at}.example", text)
    dirs = [word for name in ("config", "work", "logs") for word in (f"--{name}-dir", folder / name)]
    run = bench.timed(["certbot", "certificates", *dirs], env)
    return Contestant(PEER, "certbot certificates", run)


def lineage(config, name, text):
    """One certificate as certbot keeps it: the files, links to them, and how it's renewed."""
    live, archive = config / "live" / name, config / "archive" / name
    live.mkdir(parents=True)
    archive.mkdir(parents=True)
    for file in FILES:
        (archive / f"{file}1.pem").write_text(text[file])
        os.symlink(f"../../archive/{name}/{file}1.pem", live / f"{file}.pem")
    entries = [f"{file} = {live}/{file}.pem" for file in FILES]
    (config / "renewal" / f"{name}.conf").write_text(
        f"version = 2.1.0\narchive_dir = {archive}\n" + "\n".join(entries) + "\n[renewalparams]\nauthenticator = standalone\n")
