NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

ASSIGNED {
    a[0] : error[bad-number]
    b[1.5] : error[bad-number]
    c[1001] : error[bad-number]
    d[-1] : error[unexpected-token]
    e[unknown] : error[unexpected-token]
    f[] : error[unexpected-token]
    h[2 (mV) : error[unexpected-token]
}

LOCAL p[2], q[0] : error[bad-number]
LOCAL r s : error[unexpected-token]

PROCEDURE f() {
    a[1 = 2 : error[unexpected-token]
    a[1, 2] = 2 : error[unexpected-token]
    p = a[] : error[unexpected-token]
}

BREAKPOINT {
    i = g*v
}
