"""What graddiff makes of folders of .mod files: one row per file, and totals.

    python tests/compat/report.py [--graddiff PATH] [--json FILE] [--page FILE.md] [--jobs N] [LABEL=]FOLDER…

For every .mod file below the folders: `graddiff check`, a plain `graddiff build`, and, in an experiment that makes the
mechanism act, `graddiff verify` of up to eight of its parameters against central differences. LABEL stands for the folder
in the report. Needs Python 3.11 and a C compiler, nothing else.

Exit code 1 if a sensitivity is further than 1e-6 from its difference, if a file that must be refused is not, or is by
another rule, or if graddiff crashes; 2 for wrong usage. How many files are accepted is for the reader to judge.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from experiments import SETTINGS, Maker
from sources import Mod, read

TOLERANCE = 1e-6
MAX_SLOTS = 8
# A slot that moves no probe by more than this (in the probe's unit, if it changes by its own size) is left out when the
# differences are too uncertain to judge it: what they say is rounding.
LEAST_EFFECT = 1e-4
# Only so that a hang ends; no verdict depends on how long something takes.
PATIENCE_S = 900


@dataclass
class Row:
    """What became of one file."""

    file: str
    mechanism: str
    kind: str
    # C, which no version of graddiff reads
    verbatim: bool = False
    accepted: bool = False
    built: bool = False
    differentiated: bool = False
    slots: list[str] = field(default_factory=list)
    # parameters with no effect in the experiment, or too little for differences to see
    inert: list[str] = field(default_factory=list)
    # parameters that graddiff says it cannot differentiate
    refused_slots: list[str] = field(default_factory=list)
    # what `verify` said of each: how far it moves a probe if it changes by its own size, error, the difference's own error
    measured: list[dict] = field(default_factory=list)
    worst_error: float | None = None
    diagnostic: str = ""
    # wrong by itself, whatever the rates
    wrong: bool = False


class Crash(Exception):
    """graddiff ended in a way that it never should."""


class Graddiff:
    """The program under test."""

    def __init__(self, program: str):
        self.program = program

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        try:
            done = subprocess.run(
                [self.program, *arguments], capture_output=True, text=True, errors="replace", timeout=PATIENCE_S
            )
        except subprocess.TimeoutExpired as e:
            raise Crash(f"`{arguments[0]}` did not end") from e
        if done.returncode not in (0, 1, 2, 3):
            last = done.stderr.strip().splitlines()[-1:] or [""]
            raise Crash(f"`{arguments[0]}` ended with {done.returncode}: {last[0]}")
        return done.returncode, done.stdout, done.stderr


def reason(stderr: str) -> str:
    """The first error in what graddiff wrote."""
    for line in stderr.splitlines():
        if match := re.search(r"error\[([\w-]+)\]: (.*)", line):
            return f"{match[1]}: {match[2]}"
    causes = re.findall(r"^(?:error|  because): (.*)", stderr, flags=re.M)
    if causes:
        return "; ".join(causes)
    return stderr.strip().splitlines()[-1] if stderr.strip() else "no message"


def examine(graddiff: Graddiff, path: Path, shown: str, keep: Path | None) -> Row:
    """The row of one file."""
    mod = read(path)
    row = Row(shown, mod.name, mod.kind, verbatim="VERBATIM" in mod.words)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            if keep:
                folder = keep / re.sub(r"\W+", "_", shown)
                folder.mkdir(parents=True, exist_ok=True)
            _examine(graddiff, mod, row, folder)
    except Crash as crash:
        row.wrong, row.diagnostic = True, str(crash)
    return row


def _examine(graddiff: Graddiff, mod: Mod, row: Row, folder: Path) -> None:
    status, out, err = graddiff.run("check", "--json", str(mod.path))
    if status not in (0, 1):
        raise Crash(f"`check` ended with {status}: {reason(err)}")
    errors = [d for d in json.loads(out) if d["severity"] == "error"]
    row.accepted = not errors
    if (status == 0) != row.accepted:
        raise Crash(f"`check` ended with {status} and reported {len(errors)} errors")
    if errors:
        codes = [d["code"] for d in errors]
        chosen = next((d for code in mod.refusals for d in errors if d["code"] == code), errors[0])
        row.diagnostic = f"{chosen['code']}: {chosen['message']}"
        missing = [code for code in mod.refusals if code not in codes]
        if missing:
            row.wrong, row.diagnostic = True, f"not refused as {missing[0]}, but as {row.diagnostic}"
        return
    if mod.refusals:
        row.wrong, row.diagnostic = True, f"accepted, though it must be refused as {mod.refusals[0]}"
    catalogue = str(folder / "plain-catalogue.so")
    status, _, err = graddiff.run("build", str(mod.path), "-o", catalogue)
    if status != 0:
        row.wrong, row.diagnostic = True, f"accepted, but not built: {reason(err)}"
        return
    status, out, err = graddiff.run("inspect", "--json", catalogue)
    if status != 0:
        row.wrong, row.diagnostic = True, f"built, but not loaded: {reason(err)}"
        return
    row.built = True
    maker = Maker(mod, json.loads(out)["mechanisms"][0], folder)
    differentiate(graddiff, maker, row, folder)


def differentiate(graddiff: Graddiff, maker: Maker, row: Row, folder: Path) -> None:
    """Verifies parameters until enough of them are found that matter."""
    left = maker.candidates()
    if not left:
        row.diagnostic = row.diagnostic or "no parameter with a default value"
        return
    refused, worst, bad = "", 0.0, []
    while left and len(row.slots) < MAX_SLOTS:
        room = MAX_SLOTS - len(row.slots)
        now, left = left[:room], left[room:]
        verdict, said = verify(graddiff, maker, now, folder)
        if verdict is None and len(now) > 1:
            # one of them may be to blame
            alone = {slot: verify(graddiff, maker, [slot], folder) for slot in now}
            row.refused_slots += [slot for slot, (v, _) in alone.items() if v is None]
            refused = refused or next((s for v, s in alone.values() if v is None), said)
            results = [p for v, _ in alone.values() if v for p in v["parameters"]]
        elif verdict is None:
            row.refused_slots += now
            refused = refused or said
            results = []
        else:
            results = verdict["parameters"]
        for slot in results:
            effect = slot["max_sensitivity"] * (abs(slot["value"]) or 1e-3)
            error, doubt = slot["rel_error"], slot["fd_error_estimate"]
            row.measured.append({"slot": slot["name"], "effect": effect, "error": error, "doubt": doubt})
            if effect == 0 or effect < LEAST_EFFECT and (doubt is None or doubt > TOLERANCE):
                row.inert.append(slot["name"])
                continue
            if slot["status"] != "pass":
                own = f", the difference's own {number(doubt)}" if doubt and doubt > TOLERANCE else ""
                bad.append(f"{slot['name']}: {slot['status']}, error {number(error)}{own}")
            row.slots.append(slot["name"])
            worst = max(worst, float("inf") if error is None else error)
    if bad:
        row.wrong, row.worst_error, row.diagnostic = True, worst, "; ".join(bad)
    elif row.slots:
        row.differentiated, row.worst_error = True, worst
        row.wrong |= worst > TOLERANCE
        notes = [f"not by {', '.join(row.refused_slots)}: {refused}"] if refused else []
        notes += [f"no effect: {', '.join(row.inert)}"] if row.inert else []
        row.diagnostic = row.diagnostic or "; ".join(notes)
    else:
        row.diagnostic = row.diagnostic or refused or "does not act: all sensitivities vanish"
        # to refuse is right, to be without effect is a fault of the experiment or of graddiff
        row.wrong |= not refused.startswith("not-differentiable")


def verify(graddiff: Graddiff, maker: Maker, slots: list[str], folder: Path) -> tuple[dict | None, str]:
    """The verdict on an experiment with these slots, or none and what graddiff said."""
    path = folder / "experiment.json"
    path.write_text(json.dumps(maker.experiment(slots), indent=1), encoding="utf-8")
    _, out, err = graddiff.run("verify", "--json", "--tolerance", str(TOLERANCE), str(path))
    try:
        verdict = json.loads(out)
    except ValueError:
        return None, reason(err)
    return (verdict, "") if isinstance(verdict, dict) and "parameters" in verdict else (None, reason(err))


def number(x: float | None) -> str:
    """Two digits: the others depend on the processor."""
    return "none" if x is None else f"{x:.1e}"


def totals(rows: list[Row]) -> dict:
    """Counts of all files, and of those without VERBATIM."""
    fair = [r for r in rows if not r.verbatim]
    errors = [r.worst_error for r in rows if r.differentiated and r.worst_error is not None]
    return {
        "files": len(rows),
        "without_verbatim": len(fair),
        "accepted": sum(r.accepted for r in fair),
        "differentiated": sum(r.differentiated for r in fair),
        "wrong": sum(r.wrong for r in rows),
        "worst_error": max(errors, default=None),
    }


def cells(row: Row) -> list[str]:
    """A row as text."""
    yes = {True: "yes", False: "no"}
    return [
        row.file,
        row.kind,
        yes[row.accepted],
        yes[row.differentiated],
        ", ".join(row.slots),
        number(row.worst_error) if row.worst_error is not None else "",
        ("WRONG: " if row.wrong else "") + row.diagnostic,
    ]


HEAD = ["file", "kind", "accepted", "differentiated", "slots", "worst error", "diagnostic"]


def summary(t: dict) -> str:
    """The totals in a sentence."""

    def share(n: int) -> str:
        return f"{n} of {t['without_verbatim']} ({100 * n / max(t['without_verbatim'], 1):.1f} %)"

    out = f"{t['files']} files, {t['files'] - t['without_verbatim']} of them with VERBATIM"
    out += f"; of the others accepted {share(t['accepted'])}, differentiated {share(t['differentiated'])}"
    if t["worst_error"] is not None:
        out += f", greatest error {number(t['worst_error'])}"
    return out + (f"; {t['wrong']} WRONG" if t["wrong"] else "")


def text(rows: list[Row]) -> str:
    """The report for a terminal."""
    table = [HEAD] + [cells(r) for r in rows]
    widths = [max(len(r[i]) for r in table) for i in range(len(HEAD))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in table]
    return "\n".join([*lines, "", summary(totals(rows))])


def page(rows: list[Row]) -> str:
    """The report for the documentation."""

    def line(texts: list[str]) -> str:
        return "| " + " | ".join(t.replace("|", "\\|") for t in texts) + " |"

    out = [
        "# Compatibility with mechanisms of others",
        "",
        "Written by `tests/compat/report.py`, which takes any folder of .mod files; `cargo test --test compat` keeps it true.",
        "",
        "*Accepted*: `graddiff check` finds no error.",
        "*Differentiated*: in an experiment that makes the mechanism act on a soma with a dendrite, the sensitivities of up to",
        f"{MAX_SLOTS} of its parameters agree with central differences of the same host to {TOLERANCE:.0e} (noise: same seed).",
        "The worst error is max\\|u − d\\| / max\\|d\\| over all slots, probes and samples; its digits depend on the processor.",
        "",
        summary(totals(rows)) + ".",
        "",
    ]
    by_label: dict[str, list[Row]] = {}
    for row in rows:
        by_label.setdefault(row.file.split("/")[0], []).append(row)
    for label, group in by_label.items():
        out += [f"## {label}", "", summary(totals(group)) + ".", "", line(HEAD), line(["---"] * len(HEAD))]
        for row in group:
            texts = cells(row)
            texts[0] = f"`{row.file.removeprefix(label + '/')}`"
            out.append(line(texts))
        out.append("")
    used = [r.mechanism for r in rows if r.mechanism in SETTINGS]
    if used:
        out += ["## Settings", "", "Parameters are at their defaults, conductances at 1e-3 S/cm² at least, except:", ""]
        out += [line(["mechanism", "setting", "no slots", "reason"]), line(["---"] * 4)]
        for name in sorted(set(used)):
            setting = SETTINGS[name]
            values = ", ".join(f"{k} = {v}" for k, v in setting.values.items()) or f"dt = {setting.dt_ms} ms"
            out.append(line([f"`{name}`", values, ", ".join(setting.left_out), setting.reason]))
        out.append("")
    return "\n".join(out)


def find(folders: list[str]) -> list[tuple[str, Path]]:
    """All .mod files, by the name that the report gives them, in its order."""
    found = []
    for argument in folders:
        label, _, folder = argument.rpartition("=")
        root = Path(folder)
        if not root.is_dir():
            raise SystemExit(f"report.py: {folder} is no folder")
        label = label or root.resolve().name
        # pathlib finds nothing below links, and a .venv may be one
        found += [(f"{label}/{p.relative_to(root.resolve())}", p) for p in root.resolve().rglob("*.mod")]
    return sorted(found)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", metavar="[LABEL=]FOLDER")
    parser.add_argument("--graddiff", default="graddiff", metavar="PATH", help="the program; the one on PATH if absent")
    parser.add_argument("--json", metavar="FILE", help="write the rows and totals there")
    parser.add_argument("--page", metavar="FILE.md", help="write the page for the documentation there")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="files at the same time (2)")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the experiments there")
    arguments = parser.parse_args()
    graddiff = Graddiff(arguments.graddiff)
    try:
        graddiff.run("--version")
    except OSError as e:
        parser.error(f"cannot run {arguments.graddiff}: {e}")
    files = find(arguments.folders)
    if not files:
        parser.error("no .mod files there")
    keep = Path(arguments.keep) if arguments.keep else None
    rows = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(lambda f: examine(graddiff, f[1], f[0], keep), files):
            rows.append(row)
            print(f"{len(rows)} of {len(files)}: {row.file}", file=sys.stderr)
    print(text(rows))
    if arguments.json:
        document = {"rows": [asdict(r) for r in rows], "totals": totals(rows)}
        Path(arguments.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.page:
        Path(arguments.page).write_text(page(rows), encoding="utf-8")
    return int(any(r.wrong for r in rows))


if __name__ == "__main__":
    sys.exit(main())
