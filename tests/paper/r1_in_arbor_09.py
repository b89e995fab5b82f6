"""R1 in an unmodified Arbor 0.9.0, the paper's simulator, with catalogues for its binary interface (ABI 0.6).

python tests/paper/r1_in_arbor_09.py [--graddiff PROGRAM] [--json FILE]

The axon of fig. 1 and a uniform cable of the same segments carry dV/dw twice: as the paper does, in the ion diffusion
of Arbor itself (r1_published.mod, beta = 100/(rL cm)), and in the plugin with the voltage's matrix (what `graddiff build
--wrt w --abi 0.6` makes). Both are compared with central differences of Arbor's own plain runs: at the soma, in the
middle and at the end, the L2 norm of the difference over that of the central difference, and their cosine.

On the axon the paper's carrier is wrong by 0.86, on the uniform cable by what the step explains, which halves with it.
Tests run this; run by hand it prints the table. Exit status: 0 as it should be, 1 not, 3 the tools are missing.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import arbor as A

ROOT = pathlib.Path(__file__).resolve().parents[2]
DURATION_MS = 251
SAMPLE_MS = 0.1
CM_F_PER_M2, RL_OHM_CM = 0.01, 100
BETA = 100 / (RL_OHM_CM * CM_F_PER_M2)
SEGMENT_UM, SEGMENTS = 40, 10
# name: soma's length and radius, radius of the rest; um
CELLS = {"axon": (20, 10, 0.5), "uniform": (SEGMENT_UM, 0.5, 0.5)}
STEPS_MS = {"axon": (0.025, 0.0125), "uniform": (0.025, 0.0125)}


class Recipe(A.recipe):
    """One cell, with the given mechanisms by tag of segment, and probes by name."""

    def __init__(self, cell, catalogue, paint, ions, probes):
        A.recipe.__init__(self)
        length, soma, radius = cell
        tree = A.segment_tree()
        last = tree.append(A.mnpos, A.mpoint(0, 0, 0, soma), A.mpoint(length, 0, 0, soma), tag=1)
        for k in range(SEGMENTS):
            ends = (A.mpoint(length + SEGMENT_UM * j, 0, 0, radius) for j in (k, k + 1))
            last = tree.append(last, *ends, tag=2)
        decor = A.decor()
        decor.set_property(Vm=-68.5, cm=CM_F_PER_M2, rL=RL_OHM_CM)
        decor.discretization(A.cv_policy_every_segment())
        for region, name, parameters in paint:
            decor.paint(region, A.density(name, parameters))
        self.cell = A.cable_cell(tree, decor)
        self.properties = A.neuron_cable_properties()
        self.properties.catalogue = A.load_catalogue(str(catalogue))
        for ion, diffusivity in ions.items():
            self.properties.set_ion(ion, valence=1, int_con=0, ext_con=0, rev_pot=0, diff=diffusivity)
        self.recorded = probes

    def num_cells(self):
        return 1

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cell

    def global_properties(self, kind):
        return self.properties

    def probes(self, gid):
        return self.recorded


def simulate(recipe, dt):
    """Samples by probes, in the middle of steps."""
    simulation = A.simulation(recipe)
    times = [k * SAMPLE_MS + dt / 2 for k in range(round(DURATION_MS / SAMPLE_MS))]
    handles = [simulation.sample((0, k), A.explicit_schedule(times)) for k in range(len(recipe.recorded))]
    simulation.run(DURATION_MS, dt)
    return np.array([simulation.samples(h)[0][0][:, 1] for h in handles])


def middles(cell):
    """The middle of each segment, as a location, um along and radius."""
    length, soma, radius = cell
    whole = length + SEGMENTS * SEGMENT_UM
    starts = [0] + [length + SEGMENT_UM * k for k in range(SEGMENTS)]
    sizes = [length] + [SEGMENT_UM] * SEGMENTS
    return [f"(location 0 {(a + b / 2) / whole!r})" for a, b in zip(starts, sizes)], starts, sizes, whole


def stimulated(name, **more):
    return [("(tag 1)", name, {"iapp": 0.1, **more}), ("(tag 2)", name, more)]


def rows(cell):
    """The carrier's matrix: capacitance and conductance to the parent of each segment's control volume."""
    length, soma, radius = cell
    sizes = [(length, soma)] + [(SEGMENT_UM, radius)] * SEGMENTS
    out = []
    for k, (size, r) in enumerate(sizes):
        # Ohm cm/um is 1e4 Ohm
        halves = [sizes[k - 1], sizes[k]]
        resistance = sum(RL_OHM_CM * s / 2 / (math.pi * q * q) for s, q in halves)
        # lateral area alone: where the radius jumps, no membrane closes the end
        cap = CM_F_PER_M2 * 2 * math.pi * r * size
        out.append({"parent_offset": min(k, 1), "g_face": 100 / resistance if k else 0, "cap": cap})
    return out


def carriers(cell, catalogues, dt):
    """dV/dw by the published carrier, by graddiff's, and by central differences: places by samples."""
    places, starts, sizes, whole = middles(cell)
    shown = [places[k] for k in (0, SEGMENTS // 2, SEGMENTS)]
    volts = [A.cable_probe_membrane_voltage(p) for p in shown]
    ion = [A.cable_probe_ion_diff_concentration(p, "u") for p in shown]
    published = simulate(
        Recipe(cell, catalogues["published"], stimulated("r1_published"), {"u": BETA}, ion), dt
    )
    paint = stimulated("gd_r1", seed_w__w=1)
    for a, size, row in zip(starts, sizes, rows(cell)):
        paint.append((f"(cable 0 {a / whole!r} {(a + size) / whole!r})", "gd0_cable", row))
    inside = [A.cable_probe_ion_int_concentration(p, "gd_u__w") for p in shown]
    cable = simulate(Recipe(cell, catalogues["cable"], paint, {"gd_u__w": 0}, inside), dt)

    def plain(w):
        return simulate(Recipe(cell, catalogues["cable"], stimulated("r1", w=w), {}, volts), dt)

    # Richardson: what is left is of fourth order
    coarse, fine = ((plain(1 + x) - plain(1 - x)) / (2 * x) for x in (2e-3, 1e-3))
    return published, cable, (4 * fine - coarse) / 3


def relative(found, expected):
    return [float(np.linalg.norm(f - e) / np.linalg.norm(e)) for f, e in zip(found, expected)]


def cosine(found, expected):
    return [float(f @ e / np.linalg.norm(f) / np.linalg.norm(e)) for f, e in zip(found, expected)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graddiff", default=ROOT / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    options = parser.parse_args()
    if A.__version__ != "0.9.0":
        print(f"needs Arbor 0.9.0, this is {A.__version__}; tests/venv-arbor-0.9 installs it", file=sys.stderr)
        sys.exit(3)
    out = []
    with tempfile.TemporaryDirectory() as scratch:
        catalogues = {}
        sources = {
            "published": [ROOT / "tests/paper/r1_published.mod"],
            "cable": [ROOT / "mechanisms/r1/r1.mod", "--wrt", "w"],
        }
        for name, arguments in sources.items():
            catalogues[name] = pathlib.Path(scratch) / f"{name}-catalogue.so"
            command = [options.graddiff.resolve(), "build", *arguments, "--abi", "0.6", "-q", "-o", catalogues[name]]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                sys.exit(3)
        for name, cell in CELLS.items():
            for dt in STEPS_MS[name]:
                published, cable, expected = carriers(cell, catalogues, dt)
                row = {"cell": name, "dt_ms": dt, "published": relative(published, expected)}
                row |= {"cosine": cosine(published, expected), "cable": relative(cable, expected)}
                out.append(row)
                text = "  ".join(f"{a:.4f} ({c:.3f})" for a, c in zip(row["published"], row["cosine"]))
                print(f"{name:8} dt {dt:<7} published, L2 error (cosine): {text}   cable: {max(row['cable']):.1e}")
    if options.json:
        options.json.write_text(json.dumps(out, indent=1))
    axon, half, uniform, finer = out
    good = all(0.84 <= e <= 0.89 for row in (axon, half) for e in row["published"])
    good &= all(c >= 0.95 for c in axon["cosine"])
    good &= all(0.4 <= b / a <= 0.6 for a, b in zip(uniform["published"], finer["published"]))
    good &= all(e <= 1e-6 for row in out for e in row["cable"])
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
