"""What a start costs: `--version`, which does nothing else."""
from ..bench import FLOOR, OURS, PEER, Contestant, ratio
from ..install import found


def measure(bench):
    env = bench.environment(bench.new("startup"))
    contestants = [
        Contestant(OURS, "biotrack-auth --version", bench.timed([bench.program, "--version"], env)),
        Contestant(FLOOR, "Rust hello-world", bench.timed([bench.floors / "hello"], env)),
    ]
    peers = [["oidc-token", "--version"], ["rclone", "version"], ["gh", "--version"], ["certbot", "--version"]]
    for words in peers:
        if found(words[0]):
            contestants.append(Contestant(PEER, " ".join(words), bench.timed(words, env)))
    if bench.pizauth:
        # It has no --version; without a command it prints its usage and fails.
        contestants.append(Contestant(PEER, "pizauth (its usage)", bench.timed([bench.pizauth], env, codes=(1,))))
    got = bench.contest("start-up", "`--version`", contestants, 15 if bench.quick else 101)
    times = ratio(got["biotrack-auth --version"], got["Rust hello-world"])
    bench.goal("start-up ÷ Rust hello-world", "≤ 1.5", times, "", most=1.5)
