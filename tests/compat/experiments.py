"""An experiment for a mechanism of which little is known: a soma and a dendrite on which it acts.

The cell is passive and driven by steps of current both ways, so that the voltage moves through some 80 mV. What the
mechanism needs besides comes from our own library: calcium that flows in and gathers, a channel that calcium opens,
spikes for what listens to them, events for what receives them, a second cell for gap junctions.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sources import Mod

SOMA, TIP = {"branch": 0, "pos": 0.05}, {"branch": 0, "pos": 0.9}
DENDRITE = {"tag": 3}
# Conductances and permeabilities of single papers are often those of a place where they hardly matter.
LEAST = {"S/cm2": 1e-3, "mho/cm2": 1e-3, "cm/s": 1e-4}


@dataclass
class Setting:
    """What a mechanism needs that cannot be guessed from its declarations."""

    reason: str
    values: dict[str, float] = field(default_factory=dict)
    # parameters that are no slots
    left_out: tuple[str, ...] = ()
    weight: float = 0.01
    # factor on the stimulus
    drive: float = 1.0
    dt_ms: float = 0.025
    duration_ms: float = 30.0


SETTINGS = {
    "IClamp": Setting(
        "no defaults; the times at which a step begins and ends act by jumps only",
        {"del": 3, "dur": 17, "amp": 0.1},
        left_out=("del", "dur"),
    ),
    "SEClamp": Setting(
        "as IClamp",
        {"dur1": 8, "amp1": -30, "dur2": 8, "amp2": -80, "dur3": 8, "amp3": -50, "rs": 5},
        left_out=("dur1", "dur2", "dur3"),
    ),
    "v_limit": Setting("limits that the voltage reaches", {"v_low": -75, "v_high": -50}),
    "ou_input": Setting("currents that the cell bears", {"mu": 0.05, "sigma": 0.05, "tau": 3}),
    "calcium_based_synapse": Setting(
        "plasticity within the duration, not within minutes; thresholds act by jumps only, and calcium stays off them",
        {"tau": 150, "C_pre": 0.8},
        left_out=("theta_p", "theta_d"),
    ),
    "capmpr": Setting("a reservoir that fills, and a pump so slow that its density matters", {"tau": 50, "pumpdens": 1e-15}),
    "trel": Setting("tauGen = 0 stands for 1e9/ms, which differences do not survive", {"tauGen": 0.5}),
    "hh_homeo": Setting("its rest is at 0 mV, and its m unstable at longer steps", dt_ms=0.005, duration_ms=12.0, drive=2.0),
}
USUAL = Setting("")


class Maker:
    """Makes the experiments of one mechanism."""

    def __init__(self, mod: Mod, described: dict, helpers: Path):
        """`described` is what `graddiff inspect` says of the mechanism; helpers are written into a folder."""
        self.mod = mod
        self.name = described["name"]
        self.kind = described["kind"]
        self.setting = SETTINGS.get(self.name, USUAL)
        self.ranged = {p["name"]: p for p in described["parameters"]}
        self.globals = {p["name"]: p for p in described["globals"]}
        self.states = [s["name"] for s in described["states"]]
        self.helpers = helpers
        self.files = [str(mod.path.resolve())]

    def candidates(self) -> list[str]:
        """Parameters that can be slots: those with a value, per instance before global, as declared."""
        declared = [p for p in [*self.ranged, *self.globals] if p not in self.setting.left_out]
        names = [p for p in declared if self.value(p) is not None]
        # `weight` is what graddiff calls the factor on the weights of events, unless the file has one of its own
        if self.kind == "point" and self.mod.acts_by_events and "weight" not in names:
            names.insert(0, "weight")
        return names

    def value(self, parameter: str) -> float | None:
        """What a parameter is set to; None if it has no default and nothing is known."""
        if parameter in self.setting.values:
            return self.setting.values[parameter]
        info = self.ranged.get(parameter) or self.globals.get(parameter)
        if info is None or info["default"] is None:
            return None
        least = LEAST.get(info["unit"], 1e-3 if re.fullmatch(r"g\w*bar", parameter) else 0.0)
        return max(info["default"], least) if self.is_strength(parameter) else info["default"]

    def is_strength(self, parameter: str) -> bool:
        """Whether it says how much of the mechanism there is."""
        info = self.ranged.get(parameter)
        strong = info is not None and (info["unit"] in LEAST or re.fullmatch(r"g\w*bar", parameter) is not None)
        return strong and self.kind == "density"

    def parameters(self, strength: float = 1.0) -> dict[str, float]:
        """Parameters that are not at their defaults."""
        out = {}
        for name, info in {**self.ranged, **self.globals}.items():
            value = self.value(name)
            if value is not None and self.is_strength(name):
                value *= strength
            if value is not None and value != info["default"]:
                out[name] = value
        return out

    def helper(self, file: str) -> str:
        """A mechanism of our library under a name that no other file has."""
        library = Path(__file__).resolve().parents[2] / "mechanisms"
        text = (library / file).read_text(encoding="utf-8")
        name = f"help_{Path(file).stem}"
        text = re.sub(r"^(\s*(?:SUFFIX|POINT_PROCESS)\s+)\w+", rf"\g<1>{name}", text, count=1, flags=re.M)
        path = self.helpers / f"{name}.mod"
        path.write_text(text, encoding="utf-8")
        self.files.append(str(path))
        return name

    def experiment(self, slots: list[str]) -> dict:
        """The experiment with these parameters as slots."""
        self.files = self.files[:1]
        cell = self.cell()
        probes = [{"name": "soma", "at": SOMA}, {"name": "tip", "at": TIP}]
        mod, name = self.mod, self.name
        point = self.kind == "point"
        for ion in mod.ions:
            if ion not in {"na", "k", "ca"} and self.kind != "reversal_potential":
                new = {"valence": mod.ions[ion] or 1, "internal_mm": 1.0, "external_mm": 2.0, "reversal_mv": -20.0}
                cell["ions"][ion] = new
        for ion in mod.diffusive:
            cell["ions"].setdefault(ion, {})["diffusivity_m2_per_s"] = 1e-10
            probes += [{"name": f"{ion}d_{n}", "at": at, "variable": f"{ion}d"} for n, at in ends()]
        for concentration in mod.written:
            probes += [{"name": f"{concentration}_{n}", "at": at, "variable": concentration} for n, at in ends()]
        self.calcium(cell)
        experiment = {"name": "compat", "mechanisms": self.files, "cells": [cell], "probes": probes}
        if self.kind == "density":
            # a diffusing quantity that decays everywhere alike would not diffuse
            regions = [({"tag": 1}, 1.0)] if mod.diffusive else [({"tag": 1}, 1.0), (DENDRITE, 1.5)]
            for region, strength in regions:
                cell["paint"].append({"mechanism": name, "region": region, "parameters": self.parameters(strength)})
        elif self.kind == "voltage":
            cell["paint"].append({"mechanism": name, "region": DENDRITE, "parameters": self.parameters()})
        elif self.kind == "reversal_potential":
            self.reversal(cell, probes)
        elif self.kind == "gap_junction":
            self.junction(experiment, cell)
        elif point:
            self.synapses(cell)
        if "POST_EVENT" in mod.words:
            cell["paint"].append({"mechanism": self.helper("hh/hh.mod")})
            cell["detectors"] = [{"at": SOMA, "threshold_mv": -20}]
        for state in self.states[:8] if self.kind in {"density", "point"} else []:
            # a concentration is already recorded as the ion's
            if state not in mod.written:
                at = {"synapse": "near"} if point else {"at": SOMA}
                probes.append({"name": f"state_{state}", **at, "variable": f"{name}.{state}"})
        experiment["slots"] = [self.slot(s) for s in slots]
        setting = self.setting
        experiment["simulation"] = {
            "duration_ms": setting.duration_ms,
            "dt_ms": setting.dt_ms,
            "sample_every_ms": 10 * setting.dt_ms,
            "seed": 7,
        }
        return experiment

    def slot(self, parameter: str) -> dict:
        target = {"mechanism": self.name, "parameter": parameter}
        # painted with two values: the slot is the factor on both
        relative = self.is_strength(parameter) and not self.mod.diffusive
        return {"name": parameter, "targets": [target], "scale": "relative" if relative else "absolute"}

    def cell(self) -> dict:
        """A soma, 20 by 12 µm, and a dendrite that tapers over 150 µm, eight control volumes, leaky and driven."""
        segments = [
            {"prox": [0, 0, 0, 6], "dist": [0, 0, 20, 6], "tag": 1},
            {"parent": 0, "prox": [0, 0, 20, 1.5], "dist": [0, 0, 170, 0.8], "tag": 3},
        ]
        drive = self.setting.drive
        pulses = [
            {"start_ms": 1, "duration_ms": 14, "amplitude_na": 0.25 * drive},
            {"start_ms": 17, "duration_ms": 9, "amplitude_na": -0.15 * drive},
        ]
        return {
            "name": "cell",
            "morphology": {"segments": segments},
            "cv_policy": {"fixed_per_branch": {"n": 8}},
            "properties": {"rl_ohm_cm": 120, "temperature_degc": 18},
            "ions": {},
            "paint": [{"mechanism": self.helper("pas/pas.mod"), "parameters": {"g": 3e-4, "e": -65}}],
            "stimuli": [{"at": SOMA, "pulses": pulses}],
        }

    def calcium(self, cell: dict) -> None:
        """Calcium that flows and gathers for what reads it, and a channel that it opens for what writes it."""
        mod = self.mod
        reads = {"cai", "cao", "ica"} & mod.reads
        if not (reads or "cai" in mod.writes or self.kind == "reversal_potential"):
            return
        cell["paint"].append({"mechanism": self.helper("ca_hva/ca_hva.mod"), "parameters": {"gbar": 1e-3}})
        if "cai" not in mod.writes:
            cell["paint"].append({"mechanism": self.helper("calcium/ca_pool.mod")})
        else:
            cell["paint"].append({"mechanism": self.helper("k/sk.mod"), "parameters": {"gbar": 1e-3}})

    def reversal(self, cell: dict, probes: list) -> None:
        """Makes it the method of its ion, or of calcium if it leaves open which."""
        ion = next(iter(self.mod.ions))
        known = ion in {"na", "k", "ca"}
        method = {"mechanism": self.name if known else f"{self.name}/{ion}=ca", "parameters": self.parameters()}
        cell["ions"][ion if known else "ca"] = {"reversal_method": method}
        probes.append({"name": "reversal", "at": SOMA, "variable": f"e{ion if known else 'ca'}"})

    def junction(self, experiment: dict, cell: dict) -> None:
        """Joins the cell's dendrite to the soma of a second cell that nothing else drives."""
        place = {"label": "gap", "mechanism": self.name, "parameters": self.parameters()}
        other = {k: v for k, v in cell.items() if k != "stimuli"} | {"name": "other"}
        cell["junctions"] = [place | {"at": TIP}]
        other["junctions"] = [place | {"at": SOMA}]
        experiment["cells"].append(other)
        sides = [{"cell": c, "junction": "gap"} for c in ("cell", "other")]
        experiment["gap_junctions"] = [{"a": sides[0], "b": sides[1], "weight": 0.01}]
        experiment["probes"].append({"name": "other", "cell": "other", "at": TIP})

    def synapses(self, cell: dict) -> None:
        """Two places, one of which hears of three events, the other of a regular train."""
        place = {"mechanism": self.name, "parameters": self.parameters()}
        cell["synapses"] = [
            place | {"label": "near", "at": {"branch": 0, "pos": 0.3}},
            place | {"label": "far", "at": {"branch": 0, "pos": 0.8}},
        ]
        if self.mod.acts_by_events:
            weight = self.setting.weight
            cell["generators"] = [
                {"target": "near", "weight": weight, "times_ms": [2.3, 9.1, 10.4, 21.7]},
                {"target": "far", "weight": 1.7 * weight, "regular": {"start_ms": 1, "interval_ms": 6}},
            ]


def ends() -> list[tuple[str, dict]]:
    """Both ends of the cell, with names."""
    return [("soma", SOMA), ("tip", TIP)]
