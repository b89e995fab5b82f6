TITLE Gap junction: an ohmic conductance between two cells

COMMENT
Origin  Bennett MVL (1966) Physiology of electrotonic junctions. Ann N Y Acad Sci 137:509-539 (DOI not verified). The
        current is proportional to the difference of the voltages.
Units   mV, nA, uS. The weight of the connection multiplies the current; each side needs a connection of its own.
Runs in Arbor only: NEURON couples voltages by POINTER.
ENDCOMMENT

NEURON {
    JUNCTION_PROCESS gap
    NONSPECIFIC_CURRENT i
    RANGE g
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g = 0.001 (uS) <0, 1e9>
    v         (mV)
    v_peer    (mV)
}

BREAKPOINT {
    i = g*(v - v_peer)
}
