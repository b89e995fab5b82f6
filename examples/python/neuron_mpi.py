"""A population of cells tuned in parallel, and a network with derivatives, in NEURON on any number of MPI ranks.

mpiexec -n 2 nrniv -mpi -python examples/python/neuron_mpi.py [CELLS] RESULT.json

GRADDIFF and PYTHONPATH as for neuron_script.py. Cells are dealt out to the ranks by their numbers. Each of the
population looks for its own sodium conductance, all at once; no rank hears of another's cells until the end. The cells of the ring
hear each other's spikes, on whatever rank; the clone of a cell receives the events of its original, at the same times.

The first rank writes what was found to RESULT.json, with all digits: on 1 and on 2 ranks the same bytes.
"""

import json
import pathlib
import sys
import time

import numpy as np
from neuron import h

import graddiff.neuron

MECHANISMS = pathlib.Path(__file__).resolve().parents[2] / "mechanisms"
POPULATION = int(sys.argv[-2]) if sys.argv[-2].isdigit() else 8
RING, ITERATIONS = 5, 5
DURATION_MS = 12
START, TARGETS = 0.10, np.linspace(0.107, 0.131, POPULATION)

context = h.ParallelContext()
rank, ranks = int(context.id()), int(context.nhost())
h.load_file("stdrun.hoc")
h.usetable_hh, h.dt, h.steps_per_ms = 0, 0.0125, 80
files = [MECHANISMS / f for f in ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")]
tangent = graddiff.neuron.Tangent(*files, wrt="gnabar")


class Cell:
    """A soma with a dendrite, its synapse, and its clone."""

    def __init__(self, gid):
        self.gid = gid
        self.soma, self.dend = h.Section(name=f"soma{gid}"), h.Section(name=f"dend{gid}")
        self.soma.L, self.soma.diam = 16 + gid % 8, 16
        self.dend.L, self.dend.diam, self.dend.nseg = 200, 1, 5
        self.dend.connect(self.soma(1))
        self.soma.insert("hh")
        self.dend.insert("pas")
        for segment in self.dend:
            segment.pas.g, segment.pas.e = 0.0002, -65
        self.synapse = h.expsyn(self.dend(0.5))
        context.set_gid2node(gid, rank)
        self.detector = h.NetCon(self.soma(0.5)._ref_v, None, sec=self.soma)
        self.detector.threshold = 0
        context.cell(gid, self.detector)

    def clamp(self, amplitude_na, duration_ms):
        self.stimulus = h.IClamp(self.soma(0.5))
        self.stimulus.delay, self.stimulus.dur, self.stimulus.amp = 1, duration_ms, amplitude_na

    def differentiate(self):
        self.clones = tangent.clone(self.soma.wholetree())
        self.recording = self.clones.record(self.soma(0.5))


def run(duration_ms):
    context.set_maxstep(10)
    h.finitialize(-65)
    context.psolve(duration_ms)


def gathered(own):
    """What all ranks know of their cells, by number; on every rank."""
    return dict(sorted(item for part in context.py_allgather(own) for item in part.items()))


def tune():
    cells = [Cell(gid) for gid in range(POPULATION) if gid % ranks == rank]
    for cell in cells:
        cell.clamp(0.5, 10)
        cell.differentiate()
        cell.soma(0.5).hh.gnabar = TARGETS[cell.gid]
    run(DURATION_MS)
    recorded = {cell.gid: cell.recording.sensitivities()["v_mv"] for cell in cells}
    for cell in cells:
        cell.soma(0.5).hh.gnabar = START
    losses = {cell.gid: [] for cell in cells}
    for _ in range(ITERATIONS):
        run(DURATION_MS)
        for cell in cells:
            now = cell.recording.sensitivities()
            residual, slope = recorded[cell.gid] - now["v_mv"], now["dv_dgnabar_mv_per_s_per_cm2"]
            losses[cell.gid].append(float(residual @ residual) / len(residual))
            # steps of Gauss-Newton, no longer than a tenth
            step = float(residual @ slope / (slope @ slope))
            cell.soma(0.5).hh.gnabar += max(-0.01, min(0.01, step))
    found = {cell.gid: {"gnabar": cell.soma(0.5).hh.gnabar, "losses": losses[cell.gid]} for cell in cells}
    context.gid_clear()
    return gathered(found)


def ring():
    cells = [Cell(gid) for gid in range(RING) if gid % ranks == rank]
    wires = []
    for cell in cells:
        if cell.gid == 0:
            cell.clamp(0.8, 2)
        wires.append(context.gid_connect((cell.gid - 1) % RING, cell.synapse))
        wires[-1].weight[0], wires[-1].delay = 0.02, 2
    for cell in cells:
        cell.differentiate()
    times, gids = h.Vector(), h.Vector()
    context.spike_record(-1, times, gids)
    run(60)
    spikes = {cell.gid: [t for t, gid in zip(times, gids) if gid == cell.gid] for cell in cells}
    out = {}
    for cell in cells:
        slope = cell.recording.sensitivities()["dv_dgnabar_mv_per_s_per_cm2"]
        out[cell.gid] = {"spikes_ms": spikes[cell.gid], "greatest": float(abs(slope).max()), "last": float(slope[-1])}
    return gathered(out)


began = time.process_time()
population = tune()
busiest = max(context.py_allgather(time.process_time() - began))
network = ring()
if rank == 0:
    pathlib.Path(sys.argv[-1]).write_text(json.dumps({"population": population, "ring": network}, indent=1) + "\n")
    worst = max(abs(population[gid]["gnabar"] - target) for gid, target in enumerate(TARGETS))
    spikes = sum(len(cell["spikes_ms"]) for cell in network.values())
    print(f"{ranks} ranks: {POPULATION} cells tuned, farthest from its target {worst:.1e} S/cm2;", end=" ")
    print(f"{spikes} spikes of {RING} cells; {busiest:.1f} s of the busiest rank for tuning")
context.barrier()
context.done()
h.quit()
