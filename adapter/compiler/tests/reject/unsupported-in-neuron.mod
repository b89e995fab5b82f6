NEURON {
    POINT_PROCESS x : error[unsupported]
    ARTIFICIAL_CELL x : error[unsupported]
    JUNCTION_PROCESS x : error[unsupported]
    VOLTAGE_PROCESS x : error[unsupported]
    ELECTRODE_CURRENT ie : error[unsupported]
    POINTER p : error[unsupported]
    BBCOREPOINTER q : error[unsupported]
    EXTERNAL r : error[unsupported]
    RANDOM s : error[unsupported]
    NETSEND : error[unsupported]
    NETRECEIVE : error[unsupported]
    SECTION u : error[unsupported]
    VALENCE 2 : error[unsupported]
    REPRESENTS CHEBI : error[unsupported]
    SUFFIX x
    NONSPECIFIC_CURRENT i
}

BREAKPOINT {
    i = 0
}
