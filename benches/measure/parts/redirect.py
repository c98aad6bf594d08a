"""What follows a consent: from the redirect to tokens that are stored and a process that is done."""
from ..bench import FLOOR, OURS, PEER, Contestant, Row, ratio
from ..home import Home, consented, provider, sandbox
from ..peers import git, oidc, pizauth, rclone


def measure(bench):
    address = sandbox(bench)
    home = Home(bench, address)
    contestants = [
        Contestant(OURS, "register, sealed", consented(bench, lambda at: home.register(f"101-X{at:04}-D1"), home.env)),
        floor(bench, address),
    ]
    got = both(bench, "from the stand-in", contestants)
    ours, base = got["register, sealed"], got["POST + one commit"]
    bench.goal("redirect → stored and exit", "≤ 6 ms", ours.median(), " ms", most=6)
    bench.goal("redirect → stored and exit ÷ its floor", "≤ 1.3", ratio(ours, base), "", most=1.3)
    bench.goal("redirect → browser answered ÷ its floor", "≤ 1.3", ratio(ours, base, "answered"), "", most=1.3)

    address = provider(bench)
    home = Home(bench, address, generic=True)
    contestants = [
        Contestant(OURS, "register, sealed", consented(bench, lambda at: home.register(f"101-X{at:04}-D1"), home.env)),
        floor(bench, address),
    ]
    made = [git.consent(bench, address), git.consent(bench, address, store=True), rclone.consent(bench, address),
            pizauth.consent(bench, address), oidc.consent(bench, address)]
    contestants += [contestant for contestant in made if contestant]
    both(bench, "from the plain provider", contestants)


def floor(bench, address):
    folder = bench.new("floor")
    command = [bench.floors / "grant", address, folder / "floor.db"]
    return Contestant(FLOOR, "POST + one commit", consented(bench, command, bench.environment(folder)))


def both(bench, where, contestants):
    """The rows of the whole, and of what the person at the browser waits for."""
    rounds = 15 if bench.quick else 61
    got = bench.contest("redirect → exit", where, contestants, rounds)
    theirs = [row for row in bench.rows if row.part == "redirect → exit" and row.what == where]
    bench.rows += [Row("redirect → answered", where, row.contestant, row.series, row.floor, row.ours, "answered")
                   for row in theirs if row.contestant.role != PEER and row.series]
    return got
