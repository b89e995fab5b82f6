"""A population of cells tuned at once, and a network with derivatives, in Arbor on any number of threads.

python examples/python/arbor_population.py THREADS RESULT.json [CELLS]

GRADDIFF and PYTHONPATH as for arbor_script.py. What neuron_mpi.py does on ranks: each cell of the population looks for
its own sodium conductance; the cells of the ring hear each other's spikes. RESULT.json has all digits: on 1 and on 2
threads the same bytes.
"""

import json
import pathlib
import sys

import arbor as A
import numpy as np
from arbor import units as U

import graddiff.arbor

MECHANISMS = pathlib.Path(__file__).resolve().parents[2] / "mechanisms"
POPULATION = int(sys.argv[3]) if len(sys.argv) > 3 else 8
RING, ITERATIONS = 5, 5
DT_MS = 0.0125
START, TARGETS = 0.10, np.linspace(0.107, 0.131, POPULATION)

files = [MECHANISMS / f for f in ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")]
tangent = graddiff.arbor.Tangent(*files, wrt="gnabar")


class Cells(A.recipe):
    """Cells of given conductances, each with its stimulus (ms, nA); in a ring, or apart."""

    def __init__(self, gnabar, clamps, in_ring):
        A.recipe.__init__(self)
        self.in_ring = in_ring
        self.cells = [self.cell(gid, g, clamp) for gid, (g, clamp) in enumerate(zip(gnabar, clamps))]

    @staticmethod
    def cell(gid, gnabar, clamp):
        tree = A.segment_tree()
        soma = tree.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(16 + gid % 8, 0, 0, 8), tag=1)
        tree.append(soma, A.mpoint(16 + gid % 8, 0, 0, 0.5), A.mpoint(216 + gid % 8, 0, 0, 0.5), tag=3)
        decor = tangent.decor()
        decor.paint("(tag 1)", A.density("hh", {"gnabar": gnabar}))
        decor.paint("(tag 3)", A.density("pas", {"g": 0.0002, "e": -65}))
        decor.place("(location 0 0.5)", A.synapse("expsyn"), "synapse")
        decor.place("(location 0 0.04)", A.threshold_detector(0 * U.mV), "detector")
        if clamp:
            duration, amplitude = clamp
            decor.place("(location 0 0.04)", A.i_clamp(1 * U.ms, duration * U.ms, amplitude * U.nA))
        return tangent.cable_cell(tree, decor, None, A.cv_policy("(max-extent 40)"))

    def num_cells(self):
        return len(self.cells)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cells[gid]

    def global_properties(self, kind):
        return tangent.properties()

    def probes(self, gid):
        return self.cells[gid].probes("(location 0 0.04)", "soma")

    def connections_on(self, gid):
        before = (gid - 1) % len(self.cells)
        return [A.connection((before, "detector"), "synapse", 0.02, 2 * U.ms)] if self.in_ring else []


def run(recipe, duration_ms, threads):
    """Sensitivities and spike times by cell."""
    simulation = A.simulation(recipe, A.context(threads=threads))
    simulation.record(A.spike_recording.local)
    schedule = A.regular_schedule(0.1 * U.ms)
    samples = [cell.sample(simulation, "soma", schedule, gid) for gid, cell in enumerate(recipe.cells)]
    simulation.run(duration_ms * U.ms, DT_MS * U.ms)
    spikes = [[float(t) for s, t in simulation.spikes() if s["gid"] == gid] for gid in range(len(recipe.cells))]
    return [s.sensitivities() for s in samples], spikes


def tune(threads):
    clamps = [(10, 0.5)] * POPULATION
    recorded, _ = run(Cells(TARGETS, clamps, False), 12, threads)
    gnabar, losses = np.full(POPULATION, START), [[] for _ in range(POPULATION)]
    for _ in range(ITERATIONS):
        now, _ = run(Cells(gnabar, clamps, False), 12, threads)
        for gid, (wanted, found) in enumerate(zip(recorded, now)):
            residual, slope = wanted["v_mv"] - found["v_mv"], found["dv_dgnabar_mv_per_s_per_cm2"]
            losses[gid].append(float(residual @ residual) / len(residual))
            # steps of Gauss-Newton, no longer than a tenth
            gnabar[gid] += np.clip(residual @ slope / (slope @ slope), -0.01, 0.01)
    return [{"gnabar": float(g), "losses": of_cell} for g, of_cell in zip(gnabar, losses)]


def ring(threads):
    found, spikes = run(Cells([0.12] * RING, [(2, 0.8)] + [None] * (RING - 1), True), 60, threads)
    slopes = [f["dv_dgnabar_mv_per_s_per_cm2"] for f in found]
    return [{"spikes_ms": t, "greatest": float(abs(u).max()), "last": float(u[-1])} for t, u in zip(spikes, slopes)]


threads = int(sys.argv[1])
population, network = tune(threads), ring(threads)
pathlib.Path(sys.argv[2]).write_text(json.dumps({"population": population, "ring": network}, indent=1) + "\n")
worst = max(abs(cell["gnabar"] - target) for cell, target in zip(population, TARGETS))
spikes = sum(len(cell["spikes_ms"]) for cell in network)
print(f"{threads} threads: {POPULATION} cells tuned, farthest from its target {worst:.1e} S/cm2;", end=" ")
print(f"{spikes} spikes of {RING} cells")
