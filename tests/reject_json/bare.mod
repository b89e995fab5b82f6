: A parameter without default, and one that is not RANGE.
NEURON { SUFFIX bare NONSPECIFIC_CURRENT i RANGE must GLOBAL steep }
PARAMETER { must (S/cm2)  steep = 2 (1)  v (mV) }
BREAKPOINT { i = must*steep*v }
