/* u of the group that the thread works on, and its number of CVs. */
typedef struct gd_rows_of { double* rows; uint32_t cvs; } gd_rows_of;
GD_COMMON _Thread_local gd_rows_of gd_u;

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

/* Which of `count` seeds are not 0 in all n instances of a block: their places, and from where up to where they are not,
 * in one number; all, if the list is too short. */
static void gd_list_moved(arb_mechanism_ppack* pp, const gd_moved_by* moved, const uint32_t count, double* list,
                          const uint32_t begin, const uint32_t n) {
    uint32_t found = 0;
    for (uint32_t m = 0; m < count; ++m) {
        const double* seed = pp->parameters[moved[m].seed] + begin;
        uint32_t from = 0, to = n;
        while (from < to && seed[from] == 0.0) ++from;
        while (from < to && seed[to - 1] == 0.0) --to;
        if (from == to) continue;
        if (found < n) list[found] = ((double)m * GD_BLOCK + from) * GD_BLOCK + (to - 1);
        ++found;
    }
    if (found < n) list[found] = -1.0;
    if (found > n) list[0] = GD_ALL;
}

/* Seeds of one slot, and their weights; instances in which they are not 0. */
typedef struct gd_moved_run { const double *seed, *weight; uint32_t from, to; } gd_moved_run;

GD_INLINE double gd_seeded(const gd_moved_run* by, const uint32_t j, const int diverges) {
    return diverges ? gd_moved(by->weight[j], by->seed[j]) : by->weight[j] * by->seed[j];
}

/* Adds what up to four slots, side by side, get from their seeds. `taken`: which of them, by bits. */
static void gd_add_quad(const gd_moved_run* by, const uint32_t taken, double* rows, const uint32_t lanes,
                        const int diverges) {
    uint32_t from = GD_BLOCK, to = 0, seeds = 0;
    for (uint32_t l = 0; l < 4; ++l) {
        if (!(taken >> l & 1)) continue;
        if (by[l].from < from) from = by[l].from;
        if (by[l].to > to) to = by[l].to;
        seeds += by[l].to - by[l].from;
    }
    /* where slots take turns, transposing would not pay */
    if (seeds <= to - from) {
        for (uint32_t l = 0; l < 4; ++l) {
            if (!(taken >> l & 1)) continue;
            const gd_row_mask only = {-(l == 0), -(l == 1), -(l == 2), -(l == 3)};
            for (uint32_t j = by[l].from; j < by[l].to; ++j) {
                double* at = rows + (size_t)lanes * j;
                const gd_row seeded = (gd_row)((gd_row_mask)gd_all(gd_seeded(&by[l], j, diverges)) & only);
                gd_store(at, gd_load(at) + seeded);
            }
        }
        return;
    }
    double of[4][GD_BLOCK];
    for (uint32_t l = 0; l < 4; ++l) {
        if (!(taken >> l & 1)) {
            memset(of[l] + from, 0, (to - from) * sizeof(double));
            continue;
        }
        GD_VECTORISE
        for (uint32_t j = from; j < to; ++j) of[l][j] = gd_seeded(&by[l], j, diverges);
    }
    uint32_t j = from;
    for (; j + 4 <= to; j += 4) {
        gd_row r[4];
        for (uint32_t l = 0; l < 4; ++l) r[l] = gd_load(of[l] + j);
        gd_transpose(r);
        for (uint32_t q = 0; q < 4; ++q) {
            double* at = rows + (size_t)lanes * (j + q);
            gd_store(at, gd_load(at) + r[q]);
        }
    }
    for (; j < to; ++j) {
        for (uint32_t l = 0; l < 4; ++l) rows[(size_t)lanes * j + l] += of[l][j];
    }
}

/* Adds weights times seeds to the rows of the slots from `first` on, for n instances from `begin` on, all in one block of
 * the list. `diverges`: whether a weight may be infinite where its seed is 0. */
static void gd_add_moved(arb_mechanism_ppack* pp, const gd_moved_by* moved, const uint32_t count, const double* lists,
                         const uint32_t begin, const uint32_t n, const uint32_t first, const uint32_t lanes,
                         double* rows, const int diverges) {
    const uint32_t block = begin / GD_BLOCK * GD_BLOCK, left = pp->width - block, skipped = begin - block;
    const double* list = lists + block;
    const int all = list[0] == GD_ALL;
    const uint32_t listed = all ? count : left < GD_BLOCK ? left : GD_BLOCK;
    gd_moved_run by[4];
    uint32_t quad = 0, taken = 0;
    for (uint32_t i = 0; i < listed && (all || list[i] >= 0.0); ++i) {
        const uint64_t everywhere = (uint64_t)i * GD_BLOCK * GD_BLOCK + GD_BLOCK - 1;
        const uint64_t place = all ? everywhere : (uint64_t)list[i];
        const gd_moved_by of = moved[place / (GD_BLOCK * GD_BLOCK)];
        const uint32_t l = of.slot - first, from = place / GD_BLOCK % GD_BLOCK, to = place % GD_BLOCK + 1;
        if (l >= lanes || to <= skipped || from >= skipped + n) continue; /* slots before the first wrap around */
        if (taken && (l / 4 != quad || taken >> l % 4 & 1)) {
            gd_add_quad(by, taken, rows + 4 * quad, lanes, diverges);
            taken = 0;
        }
        quad = l / 4;
        taken |= 1u << l % 4;
        by[l % 4].seed = pp->parameters[of.seed] + begin;
        by[l % 4].weight = pp->state_vars[of.weight] + begin;
        by[l % 4].from = from > skipped ? from - skipped : 0;
        by[l % 4].to = to - skipped < n ? to - skipped : n;
    }
    if (taken) gd_add_quad(by, taken, rows + 4 * quad, lanes, diverges);
}
