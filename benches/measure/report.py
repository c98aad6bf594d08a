"""The Markdown that comes of it."""
import pathlib
import re
import time

from . import machine
from .bench import FLOOR, OURS, ratio

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "internals" / "performance.md"
BEGIN, END = "<!-- figures: benches/run --write -->", "<!-- end of figures -->"


def text(bench, where):
    lines = [f"Measured {time.strftime('%Y-%m-%d')} in one run{' (--quick)' if bench.quick else ''} on {where}."]
    if bench.loads:
        lines.append(f"Load while measuring: {min(bench.loads):.1f} to {max(bench.loads):.1f} "
                     "(the bench itself makes 1 to 2; more is others' work, and noise).")
    lines += ["", "| part | what | who | median | quartiles | CPU | peak | ÷ floor | ÷ ours | runs |",
              "|---|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    before = None
    for row in bench.rows:
        same = before and (before.part, before.what) == (row.part, row.what)
        lines.append(line(row, "" if same else row.part, "" if same else row.what))
        before = row
    if bench.goals:
        lines += ["", "| goal | wanted | measured | met |", "|---|---:|---:|---|"]
        words = {True: "yes", False: "**no**", None: "not measured"}
        lines += [f"| {goal.what} | {goal.goal} | {goal.measured} | {words[goal.met]} |" for goal in bench.goals]
    if bench.notes:
        lines += [""] + [f"- {note}" for note in bench.notes]
    return "\n".join(lines)


def line(row, part, what):
    series, of = row.series, row.of
    name = row.contestant.name + (f" ({row.contestant.note})" if row.contestant.note else "")
    name = f"**{name}**" if row.contestant.role == OURS else name
    if not series:
        why = re.sub(r"\s+", " ", series.trouble or "not measured in time")[:90].replace("|", "/")
        return f"| {part} | {what} | {name} | – | {why} | | | | | 0 |"
    low, high = series.quartiles(of)
    rate = of == "rate"
    shown = (lambda value: f"{value:.0f}/s") if rate else duration
    to_floor = ratio(series, row.floor, of) if row.contestant.role != FLOOR else None
    to_ours = ratio(series, row.ours, of) if row.contestant.role != OURS else None
    cells = [part, what, name, shown(series.median(of)), f"{shown(low)} – {shown(high)}", duration(series.median("cpu")),
             memory(series.median("memory")), times(to_floor), times(to_ours), str(len(series.samples))]
    return "| " + " | ".join(cells) + " |"


def duration(ms):
    if ms is None:
        return ""
    if ms < 10:
        return f"{ms:.2f} ms"
    if ms < 100:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"


def memory(mib):
    return "" if mib is None else f"{mib:.1f} MiB"


def times(value):
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def write(figures):
    """Puts the figures between the page's two markers, and touches nothing else of it."""
    page = PAGE.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise SystemExit(f"{PAGE} lacks its two marker comments: {BEGIN} and {END}")
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    PAGE.write_text(f"{head}{BEGIN}\n{figures}\n{END}{tail}")
