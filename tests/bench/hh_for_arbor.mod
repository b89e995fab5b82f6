TITLE Hodgkin-Huxley channels as Arbor computes them fastest

COMMENT
The membrane of mechanisms/hh/hh.mod, whose constants and sources it shares, written for modcc: the rates' quotients by its
vectorised exprelr, the temperature's factor once. tests/bench compiles it for this processor, since the wheel's own hh
is compiled for any with AVX2. Units are those of hh.mod.
ENDCOMMENT

NEURON {
    SUFFIX hh
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gnabar, gkbar, gl, el, phi
}

PARAMETER {
    gnabar = 0.12
    gkbar  = 0.036
    gl     = 0.0003
    el     = -54.387
    celsius
    v
}

STATE {
    n
    m
    h
}

ASSIGNED {
    phi
}

INITIAL {
    LOCAL am, ah, an
    phi = 3^((celsius - 6.3)/10)
    am = opens_m(v)
    ah = opens_h(v)
    an = opens_n(v)
    m = am/(am + shuts_m(v))
    h = ah/(ah + shuts_h(v))
    n = an/(an + shuts_n(v))
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gnabar*m*m*m*h*(v - ena)
    ik = gkbar*n*n*n*n*(v - ek)
    il = gl*(v - el)
}

DERIVATIVE states {
    LOCAL am, ah, an
    am = opens_m(v)
    ah = opens_h(v)
    an = opens_n(v)
    m' = phi*(am - m*(am + shuts_m(v)))
    h' = phi*(ah - h*(ah + shuts_h(v)))
    n' = phi*(an - n*(an + shuts_n(v)))
}

FUNCTION opens_m(u) {
    opens_m = exprelr(-(u + 40)/10)
}

FUNCTION shuts_m(u) {
    shuts_m = 4*exp(-(u + 65)/18)
}

FUNCTION opens_h(u) {
    opens_h = 0.07*exp(-(u + 65)/20)
}

FUNCTION shuts_h(u) {
    shuts_h = 1/(exp(-(u + 35)/10) + 1)
}

FUNCTION opens_n(u) {
    opens_n = 0.1*exprelr(-(u + 55)/10)
}

FUNCTION shuts_n(u) {
    shuts_n = 0.125*exp(-(u + 65)/80)
}
