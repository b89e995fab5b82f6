"""What the rows say about issue 4's acceptance: ratios, fitted costs, verdicts."""

from dataclasses import dataclass

import numpy as np

# Arbor's own mechanisms, as its wheel brings them, and compiled for this processor: the faster one counts.
ARBORS = ("arbor", "arbor, native")
# Powers of the number of control volumes that count as linear, less 1; deviations from a straight line in the slots.
EXPONENT, DEVIATION = 0.1, 0.2


def find(rows, work, *tools, slots=None, threads=None):
    """The fastest row of these tools on a work; none if none was run."""
    fits = (
        r
        for r in rows
        if r.work == work and r.tool in tools and slots in (None, r.slots) and threads in (None, r.threads)
    )
    return min(fits, key=lambda r: r.seconds, default=None)


@dataclass
class Verdict:
    """One line of issue 4's acceptance; no figure if its work was not run."""

    what: str
    figure: float | None
    rule: str  # ">=" or "<="
    limit: float

    @property
    def met(self):
        if self.figure is None or not np.isfinite(self.figure):
            return False
        return self.figure >= self.limit if self.rule == ">=" else self.figure <= self.limit

    @property
    def word(self):
        return "not measured" if self.figure is None else "met" if self.met else "NOT MET"


def ratio(slow, fast):
    """How many times as long as `fast` takes `slow`?"""
    return slow.seconds / fast.seconds if slow and fast else None


def acceptance(rows, memory):
    """Every line of issue 4."""
    verdicts = []

    def line(what, figure, rule, limit):
        verdicts.append(Verdict(what, figure, rule, limit))

    def at(work, *tools, **more):
        return find(rows, work, *tools, **more)

    work = "cable 1000 P=12"
    plain, full = at(work, "graddiff plain"), at(work, "graddiff")
    line("1 hh cable, plain: Arbor / graddiff", ratio(at(work, *ARBORS), plain), ">=", 1.5)
    line("1 hh cable, plain: NEURON / graddiff", ratio(at(work, "neuron"), plain), ">=", 3)
    line("1 P=12: graddiff / its plain", ratio(full, plain), "<=", 2)
    line("1 P=12: Jaxley's value_and_grad / graddiff", ratio(at(work, "jaxley"), full), ">=", 10)
    many = "cable 1000 P=100"
    line("1 P=100: Jaxley's value_and_grad / graddiff", ratio(at(many, "jaxley"), at(many, "graddiff")), ">=", 2)
    differences = at(work, "arbor central differences")
    line("1 P=12: central differences in Arbor / graddiff", ratio(differences, full), ">=", 20)

    full, theirs = at("olive", "graddiff"), at("olive", *ARBORS, slots=0)
    line("2 olive, P=12: graddiff / Arbor plain", ratio(full, theirs), "<=", 1)
    line("2 olive, P=12: graddiff / its plain", ratio(full, at("olive", "graddiff plain")), "<=", 2.5)

    for count, limit in [(1, 6), (1000, 15)]:
        work = f"homeostasis {count}"
        theirs = at(work, "arbor, by hand", "arbor, by hand, two groups")
        line(f"3 homeostasis, {count} cells: Arbor / graddiff", ratio(theirs, at(work, "graddiff")), ">=", limit)

    for name in ("cables-1-1000", "cables-100-50"):
        work = f"hosts {name}"
        theirs, ours = at(work, "arbor", "arbor, one group"), at(work, "our host, arbor's catalogue")
        line(f"4 {name}, Arbor's catalogue: Arbor / our host", ratio(theirs, ours), ">=", 1)

    work = "hosts cables-100-50"
    alone, pair = (at(work, "graddiff plain", threads=n) for n in (1, 2))
    line("5 100 cells: one thread / two", ratio(alone, pair), ">=", 1.8)
    # of all works the worst
    used = [
        m["with_sensitivities"]["state_bytes_per_cv"] / m["state_bound_bytes_per_cv"]
        for m in memory.values()
        if m["with_sensitivities"]
    ]
    line("5 bytes per CV with sensitivities / bound, worst work", max(used, default=None), "<=", 1)
    built = [r.seconds for r in rows if r.work.startswith("build ") and r.tool == "graddiff"]
    line("5 build of one mechanism with 12 slots, slowest, s", max(built, default=None), "<=", 2)
    fits = fitted(rows)
    powers = [abs(f.exponent - 1) for f in fits if f.exponent is not None]
    line("6 cost against CVs: greatest distance of the exponent from 1", max(powers, default=None), "<=", EXPONENT)
    bent = [f.deviation for f in fits if f.exponent is None]
    line("6 cost against slots: greatest deviation from a line", max(bent, default=None), "<=", DEVIATION)
    return verdicts


@dataclass
class Fit:
    """ns = offset + slope · x."""

    what: str
    slope: float
    offset: float
    deviation: float  # greatest, relative to the measured cost
    exponent: float | None  # of the power law through the same points; none where x may be 0


def fit(what, points, power=False):
    """Least squares, each point weighted by 1/y: costs span orders of magnitude."""
    x, y = (np.array(column, float) for column in zip(*sorted(points)))
    matrix = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    (offset, slope), *_ = np.linalg.lstsq(matrix, np.ones_like(y), rcond=None)
    deviation = float(np.max(np.abs((offset + slope * x) / y - 1)))
    exponent = float(np.polyfit(np.log(x), np.log(y), 1)[0]) if power else None
    return Fit(what, float(slope), float(offset), deviation, exponent)


def cables(rows):
    """graddiff's rows on hh cables. A plain row stands beside every row with slots: that of P = 0 counts."""
    own = [r for r in rows if r.work.startswith("cable ")]
    return [r for r in own if r.tool == "graddiff" or r.tool == "graddiff plain" and r.work.endswith(" P=0")]


def fitted(rows):
    """Cost of a step against CVs at each number of slots, and of a CV-step against slots at each number of CVs."""
    own, fits = cables(rows), []
    for slots in sorted({r.slots for r in own}):
        points = [(r.cvs, r.ns_per_cv_step * r.cvs) for r in own if r.slots == slots]
        if len(points) > 2:
            fits.append(fit(f"step against CVs, P={slots}", points, power=True))
    for cvs in sorted({r.cvs for r in own}):
        points = [(r.slots, r.ns_per_cv_step) for r in own if r.cvs == cvs]
        if len(points) > 2:
            fits.append(fit(f"CV-step against slots, {cvs} CVs", points))
    return fits


def growth(rows):
    """Peak memory of the process per further control volume: (tool, slots, bytes), from the two largest hh cables."""
    out, own = [], [r for r in rows if r.work.startswith("cable ") and r.peak_rss_bytes]
    for tool, slots in sorted({(r.tool, r.slots) for r in own if "differences" not in r.tool}):
        # of equal works (a plain run beside each number of slots) the leanest process
        peaks = {}
        for r in own:
            if (r.tool, r.slots) == (tool, slots):
                peaks[r.cvs] = min(r.peak_rss_bytes, peaks.get(r.cvs, r.peak_rss_bytes))
        if len(peaks) > 1:
            small, large = sorted(peaks)[-2:]
            out.append((tool, slots, (peaks[large] - peaks[small]) / (large - small)))
    return out
