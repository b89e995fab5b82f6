---- gd_setpoint ---- */
#define N_SLOTS 2u

GD_LOCAL void mech_gd_setpoint_advance_state(arb_mechanism_ppack* pp) {
    const double dt = pp->dt;
    const double h1 = dt * 0.5;
    const double decay = gd_decay(pp->globals[0], pp->dt);
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double d1[GD_BLOCK];
        double* restrict s_e__at = pp->state_vars[0] + begin;
        double v__buffer[GD_BLOCK];
        const double* v__at = gd_gather(pp->vec_v, pp->node_index + begin, n, v__buffer);
        const double* p_v_target__at = pp->parameters[2] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double v = v__at[j];
            const double p_v_target = p_v_target__at[j];
            const double s_e = s_e__at[j];
            const double t1 = v - p_v_target;
            s_e__at[j] = s_e + t1 * t1 * h1;
            d1[j] = h1 * (t1 + t1);
        }
        for (uint32_t k = 0; k < N_SLOTS; ++k) {
            double u_buffer[GD_BLOCK];
            const double* u = gd_gather(pp->ion_states[0 + k].internal_concentration, pp->ion_states[0 + k].index + begin, n, u_buffer);
            double* restrict w_e = pp->state_vars[1 + 1 * k + 0] + begin;
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                const double old_e = w_e[j];
                w_e[j] = gd_fma(d1[j], u[j], decay * (old_e));
            }
        }
        /* norms over the slots are bounded */
        for (uint32_t a = 0; a < 1; ++a) {
            const double* clip = pp->parameters[5] + begin;
            for (uint32_t j = 0; j < n; ++j) {
                double square = 0.0;
                for (uint32_t k = 0; k < N_SLOTS; ++k) square += pp->state_vars[1 + 1 * k + a][begin + j] * pp->state_vars[1 + 1 * k + a][begin + j];
                const double norm = sqrt(square);
                if (!(norm > clip[j])) continue;
                for (uint32_t k = 0; k < N_SLOTS; ++k) pp->state_vars[1 + 1 * k + a][begin + j] *= clip[j] / norm;
            }
        }
        /* theta' = -alpha s d(e)/d(theta), from the time on at which control begins */
        double* restrict wait = pp->state_vars[11] + begin;
        { /* el */
            double* restrict theta = pp->state_vars[7] + begin;
            const double* sensitivity = pp->state_vars[1 + 1 * 0 + 0] + begin;
            const double* gain = pp->parameters[7] + begin;
            const double* scale = pp->parameters[8] + begin;
            const double* rate = pp->parameters[9] + begin;
            const double* least = pp->parameters[10] + begin;
            const double* greatest = pp->parameters[11] + begin;
            for (uint32_t j = 0; j < n; ++j) {
                const double along = sensitivity[j];
                const double most = rate[j] * scale[j] * pp->dt;
                double step = -pp->dt * gain[j] * scale[j] * along;
                if (!(fabs(along) < INFINITY)) step = NAN; /* which stays, and shows in the voltage */
                step = step < -most ? -most : step > most ? most : step;
                step += theta[j];
                step = step < least[j] ? least[j] : step > greatest[j] ? greatest[j] : step;
                if (wait[j] <= 1e-6 * pp->dt) theta[j] = step;
            }
        }
        { /* g */
            double* restrict theta = pp->state_vars[8] + begin;
            const double* sensitivity = pp->state_vars[1 + 1 * 1 + 0] + begin;
            const double* gain = pp->parameters[13] + begin;
            const double* scale = pp->parameters[14] + begin;
            const double* rate = pp->parameters[15] + begin;
            const double* least = pp->parameters[16] + begin;
            const double* greatest = pp->parameters[17] + begin;
            for (uint32_t j = 0; j < n; ++j) {
                const double along = sensitivity[j];
                const double most = rate[j] * scale[j] * pp->dt;
                double step = -pp->dt * gain[j] * scale[j] * along;
                if (!(fabs(along) < INFINITY)) step = NAN; /* which stays, and shows in the voltage */
                step = step < -most ? -most : step > most ? most : step;
                step += theta[j];
                step = step < least[j] ? least[j] : step > greatest[j] ? greatest[j] : step;
                if (wait[j] <= 1e-6 * pp->dt) theta[j] = step;
            }
        }
        { /* as samples show it */
            double* restrict now = pp->state_vars[9] + begin;
            const double* p_g__at = pp->parameters[0] + begin;
            const double *seed_g__1 = pp->parameters[4] + begin, *theta_g__1 = pp->state_vars[8] + begin;
            const double* start_g__1 = pp->parameters[12] + begin;
            for (uint32_t j = 0; j < n; ++j) now[j] = gd_fma(seed_g__1[j], theta_g__1[j] - start_g__1[j], p_g__at[j]);
        }
        { /* as samples show it */
            double* restrict now = pp->state_vars[10] + begin;
            const double* p_el__at = pp->parameters[1] + begin;
            const double *seed_el__0 = pp->parameters[3] + begin, *theta_el__0 = pp->state_vars[7] + begin;
            const double* start_el__0 = pp->parameters[6] + begin;
            for (uint32_t j = 0; j < n; ++j) now[j] = gd_fma(seed_el__0[j], theta_el__0[j] - start_el__0[j], p_el__at[j]);
        }
        for (uint32_t j = 0; j < n; ++j) wait[j] -= wait[j] <= 1e-6 * pp->dt ? 0.0 : pp->dt;
    }
}

#undef N_SLOTS

#endif

#if GD_MADE >> 4 & 1
/* ---- gd_setpoint ---- */
#define N_SLOTS 2u

GD_ONCE static void mech_gd_setpoint_init(arb_mechanism_ppack* pp) {
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        double* restrict s_e__at = pp->state_vars[0] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            s_e__at[j] = 0.0;
        }
        for (uint32_t k = 0; k < N_SLOTS; ++k) {
            double* restrict w_e = pp->state_vars[1 + 1 * k + 0] + begin;
            GD_VECTORISE
            for (uint32_t j = 0; j < n; ++j) {
                w_e[j] = 0.0;
            }
        }
        /* norms over the slots are bounded */
        for (uint32_t a = 0; a < 1; ++a) {
            const double* clip = pp->parameters[5] + begin;
            for (uint32_t j = 0; j < n; ++j) {
                double square = 0.0;
                for (uint32_t k = 0; k < N_SLOTS; ++k) square += pp->state_vars[1 + 1 * k + a][begin + j] * pp->state_vars[1 + 1 * k + a][begin + j];
                const double norm = sqrt(square);
                if (!(norm > clip[j])) continue;
                for (uint32_t k = 0; k < N_SLOTS; ++k) pp->state_vars[1 + 1 * k + a][begin + j] *= clip[j] / norm;
            }
        }
        memcpy(pp->state_vars[11] + begin, pp->parameters[18] + begin, n * sizeof(double));
        memcpy(pp->state_vars[7] + begin, pp->parameters[6] + begin, n * sizeof(double));
        memcpy(pp->state_vars[8] + begin, pp->parameters[12] + begin, n * sizeof(double));
        memcpy(pp->state_vars[9] + begin, pp->parameters[0] + begin, n * sizeof(double));
        memcpy(pp->state_vars[10] + begin, pp->parameters[1] + begin, n * sizeof(double));
    }
}

static void mech_gd_setpoint_compute_currents(arb_mechanism_ppack* pp) {
    gd_tell(0, pp);
    for (uint32_t begin = 0; begin < pp->width; begin += GD_BLOCK) {
        const uint32_t n = pp->width - begin < GD_BLOCK ? pp->width - begin : GD_BLOCK;
        const double* weight__at = pp->weight + begin;
        double i__sum__own[GD_BLOCK];
        double* restrict i__sum = gd_open(pp->vec_i, pp->node_index + begin, n, i__sum__own);
        double g__sum__own[GD_BLOCK];
        double* restrict g__sum = gd_open(pp->vec_g, pp->node_index + begin, n, g__sum__own);
        double* restrict di_v = pp->state_vars[3] + begin;
        double* restrict di_p_g = pp->state_vars[4] + begin;
        double* restrict dg_p_g = pp->state_vars[5] + begin;
        double* restrict di_p_el = pp->state_vars[6] + begin;
        double v__buffer[GD_BLOCK];
        const double* v__at = gd_gather(pp->vec_v, pp->node_index + begin, n, v__buffer);
        const double* p_g__at = pp->parameters[0] + begin;
        const double *seed_g__1 = pp->parameters[4] + begin, *theta_g__1 = pp->state_vars[8] + begin;
        const double* start_g__1 = pp->parameters[12] + begin;
        const double* p_el__at = pp->parameters[1] + begin;
        const double *seed_el__0 = pp->parameters[3] + begin, *theta_el__0 = pp->state_vars[7] + begin;
        const double* start_el__0 = pp->parameters[6] + begin;
        GD_VECTORISE
        for (uint32_t j = 0; j < n; ++j) {
            const double v = v__at[j];
            const double p_g = gd_fma(seed_g__1[j], theta_g__1[j] - start_g__1[j], p_g__at[j]);
            const double p_el = gd_fma(seed_el__0[j], theta_el__0[j] - start_el__0[j], p_el__at[j]);
            const double w = 10.0 * weight__at[j];
            const double t1 = v - p_el;
            i__sum[j] += w * (p_g * t1);
            g__sum[j] += w * (p_g);
            di_v[j] = w * (p_g);
            di_p_g[j] = w * (t1);
            dg_p_g[j] = w * (1.0);
            di_p_el[j] = w * (-p_g);
        }
        gd_close(pp->vec_i, pp->node_index + begin, n, i__sum__own, i__sum);
        gd_close(pp->vec_g, pp->node_index + begin, n, g__sum__own, g__sum);
    }
}

