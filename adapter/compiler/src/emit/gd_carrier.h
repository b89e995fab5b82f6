enum { GD_PARENT, GD_G_FACE, GD_VIA_FORK, GD_FORK_OFFSET, GD_FORK_G, GD_HOSTS_FORK, GD_CAP };
enum { GD_V_PREV, GD_G_SUM, GD_INVERSE, GD_FACTOR, GD_CHAINED, GD_FORK_INVERSE, GD_FORK_NUMBER, GD_ROOM,
       GD_U = GD_ROOM + 12 };

/* Slots are solved GD_LANES at a time, side by side: the sweeps along the tree are chains of dependent operations, and
 * this many of them run in the time of one. */
enum { GD_LANES = 8 };

/* The tree's right-hand sides, `lanes` per CV, then per fork; room for them is a block of state columns. */
typedef struct gd_tree {
    int32_t n;
    const double *offset, *g_face, *via_fork, *fork_offset, *fork_g, *hosts_fork;
    const double *chained, *fork_number;
    double *inverse, *factor, *fork_inverse, *rhs, *fork_rhs;
    int forks;
} gd_tree;

GD_INLINE double* gd_fork_rhs(const gd_tree* t, int32_t host, const int lanes) {
    return t->fork_rhs + (size_t)lanes * (size_t)t->fork_number[host];
}

/* Four numbers at a time. */
typedef double gd_row __attribute__((vector_size(32)));
GD_INLINE gd_row gd_load(const double* from) { gd_row r; memcpy(&r, from, sizeof r); return r; }
GD_INLINE void gd_store(double* to, gd_row r) { memcpy(to, &r, sizeof r); }
/* A row of right-hand sides: eight lanes, or four. */
typedef struct gd_lanes { gd_row low, high; } gd_lanes;
GD_INLINE gd_lanes gd_read(const double* from, const int lanes) {
    gd_lanes x = {gd_load(from), {0}};
    if (lanes == 8) x.high = gd_load(from + 4);
    return x;
}
GD_INLINE void gd_write(double* to, const gd_lanes x, const int lanes) {
    gd_store(to, x.low);
    if (lanes == 8) gd_store(to + 4, x.high);
}
/* a f + b */
GD_INLINE gd_lanes gd_scaled_plus(const gd_lanes a, const double f, const gd_lanes b) {
    const gd_lanes sum = {a.low * f + b.low, a.high * f + b.high};
    return sum;
}
/* *at += a f */
GD_INLINE void gd_add(double* at, const gd_lanes a, const double f, const int lanes) {
    gd_write(at, gd_scaled_plus(a, f, gd_read(at, lanes)), lanes);
}

/* From the leaves to the roots: x_parent += factor x. The first time in a step the matrix is eliminated on the way,
 * which leaves the inverses of the diagonal for all slots: two chains of operations in the time of one. */
GD_INLINE void gd_sweep_up(const gd_tree* t, const int lanes, const int eliminate) {
    gd_lanes below = {{0}, {0}};
    double f = 0.0, carry = 0.0;
    for (int32_t i = t->n - 1; i >= 0; --i) {
        double* x = t->rhs + (size_t)lanes * (size_t)i;
        below = gd_scaled_plus(below, f, gd_read(x, lanes));
        gd_write(x, below, lanes);
        if (eliminate) {
            const double g = t->g_face[i], inverse = 1.0 / (t->inverse[i] - carry);
            t->inverse[i] = inverse;
            t->factor[i] = g * inverse;
            carry = g * g * inverse;
        }
        f = t->factor[i];
        if (t->chained[i] != 0.0) continue;
        const int32_t parent = i - (int32_t)lround(t->offset[i]);
        double* const up = t->rhs + (size_t)lanes * (size_t)parent;
        if (t->via_fork[i] > 0.5) {
            const int32_t host = i - (int32_t)lround(t->fork_offset[i]);
            if (eliminate) t->fork_inverse[host] -= carry;
            gd_add(gd_fork_rhs(t, host, lanes), below, f, lanes);
        } else if (parent != i) {
            if (eliminate) t->inverse[parent] -= carry;
            gd_add(up, below, f, lanes);
        }
        if (t->hosts_fork[i] > 0.5) {
            const double g = t->fork_g[i];
            if (eliminate) t->fork_inverse[i] = 1.0 / t->fork_inverse[i];
            if (parent != i) {
                if (eliminate) t->inverse[parent] -= g * g * t->fork_inverse[i];
                gd_add(up, gd_read(gd_fork_rhs(t, i, lanes), lanes), g * t->fork_inverse[i], lanes);
            }
        }
        f = carry = 0.0;
    }
}

/* From the roots to the leaves: x = inverse x + factor x_parent. */
GD_INLINE void gd_sweep_down(const gd_tree* t, const int lanes) {
    const gd_lanes nothing = {{0}, {0}};
    gd_lanes above = nothing;
    for (int32_t i = 0; i < t->n; ++i) {
        double* x = t->rhs + (size_t)lanes * (size_t)i;
        if (t->chained[i] == 0.0) {
            const int32_t parent = i - (int32_t)lround(t->offset[i]);
            above = parent == i ? nothing : gd_read(t->rhs + (size_t)lanes * (size_t)parent, lanes);
            /* the host is the first below its fork, so the fork's value is there before the others ask */
            if (t->hosts_fork[i] > 0.5) {
                double* at = gd_fork_rhs(t, i, lanes);
                const gd_lanes sum = gd_scaled_plus(above, t->fork_g[i], gd_read(at, lanes));
                gd_write(at, gd_scaled_plus(sum, t->fork_inverse[i], nothing), lanes);
            }
            if (t->via_fork[i] > 0.5) {
                above = gd_read(gd_fork_rhs(t, i - (int32_t)lround(t->fork_offset[i]), lanes), lanes);
            }
        }
        above = gd_scaled_plus(above, t->factor[i], gd_scaled_plus(gd_read(x, lanes), t->inverse[i], nothing));
        gd_write(x, above, lanes);
    }
}

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

/* The matrix's own part in a block of CVs: rhs = own u - area Di + fallen Dg. */
typedef struct gd_rows { double own[GD_BLOCK], area[GD_BLOCK], fallen[GD_BLOCK]; } gd_rows;

/* Right-hand sides of `used` slots from `first` on, over the block of n CVs from `begin` on, into their lanes. */
static void gd_assemble(arb_mechanism_ppack* pp, const gd_rows* rows, double* rhs, const uint32_t begin,
                        const uint32_t n, const uint32_t first, const uint32_t used, const uint32_t lanes) {
    static const double nothing[GD_BLOCK];
    const double *u[4], *di[4], *dg[4];
    double buffer[12][GD_BLOCK];
    for (uint32_t l0 = 0; l0 < lanes; l0 += 4) {
        for (uint32_t l = 0; l < 4; ++l) {
            u[l] = di[l] = dg[l] = nothing;
            if (l0 + l >= used) continue;
            const arb_ion_state us = pp->ion_states[2 * (first + l0 + l)];
            const arb_ion_state gs = pp->ion_states[2 * (first + l0 + l) + 1];
            u[l] = gd_gather(us.internal_concentration, us.index + begin, n, buffer[3 * l]);
            di[l] = gd_gather(us.current_density, us.index + begin, n, buffer[3 * l + 1]);
            dg[l] = gd_gather(gs.current_density, gs.index + begin, n, buffer[3 * l + 2]);
        }
        uint32_t j = 0;
        for (; j + 4 <= n; j += 4) {
            const gd_row own = gd_load(rows->own + j), area = gd_load(rows->area + j);
            const gd_row fallen = gd_load(rows->fallen + j);
            gd_row r[4];
            for (int l = 0; l < 4; ++l) {
                r[l] = own * gd_load(u[l] + j) - area * gd_load(di[l] + j) + fallen * gd_load(dg[l] + j);
            }
            gd_transpose(r);
            for (uint32_t q = 0; q < 4; ++q) gd_store(rhs + lanes * (j + q) + l0, r[q]);
        }
        for (; j < n; ++j) {
            for (uint32_t l = 0; l < 4; ++l) {
                const double r = rows->own[j] * u[l][j] - rows->area[j] * di[l][j];
                rhs[lanes * j + l0 + l] = r + rows->fallen[j] * dg[l][j];
            }
        }
    }
}

/* The solutions, faded, to where everybody finds them. */
static void gd_hand_out(arb_mechanism_ppack* pp, const double* rhs, const double decay, const uint32_t begin,
                        const uint32_t n, const uint32_t first, const uint32_t used, const uint32_t lanes) {
    for (uint32_t l0 = 0; l0 < used; l0 += 4) {
        double unused[4][GD_BLOCK], *to[4];
        for (uint32_t l = 0; l < 4; ++l) {
            to[l] = l0 + l < used ? pp->state_vars[GD_U + first + l0 + l] + begin : unused[l];
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
            const arb_ion_state us = pp->ion_states[2 * (first + l0 + l)];
            gd_scatter_dense(us.internal_concentration, us.index + begin, n, to[l]);
        }
    }
}

/* Solves for `used` slots from `first` on, side by side. */
GD_INLINE void gd_carry(arb_mechanism_ppack* pp, const gd_tree* tree, const uint32_t first, const uint32_t used,
                        const int lanes, const int eliminate) {
    const double per_dt = 1e-3 / pp->dt, decay = exp(-pp->globals[0] * pp->dt);
    const uint32_t width = pp->width;
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        double area_buffer[GD_BLOCK], g_buffer[GD_BLOCK], v_buffer[GD_BLOCK];
        gd_rows rows;
        const int32_t* cv = pp->node_index + begin;
        const double* area = gd_gather(pp->area_um2, cv, n, area_buffer);
        const double* g = gd_gather(pp->vec_g, cv, n, g_buffer);
        const double* v = gd_gather(pp->vec_v, cv, n, v_buffer);
        const double *cap = pp->parameters[GD_CAP] + begin, *v_prev = pp->state_vars[GD_V_PREV] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double scaled = 1e-3 * area[j];
            rows.area[j] = scaled;
            rows.own[j] = per_dt * cap[j] + scaled * g[j];
            rows.fallen[j] = scaled * (v_prev[j] - v[j]);
        }
        gd_assemble(pp, &rows, tree->rhs + (size_t)lanes * begin, begin, n, first, used, (uint32_t)lanes);
    }
    for (uint32_t i = 0; tree->forks && i < width; ++i) {
        if (tree->hosts_fork[i] < 0.5) continue;
        double* at = gd_fork_rhs(tree, (int32_t)i, lanes);
        for (int l = 0; l < lanes; ++l) at[l] = 0.0;
    }
    gd_sweep_up(tree, lanes, eliminate);
    gd_sweep_down(tree, lanes);
    for (uint32_t begin = 0; begin < width; begin += GD_BLOCK) {
        const uint32_t n = width - begin < GD_BLOCK ? width - begin : GD_BLOCK;
        gd_hand_out(pp, tree->rhs + (size_t)lanes * begin, decay, begin, n, first, used, (uint32_t)lanes);
    }
}

static void mech_gd0_cable_init(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
    double *g_sum = pp->state_vars[GD_G_SUM], *chained = pp->state_vars[GD_CHAINED];
    double* number = pp->state_vars[GD_FORK_NUMBER];
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
        memcpy(pp->state_vars[GD_V_PREV] + begin, v, n * sizeof(double));
    }
}

/* Diagonals before the elimination. */
static void gd_diagonals(arb_mechanism_ppack* pp) {
    const double* const* p = (const double* const*)pp->parameters;
    double* const fork_inverse = pp->state_vars[GD_FORK_INVERSE];
    const double per_dt = 1e-3 / pp->dt;
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double area_buffer[GD_BLOCK], g_buffer[GD_BLOCK];
        const double* area = gd_gather(pp->area_um2, pp->node_index + begin, n, area_buffer);
        const double* g = gd_gather(pp->vec_g, pp->node_index + begin, n, g_buffer);
        const double *cap = p[GD_CAP] + begin, *faces = pp->state_vars[GD_G_SUM] + begin;
        double* restrict diagonal = pp->state_vars[GD_INVERSE] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) diagonal[j] = per_dt * cap[j] + 1e-3 * area[j] * g[j] + faces[j];
        memcpy(fork_inverse + begin, p[GD_FORK_G] + begin, n * sizeof(double));
    }
    for (uint32_t i = 0; i < pp->width; ++i) {
        if (p[GD_VIA_FORK][i] > 0.5) {
            fork_inverse[(int32_t)i - (int32_t)lround(p[GD_FORK_OFFSET][i])] += p[GD_G_FACE][i];
        }
    }
}

/* Runs first after the voltage solve: vec_v is V(t+dt), vec_g the total conductance of V(t). */
static void mech_gd0_cable_advance_state(arb_mechanism_ppack* pp) {
    const double* const* p = (const double* const*)pp->parameters;
    double* const* s = pp->state_vars;
    gd_diagonals(pp);
    /* hosts allot a mechanism's columns in one piece; if one does not, room must be found elsewhere */
    const ptrdiff_t stride = s[GD_ROOM + 1] - s[GD_ROOM];
    int joined = stride >= (ptrdiff_t)pp->width;
    for (int c = 2; c < 12; ++c) joined &= s[GD_ROOM + c] == s[GD_ROOM] + c * stride;
    double* const found = joined ? NULL : malloc(12 * sizeof(double) * pp->width);
    double* const room = joined ? s[GD_ROOM] : found;
    for (uint32_t k = 0; !room && k < N_SLOTS; ++k) {
        const arb_ion_state u = pp->ion_states[2 * k];
        for (uint32_t i = 0; i < pp->width; ++i) u.internal_concentration[u.index[i]] = NAN;
    }
    if (!room) return;
    const uint32_t last = pp->width - 1;
    const gd_tree tree = {
        .n = (int32_t)pp->width, .offset = p[GD_PARENT], .g_face = p[GD_G_FACE], .via_fork = p[GD_VIA_FORK],
        .fork_offset = p[GD_FORK_OFFSET], .fork_g = p[GD_FORK_G], .hosts_fork = p[GD_HOSTS_FORK],
        .chained = s[GD_CHAINED], .fork_number = s[GD_FORK_NUMBER], .inverse = s[GD_INVERSE], .factor = s[GD_FACTOR],
        .fork_inverse = s[GD_FORK_INVERSE], .rhs = room, .fork_rhs = room + (size_t)GD_LANES * pp->width,
        .forks = s[GD_FORK_NUMBER][last] + p[GD_HOSTS_FORK][last] > 0.5,
    };
    const uint32_t full = N_SLOTS / GD_LANES * GD_LANES, rest = N_SLOTS - full;
    if (full > 0) gd_carry(pp, &tree, 0, GD_LANES, GD_LANES, 1);
    for (uint32_t k = GD_LANES; k < full; k += GD_LANES) gd_carry(pp, &tree, k, GD_LANES, GD_LANES, 0);
    if (rest > 0) gd_carry(pp, &tree, full, rest, rest > 4 ? GD_LANES : 4, full == 0);
    free(found);
}
