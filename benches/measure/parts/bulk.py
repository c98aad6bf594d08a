"""Many grants at once, with admins who consent as soon as they are asked."""
import shutil

from ..bench import FLOOR, OURS, Contestant, Sample, Trouble, ratio
from ..home import ADMIN, Home, sandbox

FLIGHTS = [1, 8, 64]


def measure(bench):
    address = sandbox(bench)
    template = Home(bench, address)
    for flight in FLIGHTS:
        many = (100 if flight == 1 else 300) if bench.quick else (400 if flight == 1 else 1_000)
        contestants = [
            Contestant(OURS, "register --from", run(bench, template, flight, many)),
            Contestant(FLOOR, "the stand-in's ceiling", ceiling(bench, address, flight, many)),
        ]
        got = bench.contest("bulk", f"grants/s, {flight} in flight", contestants, 3 if bench.quick else 7, of="rate")
        ours, most = got["register --from"], got["the stand-in's ceiling"]
        bench.goal(f"durable grants/s, {flight} in flight", "≥ 200", ours.median("rate"), "/s", least=200)
        bench.goal(f"of the stand-in's ceiling, {flight} in flight", "≥ 0.8", ratio(ours, most, "rate"), "", least=0.8)


def run(bench, template, flight, many):
    """One run over a file of licenses, each time in a fresh copy of the home."""
    words = ["register", "--from", "stores.csv", "--tabs", flight, "--no-browser", "--format", "jsonl"]

    def once(at):
        folder = bench.new("bulk")
        home = folder / "biotrack"
        shutil.copytree(template.folder / "biotrack", home)
        rows = [f"60400{at:04},101-X{number:06}-D1,{ADMIN}" for number in range(many)]
        (folder / "stores.csv").write_text("ubi,license,username\n" + "\n".join(rows) + "\n")
        report = bench.folder / "report"
        watched = [bench.floors / "crowd", report, flight, bench.program, *words]
        env = {**template.env, "BIOTRACK_AUTH_HOME": str(home)}
        ran = bench.watch(watched, env, cwd=folder)
        granted, spent, _, user, system, peak, _ = bench.reported(ran)
        shutil.rmtree(folder)
        if granted != many:
            raise Trouble(f"{granted} of {many} were granted: {ran.stderr[-500:]}")
        return Sample(spent / 1000, (user + system) / 1000, peak / 1024, {"rate": granted / (spent / 1e6)})

    return once


def ceiling(bench, address, flight, many):
    """What the stand-in gives to clients that store nothing."""
    def once(_):
        words = [bench.floors / "load", address, str(flight), str(many)]
        said = bench.run(words, bench.environment(bench.folder)).split()
        spent = int(said[1])
        return Sample(spent / 1000, None, None, {"rate": many / (spent / 1e6)})

    return once
