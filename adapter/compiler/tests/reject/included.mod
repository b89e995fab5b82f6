NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
INCLUDE "include/shared.inc" : error[unknown-name]
BREAKPOINT {
    i = g*twice(v)*missing : error[unknown-name]
}
