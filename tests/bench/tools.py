"""One tool in a process of its own: python tools.py SPEC (a JSON object with `tool` and what that tool needs).

Sets up, runs once unmeasured, says {"version", "steps"}; then, for every line on stdin, runs once and says {"seconds"};
at the end of stdin says {"peak_rss_bytes"}. Only the steps are timed. With one thread the process keeps to one core.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arbor(spec):
    """A request written by `graddiff bench --export`, on its own catalogue, another one, or Arbor's default."""
    import arbor as A
    from arbor import units as U

    sys.path.insert(0, str(HERE.parent / "hosts"))
    from arbor_run import Recipe

    text = Path(spec["request"]).read_text()
    for old, new in spec.get("rename", {}).items():
        text = text.replace(f'"{old}"', f'"{new}"')
    request = json.loads(text)
    if spec.get("catalogue") not in (None, "default"):
        request["catalogue"] = spec["catalogue"]
    recipe = Recipe(request)
    if spec.get("catalogue") == "default":
        recipe.properties.catalogue = A.default_catalogue()
    context = A.context(threads=spec["threads"])
    hints = {A.cell_kind.cable: A.partition_hint(cpu_group_size=spec.get("group_size", 1))}
    simulation = A.simulation(recipe, context, A.partition_load_balance(recipe, context, hints))
    tag = "v" if request["record"][0]["kind"] == "cv_voltage" else "q0"
    simulation.sample((0, tag), A.explicit_schedule([t * U.ms for t in request["samples_ms"]]))

    def run():
        simulation.reset()
        start = time.perf_counter()
        simulation.run(request["duration_ms"] * U.ms, request["dt_ms"] * U.ms)
        return time.perf_counter() - start

    return A.__version__, round(request["duration_ms"] / request["dt_ms"]), run


def neuron(spec):
    """The hh cable with NEURON's built-in hh."""
    import neuron
    from neuron import h

    cable, cvs = spec["cable"], spec["cvs"]
    section = h.Section(name="cable")
    section.nseg, section.L, section.diam = cvs, cable["cv_um"] * cvs, cable["diameter_um"]
    section.Ra, section.cm = cable["rl_ohm_cm"], 100 * cable["cm_f_per_m2"]
    section.insert("hh")
    clamp = h.IClamp(section(0))
    clamp.delay, clamp.dur, clamp.amp = cable["start_ms"], 1e4, cable["amplitude_na"]
    voltage = h.Vector().record(section(0.5)._ref_v, 0.1)
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

    run.model = section, clamp  # NEURON deletes what nobody holds
    return neuron.__version__, round(spec["duration_ms"] / spec["dt_ms"]), run


def jaxley(spec):
    """The hh cable with Jaxley's HH: forward, or value and gradient of a mean square by the parameters of each stretch.

    As its documentation advises: jitted, the default solver, nested checkpoints of two levels; the run without checkpoints
    is tried as well, and the faster one is kept.
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
    cell.init_states()
    steps = round(duration / dt)
    current = jx.step_current(cable["start_ms"], duration, cable["amplitude_na"], dt, duration)
    cell.branch(0).comp(0).stimulate(current, verbose=False)
    cell.branch(0).comp(cvs // 2).record(verbose=False)
    names = {"gnabar": "HH_gNa", "gkbar": "HH_gK", "gl": "HH_gLeak", "el": "HH_eLeak"}
    for parameter, first, last in spec["trainable"]:
        group = f"r{first}"
        if group not in cell.group_names:
            cell.branch(0).comp(list(range(first, last))).add_to_group(group)
        getattr(cell, group).make_trainable(names[parameter], verbose=False)
    parameters = cell.get_parameters()
    assert sum(v.size for p in parameters for v in p.values()) == len(spec["trainable"])

    def loss(parameters, lengths):
        v = jx.integrate(cell, params=parameters, delta_t=dt, checkpoint_lengths=lengths)
        return jnp.mean(v**2)

    def timed(compiled):
        start = time.perf_counter()
        result = jax.block_until_ready(compiled(parameters))
        seconds = time.perf_counter() - start
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree_util.tree_leaves(result))
        return seconds

    level = 1
    while level * level < steps + 1:
        level += 1
    rows = -(-(steps + 1) // level)
    best = None
    # without a gradient there is nothing to keep for the way back
    for lengths in [None, [rows, level]] if spec["gradient"] else [None]:
        work = lambda p, lengths=lengths: loss(p, lengths)
        compiled = jax.jit(jax.value_and_grad(work) if spec["gradient"] else work)
        timed(compiled)  # compiles
        seconds = timed(compiled)
        if best is None or seconds < best[0]:
            best = (seconds, compiled)
    return jx.__version__, steps, lambda: timed(best[1])


TOOLS = {"arbor": arbor, "neuron": neuron, "jaxley": jaxley}


def main():
    spec = json.loads(sys.argv[1])
    if spec["threads"] == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the tools print is no answer
    version, steps, run = TOOLS[spec["tool"]](spec)
    run()
    print(json.dumps({"version": version, "steps": steps}), file=say, flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": run()}), file=say, flush=True)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_rss_bytes": peak}), file=say, flush=True)


if __name__ == "__main__":
    main()
