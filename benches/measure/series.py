"""Numbers of one contestant: medians and quartiles, never a mean, for a busy machine only ever adds."""
import dataclasses
import statistics


@dataclasses.dataclass
class Sample:
    """One run: milliseconds of wall and CPU, peak memory in MiB, and more where the part measures more."""

    wall: float
    cpu: float | None = None
    memory: float | None = None
    more: dict = dataclasses.field(default_factory=dict)


class Series:
    """The runs of one contestant."""

    def __init__(self):
        self.samples = []
        self.trouble = None

    def __bool__(self):
        return bool(self.samples)

    def values(self, of="wall"):
        got = [sample.more.get(of) if of not in ("wall", "cpu", "memory") else getattr(sample, of) for sample in self.samples]
        return [value for value in got if value is not None]

    def median(self, of="wall"):
        values = self.values(of)
        return statistics.median(values) if values else None

    def quartiles(self, of="wall"):
        values = self.values(of)
        if len(values) < 3:
            return (min(values), max(values)) if values else None
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return low, high
