"""Our program in a home of its own, and the two providers it's measured against."""
import sqlite3
import subprocess
import time

from .bench import Sample

UBI, ADMIN = "604001234", "ann@hudson.example"


def sandbox(bench):
    """The program's own stand-in: its Grant Access page is a form, and its answers report every fact."""
    _, address = bench.start([bench.program, "sandbox", "serve"], bench.environment(bench.new("sandbox")))
    return address


def provider(bench):
    """The floors' provider, which any OAuth client can use: it consents by a redirect, at once."""
    _, address = bench.start([bench.floors / "provider"], bench.environment(bench.new("provider")))
    return address


class Home:
    """A configured home of the program."""

    def __init__(self, bench, address, vault="sealed", generic=False, session=None):
        self.bench = bench
        self.folder = bench.new("home")
        self.env = bench.environment(self.folder, BIOTRACK_AUTH_HOME=str(self.folder / "biotrack"), **(session or {}))
        self.ledger = self.folder / "biotrack" / "ledger.db"
        words = ["config", "init", "--vault", vault]
        if generic:
            words += ["--preset", "generic", "--issuer", address, "--client-id", "biotrack-auth-sandbox",
                      "--client-secret-stdin"]
        else:
            words += ["--preset", "local-sandbox", "--url", address]
        bench.run(self.command(*words), self.env, input="sandbox-secret\n" if generic else "")

    def command(self, *words):
        return [self.bench.program, *words]

    def seed(self, count):
        self.bench.run(self.command("sandbox", "seed", count), self.env)

    def settle(self, but):
        """Gives all licenses but so many 90 days more: few are left that need somebody, however many are stored."""
        db = sqlite3.connect(self.ledger)
        now = int(time.time())
        db.execute(
            "UPDATE authorization SET created_at = ?1, expires_at = ?2, deactivated_at = NULL WHERE (profile, ubi, license) "
            "NOT IN (SELECT profile, ubi, license FROM authorization WHERE expires_at > ?3 AND expires_at < ?4 LIMIT ?5)",
            (now, now + 90 * 86_400, now + 86_400, now + 8 * 86_400, but))
        db.commit()
        db.close()

    def register(self, license):
        """The words that ask for a license and print the address."""
        return self.command("register", "--ubi", UBI, "--license", license, "--username", ADMIN, "--no-browser")


def consented(bench, command, env, until=None, before=None):
    """A runner that times what follows a consent, from the redirect to the command's end."""
    report = bench.folder / "report"

    def once(at):
        if before:
            before(at)
        words = command(at) if callable(command) else command
        fifo = ["until", until] if until else []
        ran = bench.watch([bench.floors / "drive", report, *fifo, *words], env)
        codes = (0, 1) if until else (0,)
        answered, done, _, user, system, peak, _ = bench.reported(ran, codes)
        if until:
            # The command only told the daemon to begin: what it cost says nothing.
            return Sample(done / 1000, None, None, {"answered": answered / 1000})
        return Sample(done / 1000, (user + system) / 1000, peak / 1024, {"answered": answered / 1000})

    return once


def keyring(bench):
    """A D-Bus session of the bench's own with an open gnome-keyring: its environment."""
    folder = bench.new("session")
    folder.chmod(0o700)
    env = bench.environment(folder)
    _, bus = bench.start(["dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address"], env)
    env["DBUS_SESSION_BUS_ADDRESS"] = bus
    daemon, _ = bench.start(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"], env,
                            first_line=False, stdin=subprocess.PIPE)
    daemon.stdin.write("bench")
    daemon.stdin.close()

    def says(word, *asked):
        ran = subprocess.run(["dbus-send", "--print-reply", *asked], env=env, capture_output=True, text=True)
        return word in ran.stdout

    # First the name: to ask for it would have the bus start a second daemon.
    bench.until(lambda: says("true", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner",
                             "string:org.freedesktop.secrets"), daemon)
    bench.until(lambda: says("false", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets/aliases/default",
                             "org.freedesktop.DBus.Properties.Get", "string:org.freedesktop.Secret.Collection",
                             "string:Locked"), daemon)
    return {"DBUS_SESSION_BUS_ADDRESS": bus, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
