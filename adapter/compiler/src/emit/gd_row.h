/* Four numbers at a time. */
typedef double gd_row __attribute__((vector_size(32)));
GD_INLINE gd_row gd_load(const double* from) { gd_row r; memcpy(&r, from, sizeof r); return r; }
GD_INLINE void gd_store(double* to, gd_row r) { memcpy(to, &r, sizeof r); }
GD_INLINE gd_row gd_all(const double x) { const gd_row r = {x, x, x, x}; return r; }
/* a b + c, rounded once where the machine can: the sweeps wait for nothing else. */
#if defined(__FMA__) && defined(__GNUC__) && !defined(__clang__)
#define gd_row_fma(a, b, c) ((gd_row)__builtin_ia32_vfmaddpd256(a, b, c))
#elif defined(__FMA__) && defined(__clang__)
#define gd_row_fma(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define gd_row_fma(a, b, c) ((a) * (b) + (c))
#endif

/* The transpose of four rows of four. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define GD_SHUFFLES 1
#endif
#endif
GD_INLINE void gd_transpose(gd_row* r) {
#ifdef GD_SHUFFLES
    const gd_row a = __builtin_shufflevector(r[0], r[1], 0, 4, 2, 6);
    const gd_row b = __builtin_shufflevector(r[0], r[1], 1, 5, 3, 7);
    const gd_row c = __builtin_shufflevector(r[2], r[3], 0, 4, 2, 6);
    const gd_row d = __builtin_shufflevector(r[2], r[3], 1, 5, 3, 7);
    r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    r[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#else
    for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < i; ++j) {
            const double swapped = r[i][j];
            r[i][j] = r[j][i];
            r[j][i] = swapped;
        }
    }
#endif
}
