"""Sensitivities in a script for NEURON 9.0.2, by clones: for each parameter one more cable whose voltage is dV/dtheta.

    tangent = graddiff.neuron.Tangent("hh.mod", "pas.mod", wrt="hh.gnabar")   # differentiates, compiles, loads
    clones = tangent.clone(soma.wholetree())                                   # after the model is built
    recording = clones.record(soma(0.5))                                       # before the run

and after it `recording.sensitivities()`. The model itself stays as it is, and so do its voltages, to the last bit.

A clone sees the voltage of its original one step late and corrects for it, so dV/dtheta has an error of second order in
the step where the voltage is smooth, and of first where it is not: below 1 % at 0.005 ms on cells that spike. Compare
two steps to know yours. Refused are CVODE, `secondorder`, threads, and mechanisms that the .mod files do not define.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import program
from .errors import GraddiffError, Missing, Rejected, Unsupported

VERSION = "9.0.2"

try:
    import neuron
    from neuron import h
except ImportError as error:
    raise Missing(f"{error}; install NEURON with `pip install neuron=={VERSION}`") from error

if neuron.__version__ != VERSION:
    raise Missing(f"this is NEURON {neuron.__version__}, with which clones were not tested; install neuron=={VERSION}")

# Point processes whose current depends on no parameter and no voltage: their derivative is nothing.
FIXED = frozenset({"IClamp"})


def _known(name: str, kinds: tuple[int, ...] = (0, 1)) -> bool:
    """Whether NEURON has a density mechanism (0) or a point process (1) of this name."""
    for point in kinds:
        types, text = h.MechanismType(point), h.ref("")
        for k in range(int(types.count())):
            types.select(k)
            types.selected(text)
            if text[0] == name:
                return True
    return False


def _compile(folder: pathlib.Path) -> pathlib.Path:
    """nrnivmodl in a folder; the library."""
    beside = pathlib.Path(sys.executable).parent / "nrnivmodl"
    tool = shutil.which("nrnivmodl") or (str(beside) if beside.exists() else None)
    if tool is None:
        raise Missing(f"no nrnivmodl on PATH or beside {sys.executable}; it comes with `pip install neuron=={VERSION}`")
    done = subprocess.run([tool, "."], cwd=folder, capture_output=True, text=True, check=False)
    library = folder / platform.machine() / "libnrnmech.so"
    if done.returncode or not library.exists():
        raise Missing(f"nrnivmodl failed; it needs a C++ compiler and make:\n{(done.stdout + done.stderr)[-3000:]}")
    return library


class Tangent:
    """Clones of mechanisms, compiled and loaded.

    files    the .mod files of all mechanisms of the model, NEURON's own `hh` and `pas` among them
    wrt      parameters: `gnabar` in every mechanism that has it, `hh.gnabar` in that one
    folder   where to keep what is written and compiled; if none, in a temporary folder

    Under MPI the first rank compiles for all of them, which must share that folder.
    Mechanisms that NEURON does not know yet are loaded as well, under the name in their file.

    Raises Missing without `graddiff` or a compiler, Rejected if it refuses a mechanism or knows no such parameter.
    """

    def __init__(
        self,
        *files: str | os.PathLike[str],
        wrt: str | Iterable[str],
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        arguments = program.sources(files, wrt)
        context = h.ParallelContext()
        told: tuple[str, Any] | GraddiffError
        try:
            if int(context.id()) == 0:
                self._folder = program.Folder(folder)
                told = self._make(arguments)
            else:
                told = GraddiffError("the first rank has said nothing")
        except GraddiffError as error:
            told = error
        if int(context.nhost()) > 1:
            told = context.py_broadcast(told, 0)
        if isinstance(told, GraddiffError):
            raise told
        library, (clones, slots) = told
        taken = [name for name in clones if _known(name, (0, 1))]
        if taken:
            raise Unsupported(
                f"NEURON has {', '.join(taken)} already, and forgets nothing: name all parameters in one Tangent"
            )
        if not h.nrn_load_dll(library):
            raise Missing(f"NEURON does not load {library}; was it compiled for another version?")
        self._clones = {clone.removeprefix("gd_"): clone for clone in clones}
        self.slots: tuple[str, ...] = tuple(slot["name"] for slot in slots)
        self._seeds = {
            slot["name"]: {(f"gd_{seed['mechanism']}", seed["parameter"]) for seed in slot["seeds"]} for slot in slots
        }
        self.units: dict[str, str] = {}
        """The unit of each slot, as its .mod file gives it; of a derivative, mV over that."""
        for slot in slots:
            clone, parameter = min(self._seeds[slot["name"]])
            point = _known(clone, (1,))
            self.units[slot["name"]] = h.units(f"{clone}.{parameter}" if point else f"{parameter}_{clone}") or ""

    def _make(self, arguments: list[Any]) -> tuple[str, Any]:
        written = self._folder.path / "mod"
        shutil.rmtree(written, ignore_errors=True)
        emitted = program.document(["emit", *arguments, "--to", "neuron", "-o", written])
        stems = sorted(pathlib.Path(f).stem for f in emitted["files"])
        clones = [s for s in stems if s.startswith("gd_")]
        for stem in stems:
            name = stem.removesuffix("_own")
            # its own, or the user's, is what the model has
            if stem not in clones and (_known(stem) or _known(name)):
                (written / f"{stem}.mod").unlink()
        return str(_compile(written)), (clones, emitted["slots"])

    def clone_of(self, mechanism: str) -> str | None:
        """The clone of a mechanism, `hh` or what graddiff writes beside NEURON's own, `hh_own`."""
        return self._clones.get(mechanism) or self._clones.get(mechanism.removesuffix("_own"))

    def clone(self, sections: Iterable[Any], where: Mapping[str, Iterable[Any]] | None = None) -> "Clones":
        """The clones of a cell, one a slot; keep the object as long as they shall live.

        sections    all sections of the cell, as `section.wholetree()` lists them, with their mechanisms and synapses
        where       for a slot that moves its parameter in some sections only, these

        Parameters and weights are copied at each `finitialize`, so the script may change them between runs; what it changes
        later (states, voltages, Vector.play on a parameter) the clones do not see. Geometry, mechanisms, synapses and
        NetCons are what they are now; others at `finitialize` are an error.

        Raises Unsupported for what has no clone.
        """
        return Clones(self, list(sections), {k: set(v) for k, v in (where or {}).items()})


class Clones:
    """The clones of one cell; made by Tangent.clone()."""

    def __init__(self, tangent: Tangent, sections: list[Any], where: dict[str, set[Any]]) -> None:
        self._tangent = tangent
        unknown = where.keys() - set(tangent.slots)
        if unknown:
            raise Rejected(f"no slot {', '.join(sorted(unknown))}; there are {', '.join(tangent.slots)}")
        self._parts: list[tuple[Any, Any, str, bool]] = []
        """Original (segment's mechanism or point process), clone, name of the original, whether its seed is 1."""
        self._slot_of: list[str] = []
        self._wires: list[tuple[Any, Any]] = []
        self._inventory = {section: _inventory(section) for section in sections}
        self.sections: dict[str, dict[Any, Any]] = {}
        """The clone of each section, by slot."""
        _check_simulator()
        for slot in tangent.slots:
            twins = _geometry(sections, slot)
            self.sections[slot] = twins
            for section, twin in twins.items():
                acts = slot not in where or section in where[slot]
                self._mechanisms(slot, section, twin, acts)
        self._parameters = {c: _parameters(c) for c in {name for _, _, name, _ in self._parts}}
        # NEURON holds what it is to call: a strong reference would keep clones alive, and in every run, for good
        start = weakref.WeakMethod(self._start)
        self._handler = h.FInitializeHandler(0, lambda: (call := start()) and call())

    def _mechanisms(self, slot: str, section: Any, twin: Any, acts: bool) -> None:
        tangent = self._tangent
        for here, there in zip(section, twin):
            for mechanism in here:
                name = mechanism.name()
                if name.endswith("_ion"):
                    continue
                clone = tangent.clone_of(name)
                if clone is None:
                    raise Unsupported(_UNKNOWN.format(name, here, ", ".join(sorted(tangent._clones))))
                twin.insert(clone)
                part = getattr(there, clone)
                h.setpointer(here._ref_v, "v_peer", part)
                self._keep(slot, (here, name), part, clone, acts)
            for process in here.point_processes():
                name = process.hname().partition("[")[0]
                if name in FIXED:
                    continue
                clone = tangent.clone_of(name)
                if clone is None:
                    raise Unsupported(_UNKNOWN.format(name, here, ", ".join(sorted(tangent._clones))))
                part = getattr(h, clone)(twin(process.get_segment().x))
                h.setpointer(here._ref_v, "v_peer", part)
                self._keep(slot, (here, process), part, clone, acts)
                # netconlist is faster, but leaves out NetCons without a source
                for wire in h.List("NetCon"):
                    if wire.syn() == process:
                        self._wires.append((wire, _wire(wire, part)))

    def _keep(self, slot: str, original: Any, part: Any, clone: str, acts: bool) -> None:
        self._parts.append((original, part, clone, acts))
        self._slot_of.append(slot)

    def _start(self) -> None:
        """Before any INITIAL: the clones start at 0 mV, with the parameters of their originals."""
        _check_simulator()
        for section, inventory in self._inventory.items():
            if _inventory(section) != inventory:
                raise Unsupported(
                    f"{section} has other segments, mechanisms, synapses or NetCons than when it was cloned: clone the"
                    " cell when it is complete"
                )
        for twins in self.sections.values():
            for twin in twins.values():
                twin.v = 0
            _alike(twins)
        for slot, ((segment, of), part, clone, acts) in zip(self._slot_of, self._parts):
            own = getattr(segment, of) if isinstance(of, str) else of
            for name in self._parameters[clone]:
                if name.startswith("seed_"):
                    seeded = acts and (clone, name.removeprefix("seed_")) in self._tangent._seeds[slot]
                    setattr(part, name, 1.0 if seeded else 0.0)
                else:
                    setattr(part, name, _value(own, segment, name, clone))
        for wire, copy in self._wires:
            copy.delay = wire.delay
            for k in range(int(wire.wcnt())):
                copy.weight[k] = wire.weight[k]
            copy.active(wire.active())

    def twins(self, wire: Any) -> list[Any]:
        """The NetCons that stand for one of the original's. Events that a script sends itself must go to these too."""
        return [copy for original, copy in self._wires if original == wire]

    def record(self, segment: Any, every_ms: float | None = None) -> "Recording":
        """Records a segment's voltage and its derivatives, at every step or every so many ms; as Vector.record does.

        Raises Unsupported for a segment of no section that was cloned.
        """
        if any(segment.sec not in twins for twins in self.sections.values()):
            raise Unsupported(f"{segment} is not part of what was cloned: give `clone` all sections of the cell")
        return Recording(self, segment, every_ms)


class Recording:
    """What is recorded at one place; made by Clones.record()."""

    def __init__(self, clones: Clones, segment: Any, every_ms: float | None) -> None:
        self._clones = clones
        steps = [] if every_ms is None else [every_ms]
        tangent = clones._tangent
        self._columns = {"t_ms": h.Vector().record(h._ref_t, *steps), "v_mv": h.Vector().record(segment._ref_v, *steps)}
        for slot in tangent.slots:
            name = f"dv_d{slot}_mv_per_{program.unit_name(tangent.units[slot])}"
            twin = clones.sections[slot][segment.sec](segment.x)
            self._columns[name] = h.Vector().record(twin._ref_v, *steps)

    def sensitivities(self) -> dict[str, np.ndarray]:
        """The last run, by name: `t_ms`, `v_mv`, and for each slot `dv_dSLOT_mv_per_UNIT`, all of one length."""
        return {name: np.array(vector) for name, vector in self._columns.items()}


_UNKNOWN = (
    "`{}` at {} is in none of the .mod files given, which define {}: add its file, or the derivatives would lack what"
    " it does"
)


def _check_simulator() -> None:
    if h.CVode().active():
        raise Unsupported("CVODE is on: clones need fixed steps, h.cvode.active(False)")
    if h.secondorder != 0:
        raise Unsupported(f"h.secondorder is {h.secondorder:g}: clones follow backward Euler, h.secondorder = 0")
    if h.ParallelContext().nthread() > 1:
        raise Unsupported("NEURON runs on threads, where a clone may read its original too early; nthread(1)")
    if hasattr(h, "usetable_hh") and h.usetable_hh != 0 and _inserted("hh"):
        raise Unsupported("NEURON's hh looks its rates up in a table, which its clone does not: h.usetable_hh = 0")


def _inserted(name: str) -> bool:
    return any(section.has_membrane(name) for section in h.allsec())


def _geometry(sections: list[Any], slot: str) -> dict[Any, Any]:
    """Sections like the given ones, connected as they are."""
    twins = {}
    for section in sections:
        twin = h.Section(name=f"gd_{slot}_{section.name()}".replace(".", "_").replace("[", "_").replace("]", ""))
        twin.nseg, twin.rallbranch = section.nseg, section.rallbranch
        if section.n3d():
            for k in range(section.n3d()):
                twin.pt3dadd(section.x3d(k), section.y3d(k), section.z3d(k), section.diam3d(k))
        else:
            twin.L = section.L
        if not section.n3d():
            for here, there in zip(section, twin):
                there.diam = here.diam
        twins[section] = twin
    for section, twin in twins.items():
        parent = section.parentseg()
        if parent is not None:
            if parent.sec not in twins:
                raise Unsupported(f"{section} hangs on {parent.sec}, which is not given: pass section.wholetree()")
            twin.connect(twins[parent.sec](parent.x), section.orientation())
        missing = [str(child) for child in section.children() if child not in twins]
        if missing:
            raise Unsupported(f"{', '.join(missing)} on {section} not given: pass section.wholetree()")
    _alike(twins)
    return twins


def _inventory(section: Any) -> list[Any]:
    """What a clone is made for: by segment, its mechanisms, and how many NetCons with a source its synapses have."""
    netcons = h.CVode().netconlist
    return [
        (
            [m.name() for m in segment if not m.name().endswith("_ion")],
            [(process.hname(), int(netcons("", "", process).count())) for process in segment.point_processes()],
        )
        for segment in section
    ]


def _alike(twins: dict[Any, Any]) -> None:
    """Copies resistivities and capacitances; membrane and axial resistance must be alike."""
    for section, twin in twins.items():
        if twin.Ra != section.Ra:
            twin.Ra = section.Ra
        for here, there in zip(section, twin):
            there.cm = here.cm
    for section, twin in twins.items():
        for here, there in zip(section, twin):
            for what in ("area", "ri"):
                mine, other = getattr(here, what)(), getattr(there, what)()
                if abs(mine - other) > 1e-9 * abs(mine):
                    raise Unsupported(
                        f"the clone's {what} at {here} is {other:g}, not {mine:g}: diameters set after pt3dadd, or"
                        " changed by hand, cannot be copied; give the section its points or its diameters, not both, and"
                        " clone the cell when it is complete"
                    )


def _wire(wire: Any, target: Any) -> Any:
    """A NetCon from the same source."""
    segment = wire.preseg()
    if segment is not None:
        copy = h.NetCon(segment._ref_v, target, sec=segment.sec)
    elif wire.pre() is not None:
        copy = h.NetCon(wire.pre(), target)
    elif wire.srcgid() >= 0:
        return h.ParallelContext().gid_connect(int(wire.srcgid()), target)
    else:
        return h.NetCon(None, target)
    copy.threshold = wire.threshold
    return copy


def _parameters(clone: str) -> list[str]:
    """The PARAMETERs of a mechanism."""
    standard, text = h.MechanismStandard(clone, 1), h.ref("")
    out = []
    for k in range(int(standard.count())):
        standard.name(text, k)
        out.append(text[0].removesuffix(f"_{clone}"))
    return out


def _value(own: Any, segment: Any, name: str, clone: str) -> float:
    """A parameter of the original: its own, an ion's, or a GLOBAL."""
    for holder in (own, segment):
        if hasattr(holder, name):
            return float(getattr(holder, name))
    for suffix in (clone.removeprefix("gd_"), clone.removeprefix("gd_") + "_own"):
        if hasattr(h, f"{name}_{suffix}"):
            return float(getattr(h, f"{name}_{suffix}"))
    mechanism = clone.removeprefix("gd_")
    raise Unsupported(f"`{mechanism}` at {segment} has no `{name}`: is it another mechanism of that name?")
