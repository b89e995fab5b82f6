"""NEURON's built-in mechanisms, compiled by graddiff with NEURON's arithmetic, against NEURON itself: forward parity.

python tests/parity/with_neuron.py [--graddiff PROGRAM] [--json FILE] [CASE...]

The .mod files are those of the NEURON wheel. Each case is one compartment, 50 ms with fixed steps: `graddiff run` with
`"integrator": "neuron"`, and NEURON with secondorder 0 and hh's tables off (graddiff replaces TABLE by the exact
expressions). Compared are voltage and variables at the start of every step; the greatest difference over the range of
the trace must not exceed 1e-6.

Timing. NEURON evaluates currents at t + dt/2 and delivers events up to there before them; Arbor, and so graddiff's
host, delivers those of [t, t + dt) before the currents of the step. An event in the first half of a step is in time
for that step in both: all events here are a quarter step after a step's start. (One in the second half would come one
step later in NEURON: that is the hosts' difference, not the compiler's.) At the start of a step that delivers an event,
NEURON shows the synapse before it and graddiff after it: these samples of the synapse are left out. Weights are exact
in 32 bits, which Arbor's are.

Exit status: 0 all agree, 1 some do not, 3 the tools are missing.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import neuron
import numpy as np
from neuron import h

TOLERANCE = 1e-6
DURATION_MS = 50
LENGTH_UM, DIAMETER_UM = 24.0, 22.0
AREA_UM2 = math.pi * LENGTH_UM * DIAMETER_UM
FILES = {"hh": "hh", "pas": "passive", "ExpSyn": "expsyn", "Exp2Syn": "exp2syn", "IClamp": "stim", "SEClamp": "svclmp"}
POINTS = ("ExpSyn", "Exp2Syn", "IClamp", "SEClamp")
RECORDED = {
    "hh": ["m", "h", "n"],
    "pas": [],
    "ExpSyn": ["g"],
    "Exp2Syn": ["A", "B"],
    "IClamp": [],
    "SEClamp": [],
}


def case(dt, celsius, mechanisms, events=(), least_spikes=0):
    """`events`: (mechanism, step, weight), a quarter step after the step's start."""
    return {"dt": dt, "celsius": celsius, "mechanisms": mechanisms, "events": events, "least_spikes": least_spikes}


TRAIN = [("ExpSyn", 120, 2**-6), ("ExpSyn", 121, 2**-8), ("ExpSyn", 900, 2**-5), ("ExpSyn", 1500, 2**-6)]
PAIRS = [("Exp2Syn", 200, 2**-7), ("Exp2Syn", 640, 2**-6), ("Exp2Syn", 660, 2**-6), ("Exp2Syn", 1400, 2**-5)]
LEVELS = {"rs": 0.5, "dur1": 10, "amp1": -65, "dur2": 20, "amp2": -10, "dur3": 12, "amp3": -80}
CASES = {
    "pas": case(0.025, 6.3, {"pas": {"g": 0.0003, "e": -58}}),
    "pas-IClamp": case(0.025, 6.3, {"pas": {"g": 0.0003, "e": -70}, "IClamp": {"del": 3, "dur": 20, "amp": 0.2}}),
    "hh-IClamp": case(0.025, 6.3, {"hh": {}, "IClamp": {"del": 2, "dur": 40, "amp": 0.25}}, (), 3),
    "hh-IClamp-warm": case(0.025, 18.5, {"hh": {}, "IClamp": {"del": 2, "dur": 40, "amp": 0.6}}, (), 3),
    "hh-IClamp-coarse": case(0.1, 6.3, {"hh": {}, "IClamp": {"del": 2.03, "dur": 40, "amp": 0.25}}, (), 3),
    "pas-ExpSyn": case(0.025, 6.3, {"pas": {"g": 0.001, "e": -70}, "ExpSyn": {"tau": 2.5, "e": 5}}, TRAIN),
    "hh-ExpSyn": case(0.025, 6.3, {"hh": {}, "ExpSyn": {"tau": 2.5, "e": 0}}, TRAIN, 2),
    "hh-Exp2Syn": case(0.025, 6.3, {"hh": {}, "Exp2Syn": {"tau1": 0.4, "tau2": 4, "e": 0}}, PAIRS, 2),
    "pas-SEClamp": case(0.025, 6.3, {"pas": {"g": 0.0005, "e": -65}, "SEClamp": LEVELS}),
    "hh-SEClamp": case(0.025, 6.3, {"hh": {}, "SEClamp": LEVELS}),
    "all": case(
        0.025,
        10.0,
        {
            "hh": {"gnabar": 0.11},
            "pas": {"g": 0.0001, "e": -60},
            "ExpSyn": {"tau": 1.5},
            "Exp2Syn": {"tau1": 0.5, "tau2": 6, "e": -75},
            "IClamp": {"del": 8.1, "dur": 21.7, "amp": 0.3},
        },
        TRAIN + PAIRS,
        3,
    ),
}


def fail(message):
    print(f"parity: {message}", file=sys.stderr)
    sys.exit(3)


def mod_files():
    folder = pathlib.Path(neuron.__path__[0]) / ".data/share/modfile"
    if not folder.is_dir():
        fail(f"no {folder}: the NEURON wheel holds its .mod files there")
    return folder


def event_times(spec, mechanism):
    """(time, weight), in order."""
    return [((step + 0.25) * spec["dt"], weight) for m, step, weight in spec["events"] if m == mechanism]


def probes(spec):
    """(name, mechanism, variable); the voltage has neither."""
    return [("V", None, None)] + [(f"{m}.{x}", m, x) for m in spec["mechanisms"] for x in RECORDED[m]]


def experiment(name, spec):
    at = {"branch": 0, "pos": 0.5}
    used = spec["mechanisms"]
    generators = [
        {"target": m, "weight": weight, "times_ms": [t]} for m in POINTS for t, weight in event_times(spec, m)
    ]

    def probe(title, mechanism, variable):
        if mechanism is None:
            return {"name": "V", "at": at}
        where = {"synapse": mechanism} if mechanism in POINTS else {"at": at}
        return {"name": title.replace(".", "_"), **where, "variable": f"{mechanism}.{variable}"}

    cylinder = {"prox": [0, 0, 0, DIAMETER_UM / 2], "dist": [LENGTH_UM, 0, 0, DIAMETER_UM / 2], "tag": 1}
    return {
        "name": name,
        "mechanisms": [str(mod_files() / f"{FILES[m]}.mod") for m in used],
        "integrator": "neuron",
        "cells": [
            {
                "name": "cell",
                "morphology": {"segments": [cylinder]},
                "cv_policy": "single",
                "properties": {"temperature_degc": spec["celsius"], "v_init_mv": -65, "cm_f_per_m2": 0.01},
                "paint": [{"mechanism": m, "parameters": p} for m, p in used.items() if m not in POINTS],
                "synapses": [
                    {"label": m, "mechanism": m, "at": at, "parameters": p} for m, p in used.items() if m in POINTS
                ],
                "generators": generators,
            }
        ],
        "simulation": {"duration_ms": DURATION_MS, "dt_ms": spec["dt"], "sample_every_ms": spec["dt"]},
        "probes": [probe(*p) for p in probes(spec)],
    }


def in_graddiff(graddiff, name, spec, folder):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(experiment(name, spec)))
    done = subprocess.run([str(graddiff), "run", str(path), "-o", str(folder / name)], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stdout + done.stderr
    traces = np.load(folder / name / "traces.npz")
    steps = np.rint(traces["t_ms"] / spec["dt"]).astype(int)
    assert np.array_equal(steps, np.arange(len(steps))), "a sample at the start of every step"
    return traces["values"], ""


def in_neuron(spec):
    h.load_file("stdrun.hoc")
    section = h.Section(name="cell")
    section.L, section.diam, section.nseg, section.cm = LENGTH_UM, DIAMETER_UM, 1, 1
    h.celsius, h.dt, h.secondorder = spec["celsius"], spec["dt"], 0
    h.cvode_active(0)
    h.usetable_hh = 0
    placed = {}
    for m, parameters in spec["mechanisms"].items():
        if m in POINTS:
            placed[m] = target = getattr(h, m)(section(0.5))
        else:
            section.insert(m)
            placed[m] = target = getattr(section(0.5), m)
        for parameter, value in parameters.items():
            setattr(target, parameter, value)
    connections = []
    for m in placed:
        for t, weight in event_times(spec, m):
            connection = h.NetCon(None, placed[m])
            connection.weight[0], connection.delay = weight, 0
            connections.append((connection, t))

    def send():
        for connection, t in connections:
            connection.event(t)

    handler = h.FInitializeHandler(send)
    recorded = [section(0.5)._ref_v] + [getattr(placed[m], f"_ref_{x}") for _, m, x in probes(spec)[1:]]
    h.finitialize(-65)
    rows = []
    for _ in range(round(DURATION_MS / spec["dt"])):
        rows.append([r[0] for r in recorded])
        h.fadvance()
    assert abs(section(0.5).area() - AREA_UM2) < 1e-9 * AREA_UM2
    del handler
    return np.array(rows)


def compare(name, spec, graddiff, folder):
    ours, failure = in_graddiff(graddiff, name, spec, folder)
    if ours is None:
        return {"case": name, "failure": failure.strip()}
    theirs = in_neuron(spec)
    if ours.shape != theirs.shape:
        return {"case": name, "failure": f"{ours.shape} samples, not {theirs.shape}"}
    v = theirs[:, 0]
    spikes = int(np.count_nonzero((v[:-1] < 0) & (v[1:] >= 0)))
    errors = {}
    for k, (title, mechanism, _) in enumerate(probes(spec)):
        reach = np.ptp(theirs[:, k])
        difference = np.abs(ours[:, k] - theirs[:, k])
        difference[[step for m, step, _ in spec["events"] if m == mechanism]] = 0
        errors[title] = float(difference.max() / reach) if reach > 0 else math.inf
        if not errors[title] <= TOLERANCE:
            first = int(np.argmax(~(difference <= TOLERANCE * reach)))
            errors[f"{title}: first at step {first}"] = float(difference[first])
    return {"case": name, "spikes": spikes, "errors": errors, "greatest_mv": float(np.abs(ours[:, 0] - v).max())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if neuron.__version__ != "9.0.2":
        fail(f"the reference is NEURON 9.0.2, this is {neuron.__version__}")
    rows = []
    print(f"{'case':18} spikes  greatest difference, mV   relative to the range")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.cases or CASES:
            row = compare(name, CASES[name], options.graddiff.resolve(), pathlib.Path(scratch))
            rows.append(row)
            if "failure" in row:
                print(f"{name:18} FAILED {row['failure']}")
                continue
            errors = ", ".join(f"{title} {error:.1e}" for title, error in row["errors"].items())
            print(f"{name:18} {row['spikes']:6}  {row['greatest_mv']:24.1e}   {errors}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    good = all(
        "failure" not in row
        and max(row["errors"].values()) <= TOLERANCE
        and row["spikes"] >= CASES[row["case"]]["least_spikes"]
        for row in rows
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
