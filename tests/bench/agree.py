"""Whether two tools computed the same: nobody shall be timed on other work."""

from dataclasses import dataclass

import numpy as np

# Tools that step alike differ by rounding, which spikes magnify.
SAME_SCHEME_MV = 1e-4
# Others (gates by exponentials, tables of rates) drift: their spikes may be late by as much, as a share of the time.
LATE = 0.02
# Loss of a run over that of the trace, less 1.
LOSS = 1e-9
# Cosine between two gradients of one loss.
COSINE = 0.95


@dataclass
class Trace:
    """Voltage at the first probe, and perhaps the gradient of its mean square by relative slots."""

    t_ms: object
    v_mv: object
    gradient: object = None

    @property
    def loss(self):
        return float(np.mean(np.square(self.v_mv)))

    def spikes(self):
        """Times at which the voltage rises through 0 mV, interpolated."""
        t, v = np.asarray(self.t_ms, float), np.asarray(self.v_mv, float)
        k = np.flatnonzero((v[:-1] < 0) & (v[1:] >= 0))
        return t[k] - v[k] * (t[k + 1] - t[k]) / (v[k + 1] - v[k])


@dataclass
class Agreement:
    """How far a tool is from graddiff's trace on a work."""

    work: str
    tool: str
    spikes: int
    dv_mv: float | None = None  # greatest difference of the voltages
    late_ms: float | None = None  # greatest difference of the times of a spike
    late_limit_ms: float | None = None
    spikes_apart: int = 0  # difference of their numbers
    cosine: float | None = None  # between the gradients
    loss: float | None = None  # relative difference of the losses

    @property
    def passed(self):
        if self.loss is not None:
            return self.loss <= LOSS
        gradient = self.cosine is None or self.cosine >= COSINE
        if self.tool.startswith("arbor"):
            return gradient and self.spikes_apart == 0 and self.dv_mv <= SAME_SCHEME_MV
        # the last spike may fall behind the end
        return gradient and self.spikes_apart <= 1 and self.late_ms <= self.late_limit_ms


def agreement(work, tool, own, theirs=None, loss=None):
    """Compares another's trace, or the loss of a run of ours, with our trace `own`."""
    count = len(own.spikes())
    if theirs is None:
        return Agreement(work, tool, count, loss=abs(loss / own.loss - 1))
    n = min(len(own.t_ms), len(theirs.t_ms))
    if n < len(own.t_ms) - 1 or not np.allclose(own.t_ms[:n], theirs.t_ms[:n], rtol=0, atol=1e-6):
        raise SystemExit(f"tests/bench: {tool} samples {work} at other times than graddiff")
    dv = float(np.max(np.abs(np.asarray(own.v_mv)[:n] - np.asarray(theirs.v_mv)[:n])))
    spikes = own.spikes(), theirs.spikes()
    common = min(map(len, spikes))
    late = float(np.max(np.abs(spikes[0][:common] - spikes[1][:common]), initial=0.0))
    apart = abs(len(spikes[0]) - len(spikes[1]))
    cosine = None
    if own.gradient and theirs.gradient:
        a, b = np.array(own.gradient), np.array(theirs.gradient)
        cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    limit = LATE * float(own.t_ms[-1])
    return Agreement(work, tool, count, dv, late, limit, apart, cosine)
