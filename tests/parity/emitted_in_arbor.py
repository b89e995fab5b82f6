"""What `graddiff emit --to arbor` writes, against the .mod files it was written from: both compiled by Arbor.

python tests/parity/emitted_in_arbor.py [--graddiff PROGRAM] [--json FILE] FOLDER...

All .mod files below the folders are emitted. One catalogue, made by one call of arbor-build-catalogue, holds what was
emitted and the originals under another name; originals that modcc refuses are compiled by `graddiff build`. The cells
and the comparison are those of with_arbor.py: voltages, concentrations, currents and the variables of the mechanism,
on every control volume. The greatest difference over the greatest value of the trace must not exceed 1e-6.

Exit status: 0 all agree, 1 some do not, 3 the tools are missing.
"""

import argparse
import json
import os
import pathlib
import re
import sys
import tempfile

import arbor as A

import with_arbor as parity

TOLERANCE = 1e-6
ORIGINAL = "orig_"


def renamed(text, name):
    """The original under another name, so that both fit into one catalogue."""
    process = rf"\b(SUFFIX|POINT_PROCESS|JUNCTION_PROCESS|VOLTAGE_PROCESS)(\s+){name}\b"
    text, found = re.subn(process, rf"\1\2{ORIGINAL}{name}", text, count=1)
    assert found == 1, name
    return text


def build(graddiff, mods, work):
    """Both of each mechanism, in one catalogue; which originals modcc refused."""
    emitted = work / "emitted"
    parity.must([graddiff, "emit", *[m.path for m in mods], "--to", "arbor", "-o", emitted])
    modcc = pathlib.Path(A.__path__[0]) / "bin/modcc"
    (work / "try").mkdir()
    refused = []
    for mod in mods:
        original = work / f"{ORIGINAL}{mod.name}.mod"
        original.write_text(renamed(mod.path.read_text(), mod.name))
        if parity.run([modcc, "-t", "cpu", "-N", "arb", "-c", "x", "-o", work / "try", original]).returncode == 0:
            original.rename(emitted / original.name)
        else:
            refused.append(mod)
    here = pathlib.Path(sys.executable).parent
    path = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
    parity.must([sys.executable, here / "arbor-build-catalogue", "emitted", emitted], cwd=work, env=path)
    made = parity.catalogue(work / "emitted-catalogue.so")
    if refused:
        parity.must([graddiff, "build", *[m.path for m in refused], "-o", work / "refused-catalogue.so"])
        made.extend(A.load_catalogue(str(work / "refused-catalogue.so")), parity.TESTED + ORIGINAL)
    return made, [m.name for m in refused]


def simulated(mod, info, made, prefix, present=True):
    before = parity.TESTED
    parity.TESTED = prefix
    try:
        return parity.simulate(parity.Recipe(mod, info, made, present, merged=False))
    finally:
        parity.TESTED = before


def row(mod, made):
    ours, theirs = parity.TESTED, parity.TESTED + ORIGINAL
    infos = [parity.tables(made[prefix + mod.name]) for prefix in (ours, theirs)]
    # what both have: an emitted mechanism may keep more, and merges fewer placements
    shared = {**infos[1], "states": [s for s in infos[1]["states"] if s in infos[0]["states"]]}
    runs = [simulated(mod, shared, made, prefix) for prefix in (ours, theirs)]
    error, where, same, count = parity.compare(*runs)
    absent = simulated(mod, shared, made, theirs, present=False)
    acts = parity.moved(None, runs[0], absent)
    kinds = infos[0]["kind"] == infos[1]["kind"] and infos[0]["parameters"] == infos[1]["parameters"]
    return {
        "mechanism": mod.name,
        "error": error,
        "where": where,
        "same": same,
        "traces": count,
        "spikes": len(runs[0][1]),
        "acts": acts,
        "tables": kinds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--graddiff", default=root / "target/release/graddiff", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    if A.__version__ != "0.12.2":
        parity.fail(f"the reference is Arbor 0.12.2, this is {A.__version__}")
    files = sorted(p.resolve() for folder in options.folders for p in folder.rglob("*.mod"))
    mods = sorted((parity.Mod(p) for p in files), key=lambda m: m.name)
    with tempfile.TemporaryDirectory() as scratch:
        made, refused = build(options.graddiff.resolve(), mods, pathlib.Path(scratch))
        rows = [row(mod, made) for mod in mods]
    good = True
    print(f"{'mechanism':20} spikes  difference  bitwise")
    for r in rows:
        fine = r["error"] <= TOLERANCE and r["acts"] and r["tables"]
        good &= fine
        remark = "" if fine else f"  {r['where']} acts: {r['acts']} tables: {r['tables']}"
        print(f"{r['mechanism']:20} {r['spikes']:6}  {r['error']:10.1e}  {r['same']}/{r['traces']}{remark}")
    print(f"compared with what graddiff builds, since modcc refuses the original: {', '.join(refused)}")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "refused": refused}, indent=1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
