NEURON {
    POINT_PROCESS syn
    NONSPECIFIC_CURRENT i
}

STATE { g }

INITIAL { g = 0 }

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*v
}

DERIVATIVE decay { g' = -g }

NET_RECEIVE(w, last (ms)) { : warning[per-instance]
    INITIAL { last = -100 }
    g = g + w*(1 - exp(-(t - last)))
    last = t
}
