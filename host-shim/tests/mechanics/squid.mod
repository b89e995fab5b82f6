: Hodgkin and Huxley, J. Physiol. 117 (1952) 500-544, rest shifted to -65 mV.
NEURON {
    SUFFIX squid
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gna, gk, gl
    GLOBAL el
}
PARAMETER {
    gna = 0.12 (S/cm2)
    gk = 0.036 (S/cm2)
    gl = 0.0003 (S/cm2)
    el = -54.4 (mV)
    celsius (degC)
}
STATE { m h n }
BREAKPOINT {
    SOLVE gates METHOD cnexp
    ina = gna*m*m*m*h*(v - ena)
    ik = gk*n*n*n*n*(v - ek)
    il = gl*(v - el)
}
INITIAL {
    m = am(v)/(am(v) + bm(v))
    h = ah(v)/(ah(v) + bh(v))
    n = an(v)/(an(v) + bn(v))
}
DERIVATIVE gates {
    LOCAL q
    q = 3^((celsius - 6.3)/10)
    m' = q*(am(v) - (am(v) + bm(v))*m)
    h' = q*(ah(v) - (ah(v) + bh(v))*h)
    n' = q*(an(v) - (an(v) + bn(v))*n)
}
FUNCTION am(u) { am = exprelr(-(u + 40)/10) }
FUNCTION bm(u) { bm = 4*exp(-(u + 65)/18) }
FUNCTION ah(u) { ah = 0.07*exp(-(u + 65)/20) }
FUNCTION bh(u) { bh = 1/(exp(-(u + 35)/10) + 1) }
FUNCTION an(u) { an = 0.1*exprelr(-(u + 55)/10) }
FUNCTION bn(u) { bn = 0.125*exp(-(u + 65)/80) }
