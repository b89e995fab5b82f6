NEURON {
    SUFFIX loops
    NONSPECIFIC_CURRENT i
    RANGE n
}

PARAMETER { n = 3 }

BREAKPOINT {
    LOCAL sum
    sum = 0
    WHILE (sum < n) { : error[unbounded-loop]
        sum = sum + 1
    }
    i = sum
}
