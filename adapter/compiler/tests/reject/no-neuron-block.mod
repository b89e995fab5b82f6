PARAMETER { : error[missing-suffix]
    g = 0.001
}
