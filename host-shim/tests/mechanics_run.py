"""Runs the cells described on stdin (JSON, see mechanics_parity.rs) as one group in Arbor and prints what it sees."""

import json
import sys

import arbor as A
from arbor import units as U

spec = json.load(sys.stdin)


def at(place):
    return f"(location {place[0]} {place[1]!r})"


def build(cell):
    tree = A.segment_tree()
    for parent, prox, dist, tag in cell["segments"]:
        tree.append(A.mnpos if parent is None else parent, A.mpoint(*prox), A.mpoint(*dist), tag=tag)
    decor = A.decor()
    decor.set_property(cm=cell["cm_f_per_m2"] * U.F / U.m2, rL=cell["rl_ohm_cm"] * U.Ohm * U.cm)
    for name, ion in cell["ions"].items():
        method = ion["method"] and A.mechanism(ion["method"]["mechanism"], ion["method"]["parameters"])
        diffusivity = {"diff": ion["diffusivity"] * U.m2 / U.s} if ion["diffusivity"] else {}
        decor.set_ion(
            name,
            int_con=ion["int_mm"] * U.mM,
            ext_con=ion["ext_mm"] * U.mM,
            rev_pot=ion["rev_mv"] * U.mV,
            method=method,
            **diffusivity,
        )
    for paints, make in (cell["densities"], A.density), (cell["voltage_processes"], A.voltage_process):
        for paint in paints:
            for b, p, d in paint["cables"]:
                decor.paint(f"(cable {b} {p!r} {d!r})", make(paint["mechanism"], paint["parameters"]))
    for k, (mechanism, parameters, place) in enumerate(cell["targets"]):
        decor.place(at(place), A.synapse(mechanism, parameters), f"t{k}")
    for k, (mechanism, parameters, place) in enumerate(cell["sites"]):
        decor.place(at(place), A.junction(mechanism, parameters), f"j{k}")
    for clamp in cell["clamps"]:
        decor.place(at(clamp["at"]), A.i_clamp([(t * U.ms, i * U.nA) for t, i in clamp["envelope"]]))
    for k, (b, x, threshold) in enumerate(cell["detectors"]):
        decor.place(at((b, x)), A.threshold_detector(threshold * U.mV), f"d{k}")
    return A.cable_cell(A.morphology(tree), decor, discretization=A.cv_policy(cell["policy"]))


cells = [build(c) for c in spec["cells"]]


class Recipe(A.recipe):
    def __init__(self):
        A.recipe.__init__(self)
        self.props = A.neuron_cable_properties()
        self.props.catalogue = A.load_catalogue(spec["catalogue"])
        self.props.set_ion("s", valence=1, int_con=0 * U.mM, ext_con=0 * U.mM, rev_pot=0 * U.mV)

    def num_cells(self):
        return len(cells)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return cells[gid]

    def global_properties(self, kind):
        return self.props

    def event_generators(self, gid):
        mine = [e for e in spec["events"] if e["cell"] == gid]
        times = lambda e: A.explicit_schedule([t * U.ms for t in e["times_ms"]])
        return [A.event_generator(A.cell_local_label(f"t{e['target']}"), e["weight"], times(e)) for e in mine]

    def gap_junctions_on(self, gid):
        mine = [j for j in spec["junctions"] if j[0] == gid]
        label = lambda site: A.cell_local_label(f"j{site}")
        return [
            A.gap_junction_connection(A.cell_global_label(peer, f"j{there}"), label(here), weight)
            for _, here, peer, there, weight in mine
        ]

    def probes(self, gid):
        make = {
            "voltage": lambda p, tag: A.cable_probe_membrane_voltage(at(p["at"]), tag),
            "state": lambda p, tag: A.cable_probe_density_state(at(p["at"]), p["mechanism"], p["state"], tag),
            "point": lambda p, tag: A.cable_probe_point_state(f"t{p['target']}", p["mechanism"], p["state"], tag),
            "internal": lambda p, tag: A.cable_probe_ion_int_concentration(at(p["at"]), p["ion"], tag),
            "diffusive": lambda p, tag: A.cable_probe_ion_diff_concentration(at(p["at"]), p["ion"], tag),
            "reversal": lambda p, tag: A.cable_probe_ion_reversal_potential(at(p["at"]), p["ion"], tag),
        }
        return [make[p["kind"]](p, f"p{k}") for k, p in enumerate(spec["probes"]) if p["cell"] == gid]


recipe = Recipe()
context = A.context()
hint = A.partition_hint()
hint.cpu_group_size = len(cells)
domains = A.partition_load_balance(recipe, context, {A.cell_kind.cable: hint})
assert len(domains.groups) == 1, "the cells should form one group"
sim = A.simulation(recipe, context, domains, seed=spec["seed"])
sim.record(A.spike_recording.local)
times = A.explicit_schedule([t * U.ms for t in spec["samples_ms"]])
probes = [sim.sample((p["cell"], f"p{k}"), times) for k, p in enumerate(spec["probes"])]
sim.run(spec["end_ms"] * U.ms, spec["dt_ms"] * U.ms)
out = {"version": A.__version__}
out["probes"] = [sim.samples(handle)[0][0][:, 1].tolist() for handle in probes]
out["spikes"] = sorted([float(t), int(s["gid"]), int(s["index"])] for s, t in sim.spikes())
json.dump(out, sys.stdout)
