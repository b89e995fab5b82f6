NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    USEION na READ ena
    USEION na WRITE ina : error[duplicate-definition]
}
CONSTANT {
    k = 1
    empty : error[unexpected-token]
}
BREAKPOINT { i = k*(v - ena) }
