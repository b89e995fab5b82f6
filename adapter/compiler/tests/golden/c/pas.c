static void gd_nothing(arb_mechanism_ppack* pp) { (void)pp; }
static void gd_no_events(arb_mechanism_ppack* pp, arb_deliverable_event_stream* events) { (void)pp; (void)events; }

/* ---- gd0_cable ---- */
#define N_SLOTS 1u

enum { GD_PARENT, GD_G_FACE, GD_VIA_FORK, GD_FORK_OFFSET, GD_FORK_G, GD_HOSTS_FORK, GD_CAP };
enum { GD_V_PREV, GD_G_SUM, GD_INVERSE, GD_FORK_INVERSE, GD_FORK_RHS, GD_U };

static void mech_gd0_cable_init(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
    double* g_sum = pp->state_vars[GD_G_SUM];
    for (int32_t i = 0; i < n; ++i) {
        pp->state_vars[GD_V_PREV][i] = pp->vec_v[pp->node_index[i]];
        g_sum[i] = p[GD_G_FACE][i];
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
    for (uint32_t i = 0; i < pp->width; ++i) pp->state_vars[GD_V_PREV][i] = pp->vec_v[pp->node_index[i]];
}

/* Runs first after the voltage solve: vec_v is V(t+dt), vec_g the total conductance of V(t). */
static void mech_gd0_cable_advance_state(arb_mechanism_ppack* pp) {
    const int32_t n = (int32_t)pp->width;
    const double* const* p = (const double* const*)pp->parameters;
    const double *offset = p[GD_PARENT], *g_face = p[GD_G_FACE], *via_fork = p[GD_VIA_FORK], *fork_g = p[GD_FORK_G];
    const double *hosts_fork = p[GD_HOSTS_FORK], *v_prev = pp->state_vars[GD_V_PREV];
    double *inverse = pp->state_vars[GD_INVERSE], *fork_inverse = pp->state_vars[GD_FORK_INVERSE];
    double* fork_rhs = pp->state_vars[GD_FORK_RHS];
    const double per_dt = 1e-3 / pp->dt;
    const double decay = exp(-pp->globals[0] * pp->dt);

    /* diagonals, then elimination from the leaves; the inverses serve every slot */
    for (int32_t i = 0; i < n; ++i) {
        const int32_t cv = pp->node_index[i];
        inverse[i] = per_dt * p[GD_CAP][i] + 1e-3 * pp->area_um2[cv] * pp->vec_g[cv] + pp->state_vars[GD_G_SUM][i];
        fork_inverse[i] = fork_g[i];
    }
    for (int32_t i = 0; i < n; ++i) {
        if (via_fork[i] > 0.5) fork_inverse[i - (int32_t)lround(p[GD_FORK_OFFSET][i])] += g_face[i];
    }
    for (int32_t i = n - 1; i >= 0; --i) {
        const int32_t parent = i - (int32_t)lround(offset[i]);
        inverse[i] = 1.0 / inverse[i];
        if (via_fork[i] > 0.5) {
            fork_inverse[i - (int32_t)lround(p[GD_FORK_OFFSET][i])] -= g_face[i] * g_face[i] * inverse[i];
        } else if (parent != i) {
            inverse[parent] -= g_face[i] * g_face[i] * inverse[i];
        }
        if (hosts_fork[i] > 0.5) {
            fork_inverse[i] = 1.0 / fork_inverse[i];
            if (parent != i) inverse[parent] -= fork_g[i] * fork_g[i] * fork_inverse[i];
        }
    }

    for (uint32_t k = 0; k < N_SLOTS; ++k) {
        const arb_ion_state u = pp->ion_states[2 * k], dg = pp->ion_states[2 * k + 1];
        double* r = pp->state_vars[GD_U + k];
        for (int32_t i = 0; i < n; ++i) {
            const int32_t cv = pp->node_index[i], at = u.index[i];
            const double area = 1e-3 * pp->area_um2[cv];
            const double own = per_dt * p[GD_CAP][i] + area * pp->vec_g[cv];
            r[i] = own * u.internal_concentration[at] - area * u.current_density[at]
                 + area * dg.current_density[dg.index[i]] * (v_prev[i] - pp->vec_v[cv]);
            fork_rhs[i] = 0.0;
        }
        for (int32_t i = n - 1; i >= 0; --i) {
            const int32_t parent = i - (int32_t)lround(offset[i]);
            if (via_fork[i] > 0.5) {
                fork_rhs[i - (int32_t)lround(p[GD_FORK_OFFSET][i])] += g_face[i] * inverse[i] * r[i];
            } else if (parent != i) {
                r[parent] += g_face[i] * inverse[i] * r[i];
            }
            if (hosts_fork[i] > 0.5 && parent != i) r[parent] += fork_g[i] * fork_inverse[i] * fork_rhs[i];
        }
        for (int32_t i = 0; i < n; ++i) {
            const int32_t parent = i - (int32_t)lround(offset[i]);
            /* the host is the first below its fork, so the fork's value is there before the others ask */
            if (hosts_fork[i] > 0.5) {
                fork_rhs[i] = fork_inverse[i] * (fork_rhs[i] + (parent != i ? fork_g[i] * r[parent] : 0.0));
            }
            if (via_fork[i] > 0.5) {
                r[i] = inverse[i] * (r[i] + g_face[i] * fork_rhs[i - (int32_t)lround(p[GD_FORK_OFFSET][i])]);
            } else {
                r[i] = inverse[i] * (r[i] + (parent != i ? g_face[i] * r[parent] : 0.0));
            }
        }
        for (int32_t i = 0; i < n; ++i) u.internal_concentration[u.index[i]] = r[i] = decay * r[i];
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
    {"fork_inverse", "1/uS", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
    {"fork_rhs", "nA", 0.0, -1.7976931348623157e308, 1.7976931348623157e308},
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
    t.n_state_vars = 6;
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
        double i__sum[GD_BLOCK];
        double g__sum[GD_BLOCK];
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
            i__sum[j] = w * (p_g * (v - p_e));
            g__sum[j] = w * (p_g);
        }
        gd_scatter_add(pp->vec_i, pp->node_index + begin, n, i__sum);
        gd_scatter_add(pp->vec_g, pp->node_index + begin, n, g__sum);
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
        double i__sum[GD_BLOCK];
        double g__sum[GD_BLOCK];
        double d1[GD_BLOCK];
        double d2[GD_BLOCK];
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
            i__sum[j] = w * (p_g * t1);
            g__sum[j] = w * (p_g);
            d1[j] = p_g;
            d2[j] = t1;
        }
        gd_scatter_add(pp->vec_i, pp->node_index + begin, n, i__sum);
        gd_scatter_add(pp->vec_g, pp->node_index + begin, n, g__sum);
        for (uint32_t k = 0; k < N_SLOTS; ++k) {
            double u_buffer[GD_BLOCK];
            const double* u = gd_gather(pp->ion_states[0 + 2 * k].internal_concentration, pp->ion_states[0 + 2 * k].index + begin, n, u_buffer);
            double di[GD_BLOCK];
            double dg[GD_BLOCK];
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                di[j] = 10.0 * weight__at[j] * (d1[j] * u[j]);
                dg[j] = 10.0 * weight__at[j] * (0.0);
            }
            gd_scatter_add(pp->ion_states[0 + 2 * k].current_density, pp->ion_states[0 + 2 * k].index + begin, n, di);
            gd_scatter_add(pp->ion_states[1 + 2 * k].current_density, pp->ion_states[1 + 2 * k].index + begin, n, dg);
        }
        { /* d(g)/d(g) */
            const double* seed = pp->parameters[2] + begin;
            double di[GD_BLOCK];
            double dg[GD_BLOCK];
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                di[j] = 10.0 * weight__at[j] * (d2[j] * seed[j]);
                dg[j] = 10.0 * weight__at[j] * (seed[j]);
            }
            gd_scatter_add(pp->ion_states[0 + 2 * 0].current_density, pp->ion_states[0 + 2 * 0].index + begin, n, di);
            gd_scatter_add(pp->ion_states[1 + 2 * 0].current_density, pp->ion_states[1 + 2 * 0].index + begin, n, dg);
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
