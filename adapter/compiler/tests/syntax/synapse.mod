TITLE A synapse that depresses ? and a little of everything about events

NEURON {
    POINT_PROCESS depressing
    NONSPECIFIC_CURRENT i
    USEION zn READ ezn WRITE izn VALENCE z
    ELECTRODE_CURRENT il
    RANGE tau, e, fall
}

UNITS { (nA) = (nanoamp) (uS) = (microsiemens) }

PARAMETER {
    tau = 2 (ms) <1e-9, 1e9>
    fall = 100 (ms)
    e = -1.5 (mV)
    z = 2
}

ASSIGNED { v (mV) i (nA) il (nA) izn (nA) ezn (mV) seen }

STATE { g (uS) x y }

WHITE_NOISE { hum, hiss buzz }

INITIAL { g = 0 seen = 0 }

BREAKPOINT {
    SOLVE decay METHOD stochastic
    SOLVE split
    SOLVE curved METHOD after_cvode
    i = g*(v - e)
    il = 0
    izn = 0
}

DERIVATIVE decay { g' = -g/tau + 0.1*hum }

LINEAR split {
    ~ x + y = 1
    ~ 2*x - y = g/1(uS)
}

NONLINEAR curved {
    ~ x*x = y
}

NET_RECEIVE (w (uS), left, last (ms)) {
    LOCAL lost
    INITIAL {
        left = 1
        last = t
    }
    if (flag == 0) {
        left = 1 - (1 - left)*exp(-(t - last)/fall)
        lost = left/2
        g = g + w*lost
        left = left - lost
        last = t
        net_send(5, 1)
    } else { net_event(t) }
}

POST_EVENT(since) {
    seen = since
}
