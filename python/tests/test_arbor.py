"""graddiff.arbor against central differences of the same Arbor, and what it refuses.

Needs GRADDIFF and Arbor 0.12.2: python -m unittest discover -s python/tests, with python/src on PYTHONPATH.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import arbor as A
import numpy as np
from arbor import units as U

import graddiff
import graddiff.arbor as gd

MECHANISMS = pathlib.Path(__file__).resolve().parents[2] / "mechanisms"
SOURCES = [MECHANISMS / f for f in ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")]
CALCIUM = [MECHANISMS / f for f in ("ca_hva/ca_hva.mod", "calcium/ca_pool.mod", "k/sk.mod", "hh/hh.mod")]
DURATION_MS, DT_MS = 14, 0.025
TOLERANCE = 1e-6
SAMPLES = A.explicit_schedule([(k + 0.5) * DT_MS * U.ms for k in range(0, round(DURATION_MS / DT_MS), 3)])
AT = [f"(location {b} {x})" for b in range(3) for x in (0, 0.01, 0.3, 0.5, 0.77, 1)]
# of these, one on the soma
SOMA = 1


def tree():
    """A soma, a tapered trunk, two branches of other widths."""
    out = A.segment_tree()
    soma = out.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(0, 0, 20, 8), tag=1)
    trunk = out.append(soma, A.mpoint(0, 0, 20, 2), A.mpoint(0, 0, 120, 1), tag=3)
    out.append(trunk, A.mpoint(0, 0, 120, 1), A.mpoint(0, 90, 160, 0.5), tag=3)
    out.append(trunk, A.mpoint(0, 0, 120, 0.8), A.mpoint(0, -50, 120, 0.3), tag=3)
    return A.morphology(out)


def spiking(decor, values):
    """Synapse, stimulus, capacitances and resistivities that differ from place to place."""
    decor.set_property(cm=0.0123456789 * U.F / U.m2, rL=90 * U.Ohm * U.cm)
    decor.paint("(tag 1)", cm=0.01 * U.F / U.m2)
    decor.paint("(cable 1 0.2 0.7)", rL=133 * U.Ohm * U.cm)
    decor.paint("(tag 1)", A.density("hh", {"gnabar": values["gnabar"]}))
    decor.paint("(all)", A.density("pas", {"g": values["g"], "e": -64}))
    decor.place("(location 1 0.4)", A.synapse("expsyn", {"tau": values["tau"]}), "target")
    decor.place("(location 0 0.05)", A.i_clamp(1 * U.ms, 10 * U.ms, 0.6 * U.nA))
    return decor


def calcium(decor, values):
    """Calcium that enters, diffuses, and opens potassium channels."""
    decor.set_ion("ca", int_con=5e-5 * U.mM, diff=1e-12 * U.m2 / U.s)
    decor.paint("(all)", A.density("hh", {}))
    decor.paint("(all)", A.density("ca_hva", {"gbar": values["gbar"]}))
    decor.paint("(all)", A.density("ca_pool", {}))
    decor.paint("(all)", A.density("sk", {}))
    decor.place("(location 0 0.05)", A.i_clamp(1 * U.ms, 10 * U.ms, 0.6 * U.nA))
    return decor


class Recipe(A.recipe):
    def __init__(self, cell, properties, probes, event):
        A.recipe.__init__(self)
        self.cell, self.properties, self.recorded, self.event = cell, properties, probes, event

    def num_cells(self):
        return 1

    def cell_kind(self, gid):
        return A.cell_kind.cable

    def cell_description(self, gid):
        return self.cell

    def global_properties(self, kind):
        return self.properties

    def probes(self, gid):
        return self.recorded

    def event_generators(self, gid):
        times = A.explicit_schedule([4.001 * U.ms])
        return [A.event_generator("target", 0.01, times)] if self.event else []


def plain(tangent, fill, values, policy, extra=()):
    """Voltages at AT, then what further probes give, of the script's own model without sensitivities."""
    properties = A.neuron_cable_properties()
    properties.catalogue = tangent.catalogue
    cell = A.cable_cell(tree(), fill(A.decor(), values), A.label_dict(), A.cv_policy(policy))
    probes = [A.cable_probe_membrane_voltage(at, f"{k}") for k, at in enumerate(AT)] + list(extra)
    simulation = A.simulation(Recipe(cell, properties, probes, fill is spiking))
    tags = [f"{k}" for k in range(len(AT))] + [f"x{k}" for k in range(len(extra))]
    handles = [simulation.sample((0, tag), SAMPLES) for tag in tags]
    simulation.run(DURATION_MS * U.ms, DT_MS * U.ms)
    return np.array([simulation.samples(h)[0][0][:, 1] for h in handles])


def augmented(tangent, cell, states=(), event=True):
    """Sensitivities at AT."""
    probes = [p for k, at in enumerate(AT) for p in cell.probes(at, f"p{k}", states if k == SOMA else ())]
    simulation = A.simulation(Recipe(cell, tangent.properties(), probes, event))
    samples = [cell.sample(simulation, f"p{k}", SAMPLES) for k in range(len(AT))]
    simulation.run(DURATION_MS * U.ms, DT_MS * U.ms)
    return [s.sensitivities() for s in samples]


def differences(run, values, name):
    """Central differences by one value, Richardson-extrapolated."""

    def central(h):
        return (run({**values, name: values[name] + h}) - run({**values, name: values[name] - h})) / (2 * h)

    h = 1e-3 * values[name]
    return (4 * central(h / 2) - central(h)) / 3


class Exact(unittest.TestCase):
    """Against central differences by Arbor."""

    VALUES = {"gnabar": 0.12, "g": 0.0003, "tau": 3}

    @classmethod
    def setUpClass(cls):
        cls.tangent = gd.Tangent(*SOURCES, wrt=["hh.gnabar", "pas.g", "tau"])

    def check(self, policy):
        tangent = self.tangent
        cell = tangent.cable_cell(tree(), spiking(tangent.decor(), self.VALUES), None, A.cv_policy(policy))
        found = augmented(tangent, cell, ["hh.m"])
        extra = [A.cable_probe_density_state(AT[SOMA], "hh", "m", "x0")]
        run = lambda values: plain(tangent, spiking, values, policy, extra)  # noqa: E731
        now = run(self.VALUES)
        np.testing.assert_array_equal(now[:-1], [s["v_mv"] for s in found])
        np.testing.assert_array_equal(now[-1], found[SOMA]["hh_m"])
        self.assertGreater(now[:-1].max(), 10, "a spike")
        columns = ["dv_dgnabar_mv_per_s_per_cm2", "dv_dg_mv_per_s_per_cm2", "dv_dtau_mv_per_ms"]
        self.assertEqual(list(found[0]), ["t_ms", "v_mv", *columns])
        gates = ["dhh_m_dgnabar_per_s_per_cm2", "dhh_m_dg_per_s_per_cm2", "dhh_m_dtau_per_ms"]
        for name, column, gate in zip(self.VALUES, columns, gates):
            expected = differences(run, self.VALUES, name)
            voltages = np.array([s[column] for s in found])
            for got, wanted in ((voltages, expected[:-1]), (found[SOMA][gate], expected[-1])):
                error = abs(got - wanted).max() / abs(wanted).max()
                self.assertLess(error, TOLERANCE, f"{column} with {policy}")

    def test_forks_on_their_own(self):
        self.check("(max-extent 20)")

    def test_forks_within_control_volumes(self):
        self.check("(max-extent 15 (all) (flag-interior-forks))")

    def test_one_control_volume(self):
        self.check("(single)")

    def test_ions_carry_sensitivities_too(self):
        tangent = gd.Tangent(*CALCIUM, wrt="ca_hva.gbar")
        values = {"gbar": 1e-3}
        policy = "(max-extent 30)"
        cell = tangent.cable_cell(tree(), calcium(tangent.decor(), values), None, A.cv_policy(policy))
        found = augmented(tangent, cell, event=False)
        run = lambda x: plain(tangent, calcium, x, policy)  # noqa: E731
        np.testing.assert_array_equal(run(values), [s["v_mv"] for s in found])
        expected = differences(run, values, "gbar")
        error = abs(np.array([s["dv_dgbar_mv_per_s_per_cm2"] for s in found]) - expected).max() / abs(expected).max()
        self.assertLess(error, TOLERANCE)

    def test_voltage_processes(self):
        def held(decor, values):
            decor.paint("(all)", A.density("hh", {}))
            decor.paint("(cable 0 0 0.1)", A.voltage_process("v_clamp", {"hold": values["hold"]}))
            return decor

        tangent = gd.Tangent(MECHANISMS / "hh/hh.mod", MECHANISMS / "clamp/v_clamp.mod", wrt="hold")
        values, policy = {"hold": -30}, "(max-extent 20)"
        cell = tangent.cable_cell(tree(), held(tangent.decor(), values), None, A.cv_policy(policy))
        found = np.array([s["dv_dhold_mv_per_mv"] for s in augmented(tangent, cell, event=False)])
        expected = differences(lambda x: plain(tangent, held, x, policy), values, "hold")
        self.assertLess(abs(found - expected).max() / abs(expected).max(), TOLERANCE)

    def test_global_properties_hold_where_the_decor_is_silent(self):
        def silent(decor, values):
            decor.paint("(all)", A.density("pas", {"g": values["g"], "e": -50}))
            return decor

        def properties():
            out = A.neuron_cable_properties()
            out.set_property(cm=0.02 * U.F / U.m2, rL=170 * U.Ohm * U.cm)
            return out

        tangent, policy = gd.Tangent(MECHANISMS / "pas/pas.mod", wrt="g"), A.cv_policy("(max-extent 30)")
        values = {"g": 0.0003}
        given = tangent.properties(properties())
        cell = tangent.cable_cell(tree(), silent(tangent.decor(), values), None, policy)
        probes = cell.probes(AT[9], "x")
        simulation = A.simulation(Recipe(cell, given, probes, False))
        samples = cell.sample(simulation, "x", SAMPLES)
        simulation.run(DURATION_MS * U.ms, DT_MS * U.ms)

        def run(values):
            own = properties()
            own.catalogue = tangent.catalogue
            cell = A.cable_cell(tree(), silent(A.decor(), values), A.label_dict(), policy)
            simulation = A.simulation(Recipe(cell, own, [A.cable_probe_membrane_voltage(AT[9], "x")], False))
            handle = simulation.sample((0, "x"), SAMPLES)
            simulation.run(DURATION_MS * U.ms, DT_MS * U.ms)
            return simulation.samples(handle)[0][0][:, 1]

        expected = differences(run, values, "g")
        error = abs(samples.sensitivities()["dv_dg_mv_per_s_per_cm2"] - expected).max() / abs(expected).max()
        self.assertLess(error, TOLERANCE)

    def test_a_seed_says_where_a_slot_acts(self):
        tangent = self.tangent
        decor = tangent.decor()
        decor.paint("(tag 1)", A.density("hh", {"gnabar": 0.12, "seed_gnabar__gnabar": 0}))
        decor.paint("(all)", A.density("pas", {}))
        cell = tangent.cable_cell(tree(), decor, None, A.cv_policy("(max-extent 50)"))
        found = augmented(tangent, cell, event=False)[0]
        self.assertEqual(abs(found["dv_dgnabar_mv_per_s_per_cm2"]).max(), 0)
        self.assertGreater(abs(found["dv_dg_mv_per_s_per_cm2"]).max(), 1)

    def test_an_existing_decor_is_taken_over(self):
        def made(decor):
            decor.set_property(cm=0.012 * U.F / U.m2, rL=90 * U.Ohm * U.cm, Vm=-66 * U.mV)
            decor.paint("(tag 1)", cm=0.01 * U.F / U.m2)
            decor.paint("(tag 1)", A.density("hh", {"gnabar": 0.1 / 3}))
            decor.paint("(all)", A.density("pas", {}))
            decor.place("(location 1 0.4)", A.synapse("expsyn", {"tau": 1 / 3}), "target")
            return decor

        tangent, policy = self.tangent, A.cv_policy("(max-extent 30)")
        found = []
        for decor in (made(tangent.decor()), tangent.decor(made(A.decor()))):
            decor.place("(location 0 0.05)", A.i_clamp(1 * U.ms, 10 * U.ms, 0.6 * U.nA))
            found.append(augmented(tangent, tangent.cable_cell(tree(), decor, None, policy)))
        for one, other in zip(*found):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name], name)


class Refused(unittest.TestCase):
    """What has no derivative, and what is missing; each with a next step."""

    @classmethod
    def setUpClass(cls):
        cls.tangent = gd.Tangent(*SOURCES, wrt=["hh.gnabar"])

    def refuses(self, pattern, what, *arguments, kind=graddiff.Unsupported, **named):
        with self.assertRaisesRegex(kind, pattern):
            what(*arguments, **named)

    def cell(self, decor, policy="(max-extent 50)", shape=None):
        policy = None if policy is None else A.cv_policy(policy)
        return self.tangent.cable_cell(tree() if shape is None else shape, decor, None, policy)

    def test_no_program(self):
        with mock.patch.dict(os.environ, {"GRADDIFF": "/nowhere/graddiff"}):
            self.refuses("GRADDIFF=/nowhere/graddiff", gd.Tangent, *SOURCES, wrt="g", kind=graddiff.Missing)
        with mock.patch.dict(os.environ, {"PATH": ""}):
            os.environ.pop("GRADDIFF")
            self.refuses("cargo install", gd.Tangent, *SOURCES, wrt="g", kind=graddiff.Missing)

    def test_unknown_parameters_and_files(self):
        rejected = graddiff.Rejected
        self.refuses("did you mean `gnabar`", gd.Tangent, *SOURCES, wrt="gnaba", kind=rejected)
        self.refuses("no parameters", gd.Tangent, *SOURCES, wrt=[], kind=rejected)
        self.refuses("no mechanisms", gd.Tangent, wrt="g", kind=rejected)
        self.refuses("nothing.mod", gd.Tangent, "nothing.mod", wrt="g", kind=graddiff.Missing)
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder, "bad.mod")
            verbatim = "BREAKPOINT { VERBATIM\nENDVERBATIM\n }\n"
            bad.write_text("NEURON { SUFFIX bad RANGE g }\nPARAMETER { g = 1 }\n" + verbatim)
            self.refuses("VERBATIM", gd.Tangent, bad, wrt="g", kind=rejected)

    def test_mechanisms_that_the_catalogue_lacks(self):
        decor = self.tangent.decor()
        self.refuses("`Ih` is not in the catalogue.*expsyn, hh, pas", decor.paint, "(all)", A.density("Ih"))
        self.refuses("`exp2syn`", decor.place, "(location 0 0)", A.synapse("exp2syn"), "s")
        self.refuses("binds an ion anew", decor.paint, "(all)", A.density("hh/na=nb"))
        self.refuses("gap junctions", decor.place, "(location 0 0)", A.junction("gj"), "j")

    def test_values_that_are_not_shown(self):
        decor = self.tangent.decor()
        scaled = A.scaled_mechanism(A.density("hh", {"gnabar": 0.1}), {"gnabar": "(scalar 2)"})
        self.refuses("constant on a region", decor.paint, "(all)", scaled)
        self.refuses("cm on .* is scaled", decor.paint, "(all)", cm=(0.01 * U.F / U.m2, "(scalar 2)"))
        self.refuses("computed by a mechanism", decor.set_ion, "ca", method=A.mechanism("nernst/x=ca"))
        properties = A.neuron_cable_properties()
        properties.set_ion("ca", method=A.mechanism("nernst/x=ca"))
        self.refuses("computed by a mechanism", self.tangent.properties, properties)

    def test_decors_that_hide_something(self):
        take = self.tangent.decor
        self.refuses("six digits", take, A.decor().set_property(cm=0.0123456789 * U.F / U.m2))
        self.refuses("six digits", take, A.decor().paint("(all)", rL=133.333 * U.Ohm * U.cm))
        clamped = A.decor().place("(location 0 0)", A.i_clamp(0 * U.ms, 1 * U.ms, 1 * U.nA))
        self.refuses("place i_clamps on", take, clamped)
        self.refuses("nai", take, A.decor().paint("(all)", ion="na", int_con=3 * U.mM))

    def test_cells(self):
        decor = self.tangent.decor()
        decor.paint("(all)", A.density("pas", {}))
        self.refuses("decor", self.cell, A.decor())
        self.refuses("cv_policy", self.cell, decor, policy=None)
        disk = A.segment_tree()
        base = disk.append(A.mnpos, A.mpoint(0, 0, 0, 8), A.mpoint(0, 0, 20, 8), tag=1)
        base = disk.append(base, A.mpoint(0, 0, 20, 8), A.mpoint(0, 0, 20, 2), tag=1)
        disk.append(base, A.mpoint(0, 0, 20, 2), A.mpoint(0, 0, 60, 2), tag=1)
        self.refuses("disk", self.cell, decor, shape=A.morphology(disk))

    def test_properties_of_another_cell(self):
        tangent = gd.Tangent(MECHANISMS / "pas/pas.mod", wrt="g")
        decor = tangent.decor()
        decor.paint("(all)", A.density("pas", {}))
        other = A.neuron_cable_properties()
        other.set_property(cm=0.02 * U.F / U.m2)
        self.refuses("cm of the global properties is 0.02, but", self.given, tangent, decor, other)
        self.refuses("cm of the global properties is 0.02, but", tangent.properties, other)

    def given(self, tangent, decor, other):
        tangent.cable_cell(tree(), decor, None, A.cv_policy("(single)"))
        tangent.cable_cell(tree(), decor, None, A.cv_policy("(single)"), other)

    def test_probes(self):
        decor = self.tangent.decor()
        decor.paint("(all)", A.density("hh", {}))
        cell = self.cell(decor)
        self.refuses("has 3 places", cell.probes, "(sum (location 0 0) (location 0 1) (location 1 1))", "x")
        self.refuses("no state `q`", cell.probes, AT[0], "x", ["hh.q"], kind=graddiff.Rejected)
        self.refuses("cell.probes", cell.sample, None, "never", SAMPLES, kind=graddiff.Rejected)
        probes = cell.probes(AT[0], "x")
        simulation = A.simulation(Recipe(cell, self.tangent.properties(), probes, False))
        samples = cell.sample(simulation, "x", SAMPLES, gid=0)
        samples._handles = {tag: simulation.sample((7, tag), SAMPLES) for tag in samples._handles}
        simulation.run(1 * U.ms, DT_MS * U.ms)
        self.refuses("no samples", samples.sensitivities, kind=graddiff.GraddiffError)

    def test_another_arbor(self):
        code = "import arbor; arbor.__version__ = '0.11.0'; import graddiff.arbor"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertIn("install arbor==0.12.2", done.stderr)


if __name__ == "__main__":
    unittest.main()
