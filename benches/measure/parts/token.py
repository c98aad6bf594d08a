"""What a script pays for a token: a live one out of either vault, and one that is refreshed first."""
from ..bench import FLOOR, OURS, PEER, Contestant, Trouble, ratio
from ..home import UBI, Home, consented, keyring, provider, sandbox
from ..peers import gh, git, oidc, pizauth

LICENSE = "101-X0007-D1"


def measure(bench):
    address = sandbox(bench)
    sealed = granted(bench, Home(bench, address))
    live = [
        Contestant(OURS, "token, sealed", bench.timed(sealed.command("token", LICENSE), sealed.env)),
        Contestant(FLOOR, "bare read of the row", bench.timed([bench.floors / "read", sealed.ledger, f"{UBI}/{LICENSE}"], sealed.env)),
    ]
    # Grants live an hour here, so that none lasts for two.
    anew = ["token", LICENSE, "--min-valid", "60m"]
    refreshed = [
        Contestant(OURS, "token, refreshed, sealed", bench.timed(sealed.command(*anew), sealed.env)),
        floor(bench, address),
    ]
    try:
        kept = granted(bench, Home(bench, address, vault="keyring", session=keyring(bench)))
        live.append(Contestant(OURS, "token, keyring", bench.timed(kept.command("token", LICENSE), kept.env)))
        refreshed.append(Contestant(OURS, "token, refreshed, keyring", bench.timed(kept.command(*anew), kept.env)))
    except Trouble as trouble:
        bench.note(f"The keyring's rows are missing: {trouble}".replace("\n", " "))

    plain = provider(bench)
    agent = oidc.Agent.with_account(bench, plain)
    daemon = pizauth.Daemon.with_account(bench, plain)
    made = [agent and agent.token(), daemon and daemon.token(), gh.token(bench), git.token(bench)]
    live += [contestant for contestant in made if contestant]
    if agent:
        refreshed.append(agent.token(anew=True))
    bench.contest("token", "live", live)
    got = bench.contest("token", "refreshed and printed", refreshed)
    ours = got["token, refreshed, sealed"]
    bench.goal("refresh + print, sealed", "≤ 8 ms", ours.median(), " ms", most=8)
    if "token, refreshed, keyring" in got:
        bench.goal("refresh + print, keyring", "≤ 8 ms", got["token, refreshed, keyring"].median(), " ms", most=8)
    bench.goal("refresh + print ÷ POST + two commits", "≤ 1.3", ratio(ours, got["POST + two commits"]), "", most=1.3)


def granted(bench, home):
    consented(bench, home.register(LICENSE), home.env)(0)
    return home


def floor(bench, address):
    folder = bench.new("floor")
    env = bench.environment(folder)
    command = [bench.floors / "grant", address, folder / "floor.db"]
    consented(bench, command, env)(0)
    return Contestant(FLOOR, "POST + two commits", bench.timed([*command, "refresh"], env))
