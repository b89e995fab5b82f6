NEURON {
    POINT_PROCESS x
    USEION k READ ki, ko WRITE ek : error[unsupported]
}
BREAKPOINT { ek = 25*log(ko/ki) }
