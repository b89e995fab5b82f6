/* Reads doubles from stdin, writes f of each to stdout; argv[1] names f. */
#include "gd_math.h"
#include <stdio.h>
#include <stdlib.h>

#define TRY(name)                                              \
    if (!strcmp(argv[1], #name)) {                             \
        GD_VECTORISE                                           \
        for (size_t i = 0; i < n; ++i) y[i] = gd_##name(x[i]); \
        found = 1;                                             \
    }

static double x[1 << 20], y[1 << 20];

int main(int argc, char** argv) {
    const size_t n = fread(x, sizeof *x, sizeof x / sizeof *x, stdin);
    int found = 0;
    if (argc != 2) return 2;
    TRY(exp) TRY(expm1) TRY(exprelr) TRY(dexprelr) TRY(log) TRY(tanh)
    return !found || fwrite(y, sizeof *y, n, stdout) != n;
}
