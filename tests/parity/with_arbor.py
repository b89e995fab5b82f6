"""Every mechanism of some folders, compiled by graddiff and by Arbor, in the same simulation: forward parity.

python tests/parity/with_arbor.py [--graddiff PROGRAM] [--keep FOLDER] [--json FILE] FOLDER...

All .mod files below a folder make one catalogue, compiled three times: by `graddiff build`, by `arbor-build-catalogue`
(kernels of four lanes, with Arbor's own approximations of exp and log), and by modcc and c++ without vectors (with
those of libm). For each mechanism, cells on which it acts run 400 steps in Arbor with each catalogue. Compared are
voltages, concentrations, reversal potentials and all variables of the mechanism, on every control volume: the greatest
difference over the greatest value of the trace must not exceed 1e-9. Bitwise is how many traces are the same to the
bit.

Exit status: 0 all agree, 1 some do not, 3 the tools are missing.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import arbor as A
import numpy as np
from arbor import units as U

TOLERANCE = 1e-9
STEPS, DT_MS = 400, 0.025
# Arbor's own mechanisms that make ours act; those under test stand beside them under a name of their own.
HELPERS = ((A.default_catalogue, "arb_"), (A.bbp_catalogue, "bbp_"))
TESTED = "mod_"
POOL, CALCIUM = "bbp_CaDynamics_E2", "bbp_Ca_HVA"

# Where a file is not compared with what arbor-build-catalogue makes of it, but only with scalar kernels, and why.
SCALAR_ONLY = {
    "decay": "vector kernels multiply Xd by the weight on partly covered control volumes (host-numerics.md 2.5, 1)",
    "uptake": "vector kernels multiply Xd by the weight, as in decay",
}
# Where the tables may differ, and why.
EXPECTED = {
    "linear": "equal placements are merged by only one of the compilers: placed apart here",
}
# Variables that graddiff does not keep, and why.
UNKEPT = {"pairing": (["late"], "POST_EVENT alone sets `late` and nothing reads it: graddiff does not keep it")}
# What a mechanism needs in order to act, by its name.
PARAMETERS = {
    "gj": {"g": 0.002},
    "gap": {"g": 0.002},
    "ohmic": {"g": 0.002},
}
# Global parameters, which are part of a mechanism's name.
GLOBALS = {"v_limit": "/v_low=-66,v_high=-58"}
# Weights of the events; 0.002 µS otherwise.
WEIGHTS = {"ou_input": 1.0, "calcium_based_synapse": 1.0, "jitter": 1.0, "expsyn_curr": 1.0}


def fail(message):
    print(f"parity: {message}", file=sys.stderr)
    sys.exit(3)


def run(command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)


def must(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


class Mod:
    """A .mod file and what its text says of diffusion, which Arbor's tables do not."""

    def __init__(self, path):
        self.path = path
        text = re.sub(r"COMMENT.*?ENDCOMMENT|[:?][^\n]*", "", path.read_text(), flags=re.S)
        process = r"\b(?:SUFFIX|POINT_PROCESS|JUNCTION_PROCESS|VOLTAGE_PROCESS)\s+(\w+)"
        self.name = re.search(process, text).group(1)
        self.diffusive = [ion for ion in re.findall(r"\bUSEION\s+(\w+)", text) if re.search(rf"\b{ion}d\b", text)]
        self.noisy = "WHITE_NOISE" in text


def compile_all(graddiff, mods, work):
    """The three catalogues: graddiff's, Arbor's, and Arbor's without vectors."""
    sources = work / "mod"
    sources.mkdir()
    for mod in mods:
        (sources / f"{mod.name}.mod").write_text(mod.path.read_text())
    files = sorted(sources.iterdir())
    must([graddiff, "build", *files, "-o", work / "ours-catalogue.so"])
    here = pathlib.Path(sys.executable).parent
    path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}  # it calls cmake, which lives there too
    must([sys.executable, here / "arbor-build-catalogue", "simd", sources], cwd=work, env=path)
    package = pathlib.Path(A.__path__[0])
    (work / "out").mkdir()
    must([package / "bin/modcc", "-t", "cpu", "-N", "arb", "-c", "scalar", "-o", work / "out", *files])
    flags = ["-O2", "-std=c++20", "-fPIC", "-shared", "-fvisibility=hidden", "-DSTANDALONE", f"-I{package / 'include'}"]
    must(["c++", *flags, *sorted((work / "out").glob("*.cpp")), "-o", work / "scalar-catalogue.so"])
    return {kind: work / f"{kind}-catalogue.so" for kind in ("ours", "simd", "scalar")}


def catalogue(path):
    made = A.catalogue()
    for helper, prefix in HELPERS:
        made.extend(helper(), prefix)
    if path:
        made.extend(A.load_catalogue(str(path)), TESTED)
    return made


def tables(info):
    """What a catalogue says of a mechanism, to be the same in all."""
    plain = lambda x: None if math.isnan(x) else x
    fields = lambda t: {name: plain(f.default) for name, f in t.items()}
    # not read_rev_pot: modcc sets it where eX is only written
    flags = ("read_int_con", "write_int_con", "read_ext_con", "write_ext_con", "write_rev_pot")
    return {
        "kind": str(info.kind),
        "linear": info.linear,
        "post_events": info.post_events,
        # modcc also makes globals, which nothing reads, of ion variables that PARAMETER declares
        "globals": {name: x for name, x in fields(info.globals).items() if x is not None},
        "parameters": fields(info.parameters),
        "states": sorted(info.state),
        "ions": {name: {f: getattr(ion, f) for f in flags} for name, ion in sorted(info.ions.items())},
    }


class Recipe(A.recipe):
    """Cells on which a mechanism acts."""

    def __init__(self, mod, info, made, present=True, merged=True):
        A.recipe.__init__(self)
        self.merged = merged
        self.mod, self.info, self.present = mod, info, present
        self.name = TESTED + mod.name + GLOBALS.get(mod.name, "")
        self.kind = info["kind"].split()[0]
        self.props = A.neuron_cable_properties()
        self.props.catalogue = made
        self.ions = sorted(info["ions"])
        # a reversal potential mechanism of one ion stands for calcium, which moves
        self.renamed = self.kind == "reversal" and len(self.ions) == 1
        self.seen = sorted({"na", "k", "ca", *(() if self.renamed else self.ions)})
        for ion in self.seen:
            diffusive = {"diff": 1e-9 * U.m2 / U.s} if ion in mod.diffusive else {}
            if ion in ("na", "k", "ca"):
                if diffusive:
                    self.props.set_ion(ion, **diffusive)
            else:
                values = {"int_con": 1 * U.mM, "ext_con": 2 * U.mM, "rev_pot": 10 * U.mV}
                self.props.set_ion(ion, valence=1, **values, **diffusive)
        self.cells = [self.cell(k) for k in range(2 if self.kind == "gap" else 1)]

    def parameters(self):
        return PARAMETERS.get(self.mod.name, {})

    def cell(self, k):
        tree = A.segment_tree()
        soma = tree.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(0, 0, 20, 8), tag=1)
        trunk = tree.append(soma, A.mpoint(0, 0, 20, 2), A.mpoint(0, 0, 160, 1), tag=3)
        tree.append(trunk, A.mpoint(0, 0, 160, 1), A.mpoint(0, 90, 200, 0.5), tag=4)
        tree.append(trunk, A.mpoint(0, 0, 160, 1), A.mpoint(70, 0, 250, 0.4), tag=4)
        decor = A.decor().set_property(tempK=(25 + 273.15) * U.Kelvin, rL=90 * U.Ohm * U.cm)
        writes = self.info["ions"]
        decor.paint("(tag 1)", A.density("arb_hh"))
        decor.paint("(all)", A.density("arb_pas", {"g": 0.0002}))
        decor.paint("(all)", A.density(CALCIUM, {"gCa_HVAbar": 0.0003}))
        if not any(f["write_int_con"] for ion, f in writes.items() if ion == "ca"):
            decor.paint("(all)", A.density(POOL))
        decor.place("(location 0 0.1)", A.i_clamp(1 * U.ms, 6 * U.ms, (1.2, 0.3)[k] * U.nA))
        decor.place("(location 0 0.1)", A.threshold_detector(-10 * U.mV), "spike")
        if self.present:
            self.add(decor)
        return A.cable_cell(tree, decor, discretization=A.cv_policy("(fixed-per-branch 5 (all) (flag-none))"))

    def add(self, decor):
        values = self.parameters()
        if self.kind == "density":
            # whole control volumes, and parts of some
            decor.paint("(tag 1)", A.density(self.name, values))
            decor.paint("(cable 1 0.05 0.77)", A.density(self.name, values))
        elif self.kind == "point":
            third = "(location 1 0.7)" if self.merged else "(location 1 0.1)"
            for at in ("(location 0 0.1)", "(location 1 0.7)", third, "(location 2 0.35)"):
                label = f"target{self.targets}"
                decor.place(at, A.synapse(self.name, values), label)
                self.targets += 1
        elif self.kind == "gap":
            decor.place("(location 1 0.6)", A.junction(self.name, values), "site")
        elif self.kind == "voltage":
            decor.paint("(tag 4)", A.voltage_process(self.name, values))
        elif self.kind == "reversal" and self.renamed:
            decor.set_ion("ca", method=A.mechanism(f"{self.name}/{self.ions[0]}=ca", values))
        elif self.kind == "reversal":
            for ion in (i for i in self.ions if self.info["ions"][i]["write_rev_pot"]):
                decor.set_ion(ion, method=A.mechanism(self.name, values))
        else:
            raise ValueError(f"a mechanism of unknown kind: {self.kind}")

    targets = 0

    def num_cells(self):
        return len(self.cells)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cells[gid]

    def global_properties(self, kind):
        return self.props

    def event_generators(self, gid):
        weight = WEIGHTS.get(self.mod.name, 0.002)
        out = []
        for k in range(self.targets):
            times = [t * U.ms for t in (1.03 + 0.4 * k, 2.51, 2.52, 6.207 + 0.1 * k)]
            label = A.cell_local_label(f"target{k}")
            out.append(A.event_generator(label, weight * (1 + k / 4), A.explicit_schedule(times)))
        return out

    def gap_junctions_on(self, gid):
        if not (self.present and self.kind == "gap"):
            return []
        peer = A.cell_global_label(1 - gid, "site")
        return [A.gap_junction_connection(peer, A.cell_local_label("site"), 1.0 + 0.5 * gid)]

    def recorded(self):
        """(title, probe) of one cell; the title is the probe's tag."""
        out = [("V", A.cable_probe_membrane_voltage_cell("V"))]
        for ion in self.seen:
            for title, probe in (
                (f"{ion}i", A.cable_probe_ion_int_concentration_cell),
                (f"{ion}o", A.cable_probe_ion_ext_concentration_cell),
                (f"e{ion}", A.cable_probe_ion_reversal_potential_cell),
                (f"i{ion}", A.cable_probe_ion_current_cell),
            ):
                out.append((title, probe(ion, title)))
            if ion in self.mod.diffusive:
                # the probe of whole cells yields nothing in 0.12.2
                every = " ".join(f"(on-branches {x!r})" for x in (0.1, 0.3, 0.5, 0.7, 0.9))
                out.append((f"{ion}d", A.cable_probe_ion_diff_concentration(f"(sum {every})", ion, f"{ion}d")))
        state = {"density": A.cable_probe_density_state_cell, "point": A.cable_probe_point_state_cell}.get(self.kind)
        if state and self.present:
            out += [(f"{self.mod.name}.{s}", state(self.name, s, f"{self.mod.name}.{s}")) for s in self.info["states"]]
        return out

    def probes(self, gid):
        return [probe for _, probe in self.recorded()]


def simulate(recipe):
    """Traces by title: samples by control volumes; and spike times."""
    context = A.context()
    hint = A.partition_hint()
    hint.cpu_group_size = recipe.num_cells()
    domains = A.partition_load_balance(recipe, context, {A.cell_kind.cable: hint})
    simulation = A.simulation(recipe, context, domains, seed=20241211)
    simulation.record(A.spike_recording.local)
    # in the middle of a step: at its edges Arbor's own rule is not always what it seems
    times = A.explicit_schedule([(k + 0.5) * DT_MS * U.ms for k in range(STEPS)])
    titles = [(gid, title) for gid in range(recipe.num_cells()) for title, _ in recipe.recorded()]
    handles = [(gid, title, simulation.sample((gid, title), times)) for gid, title in titles]
    simulation.run(STEPS * DT_MS * U.ms, DT_MS * U.ms)
    traces = {}
    for gid, title, handle in handles:
        # a quantity that the cell does not have yields nothing
        samples = simulation.samples(handle)
        if samples:
            data = np.column_stack([data[:, 1:] for data, _ in samples])
            assert data.shape[0] == STEPS, f"{title}: {data.shape[0]} samples"
            traces[f"{title}@{gid}"] = data
    spikes = np.array(sorted(float(t) for _, t in simulation.spikes()))
    return traces, spikes


def compare(ours, theirs):
    """The greatest relative difference, where it is, and how many traces are the same to the bit, of how many."""
    (a, spikes_a), (b, spikes_b) = ours, theirs
    if a.keys() != b.keys():
        return math.inf, f"traces of one only: {sorted(a.keys() ^ b.keys())}", 0, 0
    if len(spikes_a) != len(spikes_b):
        return math.inf, f"{len(spikes_a)} and {len(spikes_b)} spikes", 0, 0
    worst, where, same, count = 0.0, "", 0, 0
    pairs = [(title, a[title], b[title]) for title in a] + [("spikes", spikes_a[:, None], spikes_b[:, None])]
    for title, x, y in pairs:
        if x.shape != y.shape:
            return math.inf, f"{title}: {x.shape} and {y.shape}", 0, 0
        for k in range(x.shape[1]):
            u, w = x[:, k], y[:, k]
            count += 1
            if np.array_equal(u, w, equal_nan=True):
                same += 1
                continue
            error = np.max(np.abs(u - w)) / np.max(np.abs(w))
            if not error <= worst:  # NaN is worse than all
                worst, where = (error if error == error else math.inf), f"{title}[{k}]"
    return worst, where, same, count


def moved(recipe, run, absent):
    """Whether the mechanism does anything: something is not what it is without it, or its own variables change."""
    traces, _ = run
    without, _ = absent
    for title, x in traces.items():
        own = "." in title and np.ptp(x, axis=0).max(initial=0.0) > 0
        both = title in without and x.shape == without[title].shape
        other = both and np.abs(x - without[title]).max(initial=0) > 1e-9
        if own or other or (title not in without and "." not in title):
            return True
    return False


def row(mod, made):
    """One mechanism: the comparison with each of Arbor's compilers."""
    kinds = ["scalar"] if mod.name in SCALAR_ONLY else ["simd", "scalar"]
    infos = {kind: tables(made[kind][TESTED + mod.name]) for kind in ("ours", *kinds)}
    out = {"mechanism": mod.name, "kind": infos["ours"]["kind"].split()[0]}
    unkept, why = UNKEPT.get(mod.name, ([], None))
    for kind in kinds:
        infos[kind]["states"] = [s for s in infos[kind]["states"] if s not in unkept]
    differ = [key for key in infos["ours"] if infos["ours"][key] != infos["scalar"][key]]
    out["tables"] = [f"{k}: {infos['ours'][k]} not {infos['scalar'][k]}" for k in differ if k not in EXPECTED]
    notes = [SCALAR_ONLY.get(mod.name), why]
    if out["kind"] == "point" and "linear" in differ:
        notes.append(EXPECTED["linear"])
    out["note"] = "; ".join(filter(None, notes))
    merged = "linear" not in differ
    # what one of them does not keep is told by the tables; the rest can be compared
    shared = {**infos["scalar"], "states": [s for s in infos["scalar"]["states"] if s in infos["ours"]["states"]]}
    recipe = lambda kind, present=True: Recipe(mod, shared, made[kind], present, merged)
    runs = {kind: simulate(recipe(kind)) for kind in ("ours", *kinds)}
    for kind in kinds:
        error, where, same, count = compare(runs["ours"], runs[kind])
        out[kind] = {"error": error, "where": where, "same": same, "traces": count}
    out["spikes"] = len(runs["ours"][1])
    out["acts"] = moved(recipe, runs["scalar"], simulate(recipe("scalar", False)))
    return out


def show(row):
    """Prints a row; whether it is as it should be."""
    both = [(kind, row.get(kind)) for kind in ("simd", "scalar")]
    cells = [f"{r['error']:9.1e} {r['same']:4}/{r['traces']:<4}" if r else f"{'-':>9} {'':9}" for _, r in both]
    faults = [] if row["acts"] else ["DOES NOT ACT"]
    faults += [f"TABLES {t}" for t in row["tables"]]
    faults += [f"{kind.upper()} {r['where']}" for kind, r in both if r and not r["error"] <= TOLERANCE]
    remarks = "; ".join(filter(None, [row["note"], *faults]))
    head = f"{row['mechanism']:28} {row['kind']:9} {row['spikes']:6}"
    print(f"{head}  {'  '.join(cells)}  {remarks}".rstrip(), flush=True)
    return not faults


def folder_rows(graddiff, folder, keep):
    mods = sorted((Mod(p) for p in folder.rglob("*.mod")), key=lambda m: m.name)
    if not mods:
        fail(f"{folder}: no .mod files")
    refused = []
    modcc = pathlib.Path(A.__path__[0]) / "bin/modcc"
    with tempfile.TemporaryDirectory(dir=keep) as scratch:
        work = pathlib.Path(scratch)
        for mod in list(mods):
            (work / "try").mkdir(exist_ok=True)
            if run([modcc, "-t", "cpu", "-N", "arb", "-c", "x", "-o", work / "try", mod.path]).returncode != 0:
                refused.append(mod.name)
                mods.remove(mod)
        made = {kind: catalogue(path) for kind, path in compile_all(graddiff, mods, work).items()}
        return [row(mod, made) for mod in mods], refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--keep", help="where to put temporary files")
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    if A.__version__ != "0.12.2":
        fail(f"the reference is Arbor 0.12.2, this is {A.__version__}")
    print(f"{'mechanism':28} {'kind':9} spikes  simd, bitwise         scalar, bitwise")
    report, good = [], True
    for folder in options.folders:
        rows, refused = folder_rows(options.graddiff.resolve(), folder.resolve(), options.keep)
        good &= all([show(r) for r in rows])
        if refused:
            print(f"refused by modcc in {folder}: {', '.join(refused)}")
        report.append({"folder": folder.name, "rows": rows, "refused": refused})
    rows = [r for f in report for r in f["rows"]]
    for kind in ("simd", "scalar"):
        of = [r[kind] for r in rows if kind in r]
        whole = sum(r["same"] == r["traces"] for r in of)
        traces = f"{sum(r['same'] for r in of)} of {sum(r['traces'] for r in of)} traces"
        worst = max((r["error"] for r in of), default=0.0)
        print(f"{kind}: {len(of)} mechanisms, {whole} bitwise, {traces}; greatest error {worst:.1e}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
