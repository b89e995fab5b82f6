"""Runs graddiff's experiments in an unmodified NEURON, as its child: `python -c` with channel.py and this text.

Fixed steps only: what the generated mechanisms are made for. Times of events, stimuli and samples are starts of steps.
"""

import bisect
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys

# the pipes to graddiff, which channel.py in front of this text has opened; none where this is a module
CHANNEL = globals().get("CHANNEL")
# no windows; and no mechanisms of whatever folder this is
os.environ["NEURON_MODULE_OPTIONS"] = "-nogui"
os.environ.pop("NRN_NMODL_PATH", None)
os.chdir("/")
try:
    import neuron
    import numpy
    from neuron import h
except ImportError as error:
    if CHANNEL is None:
        raise
    CHANNEL.fail("missing", f"{error} (Python {sys.version.split()[0]}, {sys.executable})")
    sys.exit(0)

# largest difference of a segment's surface or resistance, relative: NEURON keeps points in single precision
CLOSE = 1e-6


class Unsupported(Exception):
    """The request asks for something that NEURON cannot do."""

    kind = "unsupported"


class BrokenMechanisms(Exception):
    """nrnivmodl does not compile them, or NEURON does not load them."""

    kind = "mechanisms"


def library(folder):
    return next(pathlib.Path(folder).glob("*/libnrnmech.*"), None)


def prepare(folder):
    """Compiles the .mod files of a folder."""
    beside = pathlib.Path(sys.executable).parent / "nrnivmodl"
    program = beside if beside.exists() else shutil.which("nrnivmodl")
    if program is None:
        raise BrokenMechanisms(f"there is no nrnivmodl beside {sys.executable}, nor on the PATH")
    path = {**os.environ, "PATH": f"{beside.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [program, "."], cwd=folder, env=path, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0 or library(folder) is None:
        words = (done.stdout + done.stderr).strip().splitlines()[-12:]
        raise BrokenMechanisms("nrnivmodl fails:\n" + "\n".join(words))


LOADED = []


def load(folder):
    """Loads the folder's library, once: NEURON cannot forget one."""
    if folder not in LOADED:
        found = library(folder)
        if found is None:
            raise BrokenMechanisms(f"there is no libnrnmech in {folder}")
        h.nrn_load_dll(str(found))
        LOADED.append(folder)


class Cable:
    """The sections of a cell, or of a clone of it."""

    def __init__(self, row, name):
        self.sections = []
        for k, s in enumerate(row["sections"]):
            section = h.Section(name=f"{name}_{k}")
            for at, diameter in s["points"]:
                section.pt3dadd(at, 0, 0, diameter)
            section.nseg, section.Ra = s["segments"], s["rl_ohm_cm"]
            if s["parent"] is not None:
                parent, end = s["parent"]
                section.connect(self.sections[parent](end), 0)
            self.sections.append(section)
        self.places = row["places"]
        for cv, cm in zip(row["membranes"], row["cm_uf_per_cm2"]):
            self.segment(cv).cm = cm

    def segment(self, cv):
        section, at = self.places[cv]
        return self.sections[section](at)

    def insert(self, row, name):
        """A density mechanism and its parameters; its instances by control volume."""
        instances = {}
        for k, cv in enumerate(row["cvs"]):
            section = self.sections[self.places[cv][0]]
            if not section.has_membrane(name):
                section.insert(name)
            instances[cv] = getattr(self.segment(cv), name)
            for parameter, values in row["parameters"].items():
                setattr(instances[cv], parameter, values[k])
        return instances

    def place(self, row, name):
        process = getattr(h, name)(self.segment(row["cv"]))
        for parameter, value in row["parameters"].items():
            setattr(process, parameter, value)
        return process


class Cell:
    def __init__(self, row, names):
        self.row = row
        self.names = names
        self.cable = Cable(row, "cell")
        self.check()
        self.densities = {}
        for density in row["densities"]:
            name = names[density["mechanism"]]["name"]
            self.densities[density["mechanism"]] = self.cable.insert(density, name)
        for section in self.cable.sections:
            for ion, value in row["reversal_mv"].items():
                if h.ismembrane(f"{ion}_ion", sec=section):
                    for segment in section:
                        setattr(segment, f"e{ion}", value)
        self.synapses = [self.cable.place(s, names[s["mechanism"]]["name"]) for s in row["synapses"]]
        self.clones = {clone["slot"]: Clone(self, clone) for clone in row["clones"]}
        self.clamps = [Clamp(self.cable.segment(c["cv"]), c) for c in row["clamps"]]

    def check(self):
        """Segments must be the control volumes that graddiff means."""
        row = self.row
        rows = zip(row["membranes"], row["parents"], row["area_um2"], row["resistance_mohm"])
        for cv, parent, area, resistance in rows:
            found = self.cable.segment(cv).area()
            if abs(found - area) > CLOSE * area:
                raise Unsupported(
                    f"the surface of control volume {cv} of cell `{row['name']}` is {found:.9g} um2 in NEURON and "
                    f"{area:.9g} um2 here, as where its radius jumps inside: let it begin there"
                )
            if parent is None:
                continue
            found = self.cable.segment(cv).ri()
            if row["places"][parent][0] != row["places"][cv][0] and parent in row["membranes"]:
                # the other half, from the boundary to the parent's middle
                found += self.cable.sections[row["places"][parent][0]](1).ri()
            if abs(found - resistance) > CLOSE * resistance:
                raise Unsupported(
                    f"the resistance between control volumes {parent} and {cv} of cell `{row['name']}` is "
                    f"{found:.9g} MOhm in NEURON and {resistance:.9g} MOhm here: let control volumes begin where the "
                    "resistivity changes"
                )

    def rest(self):
        for cv, voltage in enumerate(self.row["v_init_mv"]):
            self.cable.segment(cv).v = voltage

    def tangent(self, slot):
        return self if slot is None else self.clones[slot]

    def ref(self, quantity):
        """A pointer to what a quantity names, here or on a clone."""
        kind, cv = quantity["kind"], quantity["cv"]
        if kind == "cv_voltage":
            return self.cable.segment(cv)._ref_v
        if kind in ("point_state", "point_parameter"):
            variable = quantity.get("state") or quantity["parameter"]
            return getattr(self.synapses[quantity["target"]], f"_ref_{variable}")
        if kind in ("state", "parameter"):
            return self.range(quantity["mechanism"], quantity.get("state") or quantity["parameter"], cv)
        raise Unsupported(f"graddiff does not sample `{kind}` in NEURON")

    def range(self, mechanism, variable, cv):
        instance = self.densities[mechanism].get(cv)
        if instance is None:
            raise Unsupported(f"`{mechanism}` is not on control volume {cv} of cell `{self.row['name']}`")
        return getattr(instance, f"_ref_{variable}")


class Clone(Cell):
    """A copy of a cell's cable whose voltage is the cell's derivative by a slot."""

    def __init__(self, cell, seeds):
        self.row, self.names = cell.row, cell.names
        self.cable = Cable(cell.row, f"clone{seeds['slot']}")
        self.densities = {}
        for density in cell.row["densities"]:
            names = self.names[density["mechanism"]]
            instances = self.cable.insert(density, names["clone"])
            self.densities[density["mechanism"]] = instances
            for cv, instance in instances.items():
                self.couple(instance, cell.cable.segment(cv), names)
        for k, parameter, values in seeds["densities"]:
            density = cell.row["densities"][k]
            for cv, value in zip(density["cvs"], values):
                setattr(self.densities[density["mechanism"]][cv], f"seed_{parameter}", value)
        self.synapses = []
        for synapse in cell.row["synapses"]:
            names = self.names[synapse["mechanism"]]
            process = self.cable.place(synapse, names["clone"])
            self.couple(process, cell.cable.segment(synapse["cv"]), names)
            self.synapses.append(process)
        for k, parameter, value in seeds["synapses"]:
            setattr(self.synapses[k], f"seed_{parameter}", value)

    def couple(self, instance, original, names):
        try:
            h.setpointer(original._ref_v, "v_peer", instance)
        except TypeError:
            pass  # a clone that does not look; one that does stops NEURON if its pointer is not set
        for ion in names["reversals"]:
            setattr(instance, f"e{ion}", self.row["reversal_mv"][ion])

    def rest(self):
        for section in self.cable.sections:
            for at in [0, *(segment.x for segment in section), 1]:
                section(at).v = 0

    def sensitivities(self):
        """Pointers to all that is a derivative."""
        for section in self.cable.sections:
            yield from (segment._ref_v for segment in section)
        for mechanism, instances in self.densities.items():
            for instance in instances.values():
                for name in self.names[mechanism]["sensitivities"]:
                    yield getattr(instance, f"_ref_{name}")
        for row, process in zip(self.row["synapses"], self.synapses):
            for name in self.names[row["mechanism"]]["sensitivities"]:
                yield getattr(process, f"_ref_{name}")


class Clamp:
    """A current that is constant in each step: the envelope's at its start, times a sine, times a factor."""

    def __init__(self, segment, row):
        self.electrode = h.IClamp(segment)
        self.electrode.delay, self.electrode.dur, self.electrode.amp = 0, 1e9, 0
        self.times = [t for t, _ in row["envelope"]]
        self.currents = [i for _, i in row["envelope"]]
        self.frequency, self.phase, self.factor = row["frequency_khz"], row["phase_rad"], 1.0

    def set(self, t):
        """Sets the current from `t` on; until when it stays so."""
        k = bisect.bisect_right(self.times, t) - 1
        later = self.times[k + 1] if k + 1 < len(self.times) else math.inf
        if k < 0:
            self.electrode.amp = 0
            return later
        current, flat = self.currents[k], True
        if later < math.inf:
            flat = self.currents[k + 1] == current
            share = (t - self.times[k]) / (later - self.times[k])
            current = current * (1 - share) + self.currents[k + 1] * share
        if self.frequency:
            current *= math.sin(2 * math.pi * self.frequency * t + self.phase)
            flat = False
        self.electrode.amp = current * self.factor
        return later if flat else t


class Pointers:
    """Many variables as one array."""

    def __init__(self, refs):
        refs = list(refs)
        self.values = h.Vector(len(refs))
        # NEURON has no empty PtrVector
        self.vector = h.PtrVector(len(refs)) if refs else None
        for k, ref in enumerate(refs):
            self.vector.pset(k, ref)

    def gather(self):
        if self.vector is not None:
            self.vector.gather(self.values)
        return self.values.as_numpy().copy()

    def multiply(self, factor):
        self.vector.gather(self.values)
        self.values.mul(factor)
        self.vector.scatter(self.values)


class Simulation:
    """A simulation at rest, and what is sampled of it."""

    def __init__(self, request):
        load(request["mechanisms"])
        self.dt = request["dt_ms"]
        names = request["names"]
        h.CVode().active(0)
        h.celsius, h.dt, h.secondorder = request["celsius"], self.dt, 0
        for mechanism, values in request["globals"].items():
            for name in (names[mechanism]["name"], names[mechanism]["clone"]):
                for parameter, value in values.items():
                    if hasattr(h, f"{parameter}_{name}"):
                        setattr(h, f"{parameter}_{name}", value)
        self.cells = [Cell(row, names) for row in request["cells"]]
        self.nets = []
        for c in request["connections"]:
            cell, detector = c["from"]
            cv, threshold = self.cells[cell].row["detectors"][detector]
            source = self.cells[cell].cable.segment(cv)
            for target in self.targets(*c["to"]):
                net = h.NetCon(source._ref_v, target, sec=source.sec)
                net.threshold, net.delay, net.weight[0] = threshold, c["delay_ms"], c["weight"]
                self.nets.append(net)
        events = []
        for received in request["events"]:
            for target in self.targets(*received["to"]):
                net = h.NetCon(None, target)
                net.delay, net.weight[0] = 0, received["weight"]
                self.nets.append(net)
                events.append((net, received["times_ms"]))
        self.detectors = []
        for c, cell in enumerate(self.cells):
            for d, (cv, threshold) in enumerate(cell.row["detectors"]):
                segment = cell.cable.segment(cv)
                trace = h.Vector().record(segment._ref_v, sec=segment.sec)
                self.detectors.append((trace, threshold, float(c), float(d)))
        for cell in self.cells:
            cell.rest()
            for clone in cell.clones.values():
                clone.rest()
        h.finitialize()
        h.dt = self.dt  # finitialize may take that of NEURON's panel
        for net, times in events:
            for t in times:
                net.event(t)
        self.step = 0
        self.due = [math.floor(t / self.dt + 1e-9) for t in request["samples_ms"]]
        self.taken = 0
        record = request["record"]
        self.samples = Pointers(self.cells[q["cell"]].tangent(q["slot"]).ref(q) for q in record)
        self.quantities = len(record)
        clones = [clone for cell in self.cells for clone in cell.clones.values()]
        self.forgotten = Pointers(ref for clone in clones for ref in clone.sensitivities())
        rate = request["forgetting_per_ms"]
        self.kept = math.exp(-rate * self.dt) if rate > 0 and clones else None
        self.clamps = [clamp for cell in self.cells for clamp in cell.clamps]
        self.until = [0.0] * len(self.clamps)

    def targets(self, cell, synapse):
        """A synapse and its clones."""
        cell = self.cells[cell]
        return [cell.synapses[synapse], *(clone.synapses[synapse] for clone in cell.clones.values())]

    def advance(self, until_ms):
        """Runs on. Times of the samples taken since, each quantity's values, and (time, cell, detector) of spikes."""
        times, rows = [], []
        begin, end = self.step, round(until_ms / self.dt)
        while self.step < end:
            if self.taken < len(self.due) and self.due[self.taken] <= self.step:
                row = self.samples.gather()
                while self.taken < len(self.due) and self.due[self.taken] <= self.step:
                    times.append(self.step * self.dt)
                    rows.append(row)
                    self.taken += 1
            t = self.step * self.dt
            for k, clamp in enumerate(self.clamps):
                if self.until[k] <= t:
                    self.until[k] = clamp.set(t)
            self.steps(self.quiet(end))
        values = numpy.array(rows).reshape(len(rows), self.quantities).T
        return numpy.array(times), list(values), numpy.array(self.spikes(begin))

    def quiet(self, end):
        """How many steps there are until something is due again."""
        if self.taken < len(self.due):
            end = min(end, self.due[self.taken])
        for until in self.until:
            if until < math.inf:
                end = min(end, math.ceil(until / self.dt - 1e-9))
        return max(end - self.step, 1)

    def steps(self, n):
        advance, kept, forgotten = h.fadvance, self.kept, self.forgotten
        self.step += n
        if kept is None:
            for _ in range(n):
                advance()
        else:
            for _ in range(n):
                advance()
                forgotten.multiply(kept)

    def spikes(self, begin):
        """Crossings since step `begin`, between the ends of steps as on a straight line."""
        spikes = []
        for trace, threshold, cell, detector in self.detectors:
            voltages = trace.as_numpy()
            low, high = voltages[:-1], voltages[1:]
            for k in numpy.flatnonzero((low < threshold) & (high >= threshold)):
                share = (threshold - low[k]) / (high[k] - low[k])
                spikes.append(((begin + k + share) * self.dt, cell, detector))
            if len(trace) > 1:
                trace.remove(0, len(trace) - 2)  # all but the last
        return sorted(spikes)

    def watch(self, numbers):
        self.watched = []
        for n in numbers:
            cell, slot = self.cells[n["cell"]], n["slot"]
            places = [cell.tangent(slot)] if slot is not None else [cell, *cell.clones.values()]
            if n["mechanism"]:
                self.watched.append([p.range(n["mechanism"], n["variable"], n["cv"]) for p in places])
            else:
                self.watched.append([p.cable.segment(n["cv"])._ref_v for p in places])

    def read(self):
        return numpy.array([refs[0][0] for refs in self.watched])

    def write(self, numbers, clamps, celsius):
        for k, value in numbers:
            for ref in self.watched[k]:
                ref[0] = value
        for cell, number, factor in clamps:
            self.cells[cell].clamps[number].factor = factor
            self.until = [0.0] * len(self.clamps)
        if celsius is not None:
            h.celsius = celsius


if CHANNEL is not None:
    CHANNEL.serve("NEURON", neuron.__version__, Simulation, prepare)
