/* Sensitivities in columns, one after the other, as any host has them and any reader finds them. */

/* Adds the terms of an ordered mechanism for the block of n CVs from `begin` on. */
static void gd_add_terms(gd_report* report, const uint32_t begin, const uint32_t n, const uint32_t first,
                         const uint32_t used, double* sums) {
    const gd_contributor* by = &gd_contributors[report->by];
    arb_mechanism_ppack* pp = report->pp;
    const uint32_t next = report->next;
    const int32_t* at = pp->ion_states[by->u].index + next;
    uint32_t count = pp->width - next < n ? pp->width - next : n;
    while (count > 0 && at[count - 1] >= (int32_t)(begin + n)) --count;
    if (count == 0) return;
    if (at[count - 1] - at[0] == (int32_t)(count - 1)) {
        by->contribute(pp, next, count, first, used, sums + (at[0] - (int32_t)begin), NULL, NULL);
    } else {
        /* fetched, added to and brought back: the same roundings as in place, whichever cells share the arrays */
        double apart[GD_LANES * GD_BLOCK];
        for (uint32_t l = 0; l < used; ++l) {
            for (uint32_t j = 0; j < count; ++j) {
                GD_ONE_BY_ONE;
                apart[GD_BLOCK * l + j] = sums[GD_BLOCK * l + (uint32_t)at[j] - begin];
            }
        }
        by->contribute(pp, next, count, first, used, apart, NULL, NULL);
        for (uint32_t l = 0; l < used; ++l) {
            for (uint32_t j = 0; j < count; ++j) {
                GD_ONE_BY_ONE;
                sums[GD_BLOCK * l + (uint32_t)at[j] - begin] = apart[GD_BLOCK * l + j];
            }
        }
    }
    report->next += count;
}

/* Right-hand sides of `used` slots from `first` on, over the block of n CVs from `begin` on, without the terms of
 * mechanisms that are not ordered. */
static void gd_sum(arb_mechanism_ppack* pp, const gd_rows* rows, const uint32_t begin, const uint32_t n,
                   const uint32_t first, const uint32_t used, double* sums) {
    const double* own = rows->own + begin;
    for (uint32_t l = 0; l < used; ++l) {
        double* restrict to = sums + GD_BLOCK * l;
        const arb_ion_state us = pp->ion_states[first + l];
        double buffer[GD_BLOCK];
        const double* u = gd_gather(us.internal_concentration, us.index + begin, n, buffer);
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) to[j] = own[j] * u[j];
    }
    for (uint32_t r = 0; r < rows->count; ++r) {
        if (!gd_contributors[rows->reports[r].by].ordered) continue;
        gd_add_terms(&rows->reports[r], begin, n, first, used, sums);
    }
}

/* These right-hand sides, side by side in their lanes. */
static void gd_assemble(arb_mechanism_ppack* pp, const gd_rows* rows, double* rhs, const uint32_t begin,
                        const uint32_t n, const uint32_t first, const uint32_t used, const uint32_t lanes) {
    double sums[GD_LANES * GD_BLOCK];
    for (uint32_t l = used; l < lanes; ++l) memset(sums + GD_BLOCK * l, 0, n * sizeof(double));
    gd_sum(pp, rows, begin, n, first, used, sums);
    for (uint32_t l0 = 0; l0 < lanes; l0 += 4) {
        const double* from = sums + GD_BLOCK * l0;
        uint32_t j = 0;
        for (; j + 4 <= n; j += 4) {
            gd_row r[4];
            for (int l = 0; l < 4; ++l) r[l] = gd_load(from + GD_BLOCK * (uint32_t)l + j);
            gd_transpose(r);
            for (uint32_t q = 0; q < 4; ++q) gd_store(rhs + lanes * (j + q) + l0, r[q]);
        }
        for (; j < n; ++j) {
            for (uint32_t l = 0; l < 4; ++l) rhs[lanes * j + l0 + l] = from[GD_BLOCK * l + j];
        }
    }
}

/* Solves for `used` slots from `first` on, side by side. */
GD_INLINE void gd_carry(arb_mechanism_ppack* pp, const gd_rows* rows, const gd_tree* tree, const uint32_t first,
                        const uint32_t used, const int lanes) {
    const double decay = gd_decay(pp->globals[0], pp->dt);
    const uint32_t width = pp->width;
    for (uint32_t r = 0; r < rows->count; ++r) rows->reports[r].next = 0;
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        double* rhs = tree->rhs + (size_t)lanes * begin;
        gd_assemble(pp, rows, rhs, begin, n, first, used, (uint32_t)lanes);
    }
    gd_complete(pp, rows, tree, first, used, lanes, decay);
#ifdef GD_DIFFUSES
    for (uint32_t i = 0; tree->forks && i < width; ++i) {
        if (tree->hosts_fork[i] < 0.5) continue;
        const double* at = gd_fork_rhs(tree, (int32_t)i, lanes);
        for (uint32_t l = 0; l < used; ++l) pp->state_vars[GD_FORK_U + first + l][i] = decay * at[l];
    }
#endif
}

/* Whether no CV has a neighbour, as with cells of one CV, and no mechanism comes unordered. */
static int gd_is_apart(arb_mechanism_ppack* pp, const gd_rows* rows) {
    for (uint32_t r = 0; r < rows->count; ++r) {
        if (!gd_contributors[rows->reports[r].by].ordered) return 0;
    }
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        if (gd_any(pp->parameters[GD_G_FACE] + begin, n) || gd_any(pp->parameters[GD_HOSTS_FORK] + begin, n)) return 0;
    }
    return 1;
}

/* Then every row is an equation of its own: no sweeps, no lanes. */
static void gd_carry_apart(arb_mechanism_ppack* pp, const gd_rows* rows, const uint32_t first, const uint32_t used) {
    const double decay = gd_decay(pp->globals[0], pp->dt);
    for (uint32_t r = 0; r < rows->count; ++r) rows->reports[r].next = 0;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double sums[GD_LANES * GD_BLOCK], inverse[GD_BLOCK];
        const double* diagonal = pp->state_vars[GD_INVERSE] + begin;
        gd_sum(pp, rows, begin, n, first, used, sums);
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) inverse[j] = 1.0 / diagonal[j];
        for (uint32_t l = 0; l < used; ++l) {
            const arb_ion_state us = pp->ion_states[first + l];
            double* restrict x = sums + GD_BLOCK * l;
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) x[j] = decay * (x[j] * inverse[j]); /* rounded as in a tree */
            gd_scatter(us.internal_concentration, us.index + begin, n, x);
        }
    }
}

/* u of all slots. */
static void gd_solve(arb_mechanism_ppack* pp, const gd_rows* rows) {
    double* const* s = pp->state_vars;
    if (gd_is_apart(pp, rows)) {
        for (uint32_t k = 0; k < N_SLOTS; k += GD_LANES) {
            gd_carry_apart(pp, rows, k, N_SLOTS - k < GD_LANES ? N_SLOTS - k : GD_LANES);
        }
        return;
    }
    /* hosts allot a mechanism's columns in one piece; if one does not, room must be found elsewhere */
    const ptrdiff_t stride = s[GD_ROOM + 1] - s[GD_ROOM];
    int joined = stride >= (ptrdiff_t)pp->width;
    for (int c = 2; c < GD_COLUMNS - GD_ROOM; ++c) joined &= s[GD_ROOM + c] == s[GD_ROOM] + c * stride;
    double* const found = joined ? NULL : malloc((GD_COLUMNS - GD_ROOM) * sizeof(double) * pp->width);
    double* const room = joined ? s[GD_ROOM] : found;
    if (!room) {
        gd_give_up(pp);
        return;
    }
    const gd_tree tree = gd_tree_of(pp, room, room + (size_t)GD_LANES * pp->width);
    gd_eliminate(&tree);
    const uint32_t full = N_SLOTS / GD_LANES * GD_LANES, rest = N_SLOTS - full;
    for (uint32_t k = 0; k < full; k += GD_LANES) gd_carry(pp, rows, &tree, k, GD_LANES, GD_LANES);
    if (rest > 8) gd_carry(pp, rows, &tree, full, rest, 12);
    else if (rest > 4) gd_carry(pp, rows, &tree, full, rest, 8);
    else if (rest > 0) gd_carry(pp, rows, &tree, full, rest, 4);
    free(found);
}
