"""Runs graddiff's requests in an unmodified Arbor: one request per line of JSON on stdin, one reply per line on stdout.

The protocol is described by adapter/src/plan/export.rs (`Request`, `Reply`); units are in its names.
"""

import json
import sys

import arbor as A
from arbor import units as U

PROTOCOL = 2


class Unsupported(Exception):
    """The request asks for something that Arbor cannot do."""


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


class Recipe(A.recipe):
    def __init__(self, request):
        A.recipe.__init__(self)
        self.request = request
        self.cells = [build(c) for c in request["cells"]]
        self.properties = A.neuron_cable_properties()
        self.properties.coalesce_synapses = request["coalesce_synapses"]
        self.properties.catalogue = A.load_catalogue(request["catalogue"])
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


class Voltages:
    """Voltages of one cell by CV."""

    def __init__(self, cell, samples, cables):
        self.samples = samples
        column = {(c.branch, c.prox, c.dist): k for k, c in enumerate(cables)}
        cvs = A.cv_data(cell)
        first = [cvs.cables(i)[0] for i in range(cvs.num_cv)]
        self.column = [column[(c.branch, c.prox, c.dist)] for c in first]

    def of(self, cv):
        return self.samples[:, 1 + self.column[cv]]


def run(request):
    recipe = Recipe(request)
    context = A.context(threads=1)
    groups = [A.group_description(A.cell_kind.cable, gids, A.backend.multicore) for gids in request["groups"]]
    sim = A.simulation(recipe, context, A.partition_by_group(recipe, context, groups), request["seed"])
    sim.record(A.spike_recording.local)
    samples = A.explicit_schedule([t * U.ms for t in request["samples_ms"]])
    handles = {}
    for k, quantity in enumerate(request["record"]):
        tag = "v" if quantity["kind"] == "cv_voltage" else f"q{k}"
        key = (quantity["cell"], tag)
        if key not in handles:
            handles[key] = sim.sample(key, samples)
    sim.run(request["duration_ms"] * U.ms, request["dt_ms"] * U.ms)

    times, values, voltages = None, [], {}
    for k, quantity in enumerate(request["record"]):
        gid = quantity["cell"]
        whole = quantity["kind"] == "cv_voltage"
        if whole and gid in voltages:
            values.append(voltages[gid].of(quantity["cv"]).tolist())
            continue
        taken = sim.samples(handles[(gid, "v" if whole else f"q{k}")])
        if len(taken) != 1:
            raise Unsupported(f"Arbor finds {len(taken)} places for {json.dumps(quantity)}: is it painted there?")
        samples, meta = taken[0]
        if times is None:
            times = samples[:, 0].tolist()
        if whole:
            voltages[gid] = Voltages(recipe.cells[gid], samples, meta)
            values.append(voltages[gid].of(quantity["cv"]).tolist())
        else:
            values.append(samples[:, 1].tolist())
    spikes = sorted([float(t), int(s["gid"]), int(s["index"])] for s, t in sim.spikes())
    return {
        "protocol": PROTOCOL,
        "host": f"Arbor {A.__version__}",
        "times_ms": times or [],
        "values": values,
        "spikes": spikes,
    }


def answer(line):
    try:
        request = json.loads(line)
        if request.get("protocol") != PROTOCOL:
            message = f"protocol {request.get('protocol')!r} is not {PROTOCOL}"
            return {"failed": {"kind": "protocol", "message": message}}
        return {"done": run(request)}
    except Unsupported as error:
        return {"failed": {"kind": "unsupported", "message": str(error)}}
    except Exception as error:  # the other side reports it; a traceback would be lost
        return {"failed": {"kind": type(error).__name__, "message": str(error)}}


def main():
    for line in sys.stdin:
        # NaN is no JSON: a diverged run must fail loudly, not be misread
        try:
            text = json.dumps(answer(line), allow_nan=False)
        except ValueError as error:
            text = json.dumps({"failed": {"kind": "diverged", "message": str(error)}})
        print(text, flush=True)


if __name__ == "__main__":
    main()
