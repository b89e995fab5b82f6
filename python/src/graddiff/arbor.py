"""Sensitivities in a script for Arbor 0.12.2: derivatives of what it simulates, exact for any `dt` and CV policy.

    tangent = graddiff.arbor.Tangent("hh.mod", wrt="gnabar")         # differentiates and builds a catalogue
    decor = tangent.decor()                                          # in place of arbor.decor()
    cell = tangent.cable_cell(tree, decor, labels, policy)           # in place of arbor.cable_cell(...)

and in the recipe `global_properties` returns `tangent.properties()`, `probes` returns `cell.probes(place, tag)`; then
`cell.sample(simulation, tag, schedule)` before the run, and `.sensitivities()` of what it returns after it.

The mechanisms stay under their own names in the script. On the cell stands, in place of each `X`, its augmented form
`gd_X`, and `gd0_cable` on every control volume, which solves for dV/dtheta with the matrix of the voltage. Refused is
what would make the derivative wrong: mechanisms that the catalogue lacks, values that Arbor does not show.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import geometry, program
from .errors import GraddiffError, Missing, Rejected, Unsupported

VERSION = "0.12.2"
CARRIER = "gd0_cable"

try:
    import arbor as A
    from arbor import units as U
except ImportError as error:
    raise Missing(f"{error}; install Arbor with `pip install arbor=={VERSION}`") from error

if A.__version__ != VERSION:
    raise Missing(f"this is Arbor {A.__version__}, whose numbering of CVs was not checked; install arbor=={VERSION}")

# What decors keep of a cell, and how to write it again: (keyword, unit), by type.
_SHOWN = {
    "membrane_potential": ("Vm", U.mV),
    "membrane_capacitance": ("cm", U.F / U.m2),
    "axial_resistivity": ("rL", U.Ohm * U.cm),
    "temperature": ("tempK", U.Kelvin),
}


def _place(branch: int, pos: float) -> str:
    return f"(location {branch} {pos!r})"


def _cable(cable: geometry.Cable) -> str:
    return "(cable {} {!r} {!r})".format(*cable)


class Tangent:
    """A catalogue with sensitivities, and what a model needs to use it.

    files    the .mod files of all mechanisms of the model
    wrt      parameters: `gnabar` in every mechanism that has it, `hh.gnabar` in that one
    folder   where to keep the catalogue; if none, in a temporary folder

    Raises Missing without `graddiff` or a C compiler, Rejected if it refuses a mechanism or knows no such parameter.
    """

    def __init__(
        self,
        *files: str | os.PathLike[str],
        wrt: str | Iterable[str],
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        arguments = program.sources(files, wrt)
        self._folder = program.Folder(folder)
        self.path = self._folder.path / "graddiff-catalogue.so"
        program.call(["build", *arguments, "--quiet", "-o", self.path])
        tables = program.document(["inspect", self.path])
        self._mechanisms = {m["name"]: m for m in tables["mechanisms"]}
        described = tables["graddiff"]
        self.slots: tuple[str, ...] = tuple(described["slots"])
        self._seeds: dict[str, list[str]] = {}
        self.units: dict[str, str] = {}
        """The unit of each slot, as its .mod file gives it; of a derivative, mV over that."""
        for seed in described["seeds"]:
            self._seeds.setdefault(seed["mechanism"], []).append(seed["field"])
            units = {p["name"]: p["unit"] for p in self._mechanisms[seed["mechanism"]]["parameters"]}
            self.units.setdefault(self.slots[seed["slot"]], units[seed["parameter"]])
        names = {ion["name"] for m in tables["mechanisms"] for ion in m["ions"]}
        # of an ion X that sensitivities travel by: gd_ion_X__SLOT
        self._tangents: dict[str, list[str]] = {}
        for ion in sorted(names):
            for slot in self.slots:
                if ion.startswith("gd_ion_") and ion.endswith(f"__{slot}"):
                    self._tangents.setdefault(ion[len("gd_ion_") : -len(slot) - 2], []).append(ion)
        self.catalogue = A.load_catalogue(str(self.path))
        # what holds where decors say nothing: what properties() was last given, and what cells took for it
        self._given: dict[str, float] | None = None
        self._taken: dict[str, float] = {}

    def augmented(self, mechanism: str) -> str:
        """The name under which a mechanism is painted; `hh` or, with other values of globals, `hh/q=3`.

        Raises Unsupported if the catalogue does not have it, or if it is bound to another ion.
        """
        base, _, rest = mechanism.partition("/")
        if f"gd_{base}" not in self._mechanisms:
            known = ", ".join(sorted(m for m in self._mechanisms if f"gd_{m}" in self._mechanisms))
            raise Unsupported(
                f"mechanism `{base}` is not in the catalogue, which has {known}: add its .mod file, or the derivatives"
                " would lack what it does"
            )
        globals_ = {g["name"] for g in self._mechanisms[base]["globals"]}
        for assignment in filter(None, rest.split(",")):
            if assignment.partition("=")[0] not in globals_:
                raise Unsupported(f"`{mechanism}` binds an ion anew: use the ion's own name in the .mod file")
        return f"gd_{mechanism}"

    def parameters(self, mechanism: str, values: dict[str, float]) -> dict[str, float]:
        """The parameters of the augmented mechanism: the given ones, and 1 for seeds d(parameter)/d(slot) not given."""
        seeds = self._seeds.get(f"gd_{mechanism.partition('/')[0]}", [])
        return {**dict.fromkeys(seeds, 1.0), **values}

    def decor(self, existing: Any = None) -> "Decor":
        """An arbor.decor that paints and places the augmented mechanisms under the names of the plain ones.

        Of an existing decor it takes over what that shows, exactly.

        Raises Unsupported for what Arbor does not show of it: i_clamps (and all placements beside one), scaled values,
        numbers of six digits or more, which Arbor cuts. Place or paint these on the decor that this returns.
        """
        decor = Decor(self)
        if existing is not None:
            _take_over(decor, existing)
        return decor

    def cable_cell(
        self, morphology: Any, decor: "Decor", labels: Any = None, discretization: Any = None, properties: Any = None
    ) -> "Cell":
        """An arbor.cable_cell with the carrier painted; arguments as there, and the properties that its recipe returns,
        whose capacitance and resistivity hold where the decor sets none (if absent, those that `properties()` was
        given before, else arbor.neuron_cable_properties()).

        Raises Unsupported for a decor of Arbor's own, and for geometry without area or length.
        """
        if not isinstance(decor, Decor):
            raise Unsupported("this decor paints plain mechanisms: make it, or take it over, with Tangent.decor()")
        if discretization is None:
            raise Unsupported("no discretization: the carrier needs to know the control volumes, so give a cv_policy")
        if hasattr(morphology, "segments") and not hasattr(morphology, "branch_segments"):
            morphology = A.morphology(morphology)
        labels = A.label_dict() if labels is None else labels
        plain = A.cable_cell(morphology, decor.written(), labels, discretization)
        defaults = self._given
        if properties is not None or defaults is None:
            defaults = _defaults(A.neuron_cable_properties() if properties is None else properties)
        along = {key: decor.along(plain, key, default) for key, default in defaults.items()}
        for key in defaults.keys() - decor.own():
            self._agrees(key, defaults[key], self._taken.setdefault(key, defaults[key]))
        tree = geometry.Tree(morphology, A.cv_data(plain), along["cm"], along["rL"], A.mnpos)
        carried = decor.written()
        for instance, row in enumerate(tree.rows):
            for cable in tree.cables[tree.instances[instance]]:
                if cable[1] < cable[2]:
                    carried.paint(_cable(cable), A.density(CARRIER, {k: float(v) for k, v in row.items()}))
        return Cell(self, tree, morphology, carried, labels, discretization)

    def properties(self, properties: Any = None) -> Any:
        """Global properties for the recipe: the given ones, or arbor.neuron_cable_properties(), with the catalogue and
        the ions that hold derivatives.

        Raises Unsupported if they compute reversal potentials by a mechanism, or if a cell took another capacitance or
        resistivity for its own.
        """
        properties = A.neuron_cable_properties() if properties is None else properties
        self._given = _defaults(properties)
        for key, taken in self._taken.items():
            self._agrees(key, self._given[key], taken)
        for ion, settings in properties.ions.items():
            if settings.reversal_potential_method not in (None, "const"):
                raise Unsupported(_METHOD.format(ion))
        properties.catalogue = self.catalogue
        nothing = {"int_con": 0 * U.mM, "ext_con": 0 * U.mM, "rev_pot": 0 * U.mV}
        for slot in self.slots:
            properties.set_ion(f"gd_u__{slot}", valence=1, **nothing)
        for ion, tangents in self._tangents.items():
            if ion not in properties.ions:
                raise Unsupported(f"ion `{ion}` is not declared: properties.set_ion('{ion}', valence=...) first")
            for tangent in tangents:
                properties.set_ion(tangent, valence=properties.ions[ion].charge, **nothing)
        return properties

    @staticmethod
    def _agrees(key: str, value: float, other: float) -> None:
        if value != other:
            raise Unsupported(
                f"{key} of the global properties is {value:g}, but a cell was made for {other:g}: give cable_cell the same"
                " properties as the recipe"
            )

    def column(self, value: str, slot: str | None = None, unit: str = "") -> str:
        """The name of a column: `v_mv`, and `dv_dgnabar_mv_per_s_per_cm2` of its derivative."""
        own = program.unit_name(unit) if unit else ""
        if slot is None:
            return f"{value}_{own}" if own else value
        return f"d{value}_d{slot}_{own + '_' if own else ''}per_{program.unit_name(self.units[slot])}"


def _defaults(properties: Any) -> dict[str, float]:
    """F/m^2 and Ohm cm."""
    return {"cm": properties.membrane_capacitance, "rL": properties.axial_resistivity}


_METHOD = "the reversal potential of `{}` is computed by a mechanism: such cells run with `graddiff run --host arbor`"


class Decor(A.decor):
    """An arbor.decor that writes down what it is told; made by Tangent.decor()."""

    def __init__(self, tangent: Tangent) -> None:
        A.decor.__init__(self)
        self._tangent = tangent
        self._log: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._cell: dict[str, Any] = {}
        self._painted: dict[str, list[tuple[str, Any]]] = {"cm": [], "rL": []}

    def _do(self, what: str, *arguments: Any, **named: Any) -> "Decor":
        getattr(A.decor, what)(self, *arguments, **named)
        self._log.append((what, arguments, named))
        return self

    def _mechanism(self, mechanism: Any) -> Any:
        values = dict(mechanism.values)
        return A.mechanism(
            self._tangent.augmented(mechanism.name), self._tangent.parameters(mechanism.name, values)
        )

    def paint(self, region: str, mechanism: Any = None, **named: Any) -> "Decor":
        """As arbor.decor.paint. Raises Unsupported for mechanisms that the catalogue lacks and for scaled values."""
        if isinstance(mechanism, A.density):
            return self._do("paint", region, A.density(self._mechanism(mechanism.mech)))
        if isinstance(mechanism, A.voltage_process):
            return self._do("paint", region, A.voltage_process(self._mechanism(mechanism.mech)))
        if mechanism is not None:
            raise Unsupported(f"{mechanism!r} on {region}: paint values that are constant on a region")
        for key in self._painted.keys() & named.keys():
            if isinstance(named[key], tuple):
                raise Unsupported(f"{key} on {region} is scaled: paint values that are constant on a region")
            self._painted[key].append((region, named[key]))
        self._do("paint", region, **named)
        if named.get("ion") in self._tangent._tangents and named.get("diff") is not None:
            for tangent in self._tangent._tangents[named["ion"]]:
                self._do("paint", region, ion=tangent, diff=named["diff"])
        return self

    def place(self, locations: str, what: Any, *label: str) -> "Decor":
        """As arbor.decor.place. Raises Unsupported for junctions, and for synapses that the catalogue lacks."""
        if isinstance(what, A.synapse):
            return self._do("place", locations, A.synapse(self._mechanism(what.mech)), *label)
        if isinstance(what, A.junction):
            raise Unsupported("gap junctions: such networks run with `graddiff run --host arbor`")
        return self._do("place", locations, what, *label)

    def set_property(self, **named: Any) -> "Decor":
        """As arbor.decor.set_property."""
        self._cell.update({k: v for k, v in named.items() if v is not None})
        return self._do("set_property", **named)

    def set_ion(self, ion: str, **named: Any) -> "Decor":
        """As arbor.decor.set_ion. Raises Unsupported for a `method`."""
        if named.get("method") is not None:
            raise Unsupported(_METHOD.format(ion))
        self._do("set_ion", ion, **named)
        if named.get("diff") is not None:
            for tangent in self._tangent._tangents.get(ion, []):
                self._do("set_ion", tangent, diff=named["diff"])
        return self

    def written(self) -> Any:
        """The same, as an arbor.decor of its own."""
        out = A.decor()
        for what, arguments, named in self._log:
            getattr(out, what)(*arguments, **named)
        return out

    def own(self) -> set[str]:
        """Of capacitance and resistivity, what the decor sets for the whole cell."""
        return self._cell.keys() & self._painted.keys()

    def along(self, cell: Any, key: str, default: float) -> geometry.Property:
        """Capacitance (`cm`, F/m^2) or resistivity (`rL`, Ohm cm) along a cell."""
        unit = {"cm": U.F / U.m2, "rL": U.Ohm * U.cm}[key]
        own = self._cell.get(key)
        painted = [
            ((c.branch, c.prox, c.dist), value.value_as(unit))
            for region, value in self._painted[key]
            for c in cell.cables(region)
        ]
        return geometry.Property(default if own is None else own.value_as(unit), painted)


def _take_over(decor: Decor, existing: Any) -> None:
    for shown in existing.defaults():
        decor.set_property(**_property(shown, "the whole cell"))
    for region, shown in existing.paintings():
        if isinstance(shown, (A.density, A.voltage_process)):
            decor.paint(region, shown)
        else:
            decor.paint(region, **_property(shown, region))
    try:
        placements = existing.placements()
    except RuntimeError as error:
        raise Unsupported(
            "Arbor does not show what this decor places, which happens when an i_clamp is among it: place i_clamps on"
            f" the decor that Tangent.decor() returns ({error})"
        ) from error
    for locations, what, label in placements:
        decor.place(locations, what, label)


def _property(shown: Any, where: str) -> dict[str, Any]:
    """A property as keywords, from how Arbor prints it: with six digits."""
    kind, text = type(shown).__name__, str(shown)
    found = re.fullmatch(r"[A-Za-z]+=?\s*(-?[\d.]+(?:e[-+]?\d+)?)(?: scale=\(scalar 1\))?", text.strip())
    if kind not in _SHOWN or found is None:
        raise Unsupported(f"`{text}` on {where} cannot be taken over: set it on the decor that Tangent.decor() returns")
    digits = re.sub(r"e.*|\D", "", found[1]).lstrip("0")
    if len(digits) >= 6:
        raise Unsupported(
            f"`{text}` on {where} may be cut, since Arbor prints six digits: set it on the decor that Tangent.decor()"
            " returns"
        )
    keyword, unit = _SHOWN[kind]
    return {keyword: float(found[1]) * unit}


class Cell(A.cable_cell):
    """An arbor.cable_cell with carriers, and probes of its derivatives; made by Tangent.cable_cell()."""

    def __init__(self, tangent: Tangent, tree: geometry.Tree, *description: Any) -> None:
        A.cable_cell.__init__(self, *description)
        self._tangent, self._tree = tangent, tree
        self._probes: dict[str, list[tuple[str, dict[str, float]]]] = {}

    def probes(self, where: str, tag: str, states: Sequence[str] = ()) -> list[Any]:
        """The probes of the voltage at a place and of its derivatives, for the recipe.

        where    a locset of one place
        states   also these, as `hh.m`, and theirs

        The voltage between two reference points is what Arbor interpolates; its derivative is interpolated likewise.

        Raises Unsupported unless the locset has one place; Rejected for a state without derivatives.
        """
        places = self.locations(where)
        if len(places) != 1:
            raise Unsupported(f"{where} has {len(places)} places: give each probe one")
        branch, pos = places[0].branch, places[0].pos
        at, column = _place(branch, pos), self._tangent.column
        out = [A.cable_probe_membrane_voltage(at, f"{tag}/v")]
        columns = [(column("v", unit="mV"), {f"{tag}/v": 1.0})]
        weights = self._tree.voltage_weights(branch, pos)
        for slot in self._tangent.slots:
            terms = {}
            for instance, weight in weights.items():
                name = f"{tag}/{slot}/{instance}"
                inside = _place(*self._tree.inside(instance))
                out.append(A.cable_probe_ion_int_concentration(inside, f"gd_u__{slot}", name))
                terms[name] = weight
            columns.append((column("v", slot, "mV"), terms))
        for state in states:
            mechanism, _, variable = state.rpartition(".")
            painted = self._tangent.augmented(mechanism)
            tables = self._tangent._mechanisms[painted]
            unit = {s["name"]: s["unit"] for s in tables["states"]}
            for slot in (None, *self._tangent.slots):
                source = variable if slot is None else f"d_{variable}__{slot}"
                if source not in unit:
                    raise Rejected(
                        f"`{mechanism}` has no state `{variable}` with a derivative to {slot}; `graddiff inspect` lists them"
                    )
                name = f"{tag}/{state}/{slot}"
                out.append(A.cable_probe_density_state(at, painted, source, name))
                columns.append((column(f"{mechanism}_{variable}", slot, unit[variable]), {name: 1.0}))
        self._probes[tag] = columns
        return out

    def sample(self, simulation: Any, tag: str, schedule: Any, gid: int = 0) -> "Samples":
        """Has a simulation sample what `probes` asked for under a tag, on the cell with this gid.

        Raises Rejected for an unknown tag.
        """
        if tag not in self._probes:
            raise Rejected(f"no probes under the tag `{tag}`: the recipe must return cell.probes(place, '{tag}')")
        return Samples(simulation, self._probes[tag], schedule, gid)


class Samples:
    """What a simulation samples of one probe; made by Cell.sample()."""

    def __init__(self, simulation: Any, columns: list[tuple[str, dict[str, float]]], schedule: Any, gid: int) -> None:
        self._simulation, self._columns = simulation, columns
        tags = {tag for _, terms in columns for tag in terms}
        self._handles = {tag: simulation.sample((gid, tag), schedule) for tag in sorted(tags)}

    def sensitivities(self) -> dict[str, np.ndarray]:
        """The samples since the last call of clear_samplers, by name: `t_ms`, `v_mv`, and for each slot
        `dv_dSLOT_mv_per_UNIT`, all of one length.

        Raises GraddiffError if there is nothing, as on another rank or before the run.
        """
        taken = {}
        for tag, handle in self._handles.items():
            data = self._simulation.samples(handle)
            if len(data) != 1:
                raise GraddiffError(
                    f"no samples of `{tag}`: is it painted there, and did the simulation run, on this rank?"
                )
            taken[tag] = data[0][0]
        out = {"t_ms": next(iter(taken.values()))[:, 0]}
        for name, terms in self._columns:
            out[name] = sum(weight * taken[tag][:, 1] for tag, weight in terms.items())
        return out
