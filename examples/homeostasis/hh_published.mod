TITLE The homeostatic cell of hh_homeo.mod with the control law as it was published

COMMENT
Origin  Landsmeer LPL, Negrello M, Hamdioui S, Strydis C (2024) Gradient Diffusion, arXiv 2412.07327; the law, its
        clipping and its constants as in the code that goes with it, written anew. Rates and drive as in hh_homeo.mod.
Law     gna, gk and gain are states: theta' = -alpha theta0 E, E = d(e)/d(theta), theta >= 0. Sensitivities u of the
        voltage and wm, wh, wn, F, E of m, h, n, f, e are written by hand and differ from the derivative of this
        simulation in two ways, both kept here: where d(rate of a state)/dV is to be multiplied by u, it is multiplied
        by what u gains per ms (ud below); and u follows -i/1 while the voltage follows -i/cm, ten times as much at
        the cm of 0.001 F/m2 with which that code moves the voltage. Each group of three is scaled
        down to the norm clip when it exceeds it.
Units   As in hh_homeo.mod; lambda in 1/ms; u in mV per mS/cm2 (per uA/cm2), and so on.
Solved by Euler-Maruyama at steps of 0.005 ms, as published. All rates are those at the start of the step;
        v is the new one.
Runs in Arbor only, as does hh_homeo.mod.
ENDCOMMENT

NEURON {
    SUFFIX hh_published
    NONSPECIFIC_CURRENT i
    RANGE gna0, gk0, gain0, gl, ena, ek, el, relax, sigma, tau_f, f_target, alpha, lambda, clip
}

UNITS {
    (mA) = (milliamp)
    (uA) = (microamp)
    (mV) = (millivolt)
    (mS) = (millisiemens)
}

PARAMETER {
    gna0     = 120  (mS/cm2) <0, 1e9>
    gk0      = 36   (mS/cm2) <0, 1e9>
    gain0    = 0.06 (uA/cm2) <0, 1e9>
    gl       = 0.3  (mS/cm2) <0, 1e9>
    ena      = 50   (mV)
    ek       = -77  (mV)
    el       = -53  (mV)
    relax    = 0.1  (/ms)
    sigma    = 0.7
    tau_f    = 1e4  (ms)     <1e-9, 1e9>
    f_target = 1    (Hz)
    alpha    = 1e-6
    lambda   = 1e-4 (/ms)
    clip     = 1             <1e-9, 1e9>
    v               (mV)
}

STATE {
    m
    h
    n
    ou
    f (Hz)
    e
    gna (mS/cm2)
    gk (mS/cm2)
    gain (uA/cm2)
    u_na u_k u_gain
    wm_na wm_k wm_gain
    wh_na wh_k wh_gain
    wn_na wn_k wn_gain
    F_na F_k F_gain
    E_na E_k E_gain
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
    gna = gna0
    gk = gk0
    gain = gain0
    u_na = 0
    u_k = 0
    u_gain = 0
    wm_na = 0
    wm_k = 0
    wm_gain = 0
    wh_na = 0
    wh_k = 0
    wh_gain = 0
    wn_na = 0
    wn_k = 0
    wn_gain = 0
    F_na = 0
    F_k = 0
    F_gain = 0
    E_na = 0
    E_k = 0
    E_gain = 0
}

BREAKPOINT {
    SOLVE states METHOD stochastic
    LOCAL shrink
    shrink = clip/sqrt(max(u_na*u_na + u_k*u_k + u_gain*u_gain, clip*clip))
    u_na = u_na*shrink
    u_k = u_k*shrink
    u_gain = u_gain*shrink
    shrink = clip/sqrt(max(wm_na*wm_na + wm_k*wm_k + wm_gain*wm_gain, clip*clip))
    wm_na = wm_na*shrink
    wm_k = wm_k*shrink
    wm_gain = wm_gain*shrink
    shrink = clip/sqrt(max(wh_na*wh_na + wh_k*wh_k + wh_gain*wh_gain, clip*clip))
    wh_na = wh_na*shrink
    wh_k = wh_k*shrink
    wh_gain = wh_gain*shrink
    shrink = clip/sqrt(max(wn_na*wn_na + wn_k*wn_k + wn_gain*wn_gain, clip*clip))
    wn_na = wn_na*shrink
    wn_k = wn_k*shrink
    wn_gain = wn_gain*shrink
    shrink = clip/sqrt(max(F_na*F_na + F_k*F_k + F_gain*F_gain, clip*clip))
    F_na = F_na*shrink
    F_k = F_k*shrink
    F_gain = F_gain*shrink
    shrink = clip/sqrt(max(E_na*E_na + E_k*E_k + E_gain*E_gain, clip*clip))
    E_na = E_na*shrink
    E_k = E_k*shrink
    E_gain = E_gain*shrink
    gna = max(gna, 0)
    gk = max(gk, 0)
    gain = max(gain, 0)
    i = 0.001*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - gain*ou*ou*ou*ou)
}

DERIVATIVE states {
    LOCAL dm, dh, dn, mv, hv, nv, mm, hh, nn, x, y, r, tn, tm, th, tv, jm, jh, jn, jv
    dm = alpham(v)*(1 - m) - betam(v)*m
    dh = alphah(v)*(1 - h) - betah(v)*h
    dn = alphan(v)*(1 - n) - betan(v)*n
    mm = -alpham(v) - betam(v)
    hh = -alphah(v) - betah(v)
    nn = -alphan(v) - betan(v)
    mv = -0.1*slope((25 - v)/10)*(1 - m) + betam(v)/18*m
    hv = -alphah(v)/20*(1 - h) - betah(v)*(1 - betah(v))/10*h
    nv = -0.01*slope((10 - v)/10)*(1 - n) + betan(v)/80*n
    x = m - 0.5
    y = h - 0.5
    r = x*x + y*y
    tn = 159.15494309189535*(y*dm - x*dh)/r
    tm = 159.15494309189535*(y*mm - dh)/r - 2*x*tn/r
    th = 159.15494309189535*(dm - x*hh)/r - 2*y*tn/r
    tv = 159.15494309189535*(y*mv - x*hv)/r
    jm = 3*gna*m*m*h*(v - ena)
    jh = gna*m*m*m*(v - ena)
    jn = 4*gk*n*n*n*(v - ek)
    jv = gna*m*m*m*h + gk*n*n*n*n + gl
    LOCAL ud_na, ud_k, ud_gain
    ud_na = -(m*m*m*h*(v - ena) + jv*u_na + jm*wm_na + jh*wh_na + jn*wn_na)
    ud_k = -(n*n*n*n*(v - ek) + jv*u_k + jm*wm_k + jh*wh_k + jn*wn_k)
    ud_gain = -(-ou*ou*ou*ou + jv*u_gain + jm*wm_gain + jh*wh_gain + jn*wn_gain)
    gna' = -alpha*gna0*E_na
    gk' = -alpha*gk0*E_k
    gain' = -alpha*gain0*E_gain
    E_na' = (f - f_target)*F_na - lambda*E_na
    E_k' = (f - f_target)*F_k - lambda*E_k
    E_gain' = (f - f_target)*F_gain - lambda*E_gain
    F_na' = (tv*ud_na + tm*wm_na + th*wh_na - F_na)/tau_f - lambda*F_na
    F_k' = (tv*ud_k + tm*wm_k + th*wh_k - F_k)/tau_f - lambda*F_k
    F_gain' = (tv*ud_gain + tm*wm_gain + th*wh_gain - F_gain)/tau_f - lambda*F_gain
    wm_na' = mv*ud_na + mm*wm_na - lambda*wm_na
    wh_na' = hv*ud_na + hh*wh_na - lambda*wh_na
    wn_na' = nv*ud_na + nn*wn_na - lambda*wn_na
    u_na' = ud_na - lambda*u_na
    wm_k' = mv*ud_k + mm*wm_k - lambda*wm_k
    wh_k' = hv*ud_k + hh*wh_k - lambda*wh_k
    wn_k' = nv*ud_k + nn*wn_k - lambda*wn_k
    u_k' = ud_k - lambda*u_k
    wm_gain' = mv*ud_gain + mm*wm_gain - lambda*wm_gain
    wh_gain' = hv*ud_gain + hh*wh_gain - lambda*wh_gain
    wn_gain' = nv*ud_gain + nn*wn_gain - lambda*wn_gain
    u_gain' = ud_gain - lambda*u_gain
    e' = (f - f_target)*(f - f_target)/2
    f' = (tn - f)/tau_f
    m' = dm
    h' = dh
    n' = dn
    ou' = -relax*ou + sigma*noise
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

: d/dx of x/(exp(x) - 1), from the same cases.
FUNCTION slope(x) {
    if (fabs(x) < 0.01) {
        slope = -0.5 + x/6 - x*x*x/180
    } else {
        slope = (1 - ratio(x) - x)/(exp(x) - 1)
    }
}
