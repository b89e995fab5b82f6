//! The `cable` carrier: solves the tangent's tree system for all slots inside the plugin.
//!
//! Per slot, with the matrix of the voltage solve (areas in 10³ µm², conductances in µS):
//!
//! ```text
//! (c_i + a_i g_i) u'_i + Σ_f g_f (u'_i − u'_j) = (c_i + a_i g_i) u_i − a_i Di_i + a_i Dg_i (V_n − V_{n+1})_i
//! ```
//!
//! A zero-area fork carries no instance; its row Σ_f g_f (u'_fork − u'_j) = 0 is a virtual node kept by its host, the
//! first instance below it. Instances come in the order of their CVs, so parents precede children and one sweep each way
//! solves the tree; offsets are relative, so several cells in a group need no bookkeeping.

use super::{Names, Slots, Tables, carrier_ions, forgetting, tables};
use crate::ir::mechanism::{Field, Kind};

/// Per-CV parameters, in the order of the host's tree table: (name, unit).
pub const PARAMETERS: [(&str, &str); 7] = [
    ("parent_offset", ""),
    ("g_face", "uS"),
    ("via_fork", ""),
    ("fork_offset", ""),
    ("fork_g", "uS"),
    ("hosts_fork", ""),
    ("cap", "pF"),
];

/// Scratch the solve keeps between its sweeps.
const SCRATCH: [(&str, &str); 5] = [
    ("v_prev", "mV"),
    ("g_sum", "uS"),
    ("inverse", "1/uS"),
    ("fork_inverse", "1/uS"),
    ("fork_rhs", "nA"),
];

const KERNELS: &str = r#"
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

"#;

/// Hooks and tables of the carrier.
pub(super) fn emit(slots: &Slots) -> String {
    let mut out = format!(
        "/* ---- {} ---- */\n#define N_SLOTS {}u\n",
        Names::CARRIER,
        slots.names.len()
    );
    out.push_str(KERNELS);
    out.push_str("#undef N_SLOTS\n\n");
    let field = |name: &str, unit: &str, default: f64| Field {
        name: name.into(),
        unit: unit.into(),
        default,
        limits: (f64::MIN, f64::MAX),
    };
    let parameters: Vec<Field> = PARAMETERS.iter().map(|(n, u)| field(n, u, 0.0)).collect();
    let mut states: Vec<Field> = SCRATCH.iter().map(|(n, u)| field(n, u, 0.0)).collect();
    states.extend(
        slots
            .names
            .iter()
            .map(|s| field(&Names::sensitivity("v", s), "mV", 0.0)),
    );
    out.push_str(&tables(&Tables {
        name: Names::CARRIER,
        kind: Kind::Density,
        linear: false,
        globals: &[forgetting()],
        states: &states,
        parameters: &parameters,
        ions: &carrier_ions(slots),
        noise: &[],
        events: false,
        post_events: false,
        writes: false,
    }));
    out
}
