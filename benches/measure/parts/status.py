"""What looking costs, by how much there is to look at."""
from ..bench import FLOOR, OURS, Contestant, ratio
from ..home import Home
from ..peers import certbot, gh, pizauth, rclone

# Closed: nothing of it is asked, and the peers that ask a provider are refused at once.
NOWHERE = "http://127.0.0.1:2"

# So many are due in the ledgers whose cost should follow what is shown.
FEW = 20

WAYS = {
    "status": [],
    "status --json": ["--json"],
    "status --check": ["--check"],
    "status --due": ["--due"],
}


def measure(bench):
    sizes = [100, 1_000, 10_000] if bench.quick else [100, 1_000, 10_000, 100_000]
    seen, quiet = {}, {}
    for size in sizes:
        home = Home(bench, NOWHERE)
        home.seed(size)
        # Expired licenses are among them: a check says so by its exit code.
        contestants = [
            Contestant(OURS, name, bench.timed(home.command("status", *words), home.env, codes=(0, 2)))
            for name, words in WAYS.items()
        ]
        contestants.append(Contestant(OURS, "status to a pipe", bench.timed(home.command("status"), home.env, pipe=True)))
        contestants.append(Contestant(FLOOR, "bare read of the rows", bench.timed([bench.floors / "read", home.ledger], home.env)))
        contestants += peers(bench, size)
        rounds = None if size < 100_000 else 11
        seen[size] = bench.contest("status", f"{size:,} licenses", contestants, rounds)
        home.settle(FEW)
        few = [
            Contestant(OURS, name, bench.timed(home.command("status", *WAYS[name]), home.env, codes=(0, 1)))
            for name in ("status --check", "status --due")
        ]
        quiet[size] = bench.contest("status, few due", f"{size:,} licenses, {FEW} of them due", few, rounds)
    goals(bench, seen, quiet)


def peers(bench, size):
    """Those that can take so many."""
    most = 1_000 if bench.quick else 10_000
    if size > most:
        return
    made = [gh.status(bench, size), rclone.status(bench, size), pizauth.status(bench, size)]
    if size <= (100 if bench.quick else 1_000):
        made.append(certbot.status(bench, size))
    yield from (contestant for contestant in made if contestant)


def goals(bench, seen, quiet):
    many = seen.get(10_000)
    if many:
        for name, most in (("status --check", 30), ("status --json", 30), ("status", 45)):
            bench.goal(f"`{name}` of 10,000", f"≤ {most} ms", many[name].median(), " ms", most=most)
            bench.goal(f"`{name}` of 10,000, peak", "≤ 20 MB", megabytes(many[name]), " MB", most=20)
    least, most = min(quiet), max(quiet)
    for name in ("status --check", "status --due"):
        times = ratio(quiet[most][name], quiet[least][name])
        bench.goal(f"`{name}`, {FEW} due: {most:,} stored ÷ {least}", "≤ 2: as what is shown", times, "", most=2)


def megabytes(series):
    peak = series.median("memory")
    return peak * 1.048576 if peak else None
