enum { GD_PARENT, GD_G_FACE, GD_VIA_FORK, GD_FORK_OFFSET, GD_FORK_G, GD_HOSTS_FORK, GD_CAP };
enum { GD_V_PREV, GD_G_SUM, GD_INVERSE, GD_FACTOR, GD_CHAINED, GD_FORK_INVERSE, GD_FORK_NUMBER,
       GD_OWN, GD_AREA, GD_FALLEN, GD_ROOM };
#ifdef GD_IN_ROWS
/* Room for the right-hand sides of forks, of which there are at most half as many as CVs; then u, whose rows are
 * right-hand sides while the tree is solved; and in which CVs of a block it is handed out. */
enum { GD_U = GD_ROOM + 6, GD_SHOWN = GD_U + GD_ROW_COLUMNS, GD_COLUMNS };
#else
enum { GD_COLUMNS = GD_ROOM + 18 };
#endif

#ifdef GD_DIFFUSES
/* The published carrier, ion diffusion by the rule of Arbor 0.9, in place of the voltage's matrix: rows of unit mass, one
 * number per face in both of its rows. What mechanisms add is divided by the capacitance, in its last parameter; a fork
 * has a mass too, so it remembers its u, in one more column per slot. Symmetric as the other, hence the same solver. */
enum { GD_PER_CAP = GD_CAP + 1, GD_FORK_U = GD_COLUMNS };
#define GD_ROW_SCALE(j) * p[GD_PER_CAP][begin + (j)]
#else
#define GD_ROW_SCALE(j)
#endif

/* The tree's right-hand sides, `lanes` per CV, then per fork. */
typedef struct gd_tree {
    int32_t n;
    const double *offset, *g_face, *via_fork, *fork_offset, *fork_g, *hosts_fork;
    const double *chained, *fork_number;
    double *inverse, *factor, *fork_inverse, *rhs, *fork_rhs;
    int forks;
} gd_tree;

/* A number of instances, which is whole and not negative. */
GD_INLINE int32_t gd_whole(double x) { return (int32_t)(x + 0.5); }

GD_INLINE double* gd_fork_rhs(const gd_tree* t, int32_t host, const int lanes) {
    return t->fork_rhs + (size_t)lanes * (size_t)gd_whole(t->fork_number[host]);
}

/* A row of right-hand sides: twelve lanes, or eight, or four. */
typedef struct gd_lanes { gd_row low, middle, high; } gd_lanes;
GD_INLINE gd_lanes gd_read(const double* from, const int lanes) {
    gd_lanes x = {gd_load(from), {0}, {0}};
    if (lanes > 4) x.middle = gd_load(from + 4);
    if (lanes > 8) x.high = gd_load(from + 8);
    return x;
}
GD_INLINE void gd_write(double* to, const gd_lanes x, const int lanes) {
    gd_store(to, x.low);
    if (lanes > 4) gd_store(to + 4, x.middle);
    if (lanes > 8) gd_store(to + 8, x.high);
}
/* a f + b */
GD_INLINE gd_lanes gd_scaled_plus(const gd_lanes a, const double f, const gd_lanes b) {
    const gd_row factor = {f, f, f, f};
    const gd_lanes sum = {gd_row_fma(a.low, factor, b.low), gd_row_fma(a.middle, factor, b.middle),
                          gd_row_fma(a.high, factor, b.high)};
    return sum;
}
/* *at += a f */
GD_INLINE void gd_add(double* at, const gd_lanes a, const double f, const int lanes) {
    gd_write(at, gd_scaled_plus(a, f, gd_read(at, lanes)), lanes);
}

/* CVs of a run below which its ratios would cost more than they save. */
enum { GD_SHORT_RUN = 6 };

/* Eliminates a run of chained CVs, from `end - 1` up to `begin`. With the diagonals D the pivots are E = D - g^2/E_below,
 * a chain of divisions. Of the ratios in E = D q/q_below, q = q_below - g^2/(D D_below) q_two_below, only the products
 * wait for each other. q shrinks from one CV to the next by g/(g + g_below) at most, about a half: no block underflows. */
static void gd_eliminate_run(const gd_tree* t, const int32_t begin, int32_t end) {
    double below = 0.0; /* what the run beyond the block takes from its last diagonal */
    if (end - begin < GD_SHORT_RUN) {
        for (int32_t i = end - 1; i >= begin; --i) {
            const double inverse = 1.0 / (t->inverse[i] - below);
            t->inverse[i] = inverse;
            t->factor[i] = t->g_face[i] * inverse;
            below = t->g_face[i] * t->factor[i];
        }
        return;
    }
    while (end > begin) {
        const int32_t n = end - begin < (int32_t)GD_BLOCK ? end - begin : (int32_t)GD_BLOCK, from = end - n;
        double *restrict pivot = t->inverse + from, *restrict factor = t->factor + from, r[GD_BLOCK], q[GD_BLOCK + 2];
        const double* g = t->g_face + from;
        pivot[n - 1] -= below;
        GD_VECTORISE
        for (int32_t j = 0; j < n; ++j) r[j] = 1.0 / pivot[j];
        q[n] = q[n - 1] = 1.0;
        GD_VECTORISE
        for (int32_t j = 0; j < n - 1; ++j) factor[j] = g[j + 1] * g[j + 1] * r[j] * r[j + 1];
        for (int32_t j = n - 2; j >= 0; --j) q[j] = gd_fma(-factor[j], q[j + 2], q[j + 1]);
        GD_VECTORISE
        for (int32_t j = 0; j < n; ++j) {
            const double inverse = r[j] * (q[j + 1] / q[j]);
            pivot[j] = inverse;
            factor[j] = g[j] * inverse;
        }
        below = g[0] * factor[0];
        end = from;
    }
}

/* Eliminates the matrix from the leaves to the roots: leaves the inverses of the pivots, and what a parent gets. */
static void gd_eliminate(const gd_tree* t) {
    for (int32_t i = t->n - 1; i >= 0; --i) {
        const int32_t end = i + 1;
        while (t->chained[i] != 0.0) --i;
        gd_eliminate_run(t, i, end);
        const int32_t parent = i - gd_whole(t->offset[i]);
        const double carry = t->g_face[i] * t->factor[i];
        if (t->via_fork[i] > 0.5) {
            t->fork_inverse[i - gd_whole(t->fork_offset[i])] -= carry;
        } else if (parent != i) {
            t->inverse[parent] -= carry;
        }
        if (t->hosts_fork[i] > 0.5) {
            const double g = t->fork_g[i];
            t->fork_inverse[i] = 1.0 / t->fork_inverse[i];
            if (parent != i) t->inverse[parent] -= g * g * t->fork_inverse[i];
        }
    }
}

/* From the leaves to the roots: x_parent += factor x. */
GD_INLINE void gd_sweep_up(const gd_tree* t, const int lanes) {
    const gd_lanes nothing = {{0}, {0}, {0}};
    gd_lanes below = nothing;
    double f = 0.0;
    for (int32_t i = t->n - 1; i >= 0; --i) {
        double* x = t->rhs + (size_t)lanes * (size_t)i;
        below = gd_scaled_plus(below, f, gd_read(x, lanes));
        gd_write(x, below, lanes);
        f = t->factor[i];
        if (t->chained[i] != 0.0) continue;
        const int32_t parent = i - gd_whole(t->offset[i]);
        double* const up = t->rhs + (size_t)lanes * (size_t)parent;
        if (t->via_fork[i] > 0.5) {
            gd_add(gd_fork_rhs(t, i - gd_whole(t->fork_offset[i]), lanes), below, f, lanes);
        } else if (parent != i) {
            gd_add(up, below, f, lanes);
        }
        if (t->hosts_fork[i] > 0.5 && parent != i) {
            gd_add(up, gd_read(gd_fork_rhs(t, i, lanes), lanes), t->fork_g[i] * t->fork_inverse[i], lanes);
        }
        /* both, lest what is not a number in one tree gets into the next */
        below = nothing;
        f = 0.0;
    }
}

/* From the roots to the leaves, in the CVs from `begin` to `end`: x = inverse x + factor x_parent. `above` is x of the CV
 * before `begin`; returns that of the last. */
GD_INLINE gd_lanes gd_sweep_down(const gd_tree* t, const int lanes, const int32_t begin, const int32_t end,
                                 gd_lanes above) {
    const gd_lanes nothing = {{0}, {0}, {0}};
    for (int32_t i = begin; i < end; ++i) {
        double* x = t->rhs + (size_t)lanes * (size_t)i;
        if (t->chained[i] == 0.0) {
            const int32_t parent = i - gd_whole(t->offset[i]);
            above = parent == i ? nothing : gd_read(t->rhs + (size_t)lanes * (size_t)parent, lanes);
            /* the host is the first below its fork, so the fork's value is there before the others ask */
            if (t->hosts_fork[i] > 0.5) {
                double* at = gd_fork_rhs(t, i, lanes);
                const gd_lanes sum = gd_scaled_plus(above, t->fork_g[i], gd_read(at, lanes));
                gd_write(at, gd_scaled_plus(sum, t->fork_inverse[i], nothing), lanes);
            }
            if (t->via_fork[i] > 0.5) {
                above = gd_read(gd_fork_rhs(t, i - gd_whole(t->fork_offset[i]), lanes), lanes);
            }
        }
        above = gd_scaled_plus(above, t->factor[i], gd_scaled_plus(gd_read(x, lanes), t->inverse[i], nothing));
        gd_write(x, above, lanes);
    }
    return above;
}

/* Adds the terms of a mechanism whose instances come as they like, for all CVs. */
static void gd_add_scattered(const gd_report* report, const uint32_t first, const uint32_t used, double* rhs,
                             const uint32_t lanes, const uint32_t cvs) {
    const gd_contributor* by = &gd_contributors[report->by];
    arb_mechanism_ppack* pp = report->pp;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const int32_t* at = pp->ion_states[by->u].index + begin;
        double apart[GD_LANES * GD_BLOCK];
        for (uint32_t l = 0; l < used; ++l) memset(apart + GD_BLOCK * l, 0, n * sizeof(double));
        by->contribute(pp, begin, n, first, used, apart, NULL, NULL);
        for (uint32_t j = 0; j < n; ++j) {
            if ((uint32_t)at[j] >= cvs) continue;
            for (uint32_t l = 0; l < used; ++l) rhs[lanes * (uint32_t)at[j] + l] += apart[GD_BLOCK * l + j];
        }
    }
}

/* The solutions, faded, to where everybody finds them. */
static void gd_hand_out(arb_mechanism_ppack* pp, const double* rhs, const double decay, const uint32_t begin,
                        const uint32_t n, const uint32_t first, const uint32_t used, const uint32_t lanes) {
#ifdef GD_IN_ROWS
    const double* const shown = pp->state_vars[GD_SHOWN] + begin;
    if (shown[0] != GD_ALL) {
        for (uint32_t s = 0; s < n && shown[s] >= 0.0; ++s) {
            const uint32_t j = (uint32_t)shown[s];
            for (uint32_t l = 0; l < used; ++l) {
                const arb_ion_state us = pp->ion_states[first + l];
                us.internal_concentration[us.index[begin + j]] = decay * rhs[lanes * j + l];
            }
        }
        return;
    }
#endif
    for (uint32_t l0 = 0; l0 < used; l0 += 4) {
        double apart[4][GD_BLOCK], *to[4];
        for (uint32_t l = 0; l < 4; ++l) {
            to[l] = apart[l];
            if (l0 + l >= used) continue;
            const arb_ion_state us = pp->ion_states[first + l0 + l];
            const int32_t* at = us.index + begin;
            if (at[n - 1] - at[0] == (int32_t)(n - 1)) to[l] = us.internal_concentration + at[0];
        }
        uint32_t j = 0;
        for (; j + 4 <= n; j += 4) {
            gd_row r[4];
            for (uint32_t q = 0; q < 4; ++q) r[q] = decay * gd_load(rhs + lanes * (j + q) + l0);
            gd_transpose(r);
            for (int l = 0; l < 4; ++l) gd_store(to[l] + j, r[l]);
        }
        for (; j < n; ++j) {
            for (uint32_t l = 0; l < 4; ++l) to[l][j] = decay * rhs[lanes * j + l0 + l];
        }
        for (uint32_t l = 0; l < 4 && l0 + l < used; ++l) {
            if (to[l] != apart[l]) continue;
            const arb_ion_state us = pp->ion_states[first + l0 + l];
            gd_scatter(us.internal_concentration, us.index + begin, n, apart[l]);
        }
    }
}

/* Completes the right-hand sides, by the terms of mechanisms that are not ordered and those of forks, sweeps up and down,
 * and hands the solutions out. */
GD_INLINE void gd_complete(arb_mechanism_ppack* pp, const gd_rows* rows, const gd_tree* tree, const uint32_t first,
                           const uint32_t used, const int lanes, const double decay) {
    const uint32_t width = pp->width;
    for (uint32_t r = 0; r < rows->count; ++r) {
        if (gd_contributors[rows->reports[r].by].ordered) continue;
        gd_add_scattered(&rows->reports[r], first, used, tree->rhs, (uint32_t)lanes, width);
    }
    for (uint32_t i = 0; tree->forks && i < width; ++i) {
        if (tree->hosts_fork[i] < 0.5) continue;
        double* at = gd_fork_rhs(tree, (int32_t)i, lanes);
        for (int l = 0; l < lanes; ++l) at[l] = 0.0;
#ifdef GD_DIFFUSES
        for (uint32_t l = 0; l < used; ++l) at[l] = 1e-3 / pp->dt * pp->state_vars[GD_FORK_U + first + l][i];
#endif
    }
    gd_sweep_up(tree, lanes);
    gd_lanes above = {{0}, {0}, {0}};
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        above = gd_sweep_down(tree, lanes, (int32_t)begin, (int32_t)(begin + n), above);
        gd_hand_out(pp, tree->rhs + (size_t)lanes * begin, decay, begin, n, first, used, (uint32_t)lanes);
    }
}

/* The matrix, before its elimination. */
static gd_tree gd_tree_of(arb_mechanism_ppack* pp, double* rhs, double* fork_rhs) {
    const double* const* p = (const double* const*)pp->parameters;
    double* const* s = pp->state_vars;
    const uint32_t last = pp->width - 1;
    const gd_tree tree = {
        .n = (int32_t)pp->width, .offset = p[GD_PARENT], .g_face = p[GD_G_FACE], .via_fork = p[GD_VIA_FORK],
        .fork_offset = p[GD_FORK_OFFSET], .fork_g = p[GD_FORK_G], .hosts_fork = p[GD_HOSTS_FORK],
        .chained = s[GD_CHAINED], .fork_number = s[GD_FORK_NUMBER], .inverse = s[GD_INVERSE], .factor = s[GD_FACTOR],
        .fork_inverse = s[GD_FORK_INVERSE], .rhs = rhs, .fork_rhs = fork_rhs,
        .forks = s[GD_FORK_NUMBER][last] + p[GD_HOSTS_FORK][last] > 0.5,
    };
    return tree;
}

/* No answer rather than a wrong one. */
static void gd_give_up(arb_mechanism_ppack* pp) {
    for (uint32_t k = 0; k < N_SLOTS; ++k) {
        const arb_ion_state u = pp->ion_states[k];
        for (uint32_t i = 0; i < pp->width; ++i) u.internal_concentration[u.index[i]] = NAN;
    }
#ifdef GD_IN_ROWS
    for (uint32_t i = 0; i < pp->width; ++i) pp->state_vars[GD_U][i] = NAN;
#endif
}
