"""graddiff.neuron against central differences of the same NEURON, and what it refuses.

Needs GRADDIFF, NEURON 9.0.2 and a C++ compiler: python -m unittest discover -s python/tests, python/src on PYTHONPATH.
NEURON forgets no mechanism, so all tests of this process share one set of clones.
"""

import os
import pathlib
import unittest
from unittest import mock

import numpy as np
from neuron import h

import graddiff
import graddiff.neuron as gd

MECHANISMS = pathlib.Path(__file__).resolve().parents[2] / "mechanisms"
SOURCES = [MECHANISMS / f for f in ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")]
DURATION_MS, EVERY_MS = 12, 0.04
STEPS_MS = (0.02, 0.01, 0.005)
COLUMNS = {
    "gnabar": "dv_dgnabar_mv_per_s_per_cm2",
    "g": "dv_dg_mv_per_s_per_cm2",
    "tau": "dv_dtau_mv_per_ms",
}
VALUES = {"gnabar": 0.12, "g": 0.0003, "tau": 3}


def setUpModule():
    global tangent
    h.load_file("stdrun.hoc")
    h.usetable_hh = 0
    h.celsius = 18
    tangent = gd.Tangent(*SOURCES, wrt=["hh.gnabar", "pas.g", "tau"])


class Model:
    """A user's model: NEURON's own hh and pas, a synapse of the user's; points and plain diameters; branched."""

    def __init__(self):
        self.soma, self.trunk, self.left, self.right = (h.Section(name=n) for n in ("soma", "trunk", "left", "right"))
        shape = ((self.soma, 20, 16, 1), (self.left, 90, 1.6, 3), (self.right, 110, 1.0, 5))
        for section, length, diameter, segments in shape:
            section.L, section.diam, section.nseg = length, diameter, segments
        for z, diameter in ((0, 4), (40, 2.5), (100, 1.5)):
            self.trunk.pt3dadd(0, 0, z, diameter)
        self.trunk.nseg = 3
        self.trunk.connect(self.soma(1))
        self.left.connect(self.trunk(1))
        self.right.connect(self.trunk(0.5))
        self.sections = list(self.soma.wholetree())
        for k, section in enumerate(self.sections):
            section.Ra, section.cm = 90 + 5 * k, 1 + 0.1 * k
            section.insert("pas")
        self.soma.insert("hh")
        self.synapse = h.expsyn(self.left(0.5))
        self.source = h.NetStim()
        self.source.start, self.source.number = 4.001, 1
        self.wire = h.NetCon(self.source, self.synapse)
        self.wire.weight[0], self.wire.delay = 0.005, 0
        self.clamp = h.IClamp(self.soma(0.5))
        self.clamp.delay, self.clamp.dur, self.clamp.amp = 1, 10, 0.6
        self.places = [self.soma(0.5), self.trunk(0.2), self.left(0.9), self.right(0.5)]
        self.voltages = [h.Vector().record(place._ref_v, EVERY_MS) for place in self.places]
        self.set(VALUES)

    def set(self, values):
        self.soma(0.5).hh.gnabar = values["gnabar"]
        for section in self.sections:
            for segment in section:
                segment.pas.g, segment.pas.e = values["g"], -64
        self.synapse.tau = values["tau"]

    def run(self, dt, values=VALUES):
        self.set(values)
        h.dt, h.steps_per_ms, h.tstop = dt, round(1 / dt), DURATION_MS
        h.run()
        return np.array([np.array(v) for v in self.voltages])


def differences(model, dt, name):
    step = 1e-4 * VALUES[name]
    above, below = (model.run(dt, {**VALUES, name: VALUES[name] + s}) for s in (step, -step))
    return (above - below) / (2 * step)


class Clones(unittest.TestCase):
    """Against central differences by NEURON."""

    def test_second_order_with_the_step(self):
        model = Model()
        plain = {dt: model.run(dt) for dt in STEPS_MS}
        expected = {(dt, name): differences(model, dt, name) for dt in STEPS_MS for name in VALUES}
        clones = tangent.clone(model.soma.wholetree())
        recordings = [clones.record(place, EVERY_MS) for place in model.places]
        errors = {name: [] for name in VALUES}
        for dt in STEPS_MS:
            np.testing.assert_array_equal(model.run(dt), plain[dt], "clones leave the original's bits")
            found = [recording.sensitivities() for recording in recordings]
            self.assertEqual(list(found[0]), ["t_ms", "v_mv", *COLUMNS.values()])
            np.testing.assert_array_equal([f["v_mv"] for f in found], plain[dt])
            for name, column in COLUMNS.items():
                wanted = expected[dt, name]
                errors[name].append(abs(np.array([f[column] for f in found]) - wanted).max() / abs(wanted).max())
        self.assertGreater(plain[STEPS_MS[-1]].max(), 0, "a spike")
        for name, (first, second, third) in errors.items():
            self.assertLess(third, 0.01, name)
            for ratio in (second / first, third / second):
                self.assertTrue(0.2 < ratio < 0.32, f"{name}: errors {first:.1e}, {second:.1e}, {third:.1e}")

    def test_runs_see_what_the_script_has_changed(self):
        model = Model()
        clones = tangent.clone(model.sections)
        recording = clones.record(model.left(0.5))
        seen = []
        for tau, weight in ((3, 0.005), (2, 0.005), (3, 0.002), (3, 0.005)):
            model.wire.weight[0] = weight
            model.run(0.02, {**VALUES, "tau": tau})
            seen.append(recording.sensitivities()["dv_dtau_mv_per_ms"])
        np.testing.assert_array_equal(seen[0], seen[3])
        for other in seen[1:3]:
            self.assertGreater(abs(other - seen[0]).max(), 0.1)

    def test_a_slot_may_act_in_some_sections(self):
        model = Model()
        expected = {}
        for at in (0.0003 * (1 + s) for s in (1e-4, -1e-4)):
            model.set(VALUES)
            h.dt, h.steps_per_ms, h.tstop = 0.005, 200, DURATION_MS
            for segment in model.right:
                segment.pas.g = at
            h.run()
            expected[at] = np.array(model.voltages[0])
        (above, high), (below, low) = expected.items()
        wanted = (high - low) / (above - below)
        clones = tangent.clone(model.sections, where={"g": [model.right]})
        recording = clones.record(model.soma(0.5), EVERY_MS)
        model.run(0.005)
        found = recording.sensitivities()["dv_dg_mv_per_s_per_cm2"]
        self.assertLess(abs(found - wanted).max() / abs(wanted).max(), 0.01)

    def test_events_of_the_script_reach_the_twins(self):
        model = Model()
        own = h.NetCon(None, model.synapse)
        own.weight[0] = 0.005
        clones = tangent.clone(model.sections)
        self.assertEqual(len(clones.twins(own)), len(tangent.slots))
        recording = clones.record(model.left(0.5))
        model.source.number = 0

        def events():
            for wire in [own, *clones.twins(own)]:
                wire.event(4.001)

        handler = h.FInitializeHandler(events)
        model.run(0.02)
        by_event = recording.sensitivities()["dv_dtau_mv_per_ms"]
        del handler
        model.source.number = 1
        model.run(0.02)
        np.testing.assert_allclose(by_event, recording.sensitivities()["dv_dtau_mv_per_ms"], rtol=1e-9, atol=1e-9)

    def test_clones_end_with_their_object(self):
        model = Model()
        before = len(list(h.allsec()))
        clones = tangent.clone(model.sections)
        recording = clones.record(model.soma(0.5))
        del clones
        self.assertEqual(len(list(h.allsec())), before + 12, "a recording keeps them")
        del recording
        self.assertEqual(len(list(h.allsec())), before)
        h.finitialize(-65)


class Refused(unittest.TestCase):
    """What has no derivative, and what is missing; each with a next step."""

    def refuses(self, pattern, what, *arguments, kind=graddiff.Unsupported, **named):
        with self.assertRaisesRegex(kind, pattern):
            what(*arguments, **named)

    def test_no_program(self):
        with mock.patch.dict(os.environ, {"GRADDIFF": "/nowhere/graddiff"}):
            self.refuses("GRADDIFF=/nowhere", gd.Tangent, *SOURCES, wrt="g", kind=graddiff.Missing)
        with mock.patch.object(gd.shutil, "which", lambda name: None), mock.patch.object(gd.sys, "executable", "/x/y"):
            self.refuses("no nrnivmodl", gd._compile, pathlib.Path("."), kind=graddiff.Missing)

    def test_parameters_and_mechanisms_that_graddiff_rejects(self):
        rejected = graddiff.Rejected
        self.refuses("did you mean `gnabar`", gd.Tangent, *SOURCES, wrt="gnaba", kind=rejected)
        pool = MECHANISMS / "calcium/ca_pool.mod"
        self.refuses("ca_pool.mod:\\d+: .*clone", gd.Tangent, pool, wrt="tau", kind=rejected)
        self.refuses("one Tangent", gd.Tangent, *SOURCES, wrt="gnabar")

    def test_mechanisms_of_no_file(self):
        model = Model()
        other = h.ExpSyn(model.left(0.5))
        self.refuses("`ExpSyn` at left", tangent.clone, model.sections)
        del other
        model.left.insert("fastpas")
        self.refuses("`fastpas` at left", tangent.clone, model.sections)

    def test_trees_that_are_cut(self):
        model = Model()
        self.refuses("wholetree", tangent.clone, [model.soma])
        self.refuses("wholetree", tangent.clone, [model.left])
        self.refuses("no slot tau2", tangent.clone, model.sections, where={"tau2": []}, kind=graddiff.Rejected)
        clones = tangent.clone(model.sections)
        stranger = h.Section(name="stranger")
        self.refuses("not part", clones.record, stranger(0.5))

    def test_models_that_have_changed_since(self):
        model = Model()
        clones = tangent.clone(model.sections)
        model.left.cm, model.left.Ra = 2, 200
        model.left(0.1).cm = 3
        h.finitialize(-65)
        for slot in tangent.slots:
            twin = clones.sections[slot][model.left]
            self.assertEqual((twin.Ra, twin(0.1).cm, twin(0.5).cm), (200, 3, 2))
        late = h.NetCon(model.source, model.synapse)
        self.assertRaises(RuntimeError, h.finitialize, -65)
        self.refuses("left has other .*NetCons", clones._start)
        del late
        model.right.insert("hh")
        self.refuses("right has other", clones._start)
        model.right.uninsert("hh")
        clones._start()
        model.right.L = 300
        self.refuses("clone's area at right", clones._start)

    def test_extracellular(self):
        model = Model()
        model.left.insert("extracellular")
        self.refuses("`extracellular` at left", tangent.clone, model.sections)

    def test_diameters_changed_by_hand(self):
        model = Model()
        model.trunk(0.5).area()
        for segment in model.trunk:
            segment.diam = 7
        try:
            clones = tangent.clone(model.sections)
        except graddiff.Unsupported as error:
            self.assertRegex(str(error), "diameters set after pt3dadd")
        else:
            # NEURON has put them into the points
            self.assertAlmostEqual(clones.sections["g"][model.trunk](0.5).diam, 7)

    def test_integrators_without_clones(self):
        model = Model()
        clones = tangent.clone(model.sections)
        h.secondorder = 2
        self.refuses("secondorder", tangent.clone, model.sections)
        # within finitialize NEURON prints the reason and raises an error of its own
        self.assertRaises(RuntimeError, h.finitialize, -65)
        h.secondorder = 0
        h.usetable_hh = 1
        self.refuses("usetable_hh", tangent.clone, model.sections)
        h.usetable_hh = 0
        context = h.ParallelContext()
        context.nthread(2)
        self.refuses("threads", tangent.clone, model.sections)
        context.nthread(1)
        with self.assertRaisesRegex(RuntimeError, "CVODE"):
            h.CVode().active(1)
        self.refuses("fixed steps", tangent.clone, model.sections)
        h.CVode().active(0)
        h.finitialize(-65)
        del clones


if __name__ == "__main__":
    unittest.main()
