TITLE The axon of R1 with its sensitivities as published: dV/dw is the diffusive concentration of an ion

COMMENT
Origin  The equations of Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024) Gradient Diffusion, arXiv 2412.07327,
        applied by hand to mechanisms/r1/r1.mod, whose head explains units, stimulus and the state `elapsed`.
        For ud = dV/dw, d_s = ds/dw:  cm ud' = axial(ud) - (di/dw + di/dV ud + sum of di/ds d_s)
        d_s' = df/dV ud + df/ds d_s, explicit as the states. The host's ion diffusion has to stand in for axial(ud).
Use     With Arbor 0.9, as tests/paper/r1_in_arbor_09.py: there diffusion has rows of unit mass.
ENDCOMMENT

NEURON {
    SUFFIX r1_published
    NONSPECIFIC_CURRENT i
    USEION u READ ud WRITE ud
    RANGE gna, gk, gl, ena, ek, el
    RANGE w, iapp, cm_f_per_m2
}

PARAMETER {
    gna  = 0.12   (A/m2/mV)
    gk   = 0.036  (A/m2/mV)
    gl   = 0.0003 (A/m2/mV)
    ena  = 55     (mV)
    ek   = -77    (mV)
    el   = -65    (mV)
    iapp = 0      (A/m2)
    w    = 1
    cm_f_per_m2 = 0.01
    v             (mV)
}

STATE { m h n elapsed d_m d_h d_n }

INITIAL {
    m = malpha(v)/(malpha(v) + mbeta(v))
    h = halpha(v)/(halpha(v) + hbeta(v))
    n = nalpha(v)/(nalpha(v) + nbeta(v))
    elapsed = 0
    d_m = 0
    d_h = 0
    d_n = 0
    ud = 0
}

BREAKPOINT {
    LOCAL d_i
    SOLVE states METHOD euler
    i = 0.1*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - w*iapp*stimulus(elapsed))
    d_i = 0.1*((gna*m*m*m*h + gk*n*n*n*n + gl)*ud - iapp*stimulus(elapsed) + gna*m*m*(3*h*d_m + m*d_h)*(v - ena)
        + 4*gk*n*n*n*d_n*(v - ek))
    : mA/cm2 over F/m2 is 10 mV/ms
    ud = ud - dt*10*d_i/cm_f_per_m2
}

DERIVATIVE states {
    m' = malpha(v)*(1 - m) - mbeta(v)*m
    h' = halpha(v)*(1 - h) - hbeta(v)*h
    n' = nalpha(v)*(1 - n) - nbeta(v)*n
    elapsed' = 1
    d_m' = (-0.1*slope(-0.1*v - 4)*(1 - m) + mbeta(v)/18*m)*ud - (malpha(v) + mbeta(v))*d_m
    d_h' = (-0.05*halpha(v)*(1 - h) - 0.1*hbeta(v)*(1 - hbeta(v))*h)*ud - (halpha(v) + hbeta(v))*d_h
    d_n' = (-0.01*slope(-0.1*v - 5.5)*(1 - n) + 0.0125*nbeta(v)*n)*ud - (nalpha(v) + nbeta(v))*d_n
}

FUNCTION stimulus(x) {
    stimulus = 0
    if (x > 95.0001 && x < 99.9999) {
        stimulus = 1
    }
    if (x > 195.0001 && x < 199.9999) {
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

: x/(exp(x) - 1) without its removable singularity.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}

: Its derivative.
FUNCTION slope(x) {
    if (fabs(x) < 0.03) {
        slope = -0.5 + x/6 - x*x*x/180 + x*x*x*x*x/5040
    } else {
        slope = (exp(x) - 1 - x*exp(x))/((exp(x) - 1)*(exp(x) - 1))
    }
}
