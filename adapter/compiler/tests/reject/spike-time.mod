: slots: stdp.rate
NEURON {
    POINT_PROCESS stdp
    NONSPECIFIC_CURRENT i
}

PARAMETER { rate = 1 (/ms) }

STATE { a }

INITIAL { a = 0 }

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = a
}

DERIVATIVE decay { a' = -rate*a }

POST_EVENT(t) { : error[not-differentiable]
    a = a + exp(-t)
}
