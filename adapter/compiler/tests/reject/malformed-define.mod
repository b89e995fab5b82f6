NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2) : error[duplicate-definition]
    v (mV)
}

DEFINE N 3
DEFINE M 1.5 : error[unexpected-token]
DEFINE K -1 : error[unexpected-token]
DEFINE N 4 : error[unexpected-token]
DEFINE g 2

ASSIGNED {
    N (mV) : error[unexpected-token]
    a[N]
}

PROCEDURE p() {
    LOCAL N : error[unexpected-token]
    N = 2 : error[unexpected-token]
}

BREAKPOINT {
    i = 2*v
}
