"""What there is to build, and how long that takes."""
import os
import shutil
import subprocess

from ..bench import OURS, Contestant
from ..install import ROOT
from ..series import Sample


def measure(bench):
    size = bench.program.stat().st_size / 1_000_000
    bench.note(f"The binary has {size:.2f} MB; it's made of {crates()} crates and {lines():,} lines of our own in src/, "
               "tests in them counted.")
    if bench.build:
        build(bench)


def crates():
    """Those that are compiled for the program, once each, those that only build scripts and macros need too."""
    tree = ["cargo", "tree", "--locked", "-e", "normal,build", "--prefix", "none", "--format", "{p}"]
    said = subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return len({line.removesuffix(" (*)") for line in said.splitlines() if line})


def lines():
    return sum(len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.rs"))


def build(bench):
    """From nothing but the downloaded sources, on all cores."""
    subprocess.run(["cargo", "fetch", "--locked", "-q"], cwd=ROOT, check=True)
    folder = bench.new("target")
    env = {**os.environ, "CARGO_TARGET_DIR": str(folder)}
    report = bench.folder / "report"
    words = [bench.floors / "stopwatch", report, "cargo", "build", "--release", "--locked", "--offline", "-q"]

    def once(_):
        ran = subprocess.run([str(word) for word in words], cwd=ROOT, env=env, stderr=subprocess.PIPE)
        wall, user, system, peak, _ = bench.reported(ran)
        return Sample(wall / 1000, (user + system) / 1000, peak / 1024)

    try:
        # Once: a build of minutes that is measured in turn with nothing needs no more.
        sample = once(0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bench.row("binary", "clean release build", Contestant(OURS, "cargo build --release", once), sample)
    bench.goal("clean release build, 2 cores", "≤ 240 s", sample.wall / 1000, " s", most=240)
