TITLE The axon of the gradient-wave experiment (R1)

COMMENT
Origin  Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024) Gradient Diffusion, arXiv 2412.07327, fig. 1B and C.
        Rates after Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544, DOI 10.1113/jphysiol.1952.sp004764.
Units   mV, ms. The multipliers gna, gk, gl and the stimulus iapp give current densities in A/m2, which are ten times weaker
        than the numbers suggest to readers of S/cm2; the factor 0.1 below turns A/m2 into mA/cm2.
Stimulus  iapp is injected (depolarising if positive) while t mod 100 ms > 95 ms, up to 300 ms, scaled by w.
        Time is the state `elapsed`, because t cannot be read in Arbor; the margin of 1e-4 ms keeps the edges, which
        fall on time steps, clear of the rounding of the sum of steps.
Solved by explicit Euler, as published. Arbor's compiler does not know METHOD euler; NEURON's does,
but wants ASSIGNED { i (mA/cm2) } besides.
ENDCOMMENT

NEURON {
    SUFFIX r1
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gl, ena, ek, el
    RANGE w, iapp
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (A)  = (ampere)
}

PARAMETER {
    gna  = 0.12   (A/m2/mV) <0, 1e9>
    gk   = 0.036  (A/m2/mV) <0, 1e9>
    gl   = 0.0003 (A/m2/mV) <0, 1e9>
    ena  = 55     (mV)
    ek   = -77    (mV)
    el   = -65    (mV)
    iapp = 0      (A/m2)
    w    = 1
    v             (mV)
}

STATE {
    m
    h
    n
    elapsed (ms)
}

INITIAL {
    m = malpha(v)/(malpha(v) + mbeta(v))
    h = halpha(v)/(halpha(v) + hbeta(v))
    n = nalpha(v)/(nalpha(v) + nbeta(v))
    elapsed = 0
}

BREAKPOINT {
    SOLVE states METHOD euler
    i = 0.1*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - w*iapp*stimulus(elapsed))
}

DERIVATIVE states {
    m' = malpha(v)*(1 - m) - mbeta(v)*m
    h' = halpha(v)*(1 - h) - hbeta(v)*h
    n' = nalpha(v)*(1 - n) - nbeta(v)*n
    elapsed' = 1
}

FUNCTION stimulus(x) {
    stimulus = 0
    if (x > 95.0001 && x < 99.9999) {
        stimulus = 1
    }
    if (x > 195.0001 && x < 199.9999) {
        stimulus = 1
    }
    if (x > 295.0001 && x < 299.9999) {
        stimulus = 1
    }
}

FUNCTION malpha(vm) {
    malpha = ratio(-0.1*vm - 4)
}

FUNCTION mbeta(vm) {
    mbeta = 4*exp(-(vm + 65)/18)
}

FUNCTION halpha(vm) {
    halpha = 0.07*exp(-0.05*vm - 3.25)
}

FUNCTION hbeta(vm) {
    hbeta = 1/(exp(-0.1*vm - 3.5) + 1)
}

FUNCTION nalpha(vm) {
    nalpha = 0.1*ratio(-0.1*vm - 5.5)
}

FUNCTION nbeta(vm) {
    nbeta = 0.125*exp(-0.0125*vm - 0.8125)
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
