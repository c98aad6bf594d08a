"""What looking costs, by how much there is to look at."""
from ..bench import FLOOR, OURS, PEER, Contestant
from ..home import Home
from ..peers import certbot, gh, pizauth, rclone

# Closed: nothing of it is asked, and the peers that ask a provider are refused at once.
NOWHERE = "http://127.0.0.1:1"

WAYS = {
    "status": [],
    "status --json": ["--json"],
    "status --check": ["--check"],
    "status --due": ["--due"],
}


def measure(bench):
    sizes = [100, 1_000, 10_000] if bench.quick else [100, 1_000, 10_000, 100_000]
    seen = {}
    for size in sizes:
        home = Home(bench, NOWHERE)
        home.seed(size)
        # Expired licences are among them: a check says so by its exit code.
        contestants = [
            Contestant(OURS, name, bench.timed(home.command("status", *words), home.env, codes=(0, 2)))
            for name, words in WAYS.items()
        ]
        contestants.append(Contestant(OURS, "status to a pipe", bench.timed(home.command("status"), home.env, pipe=True)))
        contestants.append(Contestant(FLOOR, "bare read of the rows", bench.timed([bench.floors / "read", home.ledger], home.env)))
        contestants += peers(bench, size)
        seen[size] = bench.contest("status", f"{size:,} licences", contestants, None if size < 100_000 else 11)
    goals(bench, seen)


def peers(bench, size):
    """Those that can take so many."""
    most = 1_000 if bench.quick else 10_000
    if size > most:
        return
    made = [gh.status(bench, size), rclone.status(bench, size), pizauth.status(bench, size)]
    if size <= (100 if bench.quick else 1_000):
        made.append(certbot.status(bench, size))
    yield from (contestant for contestant in made if contestant)


def goals(bench, seen):
    many = seen.get(10_000)
    if many:
        for name, most in (("status --check", 30), ("status --json", 30), ("status", 45)):
            bench.goal(f"`{name}` of 10,000", f"≤ {most} ms", many[name].median(), " ms", most=most)
            bench.goal(f"`{name}` of 10,000, peak", "≤ 20 MB", megabytes(many[name]), " MB", most=20)
    few, most = seen[min(seen)], seen[max(seen)]
    for name in ("status --check", "status --due"):
        # What is shown grows with what is stored here: a quarter of the licences need somebody, at any size.
        growth = (most[name].median() or 0) / (few[name].median() or 1)
        floor = (most["bare read of the rows"].median() or 0) / (few["bare read of the rows"].median() or 1)
        bench.note(f"`{name}` takes {growth:.1f} times as long at {max(seen):,} licences as at {min(seen)}; "
                   f"the bare read {floor:.1f} times.")


def megabytes(series):
    peak = series.median("memory")
    return peak * 1.048576 if peak else None
