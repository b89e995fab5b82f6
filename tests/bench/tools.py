"""One tool in a process of its own: python tools.py SPEC (a JSON object with `tool` and what that tool needs).

Sets up, runs once unmeasured, and says {"version", "steps", "t_ms", "v_mv", "gradient"}: what it computed at the probe,
so that all can be compared. Then, for every line on stdin, runs once and says {"seconds"}; at the end of stdin says
{"peak_rss_bytes"}. Only the steps are timed.
"""

import json
import os
import resource
import sys
import time
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arbor(spec):
    """A request written by `graddiff bench --export`, on its own catalogue, another one, or Arbor's default."""
    import arbor as A
    from arbor import units as U

    sys.path.insert(0, str(HERE.parents[1] / "adapter/src/hosts"))
    from arbor_host import Recipe

    text = Path(spec["request"]).read_text()
    for old, new in spec.get("rename", {}).items():
        text = text.replace(f'"{old}"', f'"{new}"')
    request = json.loads(text)
    for cell in request["cells"]:
        for paint in cell["paint"]:
            paint["parameters"].update(spec.get("parameters", {}))
    if spec.get("catalogue") not in (None, "default"):
        request["catalogue"] = spec["catalogue"]
    recipe = Recipe(request)
    if spec.get("catalogue") == "default":
        recipe.properties.catalogue = A.default_catalogue()
    context = A.context(threads=spec["threads"])
    hints = {A.cell_kind.cable: A.partition_hint(cpu_group_size=spec.get("group_size", 1))}
    simulation = A.simulation(recipe, context, A.partition_load_balance(recipe, context, hints))
    assert request["record"][0]["kind"] == "voltage"
    samples = simulation.sample((0, "q0"), A.explicit_schedule([t * U.ms for t in request["samples_ms"]]))

    def run():
        simulation.reset()
        start = time.perf_counter()
        simulation.run(request["duration_ms"] * U.ms, request["dt_ms"] * U.ms)
        return time.perf_counter() - start

    def trace():
        taken = simulation.samples(samples)[0][0]
        return taken[:, 0], taken[:, 1], None

    return A.__version__, round(request["duration_ms"] / request["dt_ms"]), run, trace


def neuron(spec):
    """The hh cable with NEURON's built-in hh."""
    import neuron
    from neuron import h

    cable, cvs = spec["cable"], spec["cvs"]
    section = h.Section(name="cable")
    section.nseg, section.L, section.diam = cvs, cable["cv_um"] * cvs, cable["diameter_um"]
    section.Ra, section.cm = cable["rl_ohm_cm"], 100 * cable["cm_f_per_m2"]
    section.insert("hh")
    section.el_hh = cable["el_mv"]
    clamp = h.IClamp(section(0))
    clamp.delay, clamp.dur, clamp.amp = cable["start_ms"], 1e4, cable["amplitude_na"]
    voltage = h.Vector().record(section((spec["probe"] + 0.5) / cvs)._ref_v, spec["sample_every_ms"])
    h.celsius, h.dt = 6.3, spec["dt_ms"]
    context = h.ParallelContext()
    context.set_maxstep(10)

    def run():
        h.finitialize(-65)
        start = time.perf_counter()
        context.psolve(spec["duration_ms"])
        seconds = time.perf_counter() - start
        assert len(voltage) > 1, "NEURON has recorded nothing"
        return seconds

    def trace():
        return [k * spec["sample_every_ms"] for k in range(len(voltage))], list(voltage), None

    run.model = section, clamp  # NEURON deletes what nobody holds
    return neuron.__version__, round(spec["duration_ms"] / spec["dt_ms"]), run, trace


def jaxley(spec):
    """The hh cable with Jaxley's HH: forward, or value and gradient of a mean square by the parameters of each stretch.

    The loss is that of `graddiff bench`: the mean square of the same samples; slots are factors of the parameters.

    As its documentation advises: jitted, the default solver, nested checkpoints of two levels; the run without
    checkpoints is tried as well, and the faster one is kept.
    """
    # the flags keep to one thread
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("XLA_FLAGS", flags)
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platform_name", "cpu")
    import jax.numpy as jnp
    import jaxley as jx
    from jaxley.channels import HH

    cable, cvs, dt, duration = spec["cable"], spec["cvs"], spec["dt_ms"], spec["duration_ms"]
    cell = jx.Cell(jx.Branch(jx.Compartment(), ncomp=cvs), parents=[-1])
    cell.insert(HH())
    micro = {"length": cable["cv_um"], "radius": cable["diameter_um"] / 2}
    siemens = {"axial_resistivity": cable["rl_ohm_cm"], "capacitance": 100 * cable["cm_f_per_m2"], "v": -65.0}
    for key, value in {**micro, **siemens}.items():
        cell.set(key, float(value))
    cell.set("HH_eLeak", cable["el_mv"])
    cell.init_states()
    steps = round(duration / dt)
    current = jx.step_current(cable["start_ms"], duration, cable["amplitude_na"], dt, duration)
    cell.branch(0).comp(0).stimulate(current, verbose=False)
    cell.branch(0).comp(spec["probe"]).record(verbose=False)
    names = {"gnabar": "HH_gNa", "gkbar": "HH_gK", "gl": "HH_gLeak", "el": "HH_eLeak"}
    for parameter, first, last in spec["trainable"]:
        group = f"r{first}"
        if group not in cell.group_names:
            cell.branch(0).comp(list(range(first, last))).add_to_group(group)
        getattr(cell, group).make_trainable(names[parameter], verbose=False)
    parameters = cell.get_parameters()
    every, results = round(spec["sample_every_ms"] / dt), {}
    assert sum(v.size for p in parameters for v in p.values()) == len(spec["trainable"])

    def loss(parameters, lengths):
        v = jx.integrate(cell, params=parameters, delta_t=dt, checkpoint_lengths=lengths)
        v = v[0, :steps:every]
        return jnp.mean(v**2), v

    def timed(compiled):
        start = time.perf_counter()
        results[compiled] = jax.block_until_ready(compiled(parameters))
        seconds = time.perf_counter() - start
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree_util.tree_leaves(results[compiled]))
        return seconds

    level = 1
    while level * level < steps + 1:
        level += 1
    rows = -(-(steps + 1) // level)
    best = None
    # without a gradient there is nothing to keep for the way back
    for lengths in [None, [rows, level]] if spec["gradient"] else [None]:
        work = partial(loss, lengths=lengths)
        compiled = jax.jit(jax.value_and_grad(work, has_aux=True) if spec["gradient"] else work)
        timed(compiled)  # compiles
        seconds = min(timed(compiled) for _ in range(2))
        if best is None or seconds < best[0]:
            best = (seconds, compiled)

    def trace():
        result = results[best[1]]
        (_, v), gradient = result if spec["gradient"] else (result, None)
        if gradient is not None:
            values = [(float(g.ravel()[0]), float(p.ravel()[0])) for g, p in zip(leaves(gradient), leaves(parameters))]
            gradient = [g * p for g, p in values]
        return [k * every * dt for k in range(len(v))], v, gradient

    return jx.__version__, steps, lambda: timed(best[1]), trace


def leaves(parameters):
    """The arrays of Jaxley's list of {name: array}, one per slot, in their order."""
    return [array for entry in parameters for array in entry.values()]


TOOLS = {"arbor": arbor, "neuron": neuron, "jaxley": jaxley}


def main():
    spec = json.loads(sys.argv[1])
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the tools print is no answer
    version, steps, run, trace = TOOLS[spec["tool"]](spec)
    run()
    t_ms, v_mv, gradient = trace()
    ready = {"version": version, "steps": steps, "t_ms": [float(t) for t in t_ms], "v_mv": [float(v) for v in v_mv]}
    print(json.dumps({**ready, "gradient": gradient}), file=say, flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": run()}), file=say, flush=True)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_rss_bytes": peak}), file=say, flush=True)


if __name__ == "__main__":
    main()
