"""A script for Arbor as one writes it, and three lines that give it derivatives (marked `graddiff`); then a fit.

GRADDIFF=target/release/graddiff PYTHONPATH=python/src python examples/python/arbor_script.py

A soma with a dendrite. Looked for is the sodium conductance that gives a recorded voltage, in steps of Gauss-Newton.
"""

import pathlib
import sys

import arbor as A
from arbor import units as U

import graddiff.arbor

HERE = pathlib.Path(__file__).resolve().parent
MECHANISMS = HERE.parents[1] / "mechanisms"
DURATION_MS, DT_MS = 12, 0.025

tangent = graddiff.arbor.Tangent(MECHANISMS / "hh/hh.mod", MECHANISMS / "pas/pas.mod", wrt="gnabar")  # graddiff


class Recipe(A.recipe):
    def __init__(self, gnabar):
        A.recipe.__init__(self)
        tree = A.segment_tree()
        soma = tree.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(16, 0, 0, 8), tag=1)
        tree.append(soma, A.mpoint(16, 0, 0, 1), A.mpoint(216, 0, 0, 0.4), tag=3)
        labels = A.label_dict({"soma": "(tag 1)", "dend": "(tag 3)", "middle": "(location 0 0.04)"})
        decor = tangent.decor()  # graddiff: was A.decor()
        decor.set_property(Vm=-65 * U.mV, rL=100 * U.Ohm * U.cm)
        decor.paint('"soma"', A.density("hh", {"gnabar": gnabar}))
        decor.paint('"dend"', A.density("pas", {"g": 0.0002, "e": -65}))
        decor.place('"middle"', A.i_clamp(1 * U.ms, 10 * U.ms, 0.5 * U.nA))
        policy = A.cv_policy("(max-extent 20)")
        self.cell = tangent.cable_cell(tree, decor, labels, policy)  # graddiff: was A.cable_cell(...)

    def num_cells(self):
        return 1

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cell

    def global_properties(self, kind):
        return tangent.properties()  # was A.neuron_cable_properties()

    def probes(self, gid):
        return self.cell.probes('"middle"', "soma")  # was [A.cable_probe_membrane_voltage('"middle"', "soma")]


def simulate(gnabar):
    recipe = Recipe(gnabar)
    simulation = A.simulation(recipe)
    samples = recipe.cell.sample(simulation, "soma", A.regular_schedule(0.1 * U.ms))
    simulation.run(DURATION_MS * U.ms, DT_MS * U.ms)
    return samples.sensitivities()


recorded = simulate(0.12)["v_mv"]
gnabar = 0.10
for step in range(5):
    now = simulate(gnabar)
    residual, slope = recorded - now["v_mv"], now["dv_dgnabar_mv_per_s_per_cm2"]
    print(f"gnabar {gnabar:.9f} S/cm2, loss {(residual**2).mean():.3e} mV2")
    gnabar += residual @ slope / (slope @ slope)

print(f"found {gnabar:.9f} S/cm2")
sys.exit(0 if abs(gnabar - 0.12) < 1e-9 else 1)
