"""Cells that control themselves in unmodified simulators: what `graddiff emit --objective` writes, compiled by modcc and
by nrnivmodl, against the same experiment under `graddiff run`.

python tests/parity/controlled.py [--graddiff PROGRAM] [--json FILE]

Two cells of one control volume: a leak whose conductance and reversal potential find a voltage, with clipping and
bounds, and a spiking cell that finds its rate. Nothing reads or writes a parameter while they run. Compared are the
values of the controlled parameters at the end of each millisecond: the greatest difference over the greatest change.

Exit status: 0 all agree, 1 some do not, 3 the tools are missing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
# both take the same steps; what is added in another order grows with every spike
TOLERANCE = {"setpoint": 1e-10, "hh_adapt": 1e-8}
EVERY_MS = 1.0

CELLS = {
    "setpoint": {
        "dt_ms": 0.05,
        "duration_ms": 100,
        "size_um": 20,
        "v_init_mv": 0.5,
        "temperature_degc": 20,
        "parameters": {"g": 3e-4, "el": 2.0},
        "objective": "e",
        "forgetting_per_ms": 0.05,
        "clip": 3.0,
        "start_ms": 2.0,
        "slots": {
            "el": {"gain": 0.01, "scale": 2.0, "min": 0.7},
            "g": {"gain": 1e-3, "scale": 3e-4, "max_rate": 0.02},
        },
    },
    "hh_adapt": {
        "dt_ms": 0.025,
        "duration_ms": 200,
        "size_um": 20,
        "v_init_mv": -70,
        "temperature_degc": 36,
        "parameters": {"f_target": 50.0},
        "objective": "e",
        "forgetting_per_ms": 0.03,
        "start_ms": 50.0,
        "slots": {
            "gna": {"gain": 1e-5, "scale": 50.0, "max_rate": 1e-3},
            "gk": {"gain": 1e-5, "scale": 5.0, "max_rate": 1e-3},
            "drive": {"gain": 1e-5, "scale": 1.5, "max_rate": 1e-3},
        },
    },
}


def must(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def experiment(name, cell, integrator):
    """The same for graddiff, with the law in the mechanism."""
    at = {"branch": 0, "pos": 0.5}
    control = {"objective": "e", "within": "mechanism", "start_ms": cell["start_ms"], "slots": cell["slots"]}
    if "clip" in cell:
        # a mechanism that clips begins with the run
        control = {**control, "clip": cell["clip"], "start_ms": 0}
    return {
        "name": name,
        "mechanisms": [str(ROOT / f"examples/homeostasis/{name}.mod")],
        "integrator": integrator,
        "cells": [
            {
                "name": "c",
                "morphology": {"cylinder": {"length_um": cell["size_um"], "diameter_um": cell["size_um"]}},
                "cv_policy": "single",
                "properties": {
                    "v_init_mv": cell["v_init_mv"],
                    "cm_f_per_m2": 0.01,
                    "temperature_degc": cell["temperature_degc"],
                },
                "paint": [{"mechanism": name, "parameters": cell["parameters"]}],
            }
        ],
        "slots": [{"name": p, "targets": [{"mechanism": name, "parameter": p}]} for p in cell["slots"]],
        "probes": [{"name": "e", "at": at, "variable": f"{name}.{cell['objective']}"}],
        "forgetting_per_ms": cell["forgetting_per_ms"],
        "control": control,
        "simulation": {
            "duration_ms": cell["duration_ms"],
            "dt_ms": cell["dt_ms"],
            "sample_every_ms": EVERY_MS,
        },
    }


def painted(cell):
    """What the head of the emitted file asks for."""
    numbers = {**cell["parameters"], "forgetting": cell["forgetting_per_ms"], "c_m": 1.0, "begin": cell["start_ms"]}
    if "clip" in cell:
        numbers.update(clip=cell["clip"], begin=0.0)
    for slot, how in cell["slots"].items():
        if slot in cell["parameters"]:
            numbers[f"start_{slot}"] = cell["parameters"][slot]
        numbers.update({f"{what}_{slot}": value for what, value in how.items()})
    return numbers


def emit(graddiff, name, cell, to, folder):
    wrt = ",".join(f"{name}.{p}" for p in cell["slots"])
    source = ROOT / f"examples/homeostasis/{name}.mod"
    objective = f"{name}.{cell['objective']}"
    must([graddiff, "emit", source, "--wrt", wrt, "--objective", objective, "--to", to, "-o", folder])


def in_graddiff(graddiff, name, cell, integrator, work):
    path = work / f"{name}.json"
    path.write_text(json.dumps(experiment(name, cell, integrator)))
    must([graddiff, "run", path, "-o", work / "run"])
    return numpy.load(work / "run/traces.npz")["slots"]


def in_arbor(name, cell, folder):
    import arbor as A

    here = pathlib.Path(sys.executable).parent
    path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
    must([sys.executable, here / "arbor-build-catalogue", "made", folder], cwd=folder, env=path)
    tree = A.segment_tree()
    half = cell["size_um"] / 2
    tree.append(A.mnpos, A.mpoint(-half, 0, 0, half), A.mpoint(half, 0, 0, half), tag=1)
    decor = A.decor()
    decor.set_property(
        Vm=cell["v_init_mv"] * A.units.mV,
        cm=0.01 * A.units.F / A.units.m2,
        tempK=(cell["temperature_degc"] + 273.15) * A.units.Kelvin,
        rL=100 * A.units.Ohm * A.units.cm,
    )
    decor.paint("(all)", A.density(f"gd_{name}", painted(cell)))

    class Recipe(A.recipe):
        def __init__(self):
            A.recipe.__init__(self)
            self.properties = A.neuron_cable_properties()
            self.properties.catalogue = A.load_catalogue(str(folder / "made-catalogue.so"))

        def num_cells(self):
            return 1

        def cell_kind(self, _):
            return A.cell_kind.cable

        def cell_description(self, _):
            return A.cable_cell(tree, decor, discretization=A.cv_policy_single())

        def probes(self, _):
            at = "(location 0 0.5)"
            return [
                A.cable_probe_density_state(at, f"gd_{name}", f"theta_{slot}", f"{slot}") for slot in cell["slots"]
            ]

        def global_properties(self, _):
            return self.properties

    simulation = A.simulation(Recipe())
    # in mid-step: what stands there since the end of the step before
    times = A.explicit_schedule(sample_times(cell))
    handles = [simulation.sample((0, slot), times) for slot in cell["slots"]]
    simulation.run(cell["duration_ms"] * A.units.ms, cell["dt_ms"] * A.units.ms)
    columns = [simulation.samples(handle)[0][0][:, 1] for handle in handles]
    return numpy.stack(columns, axis=1)


def sample_times(cell):
    import arbor as A

    n = round(cell["duration_ms"] / EVERY_MS)
    return [(k * EVERY_MS + cell["dt_ms"] / 2) * A.units.ms for k in range(n)]


def in_neuron(name, cell, folder):
    """In a process of its own: NEURON loads mechanisms once."""
    here = pathlib.Path(sys.executable).parent
    must([here / "nrnivmodl", "."], cwd=folder)
    (folder / "cell.json").write_text(json.dumps({"name": name, "cell": cell, "painted": painted(cell)}))
    must([sys.executable, __file__, "--in-neuron", folder / "cell.json"], cwd=folder)
    return numpy.load(folder / "theta.npy")


def neuron_child(path):
    from neuron import h

    told = json.loads(pathlib.Path(path).read_text())
    cell, name = told["cell"], told["name"]
    h.load_file("stdrun.hoc")
    section = h.Section(name="c")
    section.L = section.diam = cell["size_um"]
    section.nseg = 1
    section.cm = 1.0
    section.insert(f"gd_{name}")
    for key, value in told["painted"].items():
        setattr(section(0.5), f"{key}_gd_{name}", value)
    h.celsius = cell["temperature_degc"]
    h.dt = cell["dt_ms"]
    h.finitialize(cell["v_init_mv"])
    rows = []
    per_row = round(EVERY_MS / cell["dt_ms"])
    for step in range(round(cell["duration_ms"] / cell["dt_ms"])):
        if step % per_row == 0:
            rows.append([getattr(section(0.5), f"theta_{slot}_gd_{name}") for slot in cell["slots"]])
        h.fadvance()
    numpy.save("theta.npy", numpy.array(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--graddiff", default="graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--in-neuron", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_neuron:
        neuron_child(args.in_neuron)
        return 0
    rows = []
    for name, cell in CELLS.items():
        for to, run in [("arbor", in_arbor), ("neuron", in_neuron)]:
            with tempfile.TemporaryDirectory() as work:
                work = pathlib.Path(work)
                emit(args.graddiff, name, cell, to, work / "mod")
                ours = in_graddiff(args.graddiff, name, cell, to, work)
                theirs = run(name, cell, work / "mod")
            ours = ours[: len(theirs)]
            moved = numpy.abs(ours - ours[0]).max(axis=0)
            error = float((numpy.abs(theirs - ours) / moved).max())
            rows.append(
                {
                    "mechanism": name,
                    "simulator": to,
                    "error": error,
                    "moved": [float(m) for m in moved / numpy.abs(ours[0])],
                    "agrees": bool(error <= TOLERANCE[name]),
                }
            )
            print(f"{name:10} {to:8} {error:10.1e}   moved by {numpy.round(moved / numpy.abs(ours[0]), 3)}")
    if args.json:
        args.json.write_text(json.dumps(rows))
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
