NEURON { SUFFIX x NONSPECIFIC_CURRENT i RANGE g }
PARAMETER { g = 1 (S/cm2) v (mV) }
ASSIGNED { q }
STATE { m n }

INITIAL {
    : stored variables start as elsewhere: at the parameter m0, or at 0
    IF (v > 0) { m = 1 q = 1 }
    n = q
}

BREAKPOINT {
    LOCAL a, b, c, d, e, f
    SOLVE s METHOD cnexp
    IF (v > 0) {
        a = 1
        b = 1
    } ELSE IF (v < -10) {
        b = 2
    } ELSE {
        d = 1
    }
    IF (v > 0) {
        c = a : set whenever this is reached
        d = 2
    } ELSE {
        c = 0
    }
    IF (1 > 2) { e = 1 } ELSE { e = 2 }
    IF (v > 5) { f = 0 } ELSE { f = 1 }
    i = g*(m + n + c + e + f)
    i = i + b : warning[read-before-write]
    i = i + b
    i = i + d*half(v) : warning[read-before-write]
}

DERIVATIVE s {
    m' = -m
    n' = -n
}

FUNCTION half(x) { : warning[read-before-write]
    IF (x > 1) { half = x/2 }
}
