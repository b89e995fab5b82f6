NEURON {
    SUFFIX wrong
    NONSPECIFIC_CURRENT i
}

PARAMETER { g = 1 v (mV) }

BREAKPOINT {
	i = gg*v
    i = µ*
}
