static void gd_nothing(arb_mechanism_ppack* pp) { (void)pp; }
static void gd_no_events(arb_mechanism_ppack* pp, arb_deliverable_event_stream* events) { (void)pp; (void)events; }

/* ---- gd0_cable ---- */
#define N_SLOTS 1u
enum { GD_PARENT, GD_G_FACE, GD_VIA_FORK, GD_FORK_OFFSET, GD_FORK_G, GD_HOSTS_FORK, GD_CAP };
enum { GD_V_PREV, GD_G_SUM, GD_INVERSE, GD_FACTOR, GD_CHAINED, GD_FORK_INVERSE, GD_FORK_NUMBER, GD_ROOM, GD_U = GD_ROOM + 12 };

/* Slots are solved GD_LANES at a time, side by side: the sweeps along the tree are chains of dependent operations, and
 * this many of them run in the time of one. */
enum { GD_LANES = 8 };

/* The tree's right-hand sides, `lanes` per CV, then per fork; room for them is a block of state columns. */
typedef struct gd_tree {
    int32_t n;
    const double *offset, *g_face, *via_fork, *fork_offset, *fork_g, *hosts_fork;
    const double *inverse, *factor, *chained, *fork_inverse, *fork_number;
    double *rhs, *fork_rhs;
} gd_tree;

GD_INLINE double* gd_fork_rhs(const gd_tree* t, int32_t host, const int lanes) {
    return t->fork_rhs + (size_t)lanes * (size_t)t->fork_number[host];
}

/* From the leaves to the roots: x_parent += factor x. */
GD_INLINE void gd_sweep_up(const gd_tree* t, const int lanes) {
    double below[GD_LANES] = {0}, factor = 0.0;
    for (int32_t i = t->n - 1; i >= 0; --i) {
        double* restrict x = t->rhs + (size_t)lanes * (size_t)i;
        for (int l = 0; l < lanes; ++l) below[l] = x[l] = gd_fma(factor, below[l], x[l]);
        factor = t->factor[i];
        if (t->chained[i] != 0.0) continue;
        const int32_t parent = i - (int32_t)lround(t->offset[i]);
        if (t->via_fork[i] > 0.5) {
            double* at = gd_fork_rhs(t, i - (int32_t)lround(t->fork_offset[i]), lanes);
            for (int l = 0; l < lanes; ++l) at[l] += factor * below[l];
        } else if (parent != i) {
            double* at = t->rhs + (size_t)lanes * (size_t)parent;
            for (int l = 0; l < lanes; ++l) at[l] += factor * below[l];
        }
        if (t->hosts_fork[i] > 0.5 && parent != i) {
            const double g = t->fork_g[i] * t->fork_inverse[i], *from = gd_fork_rhs(t, i, lanes);
            double* at = t->rhs + (size_t)lanes * (size_t)parent;
            for (int l = 0; l < lanes; ++l) at[l] += g * from[l];
        }
        factor = 0.0;
    }
}

/* From the roots to the leaves: x = inverse x + factor x_parent. */
GD_INLINE void gd_sweep_down(const gd_tree* t, const int lanes) {
    double above[GD_LANES] = {0};
    for (int32_t i = 0; i < t->n; ++i) {
        double* restrict x = t->rhs + (size_t)lanes * (size_t)i;
        const double f = t->factor[i], inverse = t->inverse[i];
        if (t->chained[i] == 0.0) {
            const int32_t parent = i - (int32_t)lround(t->offset[i]);
            const double* up = t->rhs + (size_t)lanes * (size_t)parent;
            const double own = parent != i ? 1.0 : 0.0;
            for (int l = 0; l < lanes; ++l) above[l] = own * up[l];
            /* the host is the first below its fork, so the fork's value is there before the others ask */
            if (t->hosts_fork[i] > 0.5) {
                double* at = gd_fork_rhs(t, i, lanes);
                for (int l = 0; l < lanes; ++l) at[l] = t->fork_inverse[i] * (at[l] + t->fork_g[i] * above[l]);
            }
            if (t->via_fork[i] > 0.5) {
                const double* at = gd_fork_rhs(t, i - (int32_t)lround(t->fork_offset[i]), lanes);
                for (int l = 0; l < lanes; ++l) above[l] = at[l];
            }
        }
        for (int l = 0; l < lanes; ++l) x[l] *= inverse;
        for (int l = 0; l < lanes; ++l) above[l] = x[l] = gd_fma(f, above[l], x[l]);
    }
}


/* Four rows of four: row i of `to` (spacing `to_step`) is column i of `from` (spacing `from_step`). */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define GD_SHUFFLES 1
#endif
#endif
GD_INLINE void gd_transpose(const double* from, const size_t from_step, double* to, const size_t to_step) {
#ifdef GD_SHUFFLES
    typedef double row __attribute__((vector_size(32)));
    row a, b, c, d;
    memcpy(&a, from, 32);
    memcpy(&b, from + from_step, 32);
    memcpy(&c, from + 2 * from_step, 32);
    memcpy(&d, from + 3 * from_step, 32);
    const row ab0 = __builtin_shufflevector(a, b, 0, 4, 2, 6), ab1 = __builtin_shufflevector(a, b, 1, 5, 3, 7);
    const row cd0 = __builtin_shufflevector(c, d, 0, 4, 2, 6), cd1 = __builtin_shufflevector(c, d, 1, 5, 3, 7);
    const row e = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5), f = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
    const row g = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7), h = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
    memcpy(to, &e, 32);
    memcpy(to + to_step, &f, 32);
    memcpy(to + 2 * to_step, &g, 32);
    memcpy(to + 3 * to_step, &h, 32);
#else
    for (size_t i = 0; i < 4; ++i) {
        for (size_t j = 0; j < 4; ++j) to[i * to_step + j] = from[j * from_step + i];
    }
#endif
}

/* Right-hand sides of `used` slots from `first` on, solved side by side in `lanes` (8, or 1) lanes. */
GD_INLINE void gd_carry(arb_mechanism_ppack* pp, const gd_tree* tree, const uint32_t first, const uint32_t used,
                        const uint32_t lanes) {
    const double per_dt = 1e-3 / pp->dt, decay = exp(-pp->globals[0] * pp->dt);
    const double *v_prev = pp->state_vars[GD_V_PREV], *cap = pp->parameters[GD_CAP];
    const uint32_t width = pp->width;
    double tile[GD_LANES][GD_BLOCK] = {{0}};
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        double area_buffer[GD_BLOCK], g_buffer[GD_BLOCK], v_buffer[GD_BLOCK];
        double own[GD_BLOCK], area[GD_BLOCK], fallen[GD_BLOCK]; /* fallen: area (V(t) - V(t+dt)) */
        const int32_t* cv = pp->node_index + begin;
        const double* area_um2 = gd_gather(pp->area_um2, cv, n, area_buffer);
        const double* g = gd_gather(pp->vec_g, cv, n, g_buffer);
        const double* v = gd_gather(pp->vec_v, cv, n, v_buffer);
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            area[j] = 1e-3 * area_um2[j];
            own[j] = per_dt * cap[begin + j] + area[j] * g[j];
            fallen[j] = area[j] * (v_prev[begin + j] - v[j]);
        }
        for (uint32_t l = 0; l < used; ++l) {
            const arb_ion_state us = pp->ion_states[2 * (first + l)], gs = pp->ion_states[2 * (first + l) + 1];
            double u_buffer[GD_BLOCK], di_buffer[GD_BLOCK], dg_buffer[GD_BLOCK];
            const double* u = gd_gather(us.internal_concentration, us.index + begin, n, u_buffer);
            const double* di = gd_gather(us.current_density, us.index + begin, n, di_buffer);
            const double* dg = gd_gather(gs.current_density, gs.index + begin, n, dg_buffer);
            double* r = tile[l];
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) r[j] = gd_fma(fallen[j], dg[j], gd_fma(-area[j], di[j], own[j] * u[j]));
        }
        double* const rhs = tree->rhs + (size_t)lanes * begin;
        if (lanes == 1) {
            memcpy(rhs, tile[0], n * sizeof(double));
            continue;
        }
        uint32_t j = 0;
        for (; j + 4 <= n; j += 4) {
            gd_transpose(&tile[0][j], GD_BLOCK, rhs + 8 * j, 8);
            gd_transpose(&tile[4][j], GD_BLOCK, rhs + 8 * j + 4, 8);
        }
        for (; j < n; ++j) {
            for (uint32_t l = 0; l < 8; ++l) rhs[8 * j + l] = tile[l][j];
        }
    }
    for (uint32_t i = 0; i < width; ++i) {
        if (tree->hosts_fork[i] < 0.5) continue;
        double* at = gd_fork_rhs(tree, (int32_t)i, (int)lanes);
        for (uint32_t l = 0; l < lanes; ++l) at[l] = 0.0;
    }
    gd_sweep_up(tree, (int)lanes);
    gd_sweep_down(tree, (int)lanes);
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        const double* const rhs = tree->rhs + (size_t)lanes * begin;
        if (lanes == 1) {
            memcpy(tile[0], rhs, n * sizeof(double));
        } else {
            uint32_t j = 0;
            for (; j + 4 <= n; j += 4) {
                gd_transpose(rhs + 8 * j, 8, &tile[0][j], GD_BLOCK);
                gd_transpose(rhs + 8 * j + 4, 8, &tile[4][j], GD_BLOCK);
            }
            for (; j < n; ++j) {
                for (uint32_t l = 0; l < 8; ++l) tile[l][j] = rhs[8 * j + l];
            }
        }
        for (uint32_t l = 0; l < used; ++l) {
            const arb_ion_state us = pp->ion_states[2 * (first + l)];
            double* restrict kept = pp->state_vars[GD_U + first + l] + begin;
            for (uint32_t j = 0; j < n; ++j) kept[j] = decay * tile[l][j];
            gd_scatter_dense(us.internal_concentration, us.index + begin, n, kept);
        }
    }
}

static void mech_gd0_cable_init(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
    double *g_sum = pp->state_vars[GD_G_SUM], *chained = pp->state_vars[GD_CHAINED], *number = pp->state_vars[GD_FORK_NUMBER];
    double forks = 0.0;
    for (int32_t i = 0; i < n; ++i) {
        pp->state_vars[GD_V_PREV][i] = pp->vec_v[pp->node_index[i]];
        g_sum[i] = p[GD_G_FACE][i];
        chained[i] = lround(p[GD_PARENT][i]) == 1 && p[GD_VIA_FORK][i] < 0.5 && p[GD_HOSTS_FORK][i] < 0.5;
        number[i] = forks;
        forks += p[GD_HOSTS_FORK][i] > 0.5;
    }
    for (int32_t i = 0; i < n; ++i) {
        const int32_t parent = i - (int32_t)lround(p[GD_PARENT][i]);
        if (p[GD_VIA_FORK][i] < 0.5 && parent != i) g_sum[parent] += p[GD_G_FACE][i];
        if (p[GD_HOSTS_FORK][i] > 0.5 && parent != i) g_sum[parent] += p[GD_FORK_G][i];
    }
    for (uint32_t k = 0; k < N_SLOTS; ++k) {
        const arb_ion_state u = pp->ion_states[2 * k];
        for (int32_t i = 0; i < n; ++i) u.internal_concentration[u.index[i]] = pp->state_vars[GD_U + k][i] = 0.0;
    }
}

/* Runs before every other hook of the step: keeps V(t). */
static void mech_gd0_cable_compute_currents(arb_mechanism_ppack* pp) {
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double buffer[GD_BLOCK];
        const double* v = gd_gather(pp->vec_v, pp->node_index + begin, n, buffer);
        for (uint32_t j = 0; j < n; ++j) pp->state_vars[GD_V_PREV][begin + j] = v[j];
    }
}

/* Diagonals, then elimination from the leaves; the inverses serve every slot. */
static void gd_factorise(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
    const double *offset = p[GD_PARENT], *g_face = p[GD_G_FACE], *via_fork = p[GD_VIA_FORK], *fork_g = p[GD_FORK_G];
    const double *hosts_fork = p[GD_HOSTS_FORK], *chained = pp->state_vars[GD_CHAINED];
    double *restrict inverse = pp->state_vars[GD_INVERSE], *restrict fork_inverse = pp->state_vars[GD_FORK_INVERSE];
    double *restrict factor = pp->state_vars[GD_FACTOR];
    const double per_dt = 1e-3 / pp->dt;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t m = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double area_buffer[GD_BLOCK], g_buffer[GD_BLOCK];
        const double* area = gd_gather(pp->area_um2, pp->node_index + begin, m, area_buffer);
        const double* g = gd_gather(pp->vec_g, pp->node_index + begin, m, g_buffer);
        const double *cap = p[GD_CAP] + begin, *faces = pp->state_vars[GD_G_SUM] + begin;
        double* diagonal = inverse + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < m; ++j) {
            diagonal[j] = per_dt * cap[j] + 1e-3 * area[j] * g[j] + faces[j];
            fork_inverse[begin + j] = fork_g[begin + j];
        }
    }
    for (int32_t i = 0; i < n; ++i) {
        if (via_fork[i] > 0.5) fork_inverse[i - (int32_t)lround(p[GD_FORK_OFFSET][i])] += g_face[i];
    }
    double carry = 0.0;
    for (int32_t i = n - 1; i >= 0; --i) {
        const double g = g_face[i], r = 1.0 / (inverse[i] - carry);
        inverse[i] = r;
        factor[i] = g * r;
        carry = g * g * r;
        if (chained[i] != 0.0) continue;
        const int32_t parent = i - (int32_t)lround(offset[i]);
        if (via_fork[i] > 0.5) {
            fork_inverse[i - (int32_t)lround(p[GD_FORK_OFFSET][i])] -= carry;
        } else if (parent != i) {
            inverse[parent] -= carry;
        }
        if (hosts_fork[i] > 0.5) {
            fork_inverse[i] = 1.0 / fork_inverse[i];
            if (parent != i) inverse[parent] -= fork_g[i] * fork_g[i] * fork_inverse[i];
        }
        carry = 0.0;
    }
}

/* Runs first after the voltage solve: vec_v is V(t+dt), vec_g the total conductance of V(t). */
static void mech_gd0_cable_advance_state(arb_mechanism_ppack* pp) {
    const double* const* p = (const double* const*)pp->parameters;
    double* const* s = pp->state_vars;
    gd_factorise(pp);
    /* hosts allot a mechanism's columns in one piece; if one does not, slots are solved one by one */
    const ptrdiff_t stride = s[GD_ROOM + 1] - s[GD_ROOM];
    int joined = stride >= (ptrdiff_t)pp->width;
    for (int c = 2; c < 12; ++c) joined &= s[GD_ROOM + c] == s[GD_ROOM] + c * stride;
    const gd_tree tree = {(int32_t)pp->width, p[GD_PARENT], p[GD_G_FACE], p[GD_VIA_FORK], p[GD_FORK_OFFSET], p[GD_FORK_G],
        p[GD_HOSTS_FORK], s[GD_INVERSE], s[GD_FACTOR], s[GD_CHAINED], s[GD_FORK_INVERSE], s[GD_FORK_NUMBER], s[GD_ROOM], joined ? s[GD_ROOM] + (size_t)GD_LANES * pp->width : s[GD_ROOM + 1]};
    if (joined) {
        for (uint32_t k = 0; k < N_SLOTS; k += GD_LANES) {
            gd_carry(pp, &tree, k, N_SLOTS - k < GD_LANES ? N_SLOTS - k : GD_LANES, GD_LANES);
        }
    } else {
        for (uint32_t k = 0; k < N_SLOTS; ++k) gd_carry(pp, &tree, k, 1, 1);
    }
}

#undef N_SLOTS

static arb_field_info mech_gd0_cable_globals[] = {
    {"gd__forgetting", "/ms", 0.0, 0.0, 1.7976931348623157e308},
};
static arb_field_info mech_gd0_cable_states[] = {
    {"v_prev", "mV", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"g_sum", "uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"inverse", "1/uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"factor", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"chained", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fork_inverse", "1/uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fork_number", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_0", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_1", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_2", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_3", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_4", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_5", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_6", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_7", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_8", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_9", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_10", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_11", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"d_v__g", "mV", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
};
static arb_field_info mech_gd0_cable_parameters[] = {
    {"parent_offset", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"g_face", "uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"via_fork", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fork_offset", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fork_g", "uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"hosts_fork", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"cap", "pF", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
};
static arb_ion_info mech_gd0_cable_ions[] = {
    {.name = "gd_u__g", GD_READS(true, false) .expected_valence = 0},
    {.name = "gd_g__g", GD_READS(true, false) .expected_valence = 0},
};

static arb_mechanism_type mech_gd0_cable_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "gd0_cable";
    t.kind = arb_mechanism_kind_density;
    t.globals = mech_gd0_cable_globals;
    t.n_globals = 1;
    t.state_vars = mech_gd0_cable_states;
    t.n_state_vars = 20;
    t.parameters = mech_gd0_cable_parameters;
    t.n_parameters = 7;
    t.ions = mech_gd0_cable_ions;
    t.n_ions = 2;
    return t;
}

static arb_mechanism_interface* mech_gd0_cable_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_gd0_cable_init, mech_gd0_cable_compute_currents,
        gd_no_events, mech_gd0_cable_advance_state, gd_nothing, gd_nothing};
    return &i;
}

/* ---- pas ---- */
static void mech_pas_init(arb_mechanism_ppack* pp) {
    (void)pp;
}

static void mech_pas_compute_currents(arb_mechanism_ppack* pp) {
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const double* weight__at = pp->weight + begin;
        double i__sum__own[GD_BLOCK];
        double* restrict i__sum = gd_open(pp->vec_i, pp->node_index + begin, n, i__sum__own);
        double g__sum__own[GD_BLOCK];
        double* restrict g__sum = gd_open(pp->vec_g, pp->node_index + begin, n, g__sum__own);
        double v__buffer[GD_BLOCK];
        const double* v__at = gd_gather(pp->vec_v, pp->node_index + begin, n, v__buffer);
        const double* p_g__at = pp->parameters[0] + begin;
        const double* p_e__at = pp->parameters[1] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double v = v__at[j];
            const double p_g = p_g__at[j];
            const double p_e = p_e__at[j];
            const double w = 10.0 * weight__at[j];
            i__sum[j] += w * (p_g * (v - p_e));
            g__sum[j] += w * (p_g);
        }
        gd_close(pp->vec_i, pp->node_index + begin, n, i__sum__own, i__sum);
        gd_close(pp->vec_g, pp->node_index + begin, n, g__sum__own, g__sum);
    }
}

static void mech_pas_advance_state(arb_mechanism_ppack* pp) {
    (void)pp;
}

static arb_field_info mech_pas_parameters[] = {
    {"g", "S/cm2", 0.001, 0.0, 1000000000.0},
    {"e", "mV", -65.0, -1.7976931348623157e308, 1.7976931348623157e308},
};

static arb_mechanism_type mech_pas_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "pas";
    t.kind = arb_mechanism_kind_density;
    t.parameters = mech_pas_parameters;
    t.n_parameters = 2;
    return t;
}

static arb_mechanism_interface* mech_pas_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_pas_init, mech_pas_compute_currents,
        gd_no_events, mech_pas_advance_state, gd_nothing, gd_nothing};
    return &i;
}

/* ---- gd_pas ---- */
#define N_SLOTS 1u

static void mech_gd_pas_init(arb_mechanism_ppack* pp) {
    (void)pp;
}

static void mech_gd_pas_compute_currents(arb_mechanism_ppack* pp) {
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const double* weight__at = pp->weight + begin;
        double i__sum__own[GD_BLOCK];
        double* restrict i__sum = gd_open(pp->vec_i, pp->node_index + begin, n, i__sum__own);
        double g__sum__own[GD_BLOCK];
        double* restrict g__sum = gd_open(pp->vec_g, pp->node_index + begin, n, g__sum__own);
        double d1[GD_BLOCK];
        double d2[GD_BLOCK];
        double d3[GD_BLOCK];
        double v__buffer[GD_BLOCK];
        const double* v__at = gd_gather(pp->vec_v, pp->node_index + begin, n, v__buffer);
        const double* p_g__at = pp->parameters[0] + begin;
        const double* p_e__at = pp->parameters[1] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double v = v__at[j];
            const double p_g = p_g__at[j];
            const double p_e = p_e__at[j];
            const double w = 10.0 * weight__at[j];
            const double t1 = v - p_e;
            i__sum[j] += w * (p_g * t1);
            g__sum[j] += w * (p_g);
            d1[j] = w * (p_g);
            d2[j] = w * (t1);
            d3[j] = w * (1.0);
        }
        gd_close(pp->vec_i, pp->node_index + begin, n, i__sum__own, i__sum);
        gd_close(pp->vec_g, pp->node_index + begin, n, g__sum__own, g__sum);
        for (uint32_t k = 0; k < N_SLOTS; ++k) {
            double u_buffer[GD_BLOCK];
            const double* u = gd_gather(pp->ion_states[0 + 2 * k].internal_concentration, pp->ion_states[0 + 2 * k].index + begin, n, u_buffer);
            double di__own[GD_BLOCK];
            double* restrict di = gd_open(pp->ion_states[0 + 2 * k].current_density, pp->ion_states[0 + 2 * k].index + begin, n, di__own);
            double dg__own[GD_BLOCK];
            double* restrict dg = gd_open(pp->ion_states[1 + 2 * k].current_density, pp->ion_states[1 + 2 * k].index + begin, n, dg__own);
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                di[j] += d1[j] * u[j];
                dg[j] += 0.0;
            }
            gd_close(pp->ion_states[0 + 2 * k].current_density, pp->ion_states[0 + 2 * k].index + begin, n, di__own, di);
            gd_close(pp->ion_states[1 + 2 * k].current_density, pp->ion_states[1 + 2 * k].index + begin, n, dg__own, dg);
        }
        { /* d(g)/d(g) */
            const double* seed = pp->parameters[2] + begin;
            if (gd_any(seed, n)) {
            double di__own[GD_BLOCK];
            double* restrict di = gd_open(pp->ion_states[0 + 2 * 0].current_density, pp->ion_states[0 + 2 * 0].index + begin, n, di__own);
            double dg__own[GD_BLOCK];
            double* restrict dg = gd_open(pp->ion_states[1 + 2 * 0].current_density, pp->ion_states[1 + 2 * 0].index + begin, n, dg__own);
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                di[j] += (d2[j] * seed[j]);
                dg[j] += (d3[j] * seed[j]);
            }
            gd_close(pp->ion_states[0 + 2 * 0].current_density, pp->ion_states[0 + 2 * 0].index + begin, n, di__own, di);
            gd_close(pp->ion_states[1 + 2 * 0].current_density, pp->ion_states[1 + 2 * 0].index + begin, n, dg__own, dg);
            }
        }
    }
}

static void mech_gd_pas_advance_state(arb_mechanism_ppack* pp) {
    (void)pp;
}

#undef N_SLOTS

static arb_field_info mech_gd_pas_globals[] = {
    {"gd__forgetting", "/ms", 0.0, 0.0, 1.7976931348623157e308},
};
static arb_field_info mech_gd_pas_parameters[] = {
    {"g", "S/cm2", 0.001, 0.0, 1000000000.0},
    {"e", "mV", -65.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"seed_g__g", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
};
static arb_ion_info mech_gd_pas_ions[] = {
    {.name = "gd_u__g", GD_READS(true, false) .expected_valence = 0},
    {.name = "gd_g__g", GD_READS(true, false) .expected_valence = 0},
};

static arb_mechanism_type mech_gd_pas_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "gd_pas";
    t.kind = arb_mechanism_kind_density;
    t.globals = mech_gd_pas_globals;
    t.n_globals = 1;
    t.parameters = mech_gd_pas_parameters;
    t.n_parameters = 3;
    t.ions = mech_gd_pas_ions;
    t.n_ions = 2;
    return t;
}

static arb_mechanism_interface* mech_gd_pas_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_gd_pas_init, mech_gd_pas_compute_currents,
        gd_no_events, mech_gd_pas_advance_state, gd_nothing, gd_nothing};
    return &i;
}

/* ---- catalogue ---- */
static arb_mechanism_interface* gd_no_gpu(void) { return 0; }

const void* get_catalogue(int* n) {
    static const arb_mechanism catalogue[] = {
        {mech_gd0_cable_type, mech_gd0_cable_interface, gd_no_gpu},
        {mech_pas_type, mech_pas_interface, gd_no_gpu},
        {mech_gd_pas_type, mech_gd_pas_interface, gd_no_gpu},
    };
    *n = 3;
    return catalogue;
}

static const char* const gd_slots[] = {"g"};
static const graddiff_seed gd_seeds[] = {
    {0, "gd_pas", "g", "seed_g__g"},
    {0}
};

const graddiff_catalogue_info graddiff_catalogue_info_v1 = {
    {'g', 'r', 'a', 'd', 'd', 'i', 'f', 'f'}, GRADDIFF_INFO_VERSION, sizeof(graddiff_catalogue_info), MECH_ABI_LEVEL,
    sizeof(arb_mechanism_ppack), sizeof(arb_mechanism_type), sizeof(arb_mechanism_interface),
    sizeof(arb_field_info), sizeof(arb_ion_info), sizeof(arb_ion_state),
    3, "0.1.0", "arbor", "cable", gd_slots, gd_seeds, 1, 1
};
