TITLE Dendrite of an inferior olive neuron

COMMENT
Origin  De Gruijl JR, Bazzigaluppi P, de Jeu MTG, De Zeeuw CI (2012) Climbing fiber burst size and olivary
        sub-threshold oscillations in a network setting. PLoS Comput Biol 8:e1002814. DOI
        10.1371/journal.pcbi.1002814. Constants in the form of Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024)
        Gradient Diffusion, arXiv 2412.07327, fig. 2; the conductances are those from which they start to tune.
Units   mV, ms; calcium in the model's own unit. The g multiply mV and give A/m2, ten times weaker than the numbers
        suggest to readers of S/cm2; the factor 0.1 below turns A/m2 into mA/cm2. No temperature factor.
Calcium ca starts at 3.715, everything else at the steady state that goes with it. The high-threshold calcium current
        is multiplied by zero, as in fig. 2: gcah acts through calcium and gkca only.
Order   Gates first, then calcium with the new r, then s with the new calcium.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (mA/cm2) } besides, which Arbor refuses, and the equations in one
DERIVATIVE block, because it takes one SOLVE only.
ENDCOMMENT

NEURON {
    SUFFIX olive_dend
    NONSPECIFIC_CURRENT i
    RANGE gld, gcah, gkca, gh, vl, vca, vk, vh
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (A)  = (ampere)
}

PARAMETER {
    gld  = 1.3e-5 (A/m2/mV) <0, 1e9>
    gcah = 0.09   (A/m2/mV) <0, 1e9>
    gkca = 0.3    (A/m2/mV) <0, 1e9>
    gh   = 0.025  (A/m2/mV) <0, 1e9>
    vl   = 10     (mV)
    vca  = 120    (mV)
    vk   = -75    (mV)
    vh   = -43    (mV)
    v             (mV)
}

STATE {
    r
    q
    ca
    s
}

INITIAL {
    r = alphar(v)/(alphar(v) + betar(v))
    q = logistic((v + 80)/4)
    ca = 3.715
    s = alphas(ca)/(alphas(ca) + 0.015)
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    SOLVE influx METHOD cnexp
    SOLVE kca METHOD cnexp
    i = 0.1*(gld*(v - vl) + 0*gcah*r*r*(v - vca) + gkca*s*(v - vk) + gh*q*(v - vh))
}

DERIVATIVE gates {
    r' = 0.2*(alphar(v)*(1 - r) - betar(v)*r)
    q' = (logistic((v + 80)/4) - q)*(exp(-0.086*v - 14.6) + exp(0.070*v - 1.87))
}

DERIVATIVE influx {
    ca' = -3*gcah*r*r*(v - vca) - 0.075*ca
}

DERIVATIVE kca {
    s' = alphas(ca)*(1 - s) - 0.015*s
}

FUNCTION alphar(vm) {
    alphar = 1.7*logistic(-(vm - 5)/13.9)
}

FUNCTION betar(vm) {
    betar = 0.1*ratio((vm + 8.5)/5)
}

FUNCTION alphas(level) {
    if (level < 500) {
        alphas = 2e-5*level
    } else {
        alphas = 0.01
    }
}

FUNCTION logistic(x) {
    logistic = 1/(1 + exp(x))
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
