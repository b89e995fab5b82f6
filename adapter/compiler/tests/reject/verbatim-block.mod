NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

VERBATIM : error[verbatim]
#include <stdlib.h>
ENDVERBATIM

BREAKPOINT {
    i = g*v
}
