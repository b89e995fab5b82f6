TITLE a leak and a cubic outward current

NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    USEION k READ ek WRITE ik
    RANGE g, e
}

PARAMETER {
    g = 0.001 (S/cm2) <0, 1e9>
    e = -65   (mV)
    q = 2
    ek        (mV)
    v         (mV)
}

STATE { n }

INITIAL { n = 0 }

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = g*(v - e)
    ik = g*n*(v - ek)
}

DERIVATIVE states {
    n' = q*(0.5 - n)
}
