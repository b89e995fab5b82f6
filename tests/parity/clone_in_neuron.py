"""Sensitivities by the `clone` carrier in an unmodified NEURON, against central differences of the same simulation.

python tests/parity/clone_in_neuron.py [--graddiff PROGRAM] [--json FILE]

The cell is branched and stepped, with hh on the soma, pas everywhere and a synapse. One clone cable a slot carries the
clones of all, whose pointers read the original's voltages. For each slot and each of four steps the greatest
difference of u over the greatest u is shown; it has to halve with dt at least, and to be at most 1 % at dt 0.005.
Where the voltage is smooth it is a quarter.

Exit status: 0 as it should be, 1 not, 3 the tools are missing.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import neuron
import numpy as np
from neuron import h

import clone_report
from emitted_in_neuron import fail

DURATION_MS = 16
EVERY_MS = 0.04
SOURCES = ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")
NAMES = {"hh": "hh_own", "pas": "pas_own"}
SLOTS = {
    ("hh", "gnabar"): (0.12, 1e-5),
    ("hh", "gkbar"): (0.036, 1e-5),
    ("pas", "g"): (0.0003, 1e-7),
    ("expsyn", "tau"): (3, 1e-3),
}
VALUES = {"hh": {"gnabar": 0.12, "gkbar": 0.036}, "pas": {"g": 0.0003, "e": -64}, "expsyn": {"tau": 3, "e": 0}}


def cable(name):
    """Four sections: soma, trunk, two branches."""
    soma, trunk, left, right = (h.Section(name=f"{name}_{part}") for part in ("soma", "trunk", "left", "right"))
    shape = ((soma, 20, 16, 1), (trunk, 100, 3, 3), (left, 90, 1.6, 3), (right, 110, 1.0, 5))
    for section, length, diameter, segments in shape:
        section.L, section.diam, section.nseg, section.Ra, section.cm = length, diameter, segments, 90, 1
    trunk.connect(soma(1))
    left.connect(trunk(1))
    right.connect(trunk(1))
    return [soma, trunk, left, right]


def assign(target, values):
    for key, value in values.items():
        setattr(target, key, value)


def connection(target):
    out = h.NetCon(None, target)
    out.weight[0], out.delay = 0.01, 0
    return out


def simulate(values, slots, dt):
    """Voltages of the original, then of the clone of each slot: samples by segments."""
    h.load_file("stdrun.hoc")
    h.celsius, h.dt, h.secondorder = 18, dt, 0
    original = cable("original")
    segments = [segment for section in original for segment in section]
    synapse = h.expsyn(original[2](0.5))
    assign(synapse, values["expsyn"])
    connections, keep = [connection(synapse)], [synapse]
    for section in original:
        for name in ("hh", "pas") if section is original[0] else ("pas",):
            section.insert(NAMES[name])
            for segment in section:
                assign(getattr(segment, NAMES[name]), values[name])
    clamp = h.IClamp(original[0](0.5))
    setattr(clamp, "del", 1)
    clamp.dur, clamp.amp = 10, 0.6
    clones = []
    for k, (mechanism, parameter) in enumerate(slots):
        sections = cable(f"clone{k}")
        seeded = lambda name: {**values[name], **({f"seed_{parameter}": 1} if name == mechanism else {})}
        for peer, section in zip(original, sections):
            for name in ("hh", "pas") if peer is original[0] else ("pas",):
                section.insert(f"gd_{name}")
                for source, segment in zip(peer, section):
                    clone = getattr(segment, f"gd_{name}")
                    assign(clone, seeded(name))
                    h.setpointer(source._ref_v, "v_peer", clone)
        copy = h.gd_expsyn(sections[2](0.5))
        assign(copy, seeded("expsyn"))
        h.setpointer(original[2](0.5)._ref_v, "v_peer", copy)
        keep.append(copy)
        connections.append(connection(copy))
        clones.append(sections)

    def still():
        for section in (s for sections in clones for s in sections):
            section.v = 0

    # the clones start at 0 mV: set before any INITIAL runs; and an event in the first half of a step
    keep.append(h.FInitializeHandler(0, still))
    keep.append(h.FInitializeHandler(lambda: [c.event(4.001) for c in connections]))
    shown = [segments] + [[segment for section in sections for segment in section] for sections in clones]
    h.finitialize(-65)
    rows = []
    for step in range(round(DURATION_MS / dt)):
        h.fadvance()
        if (step + 1) % round(EVERY_MS / dt) == 0:
            rows.append([[segment.v for segment in cell] for cell in shown])
    return [np.array([row[k] for row in rows]) for k in range(len(shown))]


def changed(values, slot, by):
    mechanism, parameter = slot
    return {**values, mechanism: {**values[mechanism], parameter: values[mechanism][parameter] + by}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    options = parser.parse_args()
    if neuron.__version__ != "9.0.2":
        fail(f"the reference is NEURON 9.0.2, this is {neuron.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        wrt = ",".join(f"{m}.{p}" for m, p in SLOTS)
        files = [root / "mechanisms" / s for s in SOURCES]
        command = [options.graddiff.resolve(), "emit", *files, "--to", "neuron", "--wrt", wrt, "-o", work]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            fail(done.stderr)
        here = pathlib.Path(sys.executable).parent
        path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
        done = subprocess.run([here / "nrnivmodl", "."], cwd=work, env=path, capture_output=True, text=True)
        if done.returncode != 0:
            fail(done.stdout[-4000:] + done.stderr[-4000:])
        h.nrn_load_dll(str(work / "x86_64/libnrnmech.so"))
        rows = {slot: [] for slot in SLOTS}
        for dt in clone_report.STEPS_MS:
            [plain] = simulate(VALUES, [], dt)
            traces = simulate(VALUES, list(SLOTS), dt)
            assert np.array_equal(plain, traces[0]), "the clones change the original"
            for slot, u in zip(SLOTS, traces[1:]):
                by = SLOTS[slot][1]
                [above], [below] = (simulate(changed(VALUES, slot, s * by), [], dt) for s in (1, -1))
                expected = (above - below) / (2 * by)
                rows[slot].append(float(np.abs(u - expected).max() / np.abs(expected).max()))
    sys.exit(0 if clone_report.report("NEURON", rows, options.json) else 1)


if __name__ == "__main__":
    main()
