: Made up: a gap junction that closes slowly when the voltages differ.
NEURON {
    JUNCTION_PROCESS closing
    RANGE g, tau
    NONSPECIFIC_CURRENT i
}
PARAMETER {
    g = 0.002 (uS)
    tau = 5 (ms)
}
STATE { open }
INITIAL { open = 1 }
BREAKPOINT {
    SOLVE gate METHOD cnexp
    i = g*open*(v - v_peer)
}
DERIVATIVE gate {
    LOCAL target
    target = 1/(1 + ((v - v_peer)/20)^2)
    open' = (target - open)/tau
}
