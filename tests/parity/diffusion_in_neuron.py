"""Sensitivities by the `diffusion` carrier in an unmodified NEURON, against central differences of the same simulation.

python tests/parity/diffusion_in_neuron.py [--graddiff PROGRAM] [--json FILE]

Two cells, both with hh on a part and pas everywhere, each with its companion, and gd_diffusion in all sections: a
uniform unbranched cable, below the threshold of spikes and above, and a soma with a stepped, branched tree, below. For
each slot and each of four steps the greatest difference of u over the greatest u is shown: on the cable it has to fall
with dt, without spikes to at most 1 % at dt 0.005; on the tree it has to stay above 1 %, or the carrier's warning says
too much.

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

import diffusion_report
from emitted_in_neuron import fail

DURATION_MS = 16
EVERY_MS = 0.04
LEAST = 0.01
SOURCES = ("hh/hh.mod", "pas/pas.mod")
NAMES = {"hh": "hh_own", "pas": "pas_own"}
# slot: (mechanism, parameter, step of the difference)
SLOTS = {"gnabar": ("hh", "gnabar", 1e-5), "gkbar": ("hh", "gkbar", 1e-5), "g": ("pas", "g", 1e-7)}
VALUES = {"hh": {"gnabar": 0.12, "gkbar": 0.036}, "pas": {"g": 0.0003, "e": -64}}
# sections: length, diameter, segments, parent, whether it has hh; then nA into the first
CABLE = [(60, 2, 3, None, True), (140, 2, 7, 0, False)]
CELLS = {
    "uniform": (CABLE, 0.01),
    "spiking": (CABLE, 0.1),
    "branched": (
        [(20, 16, 1, None, True), (100, 3, 5, 0, False), (90, 1.6, 6, 1, False), (110, 1, 6, 1, False)],
        0.05,
    ),
}


def assign(target, values):
    for key, value in values.items():
        setattr(target, key, value)


def simulate(cell, values, carried, dt):
    """V, then u of each slot: samples by segments."""
    h.celsius, h.dt, h.secondorder = 18, dt, 0
    sections = []
    shapes, amplitude = CELLS[cell]
    for k, (length, diameter, segments, parent, active) in enumerate(shapes):
        section = h.Section(name=f"s{k}")
        section.L, section.diam, section.nseg, section.Ra, section.cm = length, diameter, segments, 90, 1
        if parent is not None:
            section.connect(sections[parent](1))
        sections.append(section)
        for name in ("hh", "pas") if active else ("pas",):
            inserted = (NAMES[name], f"gd_{name}") if carried else (NAMES[name],)
            for one in inserted:
                section.insert(one)
                for segment in section:
                    assign(getattr(segment, one), values[name])
        if carried:
            section.insert("gd_diffusion")
            for segment in section:
                assign(segment.gd_diffusion, {"c_m": section.cm, "r_l": section.Ra})
    clamp = h.IClamp(sections[0](0.5 if sections[0].nseg == 1 else 1 / 6))
    setattr(clamp, "del", 1)
    clamp.dur, clamp.amp = 10, amplitude
    names = ["v", *(f"gd_u__{slot}i" for slot in (SLOTS if carried else ()))]
    segments = [segment for section in sections for segment in section]
    h.finitialize(-65)
    rows = []
    for step in range(round(DURATION_MS / dt)):
        h.fadvance()
        if (step + 1) % round(EVERY_MS / dt) == 0:
            rows.append([[getattr(segment, name) for segment in segments] for name in names])
    return [np.array([row[k] for row in rows]) for k in range(len(names))]


def changed(values, slot, by):
    mechanism, parameter, _ = SLOTS[slot]
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
        wrt = ",".join(f"{m}.{p}" for m, p, _ in SLOTS.values())
        files = [root / "mechanisms" / s for s in SOURCES]
        command = [options.graddiff.resolve(), "emit", *files, "--to", "neuron", "--carrier", "diffusion"]
        done = subprocess.run([*command, "--wrt", wrt, "-o", work], capture_output=True, text=True)
        if done.returncode != 0:
            fail(done.stderr)
        here = pathlib.Path(sys.executable).parent
        path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
        done = subprocess.run([here / "nrnivmodl", "."], cwd=work, env=path, capture_output=True, text=True)
        if done.returncode != 0:
            fail(done.stdout[-4000:] + done.stderr[-4000:])
        h.nrn_load_dll(str(work / "x86_64/libnrnmech.so"))
        h.load_file("stdrun.hoc")
        rows = {(cell, slot): [] for cell in CELLS for slot in SLOTS}
        for cell in CELLS:
            for dt in diffusion_report.STEPS_MS:
                [plain] = simulate(cell, VALUES, False, dt)
                voltage, *traces = simulate(cell, VALUES, True, dt)
                assert np.array_equal(plain, voltage), "the companions change the original"
                for slot, u in zip(SLOTS, traces):
                    by = SLOTS[slot][2]
                    [above], [below] = (simulate(cell, changed(VALUES, slot, s * by), False, dt) for s in (1, -1))
                    expected = (above - below) / (2 * by)
                    rows[cell, slot].append(float(np.abs(u - expected).max() / np.abs(expected).max()))
    sys.exit(0 if diffusion_report.report("NEURON", rows, LEAST, options.json) else 1)


if __name__ == "__main__":
    main()
