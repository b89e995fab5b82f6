: Calcium in a shell, driven by ica, decaying to rest: Destexhe, Mainen and Sejnowski, Neural Comput. 6 (1994) 14-18.
NEURON {
    SUFFIX pool
    USEION ca READ ica WRITE cai
    RANGE depth, tau
}
PARAMETER {
    depth = 0.05 (um)
    tau = 20 (ms)
}
STATE { cai }
INITIAL { cai = 0.0001 }
BREAKPOINT {
    SOLVE shell METHOD cnexp
}
DERIVATIVE shell { cai' = -ica*0.05/(2*0.0965*depth) - (cai - 0.0001)/tau }
