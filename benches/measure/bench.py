"""A run of the bench: its temporary folder, its processes, the clock it must keep, and the rows that come of it."""
import dataclasses
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import machine
from .series import Sample, Series

# Seconds for a server to start, on a busy machine too.
PATIENCE = 30

OURS, FLOOR, PEER = "ours", "floor", "peer"


@dataclasses.dataclass
class Contestant:
    """Who is measured: `run(round)` makes one Sample."""

    role: str
    name: str
    run: object
    note: str = ""


@dataclasses.dataclass
class Row:
    """A line of the table."""

    part: str
    what: str
    contestant: Contestant
    series: Series
    floor: Series | None
    ours: Series | None
    of: str = "wall"


@dataclasses.dataclass
class Goal:
    """What was hoped for, beside what was measured."""

    what: str
    goal: str
    measured: str
    met: bool | None


class Bench:
    """Everything that a part needs. As a context manager: at the end its processes and its folder are gone."""

    def __init__(self, program, floors, quick, seconds, pizauth):
        self.quick, self.build = quick, False
        self.floors = pathlib.Path(floors)
        self.ends = time.monotonic() + seconds
        self.rows, self.goals, self.notes = [], [], []
        self.loads = []
        self.pizauth = pizauth or shutil.which("pizauth")
        self.processes = []
        self.original = pathlib.Path(program)

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biotrack-bench-"))
        # A copy: a build that goes on beside must not change what is measured.
        self.program = self.folder / "biotrack-auth"
        shutil.copy2(self.original, self.program)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def left(self):
        return self.ends - time.monotonic()

    # Folders and processes

    def new(self, name):
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        return folder

    def environment(self, home, **more):
        """A bare one: nothing of whoever runs the bench."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(home),
                "LC_ALL": "C.UTF-8", "TMPDIR": str(self.folder), **more}

    def start(self, command, env, first_line=True, **more):
        """Starts a server; its first line on standard output, if it says one."""
        log = open(self.folder / "servers.log", "a")
        out = subprocess.PIPE if first_line else log
        try:
            process = subprocess.Popen([str(word) for word in command], env=env, stdout=out, stderr=log, text=True,
                                       start_new_session=True, **more)
        except OSError as e:
            raise Trouble(str(e)) from None
        self.processes.append(process)
        if not first_line:
            return process, None
        heard, _, _ = select.select([process.stdout], [], [], PATIENCE)
        said = process.stdout.readline().strip() if heard else ""
        if not said:
            raise Trouble(f"{command[0]} said nothing: {self.log()}")
        return process, said

    def until(self, holds, process):
        """Waits for a server that tells in another way than by a line."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if process.poll() is not None or time.monotonic() > end:
                raise Trouble(f"{process.args[0]} didn't start: {self.log()}")
            time.sleep(0.05)

    def log(self):
        return (self.folder / "servers.log").read_text()[-600:]

    def stop(self, process):
        """Ends a server that was started here, with its children: it leads a session of its own."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        if process in self.processes:
            self.processes.remove(process)

    def run(self, command, env, **more):
        """Prepares something; it must succeed."""
        words = [str(word) for word in command]
        try:
            ran = subprocess.run(words, env=env, text=True, capture_output=True, timeout=300, **more)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Trouble(str(e)) from None
        if ran.returncode:
            raise Trouble(f"{' '.join(map(str, command))[:200]}: {ran.returncode}\n{ran.stdout[-500:]}{ran.stderr[-1500:]}")
        return ran.stdout

    # Measuring

    def timed(self, command, env, codes=(0,), pipe=False):
        """A runner that times one command, from its start to its end."""
        report = self.folder / "report"

        def once(_):
            watched = [self.floors / "stopwatch", report, *command]
            ran = self.watch(watched, env, stdout=subprocess.PIPE if pipe else subprocess.DEVNULL)
            wall, user, system, peak, _ = self.reported(ran, codes)
            return Sample(wall / 1000, (user + system) / 1000, peak / 1024)

        return once

    def watch(self, words, env, stdout=subprocess.DEVNULL, cwd=None):
        """Runs one of the floors' tools over a command. Whatever happens, nothing of it goes on afterwards."""
        process = subprocess.Popen([str(word) for word in words], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout,
                                   stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = process.communicate(timeout=max(10, min(120, self.left() + 10)))
        except subprocess.TimeoutExpired:
            raise Trouble(f"{words[2:]} took too long") from None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def reported(self, ran, codes=(0,)):
        """The numbers that a floor's tool wrote; the last is the exit code, which must be right."""
        report = self.folder / "report"
        errors = (ran.stderr or b"").decode(errors="replace")[-800:]
        if ran.returncode or not report.exists():
            raise Trouble(f"not measured: {errors}")
        numbers = [int(word) for word in report.read_text().split()]
        report.unlink()
        if numbers[-1] not in codes:
            raise Trouble(f"ended with {numbers[-1]}: {errors}")
        return numbers

    def contest(self, part, what, contestants, rounds=None, of="wall"):
        """Measures them in turn, round after round, so that whatever else the machine does befalls all alike.

        Each has a share of the time: who is slow has fewer rounds. Who fails is left out, and the table says why.
        """
        rounds = rounds or (7 if self.quick else 31)
        share = min(4 if self.quick else 20, max(1.0, self.left() / max(1, len(contestants))))
        series = [Series() for _ in contestants]
        spent = [0.0] * len(contestants)
        self.loads.append(machine.load())
        for at in range(-1, rounds):
            for turn in range(len(contestants)):
                who = (turn + at) % len(contestants)
                mine = series[who]
                if mine.trouble or (spent[who] > share and mine) or (self.left() < 0 and mine):
                    continue
                began = time.monotonic()
                try:
                    sample = contestants[who].run(at + 1)
                except Trouble as trouble:
                    mine.trouble = str(trouble)
                    self.say(f"  {contestants[who].name}: {trouble}")
                    continue
                spent[who] += time.monotonic() - began
                # The first round warms the caches; it counts only for those who are too slow for another.
                if at >= 0 or spent[who] > share / 2:
                    mine.samples.append(sample)
        by_role = {}
        for contestant, mine in zip(contestants, series):
            by_role.setdefault(contestant.role, mine)
        for contestant, mine in zip(contestants, series):
            self.rows.append(Row(part, what, contestant, mine, by_role.get(FLOOR), by_role.get(OURS), of))
        return {contestant.name: mine for contestant, mine in zip(contestants, series)}

    def row(self, part, what, contestant, sample):
        """A row of a single measurement."""
        mine = Series()
        mine.samples.append(sample)
        self.rows.append(Row(part, what, contestant, mine, None, mine))

    def goal(self, what, goal, measured, unit, most=None, least=None):
        """Notes a goal beside its measurement."""
        if measured is None:
            self.goals.append(Goal(what, goal, "–", None))
            return
        met = measured <= most if most is not None else measured >= least
        self.goals.append(Goal(what, goal, f"{measured:.3g}{unit}" if measured < 100 else f"{measured:.0f}{unit}", met))


class Trouble(Exception):
    """Something couldn't be measured."""


def ratio(one, other, of="wall"):
    """How many times as long one takes."""
    if not one or not other or not other.median(of):
        return None
    return one.median(of) / other.median(of)
