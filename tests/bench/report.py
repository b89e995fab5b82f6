"""The tables, the page and the plot. `report.py RECORD --page FILE --readme FILE` writes both again from a record."""

import argparse
import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from agree import Agreement
from verdicts import ARBORS, acceptance, find, fitted, growth

BEGIN, END = "<!-- speed: tests/bench/run --readme -->", "<!-- /speed -->"


@dataclass
class Row:
    """One tool on one work."""

    work: str
    cvs: int
    cells: int
    slots: int
    threads: int
    tool: str
    version: str
    seconds: float
    ns_per_cv_step: float
    peak_rss_bytes: int | None


@dataclass
class Record:
    """All of a run of tests/bench/run; what --record writes."""

    date: str
    machine: str
    options: str
    realtime: bool  # whether the measured processes went before others
    commit: str = ""  # of graddiff
    note: str = ""  # --note
    seconds: dict = field(default_factory=dict)  # "measuring" and "setting up"
    rows: list = field(default_factory=list)
    memory: dict = field(default_factory=dict)  # what `graddiff bench` says of its arrays, by work
    agreements: list = field(default_factory=list)

    def text(self):
        return json.dumps(asdict(self), indent=1) + "\n"

    @staticmethod
    def read(text):
        record = Record(**json.loads(text))
        record.rows = [Row(**r) for r in record.rows]
        record.agreements = [Agreement(**a) for a in record.agreements]
        return record


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return f"no {command[0]}"


def commit():
    """Of the checkout that this file is in; it ends in -dirty if files have been changed since."""
    return first_line("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10")


def machine():
    """Processor, its number, compilers."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    lines = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    model = f"{len(lines)} × {lines[0]}" if lines else platform.processor()
    compilers = ", ".join(first_line(*c) for c in (("rustc", "--version"), ("cc", "--version")))
    return f"{model}, {platform.system()} {platform.release()}, {compilers}, Python {platform.python_version()}"


def today():
    return str(date.today())


def table(head, rows):
    """Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def times(record):
    out = []
    for r in record.rows:
        base = find(record.rows, r.work, "graddiff", "our host, arbor's catalogue", slots=r.slots)
        base = base or find(record.rows, r.work, "graddiff plain", "graddiff")
        peak = f"{r.peak_rss_bytes / 2**20:.0f}" if r.peak_rss_bytes else ""
        ns = f"{r.ns_per_cv_step:.1f}" if r.cvs else ""
        against = f"{r.seconds / base.seconds:.2f}" if base else ""
        out.append([r.work, r.cvs or "", r.slots, r.threads, r.tool, f"{r.seconds:.4g}", ns, against, peak])
    return table(["work", "CVs", "slots", "threads", "tool", "s", "ns per CV-step", "to graddiff", "peak MiB"], out)


def met(record):
    rows = [
        [v.what, "" if v.figure is None else f"{v.figure:.2f}", f"{'≥' if v.rule == '>=' else '≤'} {v.limit:g}", v.word]
        for v in acceptance(record.rows, record.memory)
    ]
    return table(["acceptance", "measured", "wanted", ""], rows)


def agreed(record):
    def shown(value, digits):
        return "" if value is None else f"{value:.{digits}}"

    rows = []
    for a in record.agreements:
        late = "" if a.late_ms is None or not a.spikes else f"{a.late_ms:.2g}"
        loss = shown(a.loss, "1e")
        rows.append([a.work, a.tool, a.spikes, shown(a.dv_mv, "1e"), late, shown(a.cosine, "4f"), loss, yes(a.passed)])
    head = [
        "work",
        "tool",
        "spikes",
        "voltage, mV",
        "spike times, ms",
        "gradients, cosine",
        "loss, relative",
        "same work",
    ]
    return table(head, rows)


def yes(value):
    return "yes" if value else "NO"


def memories(record):
    rows = []
    for work, m in record.memory.items():
        full = m["with_sensitivities"]
        full = f"{full['state_bytes_per_cv']:.0f}" if full else ""
        rows.append([work, f"{m['plain']['state_bytes_per_cv']:.0f}", full, f"{m['state_bound_bytes_per_cv']:.0f}"])
    return table(["work", "plain", "with sensitivities", "bound"], rows)


def fits(record):
    rows = [
        [
            f.what,
            f"{f.offset:.4g} + {f.slope:.4g} x",
            f"{100 * f.deviation:.0f} %",
            "" if f.exponent is None else f"{f.exponent:.3f}",
        ]
        for f in fitted(record.rows)
    ]
    return table(["cost", "ns =", "greatest deviation", "exponent"], rows)


def growths(record):
    return table(
        ["tool", "slots", "bytes per CV"], [[tool, slots, f"{b:.0f}"] for tool, slots, b in growth(record.rows)]
    )


def text(record):
    """All tables, for the terminal."""
    clocks = ", ".join(f"{s:.0f} s {what}" for what, s in record.seconds.items())
    parts = [times(record), agreed(record), memories(record), growths(record), fits(record), met(record)]
    return "\n\n".join([f"{record.date}, {record.machine}; {clocks}", *parts])


HEADLINES = [
    ("hh cable, 1000 CVs, plain", "cable 1000 P=12", "graddiff plain", ARBORS, "jaxley forward", 0),
    ("hh cable, 1000 CVs, 12 slots", "cable 1000 P=12", "graddiff", ("arbor central differences",), "jaxley", 12),
    ("hh cable, 1000 CVs, 100 slots", "cable 1000 P=100", "graddiff", (), "jaxley", 100),
    ("olive cell, plain", "olive", "graddiff plain", ARBORS, "", 0),
    ("olive cell, 12 slots", "olive", "graddiff", (), "", 12),
    ("one homeostatic cell, 3 slots", "homeostasis 1", "graddiff", ("arbor, by hand",), "", 3),
    (
        "1000 homeostatic cells, 3 slots",
        "homeostasis 1000",
        "graddiff",
        ("arbor, by hand", "arbor, by hand, two groups"),
        "",
        3,
    ),
]


def headline(record):
    """The block that README and page share."""

    def ns(row):
        return f"{row.ns_per_cv_step:.1f}" if row else ""

    rows = []
    for what, work, own, arbors, jaxley, slots in HEADLINES:
        ours = find(record.rows, work, own, slots=slots)
        if not ours:
            continue
        others = find(record.rows, work, "neuron") if slots == 0 else None
        forward = find(record.rows, work if slots else "cable 1000 P=0", jaxley)
        rows.append([what, ns(ours), ns(find(record.rows, work, *arbors, slots=slots)), ns(others), ns(forward)])
    intro = (
        f"ns per control volume and step, {record.date}, {record.machine}. "
        "One core; homeostatic cells on two. "
        "With slots: the step with all sensitivities; in Arbor central differences (two plain runs per slot) or, of "
        "homeostatic cells, the sensitivities written by hand; in Jaxley `value_and_grad`."
    )
    body = table(["work", "graddiff", "Arbor", "NEURON", "Jaxley"], rows)
    return "\n\n".join([intro, *[record.note] * bool(record.note), body])


def shortfalls(record):
    """One sentence per acceptance line that is not met."""
    wrong = [v for v in acceptance(record.rows, record.memory) if not v.met]
    if not wrong:
        return "Every line of the acceptance is met."
    lines = []
    for v in wrong:
        bound = "at least" if v.rule == ">=" else "at most"
        said = "was not measured" if v.figure is None else f"is {v.figure:.2f}"
        lines.append(f"- {v.what}: {said}, wanted {bound} {v.limit:g}.")
    return "Not met:\n\n" + "\n".join(lines)


def page(record, plot):
    """docs/benchmarks.md; `plot` is the name of the picture."""
    versions = sorted(
        {f"{r.tool.split(',')[0].split(' ')[0]} {r.version}" for r in record.rows if not r.tool.startswith("our")}
    )
    prose = (Path(__file__).parent / "page.md").read_text()
    priority = (
        "The measured processes went before all others (real-time priority)."
        if record.realtime
        else "Other processes could disturb: there was no right to real-time priority."
    )
    fields = {
        "headline": headline(record),
        "date": record.date,
        "machine": record.machine,
        "commit": record.commit,
        "options": f" {record.options}" if record.options else "",
        "versions": ", ".join(v.replace("arbor-build-catalogue", "arbor-build-catalogue of Arbor") for v in versions),
        "priority": priority,
        "measuring": f"{record.seconds.get('measuring', 0):.0f}",
        "setup": f"{record.seconds.get('setting up', 0):.0f}",
        "plot": plot,
        "times": times(record),
        "acceptance": met(record),
        "shortfalls": shortfalls(record),
        "agreements": agreed(record),
        "memory": memories(record),
        "growth": growths(record),
        "fits": fits(record),
    }
    for key, value in fields.items():
        prose = prose.replace("{{" + key + "}}", value)
    return prose


def readme(old, record):
    """README with the block between its markers written again."""
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(END) < old.index(BEGIN):
        raise SystemExit(f"tests/bench: wants one `{BEGIN}` and after it one `{END}`")
    head, rest = old.split(BEGIN)
    return f"{head}{BEGIN}\n{headline(record)}\n{END}{rest.split(END)[1]}"


def write(record, page_file, readme_file):
    """Page and README block, as far as they are asked for."""
    if page_file:
        page_file.write_text(page(record, page_file.with_suffix(".svg").name))
    if readme_file:
        readme_file.write_text(readme(readme_file.read_text(), record))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="what tests/bench/run --record has written")
    parser.add_argument("--page", type=Path, help="write the page (Markdown) here")
    parser.add_argument("--readme", type=Path, help="write the block between the markers of this file again")
    parser.add_argument("--plot", type=Path, help="write the plot here, as .svg and .png (needs matplotlib)")
    options = parser.parse_args()
    record = Record.read(options.record.read_text())
    print(text(record))
    write(record, options.page, options.readme)
    if options.plot:
        from plot import plot

        plot(record.rows, options.plot)


if __name__ == "__main__":
    main()
