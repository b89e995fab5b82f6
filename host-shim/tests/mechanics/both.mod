: Nernst potentials of two ions by one mechanism; in the order k, na here, na, k in the cell.
NEURON {
    SUFFIX both
    USEION na READ nai, nao WRITE ena
    USEION k READ ki, ko WRITE ek
    RANGE shift
}
PARAMETER {
    shift = 0 (mV)
    celsius (degC)
}
INITIAL {}
BREAKPOINT {
    ek = 1000*8.3144598*(celsius + 273.15)/96485.33289*log(ko/ki) + shift
    ena = 1000*8.3144598*(celsius + 273.15)/96485.33289*log(nao/nai) - shift
}
