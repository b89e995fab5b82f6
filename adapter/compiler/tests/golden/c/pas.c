static void gd_nothing(arb_mechanism_ppack* pp) { (void)pp; }
static void gd_no_events(arb_mechanism_ppack* pp, arb_deliverable_event_stream* events) { (void)pp; (void)events; }

/* Who computed currents in this step, by its place among the contributors; several of one kind if their globals differ.
 * `next`: the first instance that a pass over the CVs is not done with. */
typedef struct gd_report { arb_mechanism_ppack* pp; uint32_t by, next; } gd_report;
/* A host's thread works on one group of cells at a time. The carrier, whose compute_currents comes first, empties it. */
typedef struct gd_told { gd_report* list; uint32_t count, room; int lost; } gd_told;
GD_COMMON _Thread_local gd_told gd_reports;

static void gd_tell(uint32_t by, arb_mechanism_ppack* pp) {
    if (gd_reports.count == gd_reports.room) {
        const uint32_t room = 2 * gd_reports.room + 8;
        gd_report* list = realloc(gd_reports.list, room * sizeof *list);
        gd_reports.lost |= !list;
        if (!list) return;
        gd_reports.list = list;
        gd_reports.room = room;
    }
    const gd_report report = {pp, by, 0};
    gd_reports.list[gd_reports.count++] = report;
}

/* Common to the right-hand sides of all slots, by CV: rhs = own u - area Di + fallen Dg; and who contributes to them. */
typedef struct gd_rows { double *own, *area, *fallen, *v_prev; gd_report* reports; uint32_t count; } gd_rows;

/* Slots are solved GD_LANES at a time, side by side: the sweeps along the tree are chains of dependent operations, and
 * this many of them run in the time of one. */
enum { GD_LANES = 12 };

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

GD_LOCAL arb_mechanism_type mech_gd0_cable_type(void);
GD_LOCAL arb_mechanism_interface* mech_gd0_cable_interface(void);
GD_LOCAL arb_mechanism_type mech_pas_type(void);
GD_LOCAL arb_mechanism_interface* mech_pas_interface(void);
GD_LOCAL void mech_pas_advance_state(arb_mechanism_ppack*);
GD_LOCAL arb_mechanism_type mech_gd_pas_type(void);
GD_LOCAL arb_mechanism_interface* mech_gd_pas_interface(void);
GD_LOCAL void mech_gd_pas_advance_state(arb_mechanism_ppack*);
GD_LOCAL void mech_gd_pas_weigh(arb_mechanism_ppack*, const gd_rows*);
GD_LOCAL void mech_gd_pas_contribute(arb_mechanism_ppack*, uint32_t, uint32_t, uint32_t, uint32_t, double*, const double*,
    const double*);

#if GD_MADE >> 1 & 1
/* ---- pas ---- */
GD_LOCAL void mech_pas_advance_state(arb_mechanism_ppack* pp) {
    (void)pp;
}

#endif

#if GD_MADE >> 2 & 1
/* ---- pas ---- */
GD_ONCE static void mech_pas_init(arb_mechanism_ppack* pp) {
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

static arb_field_info mech_pas_parameters[] = {
    {"g", "S/cm2", 0.001, 0.0, 1000000000.0},
    {"e", "mV", -65.0, -1.7976931348623157e308, 1.7976931348623157e308},
};

GD_LOCAL arb_mechanism_type mech_pas_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "pas";
    t.kind = arb_mechanism_kind_density;
    t.parameters = mech_pas_parameters;
    t.n_parameters = 2;
    return t;
}

GD_LOCAL arb_mechanism_interface* mech_pas_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_pas_init, mech_pas_compute_currents,
        gd_no_events, mech_pas_advance_state, gd_nothing, gd_nothing};
    return &i;
}

#endif

#if GD_MADE >> 3 & 1
/* ---- gd_pas ---- */
#define N_SLOTS 1u

GD_LOCAL void mech_gd_pas_advance_state(arb_mechanism_ppack* pp) {
    (void)pp;
}

#undef N_SLOTS

#endif

#if GD_MADE >> 4 & 1
/* ---- gd_pas ---- */
#define N_SLOTS 1u

GD_ONCE static void mech_gd_pas_init(arb_mechanism_ppack* pp) {
    (void)pp;
}

static void mech_gd_pas_compute_currents(arb_mechanism_ppack* pp) {
    gd_tell(0, pp);
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const double* weight__at = pp->weight + begin;
        double i__sum__own[GD_BLOCK];
        double* restrict i__sum = gd_open(pp->vec_i, pp->node_index + begin, n, i__sum__own);
        double g__sum__own[GD_BLOCK];
        double* restrict g__sum = gd_open(pp->vec_g, pp->node_index + begin, n, g__sum__own);
        double* restrict di_v = pp->state_vars[0] + begin;
        double* restrict di_p_g = pp->state_vars[1] + begin;
        double* restrict dg_p_g = pp->state_vars[2] + begin;
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
            di_v[j] = w * (p_g);
            di_p_g[j] = w * (t1);
            dg_p_g[j] = w * (1.0);
        }
        gd_close(pp->vec_i, pp->node_index + begin, n, i__sum__own, i__sum);
        gd_close(pp->vec_g, pp->node_index + begin, n, g__sum__own, g__sum);
    }
}

GD_LOCAL void mech_gd_pas_weigh(arb_mechanism_ppack* pp, const gd_rows* rows) {
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const int32_t* at = pp->ion_states[0 + 0].index + begin;
        double shared_area__here[GD_BLOCK], shared_fallen__here[GD_BLOCK];
        const double* shared_area = gd_gather(rows->area, at, n, shared_area__here);
        const double* shared_fallen = gd_gather(rows->fallen, at, n, shared_fallen__here);
        double* restrict di_v = pp->state_vars[0] + begin;
        double own__here[GD_BLOCK];
        double* restrict own = gd_open(rows->own, at, n, own__here);
        double* restrict di_p_g = pp->state_vars[1] + begin;
        double* restrict dg_p_g = pp->state_vars[2] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            own[j] += -shared_area[j] * di_v[j];
            di_p_g[j] = shared_fallen[j] * dg_p_g[j] - shared_area[j] * di_p_g[j];
        }
        gd_close(rows->own, at, n, own__here, own);
    }
}

GD_LOCAL void mech_gd_pas_contribute(arb_mechanism_ppack* pp, const uint32_t begin, const uint32_t n, const uint32_t first,
        const uint32_t used, double* restrict sums, const double* own, const double* us) {
    (void)own;
    (void)us;
    static const uint32_t moved_p_g[][2] = {{0, 2}};
    for (uint32_t m = 0; m < 1; ++m) {
        const uint32_t l = moved_p_g[m][0] - first;
        if (l >= used) continue; /* slots before the first wrap around */
        const double *seed = pp->parameters[moved_p_g[m][1]] + begin, *w = pp->state_vars[1] + begin;
        if (!gd_any(seed, n)) continue; /* most slots move a parameter in a part of the cell only */
        double* restrict to = sums + GD_BLOCK * l;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) to[j] += w[j] * seed[j];
    }
}

#undef N_SLOTS

static arb_field_info mech_gd_pas_globals[] = {
    {"gd__forgetting", "/ms", 0.0, 0.0, 1.7976931348623157e308},
};
static arb_field_info mech_gd_pas_states[] = {
    {"gd__di_v", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"gd__di_p_g", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"gd__dg_p_g", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
};
static arb_field_info mech_gd_pas_parameters[] = {
    {"g", "S/cm2", 0.001, 0.0, 1000000000.0},
    {"e", "mV", -65.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"seed_g__g", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
};
static arb_ion_info mech_gd_pas_ions[] = {
    {.name = "gd_u__g", GD_READS(true, false) .expected_valence = 0},
};

GD_LOCAL arb_mechanism_type mech_gd_pas_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "gd_pas";
    t.kind = arb_mechanism_kind_density;
    t.globals = mech_gd_pas_globals;
    t.n_globals = 1;
    t.state_vars = mech_gd_pas_states;
    t.n_state_vars = 3;
    t.parameters = mech_gd_pas_parameters;
    t.n_parameters = 3;
    t.ions = mech_gd_pas_ions;
    t.n_ions = 1;
    return t;
}

GD_LOCAL arb_mechanism_interface* mech_gd_pas_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_gd_pas_init, mech_gd_pas_compute_currents,
        gd_no_events, mech_gd_pas_advance_state, gd_nothing, gd_nothing};
    return &i;
}

#endif

#if GD_MADE >> 0 & 1
/* ---- gd0_cable ---- */
#define N_SLOTS 1u
/* What the carrier asks of a mechanism: to merge its partials, and to add its terms for `used` slots from `first` on, in
 * the n instances from `begin` on: in columns to sums, of which each slot has GD_BLOCK; in rows to these, which are
 * multiplied by `own` first, if there is one; then follow the rows of u as they stood before. `ordered`: one instance on
 * each CV at most, in their order; u: where the slots' ions begin. */
typedef struct gd_contributor {
    void (*weigh)(arb_mechanism_ppack*, const gd_rows*);
    void (*contribute)(arb_mechanism_ppack*, uint32_t, uint32_t, uint32_t, uint32_t, double*, const double*,
                       const double*);
    bool ordered;
    uint32_t u;
} gd_contributor;
static const gd_contributor gd_contributors[] = {
    {mech_gd_pas_weigh, mech_gd_pas_contribute, true, 0},
    {0}
};

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
    {"own", "uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"area", "1e3 um2", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fallen", "1e3 um2 mV", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
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
    {"room_12", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_13", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_14", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_15", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_16", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"room_17", "", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
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
};

GD_LOCAL arb_mechanism_type mech_gd0_cable_type(void) {
    arb_mechanism_type t = {0};
    t.abi_version = ARB_MECH_ABI_VERSION;
    t.fingerprint = "graddiff-0.1.0";
    t.name = "gd0_cable";
    t.kind = arb_mechanism_kind_density;
    t.globals = mech_gd0_cable_globals;
    t.n_globals = 1;
    t.state_vars = mech_gd0_cable_states;
    t.n_state_vars = 28;
    t.parameters = mech_gd0_cable_parameters;
    t.n_parameters = 7;
    t.ions = mech_gd0_cable_ions;
    t.n_ions = 1;
    return t;
}

GD_LOCAL arb_mechanism_interface* mech_gd0_cable_interface(void) {
    static arb_mechanism_interface i = {arb_backend_kind_cpu, 1, 8, mech_gd0_cable_init, mech_gd0_cable_compute_currents,
        gd_no_events, mech_gd0_cable_advance_state, gd_nothing, gd_nothing};
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
#endif
