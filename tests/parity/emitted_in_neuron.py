"""What `graddiff emit --to neuron` writes, against the .mod files it was written from: both compiled by NEURON.

python tests/parity/emitted_in_neuron.py [--graddiff PROGRAM] [--json FILE] FOLDER...

All .mod files below the folders are emitted; those that NEURON has no words for are listed by what `emit` says. One
call of nrnivmodl compiles the rest and the originals, under another name and with what NEURON wants besides
(Mod.original). Each mechanism acts in a cell of a soma with NEURON's own hh and a dendrite of three
segments, 20 ms at dt 0.025 and 0.0125; cai moves by itself where a mechanism reads it. Compared are the voltages of
all segments: since both take the same steps, the greatest difference over the greatest voltage must not exceed 1e-6
at either dt. Originals that nrnivmodl refuses are compared between the two steps only: see COARSE.

Exit status: 0 all agree, 1 some do not, 3 the tools are missing.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import neuron
import numpy as np
from neuron import h

TOLERANCE = 1e-6
DURATION_MS = 20
ORIGINAL = "orig_"
# Originals that nrnivmodl does not take even so, and why; the voltage of what is emitted then has to converge.
COARSE = {"two_solves": "NEURON takes one SOLVE, and these are sparse"}
PARAMETERS = {"gap": {"g": 0.002}}


def fail(message):
    print(f"parity: {message}", file=sys.stderr)
    sys.exit(3)


class Mod:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.bare = bare = re.sub(r"COMMENT.*?ENDCOMMENT|[:?][^\n]*", "", self.text, flags=re.S)
        found = re.search(r"\b(SUFFIX|POINT_PROCESS|JUNCTION_PROCESS|VOLTAGE_PROCESS)\s+(\w+)", bare)
        self.process, self.name = found.groups()
        self.events = "NET_RECEIVE" in bare
        read = " ".join(re.findall(r"\bREAD\s+([\w, ]*?)(?=\bWRITE|\bVALENCE|\n)", bare))
        self.reads_cai = bool(re.search(r"\bcai\b", read))
        self.wants_ica = bool(re.search(r"\bica\b", read))

    def original(self):
        """Under another name, and as NEURON wants it: nonspecific current and pointer declared, one SOLVE, no table."""
        process = rf"\b({self.process}\s+){self.name}\b"
        text = re.sub(process, rf"\g<1>{ORIGINAL}{self.name}", self.bare, count=1)
        declared = []
        current = re.search(r"\bNONSPECIFIC_CURRENT\s+(\w+)", text)
        if current and not re.search(rf"ASSIGNED\s*{{[^}}]*\b{current.group(1)}\b", text):
            declared.append(current.group(1))
        if self.process == "JUNCTION_PROCESS":
            text = text.replace("JUNCTION_PROCESS", "POINTER v_peer\n    POINT_PROCESS", 1)
            text = re.sub(r"\n\s*v_peer\b[^\n]*", "", text, count=1)
            declared.append("v_peer")
        text = text.replace("PARAMETER {", f"ASSIGNED {{ {' '.join(declared)} }}\n\nPARAMETER {{", 1)
        text = re.sub(r"\n\s*TABLE\b[^\n]*", "", text)
        solves = re.findall(r"\n\s*SOLVE\s+(\w+)\s+METHOD\s+(\w+)", text)
        if len(solves) > 1 and {method for _, method in solves} == {"cnexp"}:
            # cnexp moves the states one after the other, in one block as in several
            first = solves[0][0]
            for name, _ in solves[1:]:
                text = re.sub(rf"\n\s*SOLVE\s+{name}\s+METHOD\s+cnexp", "", text, count=1)
                text, body = self.without_block(text, name)
                text = re.sub(rf"(DERIVATIVE\s+{first}\s*{{[^}}]*)}}", lambda m: m.group(1) + body + "}", text, count=1)
        if "KINETIC" not in text:
            text = re.sub(r"METHOD\s+sparse", "METHOD derivimplicit", text)
        return text

    @staticmethod
    def without_block(text, name):
        block = re.search(rf"DERIVATIVE\s+{name}\s*{{([^}}]*)}}", text)
        return text[: block.start()] + text[block.end() :], block.group(1)


def build(graddiff, mods, work):
    """(what was emitted, by mechanism; what was refused, with the first line of why)"""
    emitted, refused = {}, {}
    for mod in mods:
        into = work / mod.name
        done = subprocess.run(
            [graddiff, "emit", mod.path, "--to", "neuron", "-o", into], capture_output=True, text=True
        )
        if done.returncode == 1:
            refused[mod.name] = next((l.strip() for l in done.stderr.splitlines() if "NEURON" in l), done.stderr)
            continue
        if done.returncode != 0:
            fail(done.stderr)
        [file] = into.iterdir()
        file.rename(work / file.name)
        emitted[mod.name] = file.stem
        if mod.name not in COARSE:
            (work / f"{ORIGINAL}{mod.name}.mod").write_text(mod.original())
    here = pathlib.Path(sys.executable).parent
    path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
    done = subprocess.run([here / "nrnivmodl", "."], cwd=work, env=path, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout[-4000:], done.stderr[-4000:])
        sys.exit(1)
    h.nrn_load_dll(str(work / "x86_64/libnrnmech.so"))
    return emitted, refused


def simulate(mod, name, dt):
    """Voltages of all segments, by steps; `name` is none for the cell without the mechanism."""
    h.load_file("stdrun.hoc")
    soma, dend = h.Section(name="soma"), h.Section(name="dend")
    soma.L, soma.diam, dend.L, dend.diam, dend.nseg = 20, 18, 150, 1.6, 3
    dend.connect(soma(1))
    soma.insert("hh")
    dend.insert("pas")
    h.celsius, h.dt, h.secondorder = 20, dt, 0
    h.usetable_hh = 0
    keep = []
    sections = [soma, dend]
    if name and mod.process == "SUFFIX":
        for section in sections:
            section.insert(name)
            if mod.wants_ica:
                section.insert("ca_hva")
                section.insert("sk")
    elif name:
        target = getattr(h, name)(dend(0.5))
        for key, value in PARAMETERS.get(mod.name, {}).items():
            setattr(target, key, value)
        if mod.process == "JUNCTION_PROCESS":
            h.setpointer(soma(0.5)._ref_v, "v_peer", target)
        keep.append(target)
        if mod.events:
            connection = h.NetCon(None, target)
            connection.weight[0], connection.delay = 0.002, 0
            times = [1.00625, 2.50625, 2.55625, 6.20625]
            keep.append((connection, h.FInitializeHandler(lambda: [connection.event(t) for t in times])))
    clamp = h.IClamp(soma(0.5))
    setattr(clamp, "del", 1)
    clamp.dur, clamp.amp = 6, 0.9
    if mod.reads_cai and name:
        # calcium that comes and goes, in both alike
        steps = round(DURATION_MS / dt) + 2
        wave = h.Vector([5e-5 + 2e-3 * math.sin(0.3 * k * dt) ** 2 for k in range(steps)])
        for section in sections:
            for segment in section:
                wave.play(segment._ref_cai, dt)
        keep.append(wave)
    segments = [segment for section in sections for segment in section]
    h.finitialize(-65)
    rows = []
    for _ in range(round(DURATION_MS / dt)):
        h.fadvance()
        rows.append([segment.v for segment in segments])
    return np.array(rows)


def row(mod, name):
    """The mechanism at two steps."""
    out = {"mechanism": mod.name, "errors": [], "note": COARSE.get(mod.name, "")}
    ours = [simulate(mod, name, dt) for dt in (0.025, 0.0125, 0.00625)]
    absent = simulate(mod, None, 0.025)
    out["acts"] = float(np.abs(ours[0] - absent).max())
    if mod.name in COARSE:
        # the first-order error halves: the difference of neighbours does, within a third
        coarse, middle, fine = ours[0], ours[1][1::2], ours[2][3::4]
        first, second = np.abs(coarse - middle).max(), np.abs(middle - fine).max()
        out["errors"] = [float(first), float(second)]
        out["good"] = bool(0.33 < second / first < 0.67)
        return out
    for mine, dt in zip(ours, (0.025, 0.0125)):
        theirs = simulate(mod, ORIGINAL + mod.name, dt)
        out["errors"].append(float(np.abs(mine - theirs).max() / np.abs(theirs).max()))
    out["good"] = max(out["errors"]) <= TOLERANCE and out["acts"] > 1e-6
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("--keep", type=pathlib.Path, help="an empty folder for what is compiled")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    if neuron.__version__ != "9.0.2":
        fail(f"the reference is NEURON 9.0.2, this is {neuron.__version__}")
    files = sorted(p.resolve() for folder in options.folders for p in folder.rglob("*.mod"))
    mods = sorted((Mod(p) for p in files), key=lambda m: m.name)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.keep or pathlib.Path(scratch)
        emitted, refused = build(options.graddiff.resolve(), mods, work)
        rows = [row(mod, emitted[mod.name]) for mod in mods if mod.name in emitted]
    print(f"{'mechanism':20} acts, mV  difference at dt 0.025 and 0.0125")
    for r in rows:
        errors = " ".join(f"{e:.1e}" for e in r["errors"])
        print(f"{r['mechanism']:20} {r['acts']:8.1e}  {errors}  {'' if r['good'] else 'WRONG '}{r['note']}")
    for name, why in refused.items():
        print(f"{name:20} refused: {why}")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "refused": refused}, indent=1))
    sys.exit(0 if all(r["good"] for r in rows) else 1)


if __name__ == "__main__":
    main()
