"""Arithmetic of verdicts.py, agree.py and report.py on rows made up here: python -m unittest test_report."""

import json
import math
import unittest
from dataclasses import asdict
from types import SimpleNamespace

import bench
import report
import verdicts
from agree import Trace, agreement
from report import Record, Row
from verdicts import Verdict, acceptance, find, fit, fitted, growth


def row(work, tool, seconds, slots=0, cvs=1000, threads=1, peak=None):
    # 1000 steps
    return Row(work, cvs, 1, slots, threads, tool, "1", seconds, 1e9 * seconds / (1000 * cvs), peak)


CABLE = "cable 1000 P=12"
ROWS = [
    row(CABLE, "graddiff plain", 0.02),
    row(CABLE, "graddiff", 0.05, 12),
    row(CABLE, "arbor", 0.05),
    row(CABLE, "arbor, native", 0.04),
    row(CABLE, "neuron", 0.05),
    row(CABLE, "jaxley", 0.6, 12),
    row(CABLE, "arbor central differences", 0.96, 12),
    row("olive", "graddiff", 0.03, 12, 94),
    row("olive", "arbor, our catalogue", 0.001, 0, 94),
    row("olive", "arbor", 0.03, 0, 94),
    row("homeostasis 1000", "graddiff", 0.01, 3, 1000, 2),
    row("homeostasis 1000", "arbor, by hand", 0.3, 3, 1000, 2),
    row("homeostasis 1000", "arbor, by hand, two groups", 0.14, 3, 1000, 2),
    row("homeostasis 1000", "arbor, our catalogue", 0.01, 3, 1000, 2),
    row("hosts cables-100-50", "graddiff plain", 0.19),
    row("hosts cables-100-50", "graddiff plain", 0.1, threads=2),
    row("build hh", "graddiff", 1.5, 12, 0 + 1),
    row("build na", "graddiff", 2.5, 12, 0 + 1),
    row("build na", "arbor-build-catalogue", 9, 0, 0 + 1),
]
MEMORY = {
    "small": {
        "plain": {"state_bytes_per_cv": 1},
        "with_sensitivities": {"state_bytes_per_cv": 90},
        "state_bound_bytes_per_cv": 100,
    },
    "large": {
        "plain": {"state_bytes_per_cv": 1},
        "with_sensitivities": {"state_bytes_per_cv": 150},
        "state_bound_bytes_per_cv": 100,
    },
    "plain": {"plain": {"state_bytes_per_cv": 1}, "with_sensitivities": None, "state_bound_bytes_per_cv": 100},
}


class Acceptance(unittest.TestCase):
    def test_ratios_of_the_faster_peer(self):
        found = {v.what: v for v in acceptance(ROWS, MEMORY)}
        expected = {
            "1 hh cable, plain: Arbor / graddiff": (2.0, True),
            "1 hh cable, plain: NEURON / graddiff": (2.5, False),
            "1 P=12: graddiff / its plain": (2.5, False),
            "1 P=12: Jaxley's value_and_grad / graddiff": (12.0, True),
            "1 P=100: Jaxley's value_and_grad / graddiff": (None, False),
            "1 P=12: central differences in Arbor / graddiff": (19.2, False),
            "2 olive, P=12: graddiff / Arbor plain": (1.0, True),
            "2 olive, P=12: graddiff / its plain": (None, False),
            "3 homeostasis, 1 cells: Arbor / graddiff": (None, False),
            "3 homeostasis, 1000 cells: Arbor / graddiff": (14.0, False),
            "5 100 cells: one thread / two": (1.9, True),
            "5 bytes per CV with sensitivities / bound, worst work": (1.5, False),
            "5 build of one mechanism with 12 slots, slowest, s": (2.5, False),
            "6 cost against CVs: greatest distance of the exponent from 1": (None, False),
        }
        for what, (figure, met) in expected.items():
            self.assertEqual(found[what].met, met, what)
            self.assertEqual(found[what].figure is None, figure is None, what)
            if figure is not None:
                self.assertAlmostEqual(found[what].figure, figure, msg=what)
        # all lines of the issue, also of what was not run
        self.assertEqual([v.what[0] for v in acceptance([], {})], list("111111223344555" + "66"))
        self.assertFalse(any(v.met for v in acceptance([], {})))

    def test_verdicts(self):
        cases = [(1.0, ">=", 1, "met"), (0.99, ">=", 1, "NOT MET"), (1.0, "<=", 1, "met"), (1.01, "<=", 1, "NOT MET")]
        cases += [(None, "<=", 1, "not measured"), (math.nan, "<=", 1, "NOT MET"), (math.inf, ">=", 1, "NOT MET")]
        for figure, rule, limit, word in cases:
            self.assertEqual(Verdict("", figure, rule, limit).word, word, (figure, rule))

    def test_the_fastest_row_is_found(self):
        self.assertEqual(find(ROWS, CABLE, *verdicts.ARBORS).tool, "arbor, native")
        self.assertEqual(find(ROWS, "hosts cables-100-50", "graddiff plain", threads=2).seconds, 0.1)
        self.assertIsNone(find(ROWS, CABLE, "arbor", slots=12))


class Medians(unittest.TestCase):
    def test_of_a_peer(self):
        peer = SimpleNamespace(
            name="p", version="1", steps=100, spec={"threads": 2}, seconds=[3.0, 1.0, 8.0], end=lambda: 7
        )
        self.assertEqual(list(bench.Peer.rows(peer, "w", 10, 5, 4)), [Row("w", 10, 5, 4, 2, "p", "1", 3.0, 3e6, 7)])

    def test_of_ours_without_the_first_run(self):
        def cost(*seconds):
            return {"seconds_of_runs": list(seconds)}

        said = {
            "loss": 1.0,
            "gradient": [2.0],
            "slots": 3,
            "steps": 100,
            "cvs": 10,
            "version": "1",
            "peak_rss_bytes": 7,
        }
        said |= {"plain": cost(99, 3, 1, 2), "with_sensitivities": cost(99, 6, 4, 8)}
        process = SimpleNamespace(communicate=lambda line: (json.dumps(said), ""))
        whole = SimpleNamespace(memory={})
        ours = SimpleNamespace(process=process, bench=whole, foreign=False, name="graddiff", threads=1)
        plain = Row("w", 10, 1, 0, 1, "graddiff plain", "1", 2, 2e6, 7)
        full = Row("w", 10, 1, 3, 1, "graddiff", "1", 6, 6e6, 7)
        self.assertEqual(list(bench.Ours.rows(ours, "w", 10, 1, 3)), [plain, full])
        self.assertEqual(whole.memory, {"w": said})


class Fits(unittest.TestCase):
    def test_a_line_is_found_again(self):
        found = fit("", [(x, 5 + 2 * x) for x in (100, 0, 12, 3)])
        self.assertAlmostEqual(found.offset, 5)
        self.assertAlmostEqual(found.slope, 2)
        self.assertAlmostEqual(found.deviation, 0)

    def test_deviations_are_relative(self):
        self.assertGreater(fit("", [(0, 1), (1, 2), (2, 5)]).deviation, 0.2)

    def test_powers(self):
        self.assertAlmostEqual(fit("", [(x, 3 * x**1.5) for x in (100, 1000, 10000)], power=True).exponent, 1.5)

    def test_costs_of_cables(self):
        def cable(cvs, slots, ns):
            tool = "graddiff" if slots else "graddiff plain"
            return row(f"cable {cvs} P={slots}", tool, 1e-6 * ns * cvs, slots, cvs)

        rows = [cable(cvs, slots, 20 + 3 * slots) for cvs in (100, 1000, 10000) for slots in (0, 12, 100)]
        rows.append(row("cable 100 P=12", "graddiff plain", 99, 0, 100))  # that of P=0 counts
        fits = {f.what: f for f in fitted(rows)}
        self.assertEqual(len(fits), 6)
        for cvs in (100, 1000, 10000):
            against = fits[f"CV-step against slots, {cvs} CVs"]
            self.assertAlmostEqual(against.slope, 3)
            self.assertAlmostEqual(against.offset, 20)
            self.assertIsNone(against.exponent)
        self.assertAlmostEqual(fits["step against CVs, P=12"].exponent, 1)
        self.assertAlmostEqual(fits["step against CVs, P=12"].slope, 56)
        bent = [v for v in acceptance(rows + [cable(100, 12, 500)], {}) if v.what.startswith("6")]
        self.assertFalse(any(v.met for v in bent))
        self.assertTrue(all(v.met for v in acceptance(rows, {}) if v.what.startswith("6")))

    def test_growth_of_memory(self):
        rows = [row(f"cable {n} P=0", "neuron", 1, cvs=n, peak=5000 + 7 * n) for n in (100, 1000, 10000)]
        self.assertEqual(growth(rows), [("neuron", 0, 7.0)])


class Agreement(unittest.TestCase):
    T = [0.1 * k for k in range(100)]

    def wave(self, late=0.0, more=0.0):
        return Trace(self.T, [more + 50 * math.sin(2 * (t - 0.3 - late)) for t in self.T])

    def test_arbor_may_differ_by_rounding_only(self):
        same = agreement("w", "arbor", self.wave(), self.wave(more=1e-9))
        self.assertTrue(same.passed)
        self.assertEqual(same.spikes, 4)
        self.assertFalse(agreement("w", "arbor, native", self.wave(), self.wave(more=1e-3)).passed)

    def test_other_schemes_may_be_late(self):
        late = agreement("w", "neuron", self.wave(), self.wave(late=0.1))
        self.assertAlmostEqual(late.late_ms, 0.1, places=2)
        self.assertTrue(late.passed)
        self.assertFalse(agreement("w", "neuron", self.wave(), self.wave(late=0.4)).passed)
        # another model: it does not fire
        self.assertFalse(agreement("w", "jaxley", self.wave(), Trace(self.T, [-65.0] * 100)).passed)

    def test_gradients_must_point_one_way(self):
        own, theirs = self.wave(), self.wave()
        own.gradient, theirs.gradient = [1.0, 2.0], [1.01, 2.0]
        self.assertTrue(agreement("w", "jaxley", own, theirs).passed)
        theirs.gradient = [2.0, 1.0]
        self.assertFalse(agreement("w", "jaxley", own, theirs).passed)

    def test_losses(self):
        own = self.wave()
        self.assertTrue(agreement("w", "graddiff", own, loss=own.loss).passed)
        self.assertFalse(agreement("w", "graddiff", own, loss=own.loss * (1 + 1e-6)).passed)

    def test_other_times_are_no_comparison(self):
        other = Trace([0.05 + t for t in self.T], [0.0] * 100)
        with self.assertRaises(SystemExit):
            agreement("w", "neuron", self.wave(), other)


class Pages(unittest.TestCase):
    def record(self):
        agreements = [agreement("w", "arbor", Trace([0.0, 1.0], [-1.0, 1.0]), Trace([0.0, 1.0], [-1.0, 1.0]))]
        return Record(
            "2026-01-02", "a machine", "", True, "c0ffee", "Noisy.", {"measuring": 3.0}, ROWS, MEMORY, agreements
        )

    def test_records_are_read_as_written(self):
        record = self.record()
        self.assertEqual(asdict(Record.read(record.text())), asdict(record))
        self.assertEqual(len(json.loads(record.text())["rows"]), len(ROWS))

    def test_the_page_says_what_falls_short(self):
        page = report.page(self.record(), "plot.svg")
        self.assertIn("| 1 hh cable, plain: NEURON / graddiff | 2.50 | ≥ 3 | NOT MET |", page)
        self.assertIn("- 1 hh cable, plain: NEURON / graddiff: is 2.50, wanted at least 3.", page)
        self.assertIn("| hh cable, 1000 CVs, 12 slots | 50.0 | 960.0 |  | 600.0 |", page)
        self.assertIn("| cable 1000 P=12 | 1000 | 12 | 1 | graddiff | 0.05 | 50.0 | 1.00 |  |", page)
        self.assertIn("| cable 1000 P=12 | 1000 | 0 | 1 | arbor | 0.05 | 50.0 | 2.50 |  |", page)
        self.assertIn("\nNoisy.\n", page)
        self.assertIn("](plot.svg)", page)
        self.assertIn(
            "; arbor 1, arbor-build-catalogue of Arbor 1, graddiff 1, jaxley 1, neuron 1; graddiff at commit c0ffee.",
            page,
        )
        self.assertNotIn("{{", page)

    def test_the_block_of_a_readme(self):
        record, old = self.record(), f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
        new = report.readme(old, record)
        self.assertEqual(new, f"before\n{report.BEGIN}\n{report.headline(record)}\n{report.END}\nafter\n")
        self.assertEqual(report.readme(new, record), new)
        for broken in ("", report.END + report.BEGIN, report.BEGIN, old + old):
            with self.assertRaises(SystemExit):
                report.readme(broken, record)


if __name__ == "__main__":
    unittest.main()
