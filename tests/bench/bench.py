"""Runs graddiff and its peers side by side on the same work, in turn, and reports ratios. tests/bench/run starts it."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import experiments as X
import report

HERE = Path(__file__).resolve().parent


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


class Peer:
    """A tool in a process of its own (tools.py), which runs once whenever asked."""

    def __init__(self, name, **spec):
        self.name, self.spec, self.seconds = name, spec, []
        environment = {**os.environ, "OMP_NUM_THREADS": str(spec["threads"])}
        self.process = subprocess.Popen(
            [sys.executable, HERE / "tools.py", json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        ready = self.answer()
        self.version, self.steps = ready["version"], ready["steps"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"tests/bench: {self.name} ended early (exit code {self.process.wait()}); its message is above")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        self.seconds.append(self.answer()["seconds"])

    def rows(self, work, cvs, cells, slots):
        self.process.stdin.close()
        peak = self.answer()["peak_rss_bytes"]
        self.process.wait()
        seconds = median(self.seconds)
        ns = 1e9 * seconds / (self.steps * cvs)
        yield Row(work, cvs, cells, slots, self.spec["threads"], self.name, self.version, seconds, ns, peak)


class Ours:
    """`graddiff bench`: plain and with sensitivities in one process, or plain on another's catalogue."""

    def __init__(self, bench, path, threads, name="graddiff", catalogue=None):
        self.bench, self.threads, self.name, self.foreign = bench, threads, name, catalogue is not None
        command = [bench.graddiff, "bench", path, "--json", "--paced", "--runs", bench.runs + 1]
        command += ["--catalogue", catalogue] if catalogue else []
        self.process = subprocess.Popen(
            [str(c) for c in pinned(threads) + command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
        )
        self.wait()
        self.run()  # unmeasured, as the peers' first

    def wait(self):
        if self.process.stderr.readline() != "waiting for a line on standard input\n":
            sys.exit(f"tests/bench: {self.name} failed: {self.process.stderr.read()}")

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        self.wait()

    def rows(self, work, cvs, cells, slots):
        result = json.loads(self.process.communicate("end\n")[0])
        if not self.foreign:
            self.bench.memory[work] = result
        plain = self.name if self.foreign else f"{self.name} plain"
        for key, name, count in [("plain", plain, 0), ("with_sensitivities", self.name, result["slots"])]:
            if result[key] is not None:
                seconds = median(result[key]["seconds_of_runs"][1:])
                ns = 1e9 * seconds / (result["steps"] * result["cvs"])
                version, peak = result["version"], result["peak_rss_bytes"]
                yield Row(work, cvs, cells, count, self.threads, name, version, seconds, ns, peak)


def pinned(threads):
    """One thread keeps to one core, like the peers."""
    return ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if threads == 1 else []


def check(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"tests/bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Bench:
    """Options, scratch folder and results."""

    def __init__(self, options, scratch):
        self.graddiff, self.runs, self.quick = options.graddiff, options.runs, options.quick
        self.morphology, self.scratch = options.morphology, scratch
        self.rows, self.memory, self.catalogues = [], {}, {}

    def write(self, experiment):
        path = self.scratch / f"{experiment['name']}.json"
        path.write_text(json.dumps(experiment))
        return path

    def export(self, experiment):
        """The folder with requests and catalogue for Arbor."""
        folder = self.scratch / experiment["name"]
        if not folder.exists():
            check([self.graddiff, "bench", self.write(experiment), "--export", folder, "--quiet"])
        return folder

    def arbor_catalogue(self, name, mods):
        """What arbor-build-catalogue makes of .mod files; and the seconds it takes."""
        if name not in self.catalogues:
            sources = self.scratch / f"{name}-mods"
            sources.mkdir()
            for mod in mods:
                # it wants files named like their mechanisms
                text = Path(mod).read_text()
                name_of_mod = re.search(r"SUFFIX +(\w+)", text)[1]
                (sources / f"{name_of_mod}.mod").write_text(text)
            start = time.perf_counter()
            check([Path(sys.executable).parent / "arbor-build-catalogue", name, sources], cwd=self.scratch)
            self.catalogues[name] = (self.scratch / f"{name}-catalogue.so", time.perf_counter() - start)
        return self.catalogues[name]

    def arbor(self, experiment, name="arbor", catalogue=None, variant="plain", **more):
        """Arbor on the experiment; `more`: threads, group_size, rename (of mechanisms)."""
        request = self.export(experiment) / f"{variant}.json"
        more = {"threads": 1, **more, "catalogue": str(catalogue) if catalogue else None}
        return Peer(name, tool="arbor", request=str(request), **more)

    def compare(self, work, cvs, cells, tools):
        """Runs the tools in turn and keeps their rows. Each tool comes with its number of slots."""
        print(f"{work}: {', '.join(tool.name for tool, _ in tools)}", file=sys.stderr, flush=True)
        for _ in range(self.runs):
            for tool, _ in tools:
                tool.run()
        for tool, slots in tools:
            self.rows += tool.rows(work, cvs, cells, slots)


def cable(bench):
    """(a) hh cables."""
    sizes = {100: 100.0, 1000: 25.0} if bench.quick else {100: 200.0, 1000: 50.0, 10_000: 10.0}
    counts = [0, 12, 100] if bench.quick else [0, 3, 12, 100]
    for cvs, duration in sizes.items():
        for slots in counts:
            experiment = X.cable(cvs, slots, duration)
            tools = [(Ours(bench, bench.write(experiment), 1), slots)]
            if slots in (0, 12):
                tools.append((bench.arbor(experiment, catalogue="default"), 0))
                common = {"threads": 1, "cable": X.CABLE, "cvs": cvs, "dt_ms": X.DT_MS, "duration_ms": duration}
                tools.append((Peer("neuron", tool="neuron", **common), 0))
            if not bench.quick or cvs == 1000:
                common = {"threads": 1, "cable": X.CABLE, "cvs": cvs, "dt_ms": X.DT_MS, "duration_ms": duration}
                spec = {"tool": "jaxley", "trainable": stretches(slots, cvs), "gradient": slots > 0, **common}
                tools.append((Peer("jaxley" if slots else "jaxley forward", **spec), slots))
            work = f"cable {cvs} P={slots}"
            bench.compare(work, cvs, 1, tools)
            central_differences(bench, work, slots)


def stretches(count, cvs):
    """For Jaxley: parameter, first control volume, end, of each slot of `X.cable_slots`."""
    out = []
    for _, _, parameter, region in X.cable_slots(count):
        span = (0, 1) if region == "all" else (region["cable"]["prox"], region["cable"]["dist"])
        out.append((parameter, *(round(x * cvs) for x in span)))
    return out


def central_differences(bench, work, slots):
    """Twice as many plain runs as slots: computed, not run."""
    for row in [r for r in bench.rows if r.work == work and r.tool == "arbor"] if slots else []:
        factor = 2 * slots
        more = {"tool": "arbor central differences", "slots": slots, "seconds": factor * row.seconds}
        bench.rows.append(Row(**{**asdict(row), **more, "ns_per_cv_step": factor * row.ns_per_cv_step}))


def olive(bench):
    """(b) the inferior-olive cell."""
    experiment = X.olive(bench.morphology, 100.0 if bench.quick else 500.0)
    catalogue, _ = bench.arbor_catalogue("olive", [X.MECHANISMS / m for m in experiment["mechanisms"]])
    tools = [
        (Ours(bench, bench.write(experiment), 1), 12),
        (bench.arbor(experiment, catalogue=catalogue), 0),
        (bench.arbor(experiment, name="arbor, our catalogue"), 0),
        (bench.arbor(experiment, name="arbor, our catalogue", variant="sensitivities"), 12),
    ]
    bench.compare("olive", cvs_of(bench, experiment), 1, tools)


def cvs_of(bench, experiment):
    """Control volumes of all cells."""
    brief = {**experiment, "slots": [], "simulation": {**experiment["simulation"], "duration_ms": 0.2}}
    path = bench.write({**brief, "name": experiment["name"] + "-brief"})
    return json.loads(check([bench.graddiff, "bench", path, "--json", "--runs", "1"]))["cvs"]


def homeostasis(bench):
    """(c) homeostatic cells, two threads; in Arbor with the sensitivities written by hand, and with our catalogue."""
    by_hand, _ = bench.arbor_catalogue("by_hand", [HERE / "hh_homeo_sens.mod"])
    for count, duration in [(1, 200.0), (10, 100.0), (1000, 5.0)]:
        experiment = X.homeostatic(count, duration / 4 if bench.quick else duration)
        tools = [(Ours(bench, bench.write(experiment), 2), 3)]
        for size in sorted({1, -(-count // 2)}):  # Arbor's own choice, and two groups
            grouping = "" if size == 1 else ", two groups"
            more = {"threads": 2, "group_size": size}
            ours = bench.arbor(experiment, f"arbor, our catalogue{grouping}", variant="sensitivities", **more)
            rename = {"hh_homeo": "hh_homeo_sens"}
            theirs = bench.arbor(experiment, f"arbor, by hand{grouping}", by_hand, rename=rename, **more)
            tools += [(ours, 3), (theirs, 3)]
        bench.compare(f"homeostasis {count}", count, count, tools)


def pyramidal(bench):
    """(d) a branched tree with ten mechanisms."""
    experiment = X.pyramidal(25.0 if bench.quick else 100.0)
    catalogue, _ = bench.arbor_catalogue("pyramidal", [X.MECHANISMS / m for m in experiment["mechanisms"]])
    tools = [
        (Ours(bench, bench.write(experiment), 1), 12),
        (bench.arbor(experiment, catalogue=catalogue), 0),
    ]
    bench.compare("pyramidal", cvs_of(bench, experiment), 1, tools)


def build(bench):
    """(e) seconds to build a catalogue of one mechanism with twelve slots; Arbor's is plain."""
    made = [("hh/hh.mod", "hh", "gnabar"), ("ca_hva/ca_hva.mod", "ca_hva", "gbar"), ("na/na_markov.mod", "na_markov", "gbar")]
    for mod, mechanism, parameter in made:
        experiment = X.build_time(mod, mechanism, parameter)
        path, seconds = bench.write(experiment), []
        for run in range(bench.runs):
            start = time.perf_counter()
            check([bench.graddiff, "bench", path, "--export", bench.scratch / f"{mechanism}-{run}", "--quiet"])
            seconds.append(time.perf_counter() - start)
        work, version = f"build {mechanism}", check([bench.graddiff, "--version"]).split()[-1]
        bench.rows.append(Row(work, 0, 0, 12, 1, "graddiff", version, median(seconds), 0.0, None))
        theirs = bench.arbor_catalogue(f"plain_{mechanism}", [X.MECHANISMS / mod])[1]
        bench.rows.append(Row(work, 0, 0, 0, 1, "arbor-build-catalogue", "0.12.2", theirs, 0.0, None))


def hosts(bench):
    """(g) a catalogue of Arbor's in our host and in Arbor; and our own on one thread and on two."""
    duration = 25.0 if bench.quick else 50.0
    catalogue, _ = bench.arbor_catalogue("hh", [X.MECHANISMS / "hh/hh.mod"])
    for experiment, cvs, cells in [(X.cable(1000, 0, duration), 1000, 1), (X.many_cables(100, 50, duration), 5000, 100)]:
        path = bench.write(experiment)
        tools = [
            (Ours(bench, path, 1, "our host, arbor's catalogue", catalogue), 0),
            (bench.arbor(experiment, name="arbor", catalogue=catalogue), 0),
        ]
        if cells > 1:
            tools.append((bench.arbor(experiment, name="arbor, one group", catalogue=catalogue, group_size=cells), 0))
            tools += [(Ours(bench, path, 1), 0), (Ours(bench, path, 2), 0)]
        bench.compare(f"hosts {experiment['name']}", cvs, cells, tools)


WORKS = {"a": cable, "b": olive, "c": homeostasis, "d": pyramidal, "e": build, "g": hosts}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graddiff", type=Path, help="the program")
    parser.add_argument("--only", metavar="a,b", help="works: " + ", ".join(WORKS))
    parser.add_argument("--quick", action="store_true", help="shorter works, ends within five minutes")
    parser.add_argument("--runs", type=int, help="rounds; the medians count (5; 3 with --quick)")
    parser.add_argument("--morphology", type=Path, help="SWC file of the olive cell; a generated tree if absent")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--plot", type=Path, help="write a plot (SVG) here")
    parser.add_argument("--page", type=Path, help="write the table as a page (Markdown) here")
    parser.add_argument("--assert", dest="check", action="store_true", help="exit with 1 unless the acceptance ratios hold")
    options = parser.parse_args()
    options.graddiff = options.graddiff.resolve()
    options.runs = options.runs or (3 if options.quick else 5)
    chosen = options.only.split(",") if options.only else list(WORKS)
    if unknown := [w for w in chosen if w not in WORKS]:
        parser.error(f"no work {', '.join(unknown)}; there are {', '.join(WORKS)}")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if options.morphology and not options.morphology.is_file():
        parser.error(f"no file {options.morphology}")

    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, Path(scratch))
        for work in chosen:
            WORKS[work](bench)
    verdicts = report.acceptance(bench.rows, bench.memory)
    text = report.text(bench.rows, bench.memory, verdicts)
    print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in bench.rows], indent=1) + "\n")
    if options.plot:
        report.plot(bench.rows, options.plot)
    if options.page:
        options.page.write_text(report.page(bench.rows, text))
    if options.check and not (verdicts and all(v.passed for v in verdicts)):
        sys.exit(1)


if __name__ == "__main__":
    main()
