TITLE A noise-driven Hodgkin-Huxley cell that estimates its own firing rate

COMMENT
Origin  Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024) Gradient Diffusion, arXiv 2412.07327, homeostatic
        control. Rates: Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544, DOI 10.1113/jphysiol.1952.sp004764, with
        the voltage turned positive inside but not shifted to rest at -65 mV; the reversal potentials are as in the
        paper above. Drive: gain ou^4 with ou of Uhlenbeck GE, Ornstein LS (1930) Phys Rev 36:823-841, DOI
        10.1103/PhysRev.36.823.
Rate    f follows the speed of the phase of (m, h) around (1/2, 1/2), in turns per second, through a low-pass of
        tau_f: no spike is detected. A full spike is a turn. e accumulates (f - f_target)^2/2, what a controller keeps
        small. Of the control law itself nothing is here.
Units   mV, ms, mS/cm2, uA/cm2 (1e-3 turns them into mA/cm2), Hz, Hz2 ms, sigma in 1/sqrt(ms). The paper's capacitance
        of 1 is 1 uF/cm2 = 0.01 F/m2; its published code moves the voltage ten times as fast, as 0.001 F/m2 does here.
Solved by Euler-Maruyama, as published, at steps of 0.005 ms: m is stiff below -50 mV and oscillates from about 0.02 ms
        on. Arbor 0.12 takes white noise only if every SOLVE of the mechanism is stochastic. The equations stand in
        such an order that each sees the others as they were at the start of the step; v is already the new one.
Runs in Arbor only: NEURON has no WHITE_NOISE.
ENDCOMMENT

NEURON {
    SUFFIX hh_homeo
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gl, ena, ek, el, gain, relax, sigma, tau_f, f_target
}

UNITS {
    (mA) = (milliamp)
    (uA) = (microamp)
    (mV) = (millivolt)
    (mS) = (millisiemens)
}

PARAMETER {
    gna      = 120  (mS/cm2) <0, 1e9>
    gk       = 36   (mS/cm2) <0, 1e9>
    gl       = 0.3  (mS/cm2) <0, 1e9>
    ena      = 50   (mV)
    ek       = -77  (mV)
    el       = -53  (mV)
    gain     = 0.06 (uA/cm2) <0, 1e9>
    relax    = 0.1  (/ms)
    sigma    = 0.7
    tau_f    = 1e4  (ms)     <1e-9, 1e9>
    f_target = 1    (Hz)
    v               (mV)
}

STATE {
    m
    h
    n
    ou
    f (Hz)
    e
}

WHITE_NOISE {
    noise
}

INITIAL {
    m = alpham(v)/(alpham(v) + betam(v))
    h = alphah(v)/(alphah(v) + betah(v))
    n = alphan(v)/(alphan(v) + betan(v))
    ou = 0
    f = 0
    e = 0
}

BREAKPOINT {
    SOLVE states METHOD stochastic
    i = 0.001*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - gain*ou*ou*ou*ou)
}

DERIVATIVE states {
    LOCAL dm, dh
    dm = alpham(v)*(1 - m) - betam(v)*m
    dh = alphah(v)*(1 - h) - betah(v)*h
    e' = (f - f_target)*(f - f_target)/2
    f' = (turns(m - 0.5, h - 0.5, dm, dh) - f)/tau_f
    m' = dm
    h' = dh
    n' = alphan(v)*(1 - n) - betan(v)*n
    ou' = -relax*ou + sigma*noise
}

: Turns per second of the point (x, y) that moves by dx, dy per ms, from y towards x; 1000/(2 pi).
FUNCTION turns(x, y, dx, dy) {
    turns = 159.15494309189535*(y*dx - x*dy)/(x*x + y*y)
}

FUNCTION alpham(vm) {
    alpham = ratio((25 - vm)/10)
}

FUNCTION betam(vm) {
    betam = 4*exp(-vm/18)
}

FUNCTION alphah(vm) {
    alphah = 0.07*exp(-vm/20)
}

FUNCTION betah(vm) {
    betah = 1/(exp((30 - vm)/10) + 1)
}

FUNCTION alphan(vm) {
    alphan = 0.1*ratio((10 - vm)/10)
}

FUNCTION betan(vm) {
    betan = 0.125*exp(-vm/80)
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
