"""Runs graddiff and its peers side by side on the same work, in turn, and reports ratios. tests/bench/run starts it."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import experiments as X
import numpy as np
import report
from agree import Trace, agreement
from report import Row
from verdicts import ARBORS, acceptance

HERE = Path(__file__).resolve().parent


class Peer:
    """A tool in a process of its own (tools.py), which runs once whenever asked."""

    def __init__(self, name, **spec):
        self.name, self.spec, self.apart, self.seconds = name, spec, spec.pop("apart", False), []
        # NEURON says at length that there is no display, and looks for one
        environment = {**os.environ, "OMP_NUM_THREADS": str(spec["threads"]), "NEURON_MODULE_OPTIONS": "-nogui"}
        self.process = subprocess.Popen(
            [sys.executable, HERE / "tools.py", json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        ready = self.answer()
        self.version, self.steps = ready["version"], ready["steps"]
        self.trace = Trace(ready["t_ms"], ready["v_mv"], ready["gradient"])
        favour(self.process.pid, spec["threads"])

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"tests/bench: {self.name} ended early (exit code {self.process.wait()}); its message is above")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        self.seconds.append(self.answer()["seconds"])

    def end(self):
        """Its peak memory, bytes."""
        self.process.stdin.close()
        peak = self.answer()["peak_rss_bytes"]
        self.process.wait()
        return peak

    def rows(self, work, cvs, cells, slots):
        peak = self.end()
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
            [str(c) for c in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
        )
        self.wait()
        favour(self.process.pid, threads)
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
        self.loss, self.gradient = result["loss"], result["gradient"]
        if not self.foreign:
            self.bench.memory[work] = result
        plain = self.name if self.foreign else f"{self.name} plain"
        for key, name, count in [("plain", plain, 0), ("with_sensitivities", self.name, result["slots"])]:
            if result[key] is not None:
                seconds = median(result[key]["seconds_of_runs"][1:])
                ns = 1e9 * seconds / (result["steps"] * result["cvs"])
                version, peak = result["version"], result["peak_rss_bytes"]
                yield Row(work, cvs, cells, count, self.threads, name, version, seconds, ns, peak)


def before_others(process=0):
    """Lets a thread go before all others: on a busy machine the rest is noise."""
    os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(20))


def may_go_first():
    """Whether this user may do that."""
    try:
        before_others()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (OSError, AttributeError) as error:
        print(f"tests/bench: no real-time priority ({error}): other processes may disturb", file=sys.stderr)
        return False
    return True


REALTIME = may_go_first()


def favour(process, threads):
    """All threads of a process that is set up go first, and those that compute on one keep to one core."""
    for thread in map(int, os.listdir(f"/proc/{process}/task")):
        if threads == 1:
            os.sched_setaffinity(thread, {max(os.sched_getaffinity(0))})
        if REALTIME:
            before_others(thread)


def check(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"tests/bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def timed(command, **more):
    """Seconds that a command takes."""
    start = time.perf_counter()
    check(command, preexec_fn=before_others if REALTIME else None, **more)
    return time.perf_counter() - start


class Bench:
    """Options, scratch folder and results."""

    def __init__(self, options, scratch):
        self.graddiff, self.runs, self.quick = options.graddiff, options.runs, options.quick
        self.morphology, self.scratch, self.measuring = options.morphology, scratch, 0.0
        self.rows, self.memory, self.agreements, self.catalogues = [], {}, [], {}
        self.exported, self.traces = {}, {}

    def write(self, experiment):
        path = self.scratch / f"{experiment['name']}.json"
        path.write_text(json.dumps(experiment))
        return path

    def export(self, experiment):
        """The folder with requests and catalogue for Arbor."""
        folder = self.scratch / experiment["name"]
        if self.exported.setdefault(folder, experiment) != experiment:
            sys.exit(f"tests/bench: two experiments are called {folder.name}")
        if not folder.exists():
            check([self.graddiff, "bench", self.write(experiment), "--export", folder, "--quiet"])
        return folder

    def arbor_catalogue(self, name, mods, native=True):
        """What arbor-build-catalogue makes of .mod files; and the seconds it takes.

        `native`: for this processor, by a compiler that adds its options after Arbor's, which are for any with AVX2.
        """
        if name not in self.catalogues:
            sources = self.scratch / f"{name}-mods"
            sources.mkdir()
            for mod in mods:
                # it wants files named like their mechanisms
                text = Path(mod).read_text()
                name_of_mod = re.search(r"SUFFIX +(\w+)", text)[1]
                (sources / f"{name_of_mod}.mod").write_text(text)
            compiler = self.scratch / "native-c++"
            compiler.write_text('#!/bin/sh\nexec c++ "$@" -march=native\n')
            compiler.chmod(0o755)
            options = ["--cxx", compiler] if native else []
            command = [Path(sys.executable).parent / "arbor-build-catalogue", name, sources, *options]
            seconds = timed(command, cwd=self.scratch)
            self.catalogues[name] = (self.scratch / f"{name}-catalogue.so", seconds)
        return self.catalogues[name]

    def arbor(self, experiment, name="arbor", catalogue=None, variant="plain", **more):
        """Arbor on the experiment; `more`: threads, group_size, rename (of mechanisms)."""
        request = self.export(experiment) / f"{variant}.json"
        more = {"threads": 1, **more, "catalogue": str(catalogue) if catalogue else None}
        return Peer(name, tool="arbor", request=str(request), **more)

    def trace(self, experiment):
        """The voltage of the first probe in graddiff, by `graddiff run`."""
        folder = self.scratch / f"{experiment['name']}-trace"
        if self.exported.setdefault(folder, experiment) != experiment:
            sys.exit(f"tests/bench: two experiments are called {experiment['name']}")
        if folder in self.traces:
            return self.traces[folder]
        check(
            [
                self.graddiff,
                "run",
                self.write({**experiment, "name": f"{experiment['name']}-trace"}),
                "-o",
                folder,
                "--quiet",
            ]
        )
        arrays = np.load(folder / "traces.npz")
        self.traces[folder] = Trace(arrays["t_ms"], arrays["values"][:, 0], None)
        return self.traces[folder]

    def compare(self, experiment, work, cvs, cells, tools, trace=None):
        """Runs the tools in turn and keeps their rows. Each tool comes with its number of slots.

        All must have computed what graddiff did: the peers' voltages are compared with `trace`, the losses of
        graddiff's own runs with that of the trace.
        """
        print(f"{work}: {', '.join(tool.name for tool, _ in tools)}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        for _ in range(self.runs):
            for tool, _ in tools:
                tool.run()
        self.measuring += time.perf_counter() - start
        for tool, slots in tools:
            self.rows += tool.rows(work, cvs, cells, slots)
        trace = trace or self.trace({**experiment, "slots": []})
        gradient = next((tool.gradient for tool, _ in tools if isinstance(tool, Ours) and tool.gradient), None)
        for tool, _ in tools:
            if isinstance(tool, Ours):
                self.agreements.append(agreement(work, tool.name, trace, loss=tool.loss))
            elif not tool.apart:
                self.agreements.append(agreement(work, tool.name, replace(trace, gradient=gradient), tool.trace))


def cable(bench):
    """(a) hh cables."""
    sizes = {100: 200.0, 1000: 25.0, 10_000: 2.5} if bench.quick else {100: 400.0, 1000: 50.0, 10_000: 10.0}
    native, _ = bench.arbor_catalogue("hh_native", [HERE / "hh_for_arbor.mod"])
    for cvs, duration in sizes.items():
        for slots in [0, 12, 100] if bench.quick else [0, 3, 12, 100]:
            experiment, plain = (X.cable(cvs, n, duration) for n in (slots, 0))
            times = {"dt_ms": X.DT_MS, "duration_ms": duration, "sample_every_ms": X.sample_every_ms(X.DT_MS)}
            common = {"threads": 1, "cable": X.CABLE, "cvs": cvs, "probe": X.probe_cv(cvs), **times}
            tools = [(Ours(bench, bench.write(experiment), 1), slots)]
            if slots in (0, 12):
                tools.append((bench.arbor(plain, catalogue="default", parameters={"el": X.CABLE["el_mv"]}), 0))
                tools.append((bench.arbor(plain, name="arbor, native", catalogue=native), 0))
                tools.append((Peer("neuron", tool="neuron", **common), 0))
            if cvs == 1000 or not bench.quick and slots in (0, 12):
                spec = {"tool": "jaxley", "trainable": stretches(slots, cvs), "gradient": slots > 0, **common}
                tools.append((Peer("jaxley" if slots else "jaxley forward", **spec), slots))
            work = f"cable {cvs} P={slots}"
            bench.compare(plain, work, cvs, 1, tools)
            central_differences(bench, work, slots)


def stretches(count, cvs):
    """For Jaxley: parameter, first control volume, end, of each slot of `X.cable_slots`."""
    out = []
    for _, _, parameter, region in X.cable_slots(count):
        span = (0, 1) if region == "all" else (region["cable"]["prox"], region["cable"]["dist"])
        out.append((parameter, *(round(x * cvs) for x in span)))
    return out


def central_differences(bench, work, slots):
    """Twice as many plain runs of the faster Arbor as slots: computed, not run."""
    plain = [r for r in bench.rows if r.work == work and r.tool in ARBORS]
    if slots and plain:
        row, factor = min(plain, key=lambda r: r.seconds), 2 * slots
        seconds, ns = factor * row.seconds, factor * row.ns_per_cv_step
        more = {"tool": "arbor central differences", "slots": slots, "seconds": seconds, "ns_per_cv_step": ns}
        bench.rows.append(replace(row, **more))


def olive(bench):
    """(b) the inferior-olive cell."""
    experiment = X.olive(bench.morphology, 500.0 if bench.quick else 2000.0)
    catalogue, _ = bench.arbor_catalogue("olive", [X.MECHANISMS / m for m in experiment["mechanisms"]])
    tools = [
        (Ours(bench, bench.write(experiment), 1), 12),
        (bench.arbor(experiment, catalogue=catalogue), 0),
        (bench.arbor(experiment, name="arbor, our catalogue"), 0),
        (bench.arbor(experiment, name="arbor, our catalogue", variant="sensitivities"), 12),
    ]
    bench.compare(experiment, "olive", cvs_of(bench, experiment), 1, tools)


def cvs_of(bench, experiment):
    """Control volumes of all cells."""
    brief = {**experiment, "slots": [], "simulation": {**experiment["simulation"], "duration_ms": 0.2}}
    path = bench.write({**brief, "name": experiment["name"] + "-brief"})
    return json.loads(check([bench.graddiff, "bench", path, "--json", "--runs", "1"]))["cvs"]


def homeostasis(bench):
    """(c) homeostatic cells, two threads; in Arbor with the sensitivities written by hand, and with our catalogue."""
    by_hand, _ = bench.arbor_catalogue("by_hand", [HERE / "hh_homeo_sens.mod"])
    rename = {"hh_homeo": "hh_homeo_sens"}
    # Arbor's numbers depend on a mechanism's place: without noise all can be compared
    silent = X.homeostatic(1, 50.0, silent=True)
    theirs = bench.arbor(silent, "arbor, by hand", by_hand, rename=rename)
    bench.agreements.append(
        agreement("homeostasis, no noise", theirs.name, bench.trace({**silent, "slots": []}), theirs.trace)
    )
    theirs.end()
    for count, duration in [(1, 2000.0), (10, 1000.0), (1000, 50.0)]:
        experiment = X.homeostatic(count, duration / 2 if bench.quick else duration)
        tools = [(Ours(bench, bench.write(experiment), 2), 3)]
        for size in sorted({1, -(-count // 2)}):  # Arbor's own choice, and two groups
            grouping = "" if size == 1 else ", two groups"
            more = {"threads": 2, "group_size": size}
            # one cell of a group draws the numbers that ours draws
            ours = bench.arbor(
                experiment, f"arbor, our catalogue{grouping}", variant="sensitivities", apart=size > 1, **more
            )
            theirs = bench.arbor(experiment, f"arbor, by hand{grouping}", by_hand, rename=rename, apart=True, **more)
            tools += [(ours, 3), (theirs, 3)]
        bench.compare(experiment, f"homeostasis {count}", count, count, tools, bench.trace(experiment))


def pyramidal(bench):
    """(d) a branched tree with ten mechanisms."""
    experiment = X.pyramidal(25.0 if bench.quick else 100.0)
    catalogue, _ = bench.arbor_catalogue("pyramidal", [X.MECHANISMS / m for m in experiment["mechanisms"]])
    tools = [
        (Ours(bench, bench.write(experiment), 1), 12),
        (bench.arbor(experiment, catalogue=catalogue), 0),
    ]
    bench.compare(experiment, "pyramidal", cvs_of(bench, experiment), 1, tools)


def build(bench):
    """(e) seconds to build a catalogue of one mechanism with twelve slots; Arbor's is plain."""
    made = [
        ("hh/hh.mod", "hh", "gnabar"),
        ("ca_hva/ca_hva.mod", "ca_hva", "gbar"),
        ("na/na_markov.mod", "na_markov", "gbar"),
    ]
    for mod, mechanism, parameter in made:
        print(f"build {mechanism}", file=sys.stderr, flush=True)
        path = bench.write(X.build_time(mod, mechanism, parameter))
        command = [bench.graddiff, "bench", path, "--quiet", "--export"]
        seconds = median(timed([*command, bench.scratch / f"{mechanism}-{run}"]) for run in range(bench.runs))
        bench.measuring += bench.runs * seconds
        work, version = f"build {mechanism}", check([bench.graddiff, "--version"]).split()[-1]
        bench.rows.append(Row(work, 0, 0, 12, 1, "graddiff", version, seconds, 0.0, None))
        theirs = bench.arbor_catalogue(mechanism, [X.MECHANISMS / mod], native=False)[1]
        bench.rows.append(Row(work, 0, 0, 0, 1, "arbor-build-catalogue", "0.12.2", theirs, 0.0, None))


def hosts(bench):
    """(g) a catalogue of Arbor's in our host and in Arbor; and our own on one thread and on two."""
    duration = 50.0 if bench.quick else 100.0
    catalogue, _ = bench.arbor_catalogue("hh", [X.MECHANISMS / "hh/hh.mod"], native=False)
    for experiment, cvs, cells in [
        (X.many_cables(1, 1000, duration), 1000, 1),
        (X.many_cables(100, 50, duration), 5000, 100),
    ]:
        path = bench.write(experiment)
        tools = [
            (Ours(bench, path, 1, "our host, arbor's catalogue", catalogue), 0),
            (bench.arbor(experiment, name="arbor", catalogue=catalogue), 0),
        ]
        if cells > 1:
            tools.append((bench.arbor(experiment, name="arbor, one group", catalogue=catalogue, group_size=cells), 0))
            tools += [(Ours(bench, path, 1), 0), (Ours(bench, path, 2), 0)]
        bench.compare(experiment, f"hosts {experiment['name']}", cvs, cells, tools)


# (f), memory, comes with all of them; the processes' is that of (a)
WORKS = {"a": cable, "b": olive, "c": homeostasis, "d": pyramidal, "e": build, "f": cable, "g": hosts}


def said(work):
    """The first line of its documentation, without its letter."""
    return work.__doc__.splitlines()[0].split(") ", 1)[1].strip().rstrip(".")


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("graddiff", type=Path, help=argparse.SUPPRESS)
    works = "; ".join(f"{key}: {said(work)}" for key, work in WORKS.items() if key != "f")
    parser.add_argument("--only", metavar="a,b", help=f"these works only. {works}; f: memory, comes with all")
    parser.add_argument("--quick", action="store_true", help="shorter works: five minutes without setting up")
    parser.add_argument("--runs", type=int, help="rounds; the medians count (5; 3 with --quick)")
    parser.add_argument("--morphology", type=Path, help="SWC file of the olive cell; a generated tree if absent")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--record", type=Path, help="write all results here, for report.py")
    parser.add_argument("--plot", type=Path, help="write a plot here, as .svg and .png")
    parser.add_argument("--page", type=Path, help="write a page (Markdown) here, and beside it the plot and the record")
    parser.add_argument("--note", default="", help="a sentence for page and README, on what disturbed or is special")
    parser.add_argument("--readme", type=Path, help="write the block between the markers of this file again")
    parser.add_argument(
        "--assert", dest="check", action="store_true", help="exit with 1 unless issue 4's acceptance is met"
    )
    options = parser.parse_args()
    options.graddiff = options.graddiff.resolve()
    options.runs = (3 if options.quick else 5) if options.runs is None else options.runs
    chosen = options.only.split(",") if options.only else list(WORKS)
    if {"a", "f"} <= set(chosen):
        chosen.remove("f")
    if unknown := [w for w in chosen if w not in WORKS]:
        parser.error(f"no work {', '.join(unknown)}; there are {', '.join(WORKS)}")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if options.morphology and not options.morphology.is_file():
        parser.error(f"no file {options.morphology}")
    for path in (options.json, options.record, options.plot, options.page):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"no folder {path.parent}")  # now, not after half an hour
    if options.readme and not options.readme.is_file():
        parser.error(f"no file {options.readme}")
    if options.readme:
        report.readme(options.readme.read_text(), report.Record("", "", "", False))

    if options.page and not options.record:
        options.record = options.page.with_suffix(".json")
    if options.json and options.json == options.record:
        parser.error(f"--json and the record would both be {options.json}")
    given = [f"--only {options.only}"] * bool(options.only) + ["--quick"] * options.quick
    given += [f"--morphology {options.morphology.name}"] if options.morphology else []
    record = report.Record(report.today(), report.machine(), " ".join(given), REALTIME, report.commit(), options.note)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, Path(scratch))
        record.rows, record.memory, record.agreements = bench.rows, bench.memory, bench.agreements
        for work in chosen:
            WORKS[work](bench)
            rest = time.perf_counter() - start - bench.measuring
            record.seconds = {"measuring": bench.measuring, "setting up": rest}
            if options.record:
                options.record.write_text(record.text())  # a later work may fail
    print(report.text(record))
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in bench.rows], indent=1) + "\n")
    report.write(record, options.page, options.readme)
    for path in {options.plot, options.page} - {None}:
        from plot import plot

        plot(bench.rows, path)
    if apart := [a for a in bench.agreements if not a.passed]:
        sys.exit(f"tests/bench: not the same work: {'; '.join(f'{a.tool} on {a.work}' for a in apart)}")
    if options.check and not all(v.met for v in acceptance(bench.rows, bench.memory)):
        sys.exit(1)


if __name__ == "__main__":
    main()
