TITLE Synapse whose strength follows presynaptic events and the voltage of its target

COMMENT
Origin  Clopath C, Buesing L, Vasilaki E, Gerstner W (2010) Connectivity reflects coding: a model of voltage-based STDP
        with homeostasis. Nat Neurosci 13:344-352, DOI 10.1038/nn.2479. The slow homeostatic factor of the depression
        is left out; coefficients are of that model's size, thresholds are ours, for a cell that rests at -70 mV.
Rule    An event weakens the synapse by a_ltd [um - theta_m]+; between events it grows at the rate
        a_ltp x [v - theta_p]+ [up - theta_m]+. x is a trace of events, um and up are low-passed voltages.
        w is relative to the strength at the start; it has no bounds.
Units   mV, ms, nA, uS; a_ltd in 1/mV, a_ltp in 1/(mV2 ms). The weight of an event is the conductance it adds at w = 1.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS clopath
    NONSPECIFIC_CURRENT i
    RANGE tau, e, a_ltp, a_ltd, theta_p, theta_m, tau_x, tau_p, tau_m
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    tau     = 2      (ms) <1e-9, 1e9>
    e       = 0      (mV)
    a_ltp   = 8e-5   (/mV2-ms) <0, 1e9>
    a_ltd   = 1.4e-3 (/mV) <0, 1e9>
    theta_p = -45    (mV)
    theta_m = -69    (mV)
    tau_x   = 15     (ms) <1e-9, 1e9>
    tau_p   = 7      (ms) <1e-9, 1e9>
    tau_m   = 10     (ms) <1e-9, 1e9>
    v                (mV)
}

STATE {
    g  (uS)
    x
    up (mV)
    um (mV)
    w
}

INITIAL {
    g = 0
    x = 0
    up = v
    um = v
    w = 1
}

BREAKPOINT {
    SOLVE states METHOD euler
    i = g*(v - e)
}

DERIVATIVE states {
    w' = a_ltp*x*above(v, theta_p)*above(up, theta_m)
    g' = -g/tau
    x' = -x/tau_x
    up' = (v - up)/tau_p
    um' = (v - um)/tau_m
}

NET_RECEIVE(weight (uS)) {
    g = g + weight*w
    w = w - a_ltd*above(um, theta_m)
    x = x + 1
}

: [u - theta]+
FUNCTION above(u, theta) {
    if (u > theta) {
        above = u - theta
    } else {
        above = 0
    }
}
