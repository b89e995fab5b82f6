NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
INCLUDE "include/no-such-file.inc" : error[bad-include]
INCLUDE "include/itself.inc" : error[bad-include]
BREAKPOINT { i = 0 }
