"""Builds the cells described by a JSON list on stdin in Arbor and prints, as JSON, what Arbor makes of them.

Per case: the segments read from SWC text, the CVs (cables, parents), the cables of regions, and the voltages at probes while
the passive, mechanism-free cell relaxes. See geometry_vs_arbor.rs for the fields.
"""

import json
import os
import sys
import tempfile

import arbor as A
from arbor import units as U


def read_swc(case):
    reader = {"arbor": A.load_swc_arbor, "neuron": A.load_swc_neuron}[case["reader"]]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cell.swc")
        with open(path, "w") as file:
            file.write(case["swc"])
        return reader(path).segment_tree


def build_tree(case):
    if case.get("swc"):
        return read_swc(case)
    tree = A.segment_tree()
    for parent, prox, dist, tag in case["segments"]:
        tree.append(A.mnpos if parent is None else parent, A.mpoint(*prox), A.mpoint(*dist), tag=tag)
    return tree


def point(p):
    return [p.x, p.y, p.z, p.radius]


def cable(c):
    return [c.branch, c.prox, c.dist]


class Recipe(A.recipe):
    def __init__(self, cell, probes):
        super().__init__()
        self.cell, self.probe_list = cell, probes

    def num_cells(self):
        return 1

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cell

    def global_properties(self, kind):
        return A.neuron_cable_properties()

    def probes(self, gid):
        at = enumerate(self.probe_list)
        return [A.cable_probe_membrane_voltage(f"(location {b} {pos!r})", f"p{i}") for i, (b, pos) in at]


def run(case):
    tree = build_tree(case)
    decor = A.decor()
    units = {"Vm": U.mV, "cm": U.F / U.m2, "rL": U.Ohm * U.cm, "tempK": U.Kelvin}
    for prop, (b, prox, dist), value in case["paints"]:
        decor.paint(f"(cable {b} {prox!r} {dist!r})", **{prop: value * units[prop]})
    if case["clamp"]:
        b, pos, na = case["clamp"]
        decor.place(f"(location {b} {pos!r})", A.i_clamp(0 * U.ms, 1e6 * U.ms, na * U.nA))
    cell = A.cable_cell(tree, decor, A.label_dict(), A.cv_policy(case["policy"]))
    cvs = A.cv_data(cell)
    no_parent = 2**32 - 1
    result = {
        "segments": [
            [None if p == A.mnpos else p, point(s.prox), point(s.dist), s.tag]
            for p, s in zip(tree.parents, tree.segments)
        ],
        "cables": [[cable(c) for c in cvs.cables(i)] for i in range(cvs.num_cv)],
        "parents": [None if cvs.parent(i) in (-1, no_parent) else cvs.parent(i) for i in range(cvs.num_cv)],
        "regions": [[cable(c) for c in cell.cables(r)] for r in case["regions"]],
    }
    if case["steps"]:
        sim = A.simulation(Recipe(cell, case["probes"]))
        dt = case["dt_ms"]
        handles = [sim.sample((0, f"p{i}"), A.regular_schedule(dt * U.ms)) for i in range(len(case["probes"]))]
        sim.run(case["steps"] * dt * U.ms, dt * U.ms)
        result["v"] = [[float(v) for v in sim.samples(h)[0][0][:, 1]] for h in handles]
    return result


if __name__ == "__main__":
    json.dump({"version": A.__version__, "cases": [run(case) for case in json.load(sys.stdin)]}, sys.stdout)
