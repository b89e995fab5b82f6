/* u of the group that the thread works on, and its number of CVs. */
static _Thread_local struct { double* rows; uint32_t cvs; } gd_u;

/* gd_moved, four at a time. */
typedef long long gd_row_mask __attribute__((vector_size(32)));
GD_INLINE gd_row gd_row_moved(const gd_row d, const gd_row w) {
    return (gd_row)((gd_row_mask)(d * w) & (gd_row_mask)(w != 0.0));
}

/* Rows of u for n instances: where they are, if side by side, or fetched. */
GD_INLINE const double* gd_rows_of_u(const int32_t* at, const uint32_t n, const uint32_t first, const uint32_t lanes,
                                     double* buffer) {
    const double* const from = gd_u.rows + (size_t)first * gd_u.cvs;
    if (at[n - 1] - at[0] == (int32_t)(n - 1)) return from + (size_t)lanes * (uint32_t)at[0];
    for (uint32_t j = 0; j < n; ++j) {
        memcpy(buffer + (size_t)lanes * j, from + (size_t)lanes * (uint32_t)at[j], lanes * sizeof(double));
    }
    return buffer;
}

/* A seed's slot, its column, and the column of its weight. */
typedef struct gd_moved_by { uint32_t slot, seed, weight; } gd_moved_by;

/* In a list of places, which ends with -1: all there are. */
#define GD_ALL -2.0

/* Which of `count` seeds are not 0 in all n instances of a block: their places; all, if the list is too short. */
static void gd_list_moved(arb_mechanism_ppack* pp, const gd_moved_by* moved, const uint32_t count, double* list,
                          const uint32_t begin, const uint32_t n) {
    uint32_t found = 0;
    for (uint32_t m = 0; m < count; ++m) {
        if (!gd_any(pp->parameters[moved[m].seed] + begin, n)) continue;
        if (found < n) list[found] = m;
        ++found;
    }
    if (found < n) list[found] = -1.0;
    if (found > n) list[0] = GD_ALL;
}

/* Adds what up to four slots, side by side, get from their seeds. `taken`: which of them, by bits. */
static void gd_add_quad(double (*of)[GD_BLOCK], const uint32_t taken, double* rows, const uint32_t lanes,
                        const uint32_t n) {
    for (uint32_t l = 0; l < 4; ++l) {
        if (!(taken >> l & 1)) memset(of[l], 0, n * sizeof(double));
    }
    uint32_t j = 0;
    for (; j + 4 <= n; j += 4) {
        gd_row r[4];
        for (uint32_t l = 0; l < 4; ++l) r[l] = gd_load(of[l] + j);
        gd_transpose(r);
        for (uint32_t q = 0; q < 4; ++q) {
            double* to = rows + (size_t)lanes * (j + q);
            gd_store(to, gd_load(to) + r[q]);
        }
    }
    for (; j < n; ++j) {
        for (uint32_t l = 0; l < 4; ++l) rows[(size_t)lanes * j + l] += of[l][j];
    }
}

/* Adds weights times seeds to the rows of the slots from `first` on, for n instances from `begin` on, all in one block of
 * the list. `diverges`: whether a weight may be infinite where its seed is 0. */
static void gd_add_moved(arb_mechanism_ppack* pp, const gd_moved_by* moved, const uint32_t count, const double* lists,
                         const uint32_t begin, const uint32_t n, const uint32_t first, const uint32_t lanes,
                         double* rows, const int diverges) {
    const uint32_t block = begin / GD_BLOCK * GD_BLOCK, left = pp->width - block;
    const double* list = lists + block;
    const int all = list[0] == GD_ALL;
    const uint32_t listed = all ? count : left < GD_BLOCK ? left : GD_BLOCK;
    double of[4][GD_BLOCK];
    uint32_t quad = 0, taken = 0;
    for (uint32_t i = 0; i < listed && (all || list[i] >= 0.0); ++i) {
        const gd_moved_by by = moved[all ? i : (uint32_t)list[i]];
        const uint32_t l = by.slot - first;
        if (l >= lanes) continue; /* slots before the first wrap around */
        if (taken && (l / 4 != quad || taken >> l % 4 & 1)) {
            gd_add_quad(of, taken, rows + 4 * quad, lanes, n);
            taken = 0;
        }
        quad = l / 4;
        taken |= 1u << l % 4;
        const double *seed = pp->parameters[by.seed] + begin, *w = pp->state_vars[by.weight] + begin;
        double* restrict to = of[l % 4];
        if (diverges) {
            for (uint32_t j = 0; j < n; ++j) to[j] = gd_moved(w[j], seed[j]);
        } else {
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) to[j] = w[j] * seed[j];
        }
    }
    if (taken) gd_add_quad(of, taken, rows + 4 * quad, lanes, n);
}
