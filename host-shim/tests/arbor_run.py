"""Runs the cells described on stdin (JSON, see arbor_parity.rs) in Arbor and prints what it sees, as JSON."""

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
    decor.set_property(
        Vm=cell["v_init_mv"] * U.mV,
        cm=cell["cm_f_per_m2"] * U.F / U.m2,
        rL=cell["rl_ohm_cm"] * U.Ohm * U.cm,
        tempK=cell["temperature_k"] * U.Kelvin,
    )
    for paint in cell["paints"]:
        for b, p, d in paint["cables"]:
            decor.paint(f"(cable {b} {p!r} {d!r})", A.density(paint["mechanism"], paint["parameters"]))
    for clamp in cell["clamps"]:
        b, x = clamp["at"]
        envelope = [(t * U.ms, i * U.nA) for t, i in clamp["envelope"]]
        current = A.i_clamp(envelope, frequency=clamp["khz"] * U.kHz, phase=clamp["rad"] * U.rad)
        decor.place(f"(location {b} {x!r})", current)
    for k, (b, x, threshold) in enumerate(cell["detectors"]):
        decor.place(f"(location {b} {x!r})", A.threshold_detector(threshold * U.mV), f"d{k}")
    return A.cable_cell(A.morphology(tree), decor, discretization=A.cv_policy(cell["policy"]))


cells = [build(c) for c in spec["cells"]]


class Recipe(A.recipe):
    def __init__(self):
        A.recipe.__init__(self)
        self.props = A.neuron_cable_properties()
        self.props.catalogue = A.load_catalogue(spec["catalogue"])

    def num_cells(self):
        return len(cells)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return cells[gid]

    def global_properties(self, kind):
        return self.props

    def probes(self, gid):
        at = lambda p: f"(location {p['at'][0]} {p['at'][1]!r})"
        make = {
            "voltage": lambda p, tag: A.cable_probe_membrane_voltage(at(p), tag),
            "state": lambda p, tag: A.cable_probe_density_state(at(p), p["mechanism"], p["state"], tag),
            "ion-current": lambda p, tag: A.cable_probe_ion_current_density(at(p), p["ion"], tag),
            "ion-internal": lambda p, tag: A.cable_probe_ion_int_concentration(at(p), p["ion"], tag),
        }
        mine = [(k, p) for k, p in enumerate(spec["probes"]) if p["cell"] == gid]
        return [A.cable_probe_membrane_voltage_cell("v")] + [make[p["kind"]](p, f"p{k}") for k, p in mine]


dt = spec["dt_ms"]
recipe = Recipe()
context = A.context()
hint = A.partition_hint()
hint.cpu_group_size = len(cells)
domains = A.partition_load_balance(recipe, context, {A.cell_kind.cable: hint})
sim = A.simulation(recipe, context, domains)
sim.record(A.spike_recording.local)
times = A.explicit_schedule([t * U.ms for t in spec["samples_ms"]])
voltages = [sim.sample((g, "v"), times) for g in range(len(cells))]
probes = [sim.sample((p["cell"], f"p{k}"), times) for k, p in enumerate(spec["probes"])]
for end in spec["ends_ms"]:
    sim.run(end * U.ms, dt * U.ms)

out = {"version": A.__version__, "v": [], "probes": [], "times": []}
for gid, handle in enumerate(voltages):
    data, cables = sim.samples(handle)[0]
    cv_data = A.cv_data(cells[gid])
    first = {}
    for column, cable in enumerate(cables):
        first[(cable.branch, cable.prox, cable.dist)] = column
    columns = [cv_data.cables(i)[0] for i in range(cv_data.num_cv)]
    columns = [first[(c.branch, c.prox, c.dist)] for c in columns]
    out["times"] = data[:, 0].tolist()
    out["v"].append(data[:, 1:][:, columns].tolist())
for handle in probes:
    out["probes"].append(sim.samples(handle)[0][0][:, 1].tolist())
out["spikes"] = sorted([float(t), int(s["gid"]), int(s["index"])] for s, t in sim.spikes())
json.dump(out, sys.stdout)
