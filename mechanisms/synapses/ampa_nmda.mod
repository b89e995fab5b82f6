TITLE Glutamatergic synapse: AMPA, and NMDA under magnesium block

COMMENT
Origin  Jahr CE, Stevens CF (1990) Voltage dependence of NMDA-activated macroscopic conductances predicted by
        single-channel kinetics. J Neurosci 10:3178-3182. DOI 10.1523/JNEUROSCI.10-09-03178.1990 (magnesium block).
        Roth A, van Rossum MCW (2009) Modeling synapses. In De Schutter E (ed) Computational Modeling Methods for
        Neuroscientists, chapter 6, MIT Press. DOI 10.7551/mitpress/9780262013277.003.0007 (exponentials).
        The time constants are ours, of the usual size: set them for the synapse at hand.
Units   mV, ms, mM, nA, uS. The weight of an event is the AMPA conductance it adds, in uS; the NMDA conductance,
        unblocked, peaks at `ratio` times that. `rise` must stay below `decay`; equal, the scale is 0/0.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS ampa_nmda
    NONSPECIFIC_CURRENT i
    RANGE tau, rise, decay, ratio, mg, e
}

UNITS {
    (mV) = (millivolt)
    (mM) = (milli/liter)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    tau   = 2   (ms) <1e-9, 1e9>
    rise  = 3   (ms) <1e-9, 1e9>
    decay = 70  (ms) <1e-9, 1e9>
    ratio = 0.5      <0, 1e9>
    mg    = 1   (mM) <0, 1e9>
    e     = 0   (mV)
    v           (mV)
}

ASSIGNED {
    scale
}

STATE {
    ampa (uS)
    up   (uS)
    down (uS)
}

INITIAL {
    LOCAL peak
    peak  = rise*decay/(decay - rise)*log(decay/rise)
    scale = 1/(exp(-peak/decay) - exp(-peak/rise))
    ampa  = 0
    up    = 0
    down  = 0
}

BREAKPOINT {
    SOLVE all METHOD cnexp
    i = (ampa + (down - up)*unblocked(v, mg))*(v - e)
}

DERIVATIVE all {
    ampa' = -ampa/tau
    up'   = -up/rise
    down' = -down/decay
}

NET_RECEIVE(weight (uS)) {
    ampa = ampa + weight
    up   = up + weight*ratio*scale
    down = down + weight*ratio*scale
}

: Share of the NMDA channels without a magnesium ion in their pore.
FUNCTION unblocked(vm, magnesium) {
    unblocked = 1/(1 + magnesium*exp(-0.062*vm)/3.57)
}
