"""A script for NEURON as one writes it, and three lines that give it derivatives (marked `graddiff`); then a fit.

GRADDIFF=target/release/graddiff PYTHONPATH=python/src python examples/python/neuron_script.py

A soma with a dendrite and a synapse; the sodium conductance is looked for that gives a recorded voltage, in steps of
Gauss-Newton. Derivatives of clones have an error of second order in dt: it slows the fit a little, and moves nothing,
since the residual vanishes where the fit ends.
"""

import pathlib
import sys

import numpy as np
from neuron import h

import graddiff.neuron

HERE = pathlib.Path(__file__).resolve().parent
MECHANISMS = HERE.parents[1] / "mechanisms"

h.load_file("stdrun.hoc")
h.usetable_hh = 0  # clones compute their rates, and so shall the original
h.dt, h.steps_per_ms, h.tstop = 0.0125, 80, 12

files = [MECHANISMS / f for f in ("hh/hh.mod", "pas/pas.mod", "synapses/expsyn.mod")]
tangent = graddiff.neuron.Tangent(*files, wrt="gnabar")  # graddiff

soma, dend = h.Section(name="soma"), h.Section(name="dend")
soma.L, soma.diam = 16, 16
dend.L, dend.diam, dend.nseg = 200, 1, 9
dend.connect(soma(1))
soma.insert("hh")
dend.insert("pas")
for segment in dend:
    segment.pas.g, segment.pas.e = 0.0002, -65
clamp = h.IClamp(soma(0.5))
clamp.delay, clamp.dur, clamp.amp = 1, 10, 0.5
synapse = h.expsyn(dend(0.7))  # of expsyn.mod
source = h.NetStim()
source.start, source.number = 3.003, 1
connection = h.NetCon(source, synapse)
connection.weight[0], connection.delay = 0.002, 1

clones = tangent.clone(soma.wholetree())  # graddiff
recording = clones.record(soma(0.5))  # graddiff


def simulate(gnabar):
    soma(0.5).hh.gnabar = gnabar
    h.run()
    return recording.sensitivities()


recorded = simulate(0.12)["v_mv"]
gnabar = 0.10
for step in range(6):
    now = simulate(gnabar)
    residual, slope = recorded - now["v_mv"], now["dv_dgnabar_mv_per_s_per_cm2"]
    print(f"gnabar {gnabar:.9f} S/cm2, loss {np.mean(residual**2):.3e} mV2")
    gnabar += residual @ slope / (slope @ slope)

print(f"found {gnabar:.9f} S/cm2")
sys.exit(0 if abs(gnabar - 0.12) < 1e-9 else 1)
