"""Sensitivities by the `diffusion` carrier in an unmodified Arbor, against central differences of the same simulation.

python tests/parity/diffusion_in_arbor.py [--graddiff PROGRAM] [--json FILE]

Two cells, both with hh on a part and pas everywhere, each with its companion: a uniform unbranched cable, below the
threshold of spikes and above, and a soma with a stepped, branched tree, below. Diffusivities are painted as the files
tell. For each slot and each of four steps the greatest difference of u over the greatest u of the trace is shown: on
the cable it has to fall with dt, without spikes to at most 1 % at dt 0.005; on the tree it has to stay above 5 %, or
the carrier's warning says too much.

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

import diffusion_report
import with_arbor as parity

DURATION_MS = 16
EVERY_MS = 0.04
RL, CM = 90, 0.01
LEAST = 0.05
SOURCES = ("hh/hh.mod", "pas/pas.mod")
# slot: (mechanism, parameter, step of the difference)
SLOTS = {"gnabar": ("hh", "gnabar", 1e-5), "gkbar": ("hh", "gkbar", 1e-5), "g": ("pas", "g", 1e-7)}
VALUES = {"hh": {"gnabar": 0.12, "gkbar": 0.036}, "pas": {"g": 0.0003, "e": -64}}


def uniform(amplitude):
    """Ten CVs of 20 um; hh on the first three."""
    tree = A.segment_tree()
    tree.append(A.mnpos, A.mpoint(0, 0, 0, 1), A.mpoint(0, 0, 200, 1), tag=1)
    paint = {"(all)": 2 / (4e5 * RL * CM * 20)}
    return tree, "(cable 0 0 0.3)", paint, "(fixed-per-branch 10)", amplitude


def branched():
    """The tree of clone_in_arbor.py; each piece's diffusivity by its own diameter and length of a CV."""
    tree = A.segment_tree()
    soma = tree.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(0, 0, 20, 8), tag=1)
    trunk = tree.append(soma, A.mpoint(0, 0, 20, 1.5), A.mpoint(0, 0, 120, 1.5), tag=3)
    tree.append(trunk, A.mpoint(0, 0, 120, 0.8), A.mpoint(0, 90, 120, 0.8), tag=4)
    tree.append(trunk, A.mpoint(0, 0, 120, 0.5), A.mpoint(110, 0, 120, 0.5), tag=5)
    pieces = {1: (16, 20), 3: (3, 20), 4: (1.6, 15), 5: (1.0, 110 / 6)}
    paint = {f"(tag {tag})": diam / (4e5 * RL * CM * length) for tag, (diam, length) in pieces.items()}
    return tree, "(cable 0 0 0.16666666666666666)", paint, "(fixed-per-branch 6)", 0.05


CELLS = {"uniform": lambda: uniform(0.01), "spiking": lambda: uniform(0.1), "branched": branched}


class Recipe(A.recipe):
    def __init__(self, made, cell, values, carried):
        A.recipe.__init__(self)
        self.cell, self.values, self.carried = cell, values, carried
        self.props = A.neuron_cable_properties()
        self.props.catalogue = made
        if carried:
            for slot in SLOTS:
                nothing = {"int_con": 0 * U.mM, "ext_con": 0 * U.mM, "rev_pot": 0 * U.mV}
                self.props.set_ion(f"gd_u__{slot}", valence=1, **nothing, diff=1e-12 * U.m2 / U.s)

    def num_cells(self):
        return 1

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def global_properties(self, kind):
        return self.props

    def cell_description(self, gid):
        tree, active, paint, policy, amplitude = CELLS[self.cell]()
        decor = A.decor().set_property(
            Vm=-65 * U.mV, tempK=(18 + 273.15) * U.Kelvin, rL=RL * U.Ohm * U.cm, cm=CM * U.F / U.m2
        )
        for where, name in ((active, "hh"), ("(all)", "pas")):
            decor.paint(where, A.density(name, self.values[name]))
            if self.carried:
                decor.paint(where, A.density(f"gd_{name}", {**self.values[name], "c_m": 100 * CM}))
        for where, diffusivity in paint.items() if self.carried else ():
            for slot in SLOTS:
                decor.paint(where, ion=f"gd_u__{slot}", diff=diffusivity * U.m2 / U.s)
        decor.place("(location 0 0.05)", A.i_clamp(1 * U.ms, 10 * U.ms, amplitude * U.nA))
        return A.cable_cell(tree, decor, discretization=A.cv_policy(policy))

    def probes(self, gid):
        places = [f"(location {b} {(k + 0.5) / n})" for b, n in self.places() for k in range(n)]
        out = [A.cable_probe_membrane_voltage(f"(join {' '.join(places)})", "V")]
        # per place: the probe of a whole cell is none where there are forks
        for slot in SLOTS if self.carried else ():
            where = f"(join {' '.join(places)})"
            out.append(A.cable_probe_ion_diff_concentration(where, f"gd_u__{slot}", slot))
        return out

    def places(self):
        return [(0, 6), (1, 6), (2, 6)] if self.cell == "branched" else [(0, 10)]


def simulate(made, cell, values, carried, dt):
    """V, then u of each slot: samples by places."""
    recipe = Recipe(made, cell, values, carried)
    simulation = A.simulation(recipe)
    times = A.explicit_schedule([((k + 0.5) * EVERY_MS) * U.ms for k in range(round(DURATION_MS / EVERY_MS))])
    handles = [simulation.sample((0, tag), times) for tag in ("V", *(SLOTS if carried else ()))]
    simulation.run(DURATION_MS * U.ms, dt * U.ms)
    return [np.stack([rows[:, 1] for rows, _ in simulation.samples(h)], axis=1) for h in handles]


def changed(values, slot, by):
    mechanism, parameter, _ = SLOTS[slot]
    return {**values, mechanism: {**values[mechanism], parameter: values[mechanism][parameter] + by}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    options = parser.parse_args()
    if A.__version__ != "0.12.2":
        parity.fail(f"the reference is Arbor 0.12.2, this is {A.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        files = [root / "mechanisms" / s for s in SOURCES]
        wrt = ",".join(f"{m}.{p}" for m, p, _ in SLOTS.values())
        command = [options.graddiff.resolve(), "emit", *files, "--to", "arbor", "--carrier", "diffusion"]
        parity.must([*command, "--wrt", wrt, "-o", work / "mod"])
        here = pathlib.Path(sys.executable).parent
        path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
        parity.must([sys.executable, here / "arbor-build-catalogue", "diffusing", work / "mod"], cwd=work, env=path)
        made = A.load_catalogue(str(work / "diffusing-catalogue.so"))
        rows = {(cell, slot): [] for cell in CELLS for slot in SLOTS}
        for cell in CELLS:
            for dt in diffusion_report.STEPS_MS:
                [plain] = simulate(made, cell, VALUES, False, dt)
                voltage, *traces = simulate(made, cell, VALUES, True, dt)
                assert np.array_equal(plain, voltage), "the companions change the original"
                for slot, u in zip(SLOTS, traces):
                    h = SLOTS[slot][2]
                    [above], [below] = (simulate(made, cell, changed(VALUES, slot, s * h), False, dt) for s in (1, -1))
                    expected = (above - below) / (2 * h)
                    rows[cell, slot].append(float(np.abs(u - expected).max() / np.abs(expected).max()))
    sys.exit(0 if diffusion_report.report("Arbor", rows, LEAST, options.json) else 1)


if __name__ == "__main__":
    main()
