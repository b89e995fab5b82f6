static void mech_gd0_cable_init(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
#ifdef GD_IN_ROWS
    gd_begin_rows(pp);
#endif
    double *g_sum = pp->state_vars[GD_G_SUM], *chained = pp->state_vars[GD_CHAINED];
    double* number = pp->state_vars[GD_FORK_NUMBER];
    double forks = 0.0;
    for (int32_t i = 0; i < n; ++i) {
        pp->state_vars[GD_V_PREV][i] = pp->vec_v[pp->node_index[i]];
        g_sum[i] = p[GD_G_FACE][i];
        chained[i] = gd_whole(p[GD_PARENT][i]) == 1 && p[GD_VIA_FORK][i] < 0.5 && p[GD_HOSTS_FORK][i] < 0.5;
        number[i] = forks;
        forks += p[GD_HOSTS_FORK][i] > 0.5;
    }
    for (int32_t i = 0; i < n; ++i) {
        const int32_t parent = i - gd_whole(p[GD_PARENT][i]);
        if (p[GD_VIA_FORK][i] < 0.5 && parent != i) g_sum[parent] += p[GD_G_FACE][i];
        if (p[GD_HOSTS_FORK][i] > 0.5 && parent != i) g_sum[parent] += p[GD_FORK_G][i];
    }
    for (uint32_t k = 0; k < N_SLOTS; ++k) {
        const arb_ion_state u = pp->ion_states[k];
        for (int32_t i = 0; i < n; ++i) u.internal_concentration[u.index[i]] = 0.0;
#ifdef GD_IN_ROWS
        /* where u is not handed out, nobody shall take what is there for it */
        for (int32_t i = 0; i < n; ++i) {
            if (p[GD_READ][i] == 0.0) u.internal_concentration[u.index[i]] = NAN;
        }
#endif
#ifdef GD_DIFFUSES
        memset(pp->state_vars[GD_FORK_U + k], 0, (size_t)n * sizeof(double));
#endif
    }
}

#ifdef GD_CLIP
/* Scales down the sensitivities of the voltage whose norm over the slots exceeds the bound. */
static void gd_clip(arb_mechanism_ppack* pp) {
    for (uint32_t i = 0; i < pp->width; ++i) {
        double square = 0.0;
        for (uint32_t k = 0; k < N_SLOTS; ++k) {
            const double u = pp->ion_states[k].internal_concentration[pp->ion_states[k].index[i]];
            square += u * u;
        }
        const double bound = pp->parameters[GD_CLIP][i], norm = sqrt(square);
        if (!(norm > bound)) continue;
        for (uint32_t k = 0; k < N_SLOTS; ++k)
            pp->ion_states[k].internal_concentration[pp->ion_states[k].index[i]] *= bound / norm;
    }
}
#endif

/* Runs before every other hook of the step: keeps V(t). */
static void mech_gd0_cable_compute_currents(arb_mechanism_ppack* pp) {
#ifdef GD_CLIP
    gd_clip(pp);
#endif
    gd_reports.count = 0;
    gd_reports.lost = 0;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double buffer[GD_BLOCK];
        const double* v = gd_gather(pp->vec_v, pp->node_index + begin, n, buffer);
        memcpy(pp->state_vars[GD_V_PREV] + begin, v, n * sizeof(double));
    }
}

/* What all slots have in common: the diagonals before the elimination, and the rows' coefficients. */
static void gd_prepare(arb_mechanism_ppack* pp, const gd_rows* rows) {
    const double* const* p = (const double* const*)pp->parameters;
    double* const fork_inverse = pp->state_vars[GD_FORK_INVERSE];
    const double per_dt = 1e-3 / pp->dt;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double area_buffer[GD_BLOCK], g_buffer[GD_BLOCK], v_buffer[GD_BLOCK];
        const int32_t* cv = pp->node_index + begin;
        const double* area = gd_gather(pp->area_um2, cv, n, area_buffer);
        const double* g = gd_gather(pp->vec_g, cv, n, g_buffer);
        const double* v = gd_gather(pp->vec_v, cv, n, v_buffer);
        const double *cap = p[GD_CAP] + begin, *faces = pp->state_vars[GD_G_SUM] + begin;
        const double* v_prev = pp->state_vars[GD_V_PREV] + begin;
        double *restrict diagonal = pp->state_vars[GD_INVERSE] + begin, *restrict own = rows->own + begin;
        double *restrict scaled = rows->area + begin, *restrict fallen = rows->fallen + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double a = 1e-3 * area[j] GD_ROW_SCALE(j), o = per_dt * cap[j] + a * g[j];
            scaled[j] = a;
            own[j] = o;
            fallen[j] = a * (v_prev[j] - v[j]);
            diagonal[j] = o + faces[j];
        }
        memcpy(fork_inverse + begin, p[GD_FORK_G] + begin, n * sizeof(double));
#ifdef GD_DIFFUSES
        for (uint32_t j = 0; j < n; ++j) fork_inverse[begin + j] += per_dt;
#endif
    }
    for (uint32_t i = 0; i < pp->width; ++i) {
        if (p[GD_VIA_FORK][i] > 0.5) {
            fork_inverse[(int32_t)i - gd_whole(p[GD_FORK_OFFSET][i])] += p[GD_G_FACE][i];
        }
    }
    for (uint32_t r = 0; r < rows->count; ++r) gd_contributors[rows->reports[r].by].weigh(rows->reports[r].pp, rows);
}

/* Runs first after the voltage solve: vec_v is V(t+dt), vec_g the total conductance of V(t). */
static void mech_gd0_cable_advance_state(arb_mechanism_ppack* pp) {
    double* const* s = pp->state_vars;
    const gd_rows rows = {s[GD_OWN], s[GD_AREA], s[GD_FALLEN], s[GD_V_PREV], gd_reports.list, gd_reports.count};
    /* mechanisms know a CV by its position in the ion's arrays, which must be its instance of the carrier */
    const uint32_t last = pp->width - 1;
    const int32_t* at = pp->ion_states[0].index;
    if (gd_reports.lost || at[0] != 0 || (uint32_t)at[last] != last) {
        gd_give_up(pp);
        return;
    }
    gd_prepare(pp, &rows);
    gd_solve(pp, &rows);
}
