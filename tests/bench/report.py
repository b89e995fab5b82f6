"""What the rows say: table, slopes, acceptance ratios, plot, page."""

import platform
import subprocess
from dataclasses import dataclass
from datetime import date

import numpy as np


def find(rows, work, tool, slots=None):
    """The row of a tool on a work; none if that was not run."""
    found = [r for r in rows if r.work == work and r.tool == tool and slots in (None, r.slots)]
    return found[0] if found else None


@dataclass
class Verdict:
    """One line of issue 4's acceptance."""

    what: str
    figure: float
    rule: str  # ">=" or "<="
    limit: float

    @property
    def passed(self):
        return self.figure >= self.limit if self.rule == ">=" else self.figure <= self.limit


def acceptance(rows, memory):
    """The ratios of issue 4, as far as their works were run."""
    verdicts = []

    def ratio(what, slow, fast, rule, limit):
        """How many times as long as `fast` does `slow` take?"""
        if slow and fast:
            verdicts.append(Verdict(what, slow.seconds / fast.seconds, rule, limit))

    def at(work, tool):
        return find(rows, work, tool)

    plain = at("cable 1000 P=12", "graddiff plain")
    full = at("cable 1000 P=12", "graddiff")
    ratio("1 plain: Arbor / graddiff", at("cable 1000 P=12", "arbor"), plain, ">=", 1.5)
    ratio("1 plain: NEURON / graddiff", at("cable 1000 P=12", "neuron"), plain, ">=", 3)
    ratio("1 P=12 / plain", full, plain, "<=", 2)
    ratio("1 P=12: Jaxley's value_and_grad / graddiff", at("cable 1000 P=12", "jaxley"), full, ">=", 10)
    many = at("cable 1000 P=100", "graddiff")
    ratio("1 P=100: Jaxley's value_and_grad / graddiff", at("cable 1000 P=100", "jaxley"), many, ">=", 2)
    differences = at("cable 1000 P=12", "arbor central differences")
    ratio("1 P=12: central differences in Arbor / graddiff", differences, full, ">=", 20)

    olive = at("olive", "graddiff")
    ratio("2 olive: twelve sensitivities / Arbor plain", olive, at("olive", "arbor"), "<=", 1)
    ratio("2 olive: twelve sensitivities / own plain", olive, at("olive", "graddiff plain"), "<=", 2.5)

    for count, limit in [(1, 6), (1000, 15)]:
        # the grouping that serves Arbor best
        work = f"homeostasis {count}"
        for catalogue in ("by hand", "our catalogue"):
            names = [f"arbor, {catalogue}", f"arbor, {catalogue}, two groups"]
            theirs = [row for name in names if (row := at(work, name))]
            best = min(theirs, key=lambda r: r.seconds, default=None)
            ratio(f"3 homeostasis, {count}: Arbor ({catalogue}) / graddiff", best, at(work, "graddiff"), ">=", limit)

    for work in ("hosts cable-1000-0", "hosts cables-100-50"):
        names = ["arbor", "arbor, one group"]
        theirs = [row for name in names if (row := at(work, name))]
        best = min(theirs, key=lambda r: r.seconds, default=None)
        name = f"4 {work.removeprefix('hosts ')}: Arbor / our host, same catalogue"
        ratio(name, best, at(work, "our host, arbor's catalogue"), ">=", 1)

    alone, pair = (
        next((r for r in rows if r.work == "hosts cables-100-50" and r.tool == "graddiff plain" and r.threads == n), None)
        for n in (1, 2)
    )
    ratio("5 100 cells: one thread / two", alone, pair, ">=", 1.8)
    for work, result in memory.items():
        if result["with_sensitivities"]:
            used = result["with_sensitivities"]["state_bytes_per_cv"] / result["state_bound_bytes_per_cv"]
            verdicts.append(Verdict(f"5 memory, {work}: bytes per CV / bound", used, "<=", 1))
    for row in rows:
        if row.work.startswith("build ") and row.tool == "graddiff":
            verdicts.append(Verdict(f"5 {row.work}, seconds", row.seconds, "<=", 2))
    for fit in slopes(rows):
        verdicts.append(Verdict(f"6 {fit.what}: R² of a straight line", fit.r2, ">=", 0.98))
    return verdicts


@dataclass
class Fit:
    """ns per step = offset + slope · x."""

    what: str
    slope: float
    offset: float
    r2: float


def fit(what, points):
    """Least squares, each point weighted by 1/y: costs span orders of magnitude."""
    x, y = (np.array(column, float) for column in zip(*sorted(points)))
    matrix = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    (offset, slope), *_ = np.linalg.lstsq(matrix, np.ones_like(y), rcond=None)
    residual = offset + slope * x - y
    return Fit(what, slope, offset, 1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum())


def cables(rows):
    return [r for r in rows if r.work.startswith("cable ") and r.tool == "graddiff"] + [
        r for r in rows if r.work.endswith(" P=0") and r.tool == "graddiff plain"
    ]


def slopes(rows):
    """Cost of a step against CVs at each number of slots, and against slots at each number of CVs."""
    own, fits = cables(rows), []
    for slots in sorted({r.slots for r in own}):
        points = [(r.cvs, r.ns_per_cv_step * r.cvs) for r in own if r.slots == slots]
        if len(points) > 2:
            fits.append(fit(f"step against CVs, P={slots}", points))
    for cvs in sorted({r.cvs for r in own}):
        points = [(r.slots, r.ns_per_cv_step) for r in own if r.cvs == cvs]
        if len(points) > 2:
            fits.append(fit(f"CV-step against slots, {cvs} CVs", points))
    return fits


def text(rows, memory, verdicts):
    """All tables."""
    out = ["| work | CVs | slots | threads | tool | seconds | ns per CV-step | to graddiff | peak MiB |"]
    out.append("|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        base = find(rows, r.work, "graddiff") or find(rows, r.work, "graddiff plain")
        base = base or find(rows, r.work, "our host, arbor's catalogue")
        ratio = f"{r.seconds / base.seconds:.2f}" if base else ""
        peak = f"{r.peak_rss_bytes / 2**20:.0f}" if r.peak_rss_bytes else ""
        ns = f"{r.ns_per_cv_step:.1f}" if r.cvs else ""
        out.append(
            f"| {r.work} | {r.cvs or ''} | {r.slots} | {r.threads} | {r.tool} {r.version} | {r.seconds:.4g} | {ns} "
            f"| {ratio} | {peak} |"
        )
    out += ["", "| work | bytes per CV, plain | with sensitivities | bound |", "|---|---|---|---|"]
    for work, m in memory.items():
        full = m["with_sensitivities"]
        full = f"{full['state_bytes_per_cv']:.0f}" if full else ""
        out.append(f"| {work} | {m['plain']['state_bytes_per_cv']:.0f} | {full} | {m['state_bound_bytes_per_cv']:.0f} |")
    if fits := slopes(rows):
        out += ["", "| cost | ns per step = | R² |", "|---|---|---|"]
        out += [f"| {f.what} | {f.offset:.4g} + {f.slope:.4g} x | {f.r2:.4f} |" for f in fits]
    if verdicts:
        out += ["", "| acceptance | figure | limit | |", "|---|---|---|---|"]
        out += [
            f"| {v.what} | {v.figure:.2f} | {v.rule} {v.limit:g} | {'pass' if v.passed else 'FAIL'} |" for v in verdicts
        ]
    return "\n".join(out)


def page(rows, tables):
    """docs/benchmarks.md."""
    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    model = next((line.split(":", 1)[1].strip() for line in lscpu.splitlines() if line.startswith("Model name")), "")
    versions = sorted({f"{r.tool.split(',')[0].split(' ')[0]} {r.version}" for r in rows if r.version})
    return (
        "# Benchmarks\n\n"
        "graddiff and its peers on the same work, run in turn; medians. `tests/bench/run --page docs/benchmarks.md` writes "
        "this page; README.md says what is measured.\n\n"
        f"{date.today()}, {model or platform.processor()}, Python {platform.python_version()}; {', '.join(versions)}.\n\n"
        "Seconds are those of the steps alone. graddiff's row with slots includes all sensitivities and the gradient of a "
        "mean square; Jaxley's is value_and_grad of the same loss, without compilation. Central differences are computed "
        "from Arbor's plain run, two per slot. Peak memory is that of the process, Python included.\n\n"
        f"{tables}\n"
    )


def plot(rows, path):
    """ns per CV-step against CVs, and against slots."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "graddiff"
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    done = [r for r in rows if r.work.startswith("cable ")]
    curves = sorted({(r.tool, r.slots) for r in done})
    for tool, slots in curves:
        points = sorted({(r.cvs, r.ns_per_cv_step) for r in done if (r.tool, r.slots) == (tool, slots)})
        left.loglog(*zip(*points), ".-", label=f"{tool}, {slots} slots" if slots else tool)
    for tool in sorted({r.tool for r in done if r.slots}):
        for cvs in sorted({r.cvs for r in done}):
            points = sorted((r.slots, r.ns_per_cv_step) for r in done if r.tool == tool and r.cvs == cvs and r.slots)
            if len(points) > 1:
                right.loglog(*zip(*points), ".-", label=f"{tool}, {cvs} CVs")
    left.set(xlabel="control volumes", ylabel="ns per CV-step", title="hh cable")
    right.set(xlabel="slots", ylabel="ns per CV-step", title="hh cable")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=6)
    figure.savefig(path, metadata={"Date": None})
