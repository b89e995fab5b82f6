NEURON {
    SUFFIX both
    USEION k READ ki, ko WRITE ek, ik : error[unsupported]
}

BREAKPOINT {
    ek = 25*log(ko/ki)
    ik = v - ek
}
