: Ohmic gap junction.
NEURON {
    JUNCTION_PROCESS ohmic
    RANGE g
    NONSPECIFIC_CURRENT i
}
PARAMETER { g = 0.001 (uS) }
BREAKPOINT { i = g*(v - v_peer) }
INITIAL {}
