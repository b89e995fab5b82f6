: Made up: a conductance that decays. Linear, so equal placements are merged; starts open, so that it matters how many.
NEURON {
    POINT_PROCESS alphasyn
    RANGE tau, e, start
    NONSPECIFIC_CURRENT i
}
PARAMETER {
    tau = 2 (ms)
    e = 0 (mV)
    start = 0 (uS)
}
STATE { g (uS) }
INITIAL { g = start }
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*(v - e)
}
DERIVATIVE decay { g' = -g/tau }
NET_RECEIVE(weight) { g = g + weight }
