: Nernst potential of any ion.
NEURON {
    SUFFIX nernsteq
    USEION x READ xi, xo WRITE ex VALENCE zx
    GLOBAL offset
}
PARAMETER {
    offset = 0 (mV)
    celsius (degC)
}
INITIAL {}
BREAKPOINT { ex = offset + 1000*8.3144598*(celsius + 273.15)/(zx*96485.33289)*log(xo/xi) }
