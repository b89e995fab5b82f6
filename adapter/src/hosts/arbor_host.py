"""Runs graddiff's experiments in an unmodified Arbor, as its child: `python -c` with channel.py and this text."""

import json
import sys

# the pipes to graddiff, which channel.py in front of this text has opened; none where this is a module
CHANNEL = globals().get("CHANNEL")
try:
    import arbor as A
    import numpy
    from arbor import units as U
except ImportError as error:
    if CHANNEL is None:
        raise
    CHANNEL.fail("missing", f"{error} (Python {sys.version.split()[0]}, {sys.executable})")
    sys.exit(0)


class Unsupported(Exception):
    """The request asks for something that Arbor cannot do."""

    kind = "unsupported"


def cable(row):
    return "(cable {} {!r} {!r})".format(*row)


def location(place):
    return "(location {} {!r})".format(*place)


def derived(name, values):
    """Arbor's name of a mechanism with other values of its globals."""
    return name + "/" + ",".join(f"{k}={v!r}" for k, v in sorted(values.items())) if values else name


def build(cell):
    tree = A.segment_tree()
    for s in cell["segments"]:
        parent = A.mnpos if s["parent"] is None else s["parent"]
        tree.append(parent, A.mpoint(*s["prox"]), A.mpoint(*s["dist"]), tag=s["tag"])
    decor = A.decor()
    properties = {
        "Vm": ("v_init_mv", U.mV),
        "tempK": ("temperature_k", U.Kelvin),
        "rL": ("rl_ohm_cm", U.Ohm * U.cm),
        "cm": ("cm_f_per_m2", U.F / U.m2),
    }
    for key, (field, unit) in properties.items():
        decor.set_property(**{key: cell[field]["default"] * unit})
        for row, value in cell[field]["painted"]:
            decor.paint(cable(row), **{key: value * unit})
    for name, ion in cell["ions"].items():
        decor.set_ion(
            name,
            int_con=ion["internal_mm"] * U.mM,
            ext_con=ion["external_mm"] * U.mM,
            rev_pot=ion["reversal_mv"] * U.mV,
        )
        if ion["diffusivity_m2_per_s"] > 0:
            decor.set_ion(name, diff=ion["diffusivity_m2_per_s"] * U.m2 / U.s)
        method = ion["reversal_method"]
        if method is not None:
            decor.set_ion(name, method=A.mechanism(method["mechanism"], method["parameters"]))

    def mechanism(row):
        return A.mechanism(derived(row["mechanism"], cell["globals"].get(row["mechanism"])), row["parameters"])

    for key, process in {"paint": A.density, "voltage_processes": A.voltage_process}.items():
        for paint in cell[key]:
            for row in paint["cables"]:
                decor.paint(cable(row), process(mechanism(paint)))
    for k, synapse in enumerate(cell["synapses"]):
        decor.place(location(synapse["at"]), A.synapse(mechanism(synapse)), f"synapse{k}")
    for k, junction in enumerate(cell["junctions"]):
        decor.place(location(junction["at"]), A.junction(mechanism(junction)), f"junction{k}")
    for clamp in cell["clamps"]:
        envelope = [(t * U.ms, i * U.nA) for t, i in clamp["envelope"]]
        frequency, phase = clamp["frequency_khz"] * U.kHz, clamp["phase_rad"] * U.rad
        decor.place(location(clamp["at"]), A.i_clamp(envelope, frequency=frequency, phase=phase))
    for k, detector in enumerate(cell["detectors"]):
        decor.place(location(detector["at"]), A.threshold_detector(detector["threshold_mv"] * U.mV), f"detector{k}")
    return A.cable_cell(A.morphology(tree), decor, discretization=A.cv_policy(cell["cv_policy"]))


def probe(cell, quantity, tag):
    """The probe of one quantity. All CVs' voltages come from one probe of the whole cell, tagged `v`."""
    kind = quantity["kind"]
    if kind == "voltage":
        return A.cable_probe_membrane_voltage(location(quantity["at"]), tag)
    if kind == "state":
        name = derived(quantity["mechanism"], cell["globals"].get(quantity["mechanism"]))
        return A.cable_probe_density_state(location(quantity["at"]), name, quantity["state"], tag)
    if kind == "point_state":
        name = derived(quantity["mechanism"], cell["globals"].get(quantity["mechanism"]))
        return A.cable_probe_point_state(f"synapse{quantity['target']}", name, quantity["state"], tag)
    of_ion = {
        "ion_current": A.cable_probe_ion_current_density,
        "ion_reversal": A.cable_probe_ion_reversal_potential,
        "ion_internal": A.cable_probe_ion_int_concentration,
        "ion_external": A.cable_probe_ion_ext_concentration,
        "ion_diffusive": A.cable_probe_ion_diff_concentration,
    }
    if kind in of_ion:
        return of_ion[kind](location(quantity["at"]), quantity["ion"], tag)
    raise Unsupported(f"Arbor has no probe for `{kind}` at a place")


def label(what, gid, k):
    """The name that `build` gives to the k-th thing of its kind, on another cell."""
    return gid, f"{what}{k}"


def schedule(times):
    stop = times.get("stop_ms")
    stop = {} if stop is None else {"tstop": stop * U.ms}
    if times["kind"] == "regular":
        return A.regular_schedule(times["start_ms"] * U.ms, times["interval_ms"] * U.ms, **stop)
    if times["kind"] == "explicit":
        return A.explicit_schedule([t * U.ms for t in times["times_ms"]])
    start = times["start_ms"] * U.ms
    return A.poisson_schedule(times["rate_per_ms"] * U.kHz, tstart=start, seed=times["seed"], **stop)


class BrokenCatalogue(Exception):
    """Arbor does not load the catalogue."""

    kind = "catalogue"


def catalogue(path):
    try:
        return A.load_catalogue(path)
    except Exception as error:
        raise BrokenCatalogue(str(error)) from error


class Recipe(A.recipe):
    def __init__(self, request):
        A.recipe.__init__(self)
        self.request = request
        self.cells = [build(c) for c in request["cells"]]
        self.properties = A.neuron_cable_properties()
        self.properties.coalesce_synapses = request["coalesce_synapses"]
        self.properties.catalogue = catalogue(request["catalogue"])
        for ion, valence in request["valences"].items():
            # concentrations and potentials are each cell's own; a new ion wants some here
            self.properties.set_ion(ion, valence=valence, int_con=0 * U.mM, ext_con=0 * U.mM, rev_pot=0 * U.mV)
        self.probe_list = [[] for _ in self.cells]
        for gid in {q["cell"] for q in request["record"] if q["kind"] == "cv_voltage"}:
            self.probe_list[gid].append(A.cable_probe_membrane_voltage_cell("v"))
        for k, quantity in enumerate(request["record"]):
            gid = quantity["cell"]
            if quantity["kind"] != "cv_voltage":
                self.probe_list[gid].append(probe(request["cells"][gid], quantity, f"q{k}"))

    def num_cells(self):
        return len(self.cells)

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cells[gid]

    def global_properties(self, kind):
        return self.properties

    def probes(self, gid):
        return self.probe_list[gid]

    def connections_on(self, gid):
        return [
            A.connection(label("detector", *c["from"]), f"synapse{c['to'][1]}", c["weight"], c["delay_ms"] * U.ms)
            for c in self.request["connections"]
            if c["to"][0] == gid
        ]

    def gap_junctions_on(self, gid):
        return [
            A.gap_junction_connection(label("junction", *g["peer"]), f"junction{g['local'][1]}", g["weight"])
            for g in self.request["gap_junctions"]
            if g["local"][0] == gid
        ]

    def event_generators(self, gid):
        return [
            A.event_generator(f"synapse{g['to'][1]}", g["weight"], schedule(g["times"]))
            for g in self.request["generators"]
            if g["to"][0] == gid
        ]


class Simulation:
    """A simulation at rest, and how its samples are told apart."""

    def __init__(self, request):
        self.quantities = request["record"]
        self.recipe = Recipe(request)
        context = A.context(threads=request["threads"])
        groups = [A.group_description(A.cell_kind.cable, gids, A.backend.multicore) for gids in request["groups"]]
        decomposition = A.partition_by_group(self.recipe, context, groups)
        self.simulation = A.simulation(self.recipe, context, decomposition, request["seed"])
        self.simulation.record(A.spike_recording.local)
        self.dt = request["dt_ms"] * U.ms
        samples = A.explicit_schedule([t * U.ms for t in request["samples_ms"]])
        self.handles = {}
        for k, quantity in enumerate(self.quantities):
            key = self.key(k, quantity)
            if key not in self.handles:
                self.handles[key] = self.simulation.sample(key, samples)
        self.columns = {}
        for gid, tag in self.handles:
            places = self.simulation.probe_metadata((gid, tag))
            if len(places) != 1:
                what = "the voltage" if tag == "v" else json.dumps(self.quantities[int(tag[1:])])
                raise Unsupported(f"Arbor finds {len(places)} places for {what}: is it painted there?")
            if tag == "v":
                self.columns[gid] = columns(self.recipe.cells[gid], places[0])

    @staticmethod
    def key(k, quantity):
        return quantity["cell"], "v" if quantity["kind"] == "cv_voltage" else f"q{k}"

    def advance(self, until_ms):
        """Runs on. Times of the samples taken since, each quantity's values, and (time, cell, detector) of spikes."""
        self.simulation.run(until_ms * U.ms, self.dt)
        taken = {key: self.simulation.samples(handle)[0][0] for key, handle in self.handles.items()}
        times = next(iter(taken.values()))[:, 0] if taken else numpy.zeros(0)
        values = []
        for k, quantity in enumerate(self.quantities):
            key = self.key(k, quantity)
            column = self.columns[key[0]][quantity["cv"]] if key[1] == "v" else 0
            values.append(taken[key][:, 1 + column])
        spikes = sorted((float(t), float(s["gid"]), float(s["index"])) for s, t in self.simulation.spikes())
        self.simulation.clear_samplers()
        return times, values, numpy.array(spikes)


    def watch(self, numbers):
        """Numbers of the checkpoint: (group, mechanism of the group, position in the mechanism's array)."""
        self.watched = [(n["group"], n["storage"], n["at"]) for n in numbers]
        groups = self.checkpoint()["cell_groups_"]
        for n in numbers:
            found = len(self.storage(groups, n["group"])[n["storage"]]["data_"])
            if found != n["of"]:
                raise Unsupported(f"Arbor's checkpoint holds {found} numbers of a mechanism where {n['of']} are expected")

    def checkpoint(self):
        return json.loads(self.simulation.serialize())

    @staticmethod
    def storage(groups, group):
        return groups[group]["lowered_"]["state_"]["storage"]

    def read(self):
        groups = self.checkpoint()["cell_groups_"]
        return numpy.array([self.storage(groups, g)[s]["data_"][at] for g, s, at in self.watched])

    def write(self, numbers, clamps, celsius):
        """Serialises, edits, deserialises; what a checkpoint does not hold stays what it is."""
        if clamps or celsius is not None:
            raise Unsupported("Arbor's checkpoint holds neither stimuli nor temperatures")
        state = self.checkpoint()
        for k, value in numbers:
            group, storage, at = self.watched[k]
            self.storage(state["cell_groups_"], group)[storage]["data_"][at] = value
        self.simulation.deserialize(json.dumps(state))


def columns(cell, cables):
    """Where the probe of a whole cell has each CV."""
    column = {(c.branch, c.prox, c.dist): k for k, c in enumerate(cables)}
    cvs = A.cv_data(cell)
    first = [cvs.cables(i)[0] for i in range(cvs.num_cv)]
    return [column[(c.branch, c.prox, c.dist)] for c in first]


if CHANNEL is not None:
    CHANNEL.serve("Arbor", A.__version__, Simulation)
