NEURON { SUFFIX x NONSPECIFIC_CURRENT i USEION ca READ cai }
CONSTANT { k = 1 }
BREAKPOINT {
    celsius = 20 : error[not-assignable]
    t = 0 : error[not-assignable]
    cai = 1 : error[not-assignable]
    k = 2 : error[not-assignable]
    lost = 3 : error[unknown-name]
    i = k*v
}
