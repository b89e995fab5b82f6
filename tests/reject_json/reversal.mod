TITLE Reversal potential with a RANGE parameter

COMMENT
Origin  Ours: Nernst's form with a shift, for fixtures that need a slot on a reversal potential mechanism.
ENDCOMMENT

NEURON {
    SUFFIX reversal
    USEION x READ xi, xo WRITE ex
    RANGE shift
}

PARAMETER {
    shift = 0 (mV)
}

BREAKPOINT {
    ex = 12.5*log(xo/xi) + shift
}
