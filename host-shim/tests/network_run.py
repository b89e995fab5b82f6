"""Runs the network described on stdin (JSON, see network_parity.rs) in Arbor and prints its spikes, as JSON."""

import json
import sys

import arbor as A
from arbor import units as U

spec = json.load(sys.stdin)


def build(cell):
    tree = A.segment_tree()
    for parent, prox, dist, tag in cell["segments"]:
        tree.append(A.mnpos if parent is None else parent, A.mpoint(*prox), A.mpoint(*dist), tag=tag)
    decor = A.decor()
    for mechanism, parameters in cell["paints"]:
        decor.paint("(all)", A.density(mechanism, parameters))
    # One label per target: targets are numbered in the order of placement.
    for k, (mechanism, parameters, b, x) in enumerate(cell["targets"]):
        decor.place(f"(location {b} {x!r})", A.synapse(mechanism, parameters), f"t{k}")
    for k, (b, x, threshold) in enumerate(cell["detectors"]):
        decor.place(f"(location {b} {x!r})", A.threshold_detector(threshold * U.mV), f"d{k}")
    return A.cable_cell(A.morphology(tree), decor, discretization=A.cv_policy(cell["policy"]))


def schedule(kind, *args):
    if kind == "regular":
        start, step, stop = (x * U.ms for x in args)
        return A.regular_schedule(start, step, stop)
    if kind == "poisson":
        start, rate, seed, stop = args
        return A.poisson_schedule(tstart=start * U.ms, freq=rate * U.kHz, seed=seed, tstop=stop * U.ms)
    return A.explicit_schedule([t * U.ms for t in args[0]])


class Recipe(A.recipe):
    def __init__(self):
        A.recipe.__init__(self)
        self.props = A.neuron_cable_properties()
        self.props.catalogue = A.load_catalogue(spec["catalogue"])

    def num_cells(self):
        return len(spec["cells"])

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return build(spec["cells"][gid])

    def global_properties(self, kind):
        return self.props

    def connections_on(self, gid):
        mine = [c for c in spec["connections"] if c[2] == gid]
        return [A.connection((src, f"d{d}"), f"t{t}", weight, delay * U.ms) for src, d, _, t, weight, delay in mine]

    def event_generators(self, gid):
        mine = [g for g in spec["generators"] if g[0] == gid]
        return [A.event_generator(f"t{t}", weight, schedule(*when)) for _, t, weight, when in mine]


recipe = Recipe()
context = A.context()
hint = A.partition_hint()
hint.cpu_group_size = spec["group_size"]
domains = A.partition_load_balance(recipe, context, {A.cell_kind.cable: hint})
sim = A.simulation(recipe, context, domains)
# `.all` would leave out sources without connections.
sim.record(A.spike_recording.local)
out = {"version": A.__version__, "refused": None}
try:
    for end in spec["ends_ms"]:
        sim.run(end * U.ms, spec["dt_ms"] * U.ms)
except RuntimeError as error:
    out["refused"] = str(error)
out["spikes"] = [[float(t), int(s["gid"]), int(s["index"])] for s, t in sim.spikes()]
json.dump(out, sys.stdout)
