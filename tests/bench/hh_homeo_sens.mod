TITLE mechanisms/homeostasis/hh_homeo.mod with its sensitivities to gna, gk and gain, written by hand for Arbor

COMMENT
What a modeller without graddiff would write: the tangents of the equations, not of the steps, on a cell of one control
volume; arbor-build-catalogue compiles it, and tests/bench measures Arbor on it. A benchmark, not a reference: no test
compares its values. Constants and units are those of hh_homeo.mod, which says where they come from. cm is that of the
work, 0.001 F/m2, so that dV/dt = -10000 i with i in mA/cm2.
ENDCOMMENT

NEURON {
    SUFFIX hh_homeo_sens
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gl, ena, ek, el, gain, relax, sigma, tau_f, f_target
}

PARAMETER {
    gna      = 120
    gk       = 36
    gl       = 0.3
    ena      = 50
    ek       = -77
    el       = -53
    gain     = 0.06
    relax    = 0.1
    sigma    = 0.7
    tau_f    = 1e4
    f_target = 1
    v
}

STATE {
    m
    h
    n
    ou
    f
    e
    u1
    m1
    h1
    n1
    f1
    e1
    u2
    m2
    h2
    n2
    f2
    e2
    u3
    m3
    h3
    n3
    f3
    e3
}

WHITE_NOISE {
    noise
}

INITIAL {
    LOCAL am, bm, ah, bh, an, bn
    am = ratio((25 - v)/10)
    bm = 4*exp(-v/18)
    ah = 0.07*exp(-v/20)
    bh = 1/(exp((30 - v)/10) + 1)
    an = 0.1*ratio((10 - v)/10)
    bn = 0.125*exp(-v/80)
    m = am/(am + bm)
    h = ah/(ah + bh)
    n = an/(an + bn)
    ou = 0
    f = 0
    e = 0
    u1 = 0
    m1 = 0
    h1 = 0
    n1 = 0
    f1 = 0
    e1 = 0
    u2 = 0
    m2 = 0
    h2 = 0
    n2 = 0
    f2 = 0
    e2 = 0
    u3 = 0
    m3 = 0
    h3 = 0
    n3 = 0
    f3 = 0
    e3 = 0
}

BREAKPOINT {
    SOLVE states METHOD stochastic
    i = 0.001*(gna*m*m*m*h*(v - ena) + gk*n*n*n*n*(v - ek) + gl*(v - el) - gain*ou*ou*ou*ou)
}

DERIVATIVE states {
    LOCAL am, bm, ah, bh, an, bn, dm, dh, am_v, ah_v, an_v, m_v, h_v, n_v, x, y, q, turn, g, i_m, i_h, i_n,
        m1_t, h1_t, f1_t, m2_t, h2_t, f2_t, m3_t, h3_t, f3_t
    am = ratio((25 - v)/10)
    bm = 4*exp(-v/18)
    ah = 0.07*exp(-v/20)
    bh = 1/(exp((30 - v)/10) + 1)
    an = 0.1*ratio((10 - v)/10)
    bn = 0.125*exp(-v/80)
    am_v = -0.1*slope((25 - v)/10)
    an_v = -0.01*slope((10 - v)/10)
    dm = am*(1 - m) - bm*m
    dh = ah*(1 - h) - bh*h
    m_v = am_v*(1 - m) + bm*m/18
    h_v = -ah/20*(1 - h) - bh*(1 - bh)/10*h
    n_v = an_v*(1 - n) + bn*n/80
    x = m - 0.5
    y = h - 0.5
    q = 1/(x*x + y*y)
    turn = 159.15494309189535*(y*dm - x*dh)*q
    g = gna*m*m*m*h + gk*n*n*n*n + gl
    i_m = 3*gna*m*m*h*(v - ena)
    i_h = gna*m*m*m*(v - ena)
    i_n = 4*gk*n*n*n*(v - ek)
    m1_t = m_v*u1 - (am + bm)*m1
    h1_t = h_v*u1 - (ah + bh)*h1
    f1_t = 159.15494309189535*(h1*dm + y*m1_t - m1*dh - x*h1_t)*q - turn*2*(x*m1 + y*h1)*q
    m2_t = m_v*u2 - (am + bm)*m2
    h2_t = h_v*u2 - (ah + bh)*h2
    f2_t = 159.15494309189535*(h2*dm + y*m2_t - m2*dh - x*h2_t)*q - turn*2*(x*m2 + y*h2)*q
    m3_t = m_v*u3 - (am + bm)*m3
    h3_t = h_v*u3 - (ah + bh)*h3
    f3_t = 159.15494309189535*(h3*dm + y*m3_t - m3*dh - x*h3_t)*q - turn*2*(x*m3 + y*h3)*q
    e1' = (f - f_target)*f1
    f1' = (f1_t - f1)/tau_f
    u1' = -10*(g*u1 + i_m*m1 + i_h*h1 + i_n*n1 + m*m*m*h*(v - ena))
    n1' = n_v*u1 - (an + bn)*n1
    m1' = m1_t
    h1' = h1_t
    e2' = (f - f_target)*f2
    f2' = (f2_t - f2)/tau_f
    u2' = -10*(g*u2 + i_m*m2 + i_h*h2 + i_n*n2 + n*n*n*n*(v - ek))
    n2' = n_v*u2 - (an + bn)*n2
    m2' = m2_t
    h2' = h2_t
    e3' = (f - f_target)*f3
    f3' = (f3_t - f3)/tau_f
    u3' = -10*(g*u3 + i_m*m3 + i_h*h3 + i_n*n3 + -ou*ou*ou*ou)
    n3' = n_v*u3 - (an + bn)*n3
    m3' = m3_t
    h3' = h3_t
    e' = (f - f_target)*(f - f_target)/2
    f' = (turn - f)/tau_f
    m' = dm
    h' = dh
    n' = an*(1 - n) - bn*n
    ou' = -relax*ou + sigma*noise
}

FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12
    } else {
        ratio = x/(exp(x) - 1)
    }
}

: d(ratio)/dx
FUNCTION slope(x) {
    LOCAL ex
    ex = exp(x)
    if (fabs(x) < 0.01) {
        slope = -0.5 + x/6
    } else {
        slope = (1 - x*ex/(ex - 1))/(ex - 1)
    }
}
