//! What a carrier other than the exact one needs to know of a cell.

use host_shim::{CableProperties, Discretisation, GeometryError, Morphology, TreeTable};

/// What is said wherever sensitivities of the `diffusion` carrier show.
pub(super) const CAVEAT: &str = "the sensitivities are APPROXIMATE: the carrier `diffusion` is the published one (ion \
    diffusion by the rule of Arbor 0.9), which is wrong wherever diameters differ or branches meet; the default carrier, \
    `cable`, is exact";

/// The same of clones, which NEURON has.
pub(super) const CLONES: &str = "the sensitivities are APPROXIMATE: NEURON carries them by clones, which are right up to the \
    time step; the error at least halves with `simulation.dt_ms`, and `verify --host neuron` says what it is";

/// Rewrites the tree's numbers for the `diffusion` carrier and returns 1/C per instance, 1/pF.
///
/// Rows have unit mass and faces Arbor 0.9's rate for D = β = 100/(rL·cm). The paper's β is one number per cell, so painted
/// rL and cm do not count; which probes read u where stays as it is.
pub(super) fn diffuse(
    tree: &mut TreeTable,
    d: &Discretisation,
    m: &Morphology,
    properties: &CableProperties,
) -> Result<Vec<f64>, GeometryError> {
    let beta = 100.0 / (properties.rl_ohm_cm.default_value() * properties.cm_f_per_m2.default_value());
    let mut diffusive = d.clone();
    diffusive.g_face_us = d.unit_mass_rates(m, beta);
    let rates = TreeTable::new(&diffusive)?;
    tree.g_face_us = rates.g_face_us;
    tree.fork_g_us = rates.fork_g_us;
    let per_cap = tree.cap_pf.iter().map(|c| c.recip()).collect();
    tree.cap_pf.fill(1.0);
    Ok(per_cap)
}
