TITLE A cortical cell that fires on its own, knows its rate, and feels the temperature

COMMENT
Origin  Rates of m, h, n: Traub RD, Miles R (1991) Neuronal Networks of the Hippocampus, as used for cortical cells by
        Destexhe A, Pare D (1999) J Neurophysiol 81:1531-1547, DOI 10.1152/jn.1999.81.4.1531, at 36 degC; other
        temperatures scale them by q10. Conductances, drive and the estimate of the rate are ours.
Rate    f follows the speed of the phase of (m, h) around (1/2, 1/2), in turns per second, through a low-pass of
        tau_f; e accumulates (f - f_target)^2/2. As in hh_homeo.mod.
Units   mV, ms, mS/cm2, uA/cm2 (1e-3 turns them into mA/cm2), Hz, Hz2 ms.
Solved by explicit Euler at steps of 0.025 ms. The equations stand in such an order that each sees the others as they
        were at the start of the step; v is already the new one.
ENDCOMMENT

NEURON {
    SUFFIX hh_adapt
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gl, ena, ek, el, drive, vt, q10, tau_f, f_target
}

UNITS {
    (mA) = (milliamp)
    (uA) = (microamp)
    (mV) = (millivolt)
    (mS) = (millisiemens)
}

PARAMETER {
    gna      = 50   (mS/cm2) <0, 1e9>
    gk       = 5    (mS/cm2) <0, 1e9>
    gl       = 0.1  (mS/cm2) <0, 1e9>
    ena      = 50   (mV)
    ek       = -90  (mV)
    el       = -70  (mV)
    drive    = 1.5  (uA/cm2)
    vt       = -58  (mV)
    q10      = 3
    tau_f    = 500  (ms)     <1e-9, 1e9>
    f_target = 20   (Hz)
    celsius         (degC)
    v               (mV)
}

STATE {
    m
    h
    n
    f (Hz)
    e
}

INITIAL {
    m = 0
    h = 1
    n = 0
    f = 0
    e = 0
}

BREAKPOINT {
    SOLVE states METHOD euler
    i = 0.001*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - drive)
}

DERIVATIVE states {
    LOCAL x, speed, dm, dh, dn
    speed = q10^((celsius - 36)/10)
    x = v - vt
    dm = speed*(1.28*ratio((13 - x)/4)*(1 - m) - 1.4*ratio((x - 40)/5)*m)
    dh = speed*(0.128*exp((17 - x)/18)*(1 - h) - 4/(1 + exp((40 - x)/5))*h)
    dn = speed*(0.16*ratio((15 - x)/5)*(1 - n) - 0.5*exp((10 - x)/40)*n)
    e' = (f - f_target)*(f - f_target)/2
    f' = (turns(m - 0.5, h - 0.5, dm, dh) - f)/tau_f
    m' = dm
    h' = dh
    n' = dn
}

: Turns per second of the point (x, y) that moves by dx, dy per ms, from y towards x; 1000/(2 pi).
FUNCTION turns(x, y, dx, dy) {
    turns = 159.15494309189535*(y*dx - x*dy)/(x*x + y*y)
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
