"""The works as graddiff experiments: dictionaries in the format of adapter/schema/experiment.schema.json."""

import math
import random
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MECHANISMS = ROOT / "mechanisms"

HH_PARAMETERS = ["gnabar", "gkbar", "gl", "el"]
# The cable: the same numbers in every tool.
CABLE = {
    "cv_um": 10,
    "diameter_um": 4,
    "rl_ohm_cm": 100,
    "cm_f_per_m2": 0.01,
    "start_ms": 1,
    "amplitude_na": 1,
    "el_mv": -54.387,
}
DT_MS = 0.025


def sample_every_ms(dt_ms):
    return max(0.1, 4 * dt_ms)


def experiment(name, mods, cells, duration_ms, slots, dt_ms=DT_MS, **more):
    """Common frame. Slots are (name, mechanism, parameter, region); all are factors on the published value."""
    return {
        "name": name,
        "mechanisms": [str(MECHANISMS / mod) for mod in mods],
        "simulation": {"duration_ms": duration_ms, "dt_ms": dt_ms, "sample_every_ms": sample_every_ms(dt_ms)},
        "slots": [
            {"name": n, "scale": "relative", "targets": [{"mechanism": m, "parameter": p, "region": r}]}
            for n, m, p, r in slots
        ],
        "probes": [{"name": "v", "at": {"branch": 0, "pos": 0.5}}],
        **cells,
        **more,
    }


def stretch(k, n):
    """The k-th of n equal parts of the only branch."""
    return {"cable": {"branch": 0, "prox": k / n, "dist": (k + 1) / n}} if n > 1 else "all"


def cable_slots(count):
    """The four parameters of hh on as few equal stretches as give `count` slots."""
    regions = max(1, math.ceil(count / len(HH_PARAMETERS)))
    pairs = [(parameter, k) for k in range(regions) for parameter in HH_PARAMETERS][:count]
    return [(f"{parameter}_{k}", "hh", parameter, stretch(k, regions)) for parameter, k in pairs]


def cable_make(cvs):
    """What a cable of `cvs` control volumes is made of."""
    pulse = {"start_ms": CABLE["start_ms"], "duration_ms": 1e4, "amplitude_na": CABLE["amplitude_na"]}
    return {
        "morphology": {"cylinder": {"length_um": CABLE["cv_um"] * cvs, "diameter_um": CABLE["diameter_um"]}},
        "cv_policy": {"fixed_per_branch": {"n": cvs}},
        "properties": {key: CABLE[key] for key in ("rl_ohm_cm", "cm_f_per_m2")},
        "paint": [{"mechanism": "hh"}],
        "stimuli": [{"at": {"branch": 0, "pos": 0}, "pulses": [pulse]}],
    }


def cable(cvs, slots, duration_ms):
    cells = {"cells": [{"name": "cable", **cable_make(cvs)}]}
    probe = {"name": "v", "at": {"branch": 0, "pos": (probe_cv(cvs) + 0.5) / cvs}}
    return experiment(f"cable-{cvs}-{slots}", ["hh/hh.mod"], cells, duration_ms, cable_slots(slots), probes=[probe])


def probe_cv(cvs):
    """Where all tools record: near the stimulus, so that spikes come by on cables of any length."""
    return min(cvs // 2, 50)


def many_cables(count, cvs, duration_ms):
    cells = {"populations": [{"name": "c", "count": count, "cell": cable_make(cvs)}]}
    return experiment(f"cables-{count}-{cvs}", ["hh/hh.mod"], cells, duration_ms, [])


OLIVE_SLOTS = {
    "olive_soma": ["gcal", "gls", "gnas", "gkdr", "gks"],
    "olive_dend": ["gh", "gkca", "gld", "gcah"],
    "olive_axon": ["gla", "gnaa", "gka"],
}


def olive(morphology, duration_ms):
    """The inferior-olive cell, a control volume per branch, twelve slots; `morphology` is an SWC file or none."""
    shape = {"swc": str(Path(morphology).resolve())} if morphology else {"segments": tree(64, seed=4, tags=(1, 2, 3))}
    cell = {
        "name": "olive",
        "morphology": shape,
        "cv_policy": {"fixed_per_branch": {"n": 1}},
        "properties": {"rl_ohm_cm": 100, "cm_f_per_m2": 0.01, "v_init_mv": -60},
        "paint": [
            {"mechanism": "olive_soma", "region": {"tag": 1}},
            {"mechanism": "olive_axon", "region": {"tag": 2}},
            {"mechanism": "olive_dend", "region": {"tag": 3}},
        ],
    }
    slots = [(p, m, p, "all") for m, parameters in OLIVE_SLOTS.items() for p in parameters]
    mods = ["olive/soma.mod", "olive/axon.mod", "olive/dend.mod"]
    return experiment("olive", mods, {"cells": [cell]}, duration_ms, slots)


def homeostatic(count, duration_ms, silent=False):
    """Noise-driven cells of one control volume each, three slots; the paper's step of 0.005 ms.

    Silent: driven by a current instead.
    """
    make = {
        "morphology": {"cylinder": {"length_um": 10, "diameter_um": 2}},
        "cv_policy": "single",
        "properties": {"cm_f_per_m2": 0.001, "v_init_mv": -53},
        "paint": [{"mechanism": "hh_homeo"}],
    }
    if silent:
        make["paint"][0]["parameters"] = {"sigma": 0}
        pulse = {"start_ms": 5, "duration_ms": 1e4, "amplitude_na": 0.02}
        make["stimuli"] = [{"at": {"branch": 0, "pos": 0.5}, "pulses": [pulse]}]
    slots = [(p, "hh_homeo", p, "all") for p in ("gna", "gk", "gain")]
    cells = {"populations": [{"name": "c", "count": count, "cell": make}]}
    return experiment(
        f"homeo-{count}{'-silent' if silent else ''}",
        ["homeostasis/hh_homeo.mod"],
        cells,
        duration_ms,
        slots,
        dt_ms=0.005,
    )


CHANNELS = {
    "pas": "pas/pas.mod",
    "na": "na/na.mod",
    "kv": "kv/kv.mod",
    "km": "k/km.mod",
    "ih": "ih/ih.mod",
    "ca_hva": "ca_hva/ca_hva.mod",
    "ca_lva": "calcium/ca_lva.mod",
    "sk": "k/sk.mod",
    "bk": "k/bk.mod",
    "ca_pool": "calcium/ca_pool.mod",
}


def pyramidal(duration_ms):
    """A branched tree of pyramidal size with ten mechanisms everywhere, twelve slots."""
    cell = {
        "name": "pyramidal",
        "morphology": {"segments": tree(120, seed=10, tags=(1, 2, 3), length_um=(60, 160))},
        "cv_policy": {"max_extent": {"um": 20}},
        "properties": {"rl_ohm_cm": 100, "cm_f_per_m2": 0.01, "v_init_mv": -70, "temperature_degc": 34},
        "paint": [{"mechanism": name} for name in CHANNELS],
        "stimuli": [
            {"at": {"branch": 0, "pos": 0.5}, "pulses": [{"start_ms": 1, "duration_ms": 1e4, "amplitude_na": 0.5}]}
        ],
    }
    conductance = {"pas": "g", "ca_lva": "pbar", "ca_pool": "tau"}
    slots = [(f"{m}_all", m, conductance.get(m, "gbar"), "all") for m in CHANNELS]
    slots += [("ih_eh", "ih", "eh", "all"), ("pas_e", "pas", "e", "all")]
    return experiment("pyramidal", list(CHANNELS.values()), {"cells": [cell]}, duration_ms, slots)


def build_time(mod, mechanism, parameter):
    """One mechanism with twelve slots."""
    cells = {"cells": [{**cable_make(24), "name": "cable", "paint": [{"mechanism": mechanism}]}]}
    slots = [(f"s{k}", mechanism, parameter, stretch(k, 12)) for k in range(12)]
    return experiment(f"build-{mechanism}", [mod], cells, 1, slots)


def tree(branches, seed, tags, length_um=(20, 60)):
    """Segments of an experiment: a soma, an axon, and dendrites that fork in two until there are `branches` of all."""
    rng = random.Random(seed)
    soma, axon, dendrite = tags
    segments = [{"prox": [0, 0, 0, 8], "dist": [16, 0, 0, 8], "tag": soma}]

    def grow(parent, tag, radius):
        end = segments[parent]["dist"]
        direction = [rng.gauss(0, 1) for _ in range(3)]
        norm = math.sqrt(sum(d * d for d in direction))
        length = rng.uniform(*length_um)
        dist = [e + length * d / norm for e, d in zip(end, direction)]
        segments.append({"parent": parent, "prox": [*end[:3], radius], "dist": [*dist, 0.9 * radius], "tag": tag})
        return len(segments) - 1

    grow(0, axon, 0.5)
    tips = [grow(0, dendrite, 1.5) for _ in range(4)]
    while len(segments) < branches:
        parent = tips.pop(rng.randrange(len(tips)))
        radius = max(0.3, 0.8 * segments[parent]["dist"][3])
        tips += [grow(parent, dendrite, radius), grow(parent, dendrite, radius)]
    return segments
