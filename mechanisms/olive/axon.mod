TITLE Axon of an inferior olive neuron

COMMENT
Origin  De Gruijl JR, Bazzigaluppi P, de Jeu MTG, De Zeeuw CI (2012) Climbing fiber burst size and olivary
        sub-threshold oscillations in a network setting. PLoS Comput Biol 8:e1002814. DOI
        10.1371/journal.pcbi.1002814. Constants in the form of Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024)
        Gradient Diffusion, arXiv 2412.07327, fig. 2; the conductances are those from which they start to tune.
Units   mV, ms. The g multiply mV and give A/m2, ten times weaker than the numbers suggest to readers of S/cm2; the
        factor 0.1 below turns A/m2 into mA/cm2. No temperature factor.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (mA/cm2) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    SUFFIX olive_axon
    NONSPECIFIC_CURRENT i
    RANGE gla, gnaa, gka, vl, vna, vk
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (A)  = (ampere)
}

PARAMETER {
    gla  = 1.3e-5 (A/m2/mV) <0, 1e9>
    gnaa = 0.2    (A/m2/mV) <0, 1e9>
    gka  = 0.2    (A/m2/mV) <0, 1e9>
    vl   = 10     (mV)
    vna  = 55     (mV)
    vk   = -75    (mV)
    v             (mV)
}

STATE {
    h
    x
}

INITIAL {
    h = logistic((v + 60)/5.8)
    x = alphax(v)/(alphax(v) + betax(v))
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = 0.1*(gla*(v - vl) + gnaa*cube(logistic(-(v + 30)/5.5))*h*(v - vna) + gka*x*x*x*x*(v - vk))
}

DERIVATIVE states {
    h' = (logistic((v + 60)/5.8) - h)/(1.5*exp(-(v + 40)/33))
    x' = alphax(v)*(1 - x) - betax(v)*x
}

FUNCTION alphax(vm) {
    alphax = 1.3*ratio(-(vm + 25)/10)
}

FUNCTION betax(vm) {
    betax = 1.69*exp(-(vm + 35)/80)
}

FUNCTION logistic(x) {
    logistic = 1/(1 + exp(x))
}

FUNCTION cube(x) {
    cube = x*x*x
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
