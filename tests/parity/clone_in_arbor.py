"""Sensitivities by the `clone` carrier in an unmodified Arbor, against central differences of the same simulation.

python tests/parity/clone_in_arbor.py [--graddiff PROGRAM] [--json FILE]

The cell is branched and stepped, with hh on the soma and half of the trunk and pas everywhere. One clone cable a slot
carries the clones of both as junctions, one in every control volume, none at the fork. For each slot and each of four
steps the greatest difference of u over the greatest u of the trace is shown; it has to halve with dt at least, and to
be at most 1 % at dt 0.005. Where the voltage is smooth it is a quarter.

Exit status: 0 as it should be, 1 not, 3 the tools are missing.
"""

import argparse
import os
import pathlib
import sys
import tempfile

import arbor as A
import numpy as np
from arbor import units as U

import clone_report
import with_arbor as parity

DURATION_MS = 16
BRANCH_CVS = 3
SOURCES = ("hh/hh.mod", "pas/pas.mod")
# (mechanism, parameter): value and the step of the difference
SLOTS = {("hh", "gnabar"): (0.12, 1e-5), ("hh", "gkbar"): (0.036, 1e-5), ("pas", "g"): (0.0003, 1e-7)}
VALUES = {"hh": {"gnabar": 0.12, "gkbar": 0.036}, "pas": {"g": 0.0003, "e": -64}}
# branches with hh: the soma is branch 0; of the trunk, which is the rest of that branch, nothing else
BRANCHES = range(3)


def tree():
    out = A.segment_tree()
    soma = out.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(0, 0, 20, 8), tag=1)
    trunk = out.append(soma, A.mpoint(0, 0, 20, 2), A.mpoint(0, 0, 120, 1), tag=3)
    out.append(trunk, A.mpoint(0, 0, 120, 1), A.mpoint(0, 90, 160, 0.5), tag=4)
    out.append(trunk, A.mpoint(0, 0, 120, 1), A.mpoint(70, 0, 210, 0.4), tag=4)
    return out


def middles():
    return [(b, (k + 0.5) / BRANCH_CVS) for b in BRANCHES for k in range(BRANCH_CVS)]


class Recipe(A.recipe):
    def __init__(self, made, values, slots):
        A.recipe.__init__(self)
        self.values, self.slots = values, slots
        self.props = A.neuron_cable_properties()
        self.props.catalogue = made

    def num_cells(self):
        return 1 + len(self.slots)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def global_properties(self, kind):
        return self.props

    def cell_description(self, gid):
        start = -65 if gid == 0 else 0
        decor = A.decor().set_property(Vm=start * U.mV, tempK=(18 + 273.15) * U.Kelvin, rL=90 * U.Ohm * U.cm)
        if gid == 0:
            decor.paint("(cable 0 0 1)", A.density("hh", self.values["hh"]))
            decor.paint("(all)", A.density("pas", self.values["pas"]))
            decor.place("(location 0 0.1)", A.i_clamp(1 * U.ms, 10 * U.ms, 0.9 * U.nA))
        for n, (b, x) in enumerate(middles() if self.slots else []):
            at = f"(location {b} {x})"
            if gid == 0:
                decor.place(at, A.junction("gd_pas"), f"original{n}")
                continue
            mechanism, parameter = self.slots[gid - 1]
            for name in ("hh", "pas"):
                if name == "hh" and b != 0:
                    continue
                seed = {f"seed_{parameter}": 1.0} if name == mechanism else {}
                decor.place(at, A.junction(f"gd_{name}", {**self.values[name], **seed}), f"{name}{n}")
        policy = A.cv_policy(f"(fixed-per-branch {BRANCH_CVS} (all) (flag-none))")
        return A.cable_cell(tree(), decor, discretization=policy)

    def gap_junctions_on(self, gid):
        if gid == 0:
            return []
        both = [(n, b, name) for n, (b, _) in enumerate(middles()) for name in ("hh", "pas")]
        sites = [(n, b, name) for n, b, name in both if name == "pas" or b == 0]
        return [
            A.gap_junction_connection(A.cell_global_label(0, f"original{n}"), A.cell_local_label(f"{name}{n}"), 1.0)
            for n, _, name in sites
        ]

    def probes(self, gid):
        return [A.cable_probe_membrane_voltage_cell("V")]


def simulate(made, values, slots, dt):
    """Voltages of all cables: cells by samples by cables."""
    recipe = Recipe(made, values, slots)
    context = A.context()
    simulation = A.simulation(recipe, context, A.partition_load_balance(recipe, context))
    every = 0.04
    times = A.explicit_schedule([((k + 0.5) * every) * U.ms for k in range(round(DURATION_MS / every))])
    handles = [simulation.sample((gid, "V"), times) for gid in range(recipe.num_cells())]
    simulation.run(DURATION_MS * U.ms, dt * U.ms)
    return [simulation.samples(h)[0][0][:, 1:] for h in handles]


def changed(values, slot, by):
    mechanism, parameter = slot
    return {**values, mechanism: {**values[mechanism], parameter: values[mechanism][parameter] + by}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    options = parser.parse_args()
    if A.__version__ != "0.12.2":
        parity.fail(f"the reference is Arbor 0.12.2, this is {A.__version__}")
    slots = list(SLOTS)
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        files = [root / "mechanisms" / s for s in SOURCES]
        wrt = ",".join(f"{m}.{p}" for m, p in slots)
        parity.must([options.graddiff.resolve(), "emit", *files, "--to", "arbor", "--wrt", wrt, "-o", work / "mod"])
        here = pathlib.Path(sys.executable).parent
        path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
        parity.must([sys.executable, here / "arbor-build-catalogue", "clones", work / "mod"], cwd=work, env=path)
        made = A.load_catalogue(str(work / "clones-catalogue.so"))
        rows = {slot: [] for slot in slots}
        for dt in clone_report.STEPS_MS:
            plain = simulate(made, VALUES, [], dt)[0]
            traces = simulate(made, VALUES, slots, dt)
            assert np.array_equal(plain, traces[0]), "the clones change the original"
            for slot, u in zip(slots, traces[1:]):
                h = SLOTS[slot][1]
                above, below = (simulate(made, changed(VALUES, slot, s * h), [], dt)[0] for s in (1, -1))
                expected = (above - below) / (2 * h)
                rows[slot].append(float(np.abs(u - expected).max() / np.abs(expected).max()))
    sys.exit(0 if clone_report.report("Arbor", rows, options.json) else 1)


if __name__ == "__main__":
    main()
