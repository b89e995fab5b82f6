/* Sensitivities in rows: the slots of a CV side by side, GD_LANES of them at a time, so that all of a slot's work on a CV
 * is done on the same few cache lines, and the sweeps find their operands as they need them. Only for a host that allots
 * a mechanism's columns in one piece, and where nobody reads sensitivities of states by name. */

static void gd_show_rows(arb_mechanism_ppack* pp) {
    gd_u.rows = pp->state_vars[GD_U];
    gd_u.cvs = pp->width;
}

static void gd_begin_rows(arb_mechanism_ppack* pp) {
    gd_show_rows(pp);
    memset(gd_u.rows, 0, GD_ROW_COLUMNS * sizeof(double) * pp->width);
    const double* read = pp->parameters[GD_READ];
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double* shown = pp->state_vars[GD_SHOWN] + begin;
        uint32_t found = 0;
        for (uint32_t j = 0; j < n; ++j) {
            if (read[begin + j] != 0.0) shown[found++] = j;
        }
        if (found < n) shown[found] = -1.0;
        else shown[0] = GD_ALL;
    }
}

/* Rows of u from `scaled` up to `end`: what is left of u in the right-hand side. */
GD_INLINE uint32_t gd_scale_rows(const gd_rows* rows, double* rhs, uint32_t scaled, const uint32_t end, const int lanes) {
    for (; scaled < end; ++scaled) {
        double* x = rhs + (size_t)lanes * scaled;
        for (int l = 0; l < lanes; l += 4) gd_store(x + l, gd_all(rows->own[scaled]) * gd_load(x + l));
    }
    return scaled;
}

/* Solves for `used` slots from `first` on, side by side. */
GD_INLINE void gd_carry(arb_mechanism_ppack* pp, const gd_rows* rows, const gd_tree* tree, const uint32_t first,
                        const uint32_t used, const int lanes) {
    const double decay = gd_decay(pp->globals[0], pp->dt);
    const uint32_t width = pp->width;
    uint32_t scaled = 0;
    double before[GD_LANES * GD_BLOCK];
    for (uint32_t r = 0; r < rows->count; ++r) rows->reports[r].next = 0;
    for (uint32_t start = 0; start < width; start += GD_BLOCK) {
        const uint32_t end = width - start < GD_BLOCK ? width : start + GD_BLOCK;
        const double* us = tree->rhs + (size_t)lanes * start;
        /* one of several finds u scaled already, or a right-hand side in its place */
        if (rows->count > 1) us = memcpy(before, us, (size_t)lanes * (end - start) * sizeof(double));
        for (uint32_t r = 0; r < rows->count; ++r) {
            gd_report* report = &rows->reports[r];
            const gd_contributor* by = &gd_contributors[report->by];
            const int32_t* at = report->pp->ion_states[by->u].index;
            while (by->ordered && report->next < report->pp->width && (uint32_t)at[report->next] < end) {
                /* a run of CVs side by side, within a block of instances, and one of CVs for the sake of the copy */
                const uint32_t begin = report->next, i = (uint32_t)at[begin];
                uint32_t stop = (begin / GD_BLOCK + 1) * GD_BLOCK, n = 1;
                if (stop > report->pp->width) stop = report->pp->width;
                if (at[stop - 1] - at[begin] == (int32_t)(stop - 1 - begin)) n = stop - begin;
                else while (begin + n < stop && at[begin + n] == at[begin] + (int32_t)n) ++n;
                if (n > end - i) n = end - i;
                const double* own = NULL;
                if (i >= scaled) {
                    gd_scale_rows(rows, tree->rhs, scaled, i, lanes);
                    own = rows->own + i;
                    scaled = i + n;
                } else {
                    scaled = gd_scale_rows(rows, tree->rhs, scaled, i + n, lanes);
                }
                by->contribute(report->pp, begin, n, first, used, tree->rhs + (size_t)lanes * i, own,
                               us + (size_t)lanes * (i - start));
                report->next += n;
            }
        }
    }
    gd_scale_rows(rows, tree->rhs, scaled, width, lanes);
    gd_complete(pp, rows, tree, first, used, lanes, decay);
    /* not before: CVs below a fork ask for what is above them */
    for (size_t x = 0; decay != 1.0 && x < (size_t)lanes * width; ++x) tree->rhs[x] *= decay;
}

/* u of all slots. */
static void gd_solve(arb_mechanism_ppack* pp, const gd_rows* rows) {
    gd_show_rows(pp);
    gd_tree tree = gd_tree_of(pp, gd_u.rows, pp->state_vars[GD_ROOM]);
    gd_eliminate(&tree);
    const uint32_t full = N_SLOTS / GD_LANES * GD_LANES, rest = N_SLOTS - full;
    for (uint32_t k = 0; k < N_SLOTS; k += GD_LANES) {
        tree.rhs = gd_u.rows + (size_t)k * pp->width;
        if (k < full) gd_carry(pp, rows, &tree, k, GD_LANES, GD_LANES);
        else if (rest > 8) gd_carry(pp, rows, &tree, k, rest, 12);
        else if (rest > 4) gd_carry(pp, rows, &tree, k, rest, 8);
        else gd_carry(pp, rows, &tree, k, rest, 4);
    }
}
