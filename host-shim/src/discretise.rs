//! From a morphology, a CV policy and cable properties to the numbers of the finite-volume system (host-numerics §4.4).
//!
//! For CV i with stretches S_i: A_i and L_i are sums over S_i, C_i = integral of cm dA, diam_i = A_i/(pi L_i).
//! For the face between CV i and its parent: g = 100 / integral of rL dx/(pi r^2) in uS (rL in Ohm cm) along the span
//! between their reference points. An unbranched CV's reference point is its middle, any other's the fork next to the face.
//! Knows no mechanisms, ions or time.

mod diffusion;
mod probe_weights;
mod properties;
#[cfg(test)]
mod tests;

pub use properties::{CableProperties, PropertyMap};

use crate::error::GeometryError;
use crate::morphology::{Cable, Location, Morphology};
use crate::policy::{CvPolicy, partition};
use std::f64::consts::PI;

/// A cell's control volumes. All vectors have one entry per CV; parents precede children.
#[derive(Debug, Clone)]
pub struct Discretisation {
    /// Stretches, sorted by branch and position. A fork that is a CV of its own has stretches of zero length.
    pub cables: Vec<Vec<Cable>>,
    /// Parent CV, below the CV's own index; `None` for CV 0.
    pub parent: Vec<Option<usize>>,
    /// Lateral area, um2; 0 for a fork that is a CV of its own.
    pub area_um2: Vec<f64>,
    /// Length, um.
    pub length_um: Vec<f64>,
    /// Area over pi times length, um (0 for zero length).
    pub diam_um: Vec<f64>,
    /// Membrane capacitance, pF.
    pub cap_pf: Vec<f64>,
    /// Initial voltage, mV: area average; without area the parent's, and at the root the last child's.
    pub v_init_mv: Vec<f64>,
    /// Temperature, K; averaged as the voltage.
    pub temperature_k: Vec<f64>,
    /// Conductance to the parent, uS; 0 for CV 0.
    pub g_face_us: Vec<f64>,
    /// Per branch the stretches that tile it, proximal first.
    tiles: Vec<Vec<Tile>>,
}

/// A stretch of a branch and the CV it belongs to.
#[derive(Debug, Clone, Copy)]
struct Tile {
    prox: f64,
    dist: f64,
    cv: usize,
}

impl Tile {
    fn is_point(&self) -> bool {
        self.prox >= self.dist
    }
}

/// Cuts a cell into control volumes and computes what the cable equation needs of them.
///
/// # Errors
/// [`GeometryError::BadPolicy`], [`GeometryError::BadProperty`]; a location of the policy or a painted cable that the
/// morphology does not have; [`GeometryError::BadFace`] where neighbouring CVs have no finite, positive conductance.
pub fn discretise(m: &Morphology, policy: &CvPolicy, props: &CableProperties) -> Result<Discretisation, GeometryError> {
    props.check(m)?;
    let cvs = partition(m, policy.boundaries(m)?);
    let n = cvs.parent.len();
    let mut d = Discretisation {
        tiles: tile(m, &cvs.cables),
        cables: cvs.cables,
        parent: cvs.parent,
        area_um2: vec![0.0; n],
        length_um: vec![0.0; n],
        diam_um: vec![0.0; n],
        cap_pf: vec![0.0; n],
        v_init_mv: vec![0.0; n],
        temperature_k: vec![0.0; n],
        g_face_us: vec![0.0; n],
    };
    for cv in 0..n {
        let parent = d.parent[cv];
        if let Some(parent) = parent {
            d.g_face_us[cv] = face_conductance_us(m, props, &d.cables, parent, cv)?;
        }
        let (mut area, mut length, mut cap, mut v, mut t) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for cable in &d.cables[cv] {
            area += m.area_um2(cable);
            length += m.length_um(cable);
            cap += m.area_weighted(cable, &props.cm_f_per_m2);
            v += m.area_weighted(cable, &props.v_init_mv);
            t += m.area_weighted(cable, &props.temperature_k);
        }
        (d.area_um2[cv], d.length_um[cv], d.cap_pf[cv]) = (area, length, cap);
        d.diam_um[cv] = if length > 0.0 { area / (length * PI) } else { 0.0 };
        if area > 0.0 {
            (d.v_init_mv[cv], d.temperature_k[cv]) = (v / area, t / area);
            if let Some(root) = parent.filter(|&p| d.parent[p].is_none() && d.area_um2[p] <= 0.0) {
                (d.v_init_mv[root], d.temperature_k[root]) = (v / area, t / area);
            }
        } else if let Some(parent) = parent {
            (d.v_init_mv[cv], d.temperature_k[cv]) = (d.v_init_mv[parent], d.temperature_k[parent]);
        }
    }
    Ok(d)
}

/// Per branch its stretches in order, each with its CV.
fn tile(m: &Morphology, cables: &[Vec<Cable>]) -> Vec<Vec<Tile>> {
    let mut tiles = vec![Vec::new(); m.n_branches()];
    // A parent precedes its children, so on every branch CVs appear from proximal to distal.
    for (cv, cables) in cables.iter().enumerate() {
        for cable in cables {
            tiles[cable.branch].push(Tile {
                prox: cable.prox,
                dist: cable.dist,
                cv,
            });
        }
    }
    tiles
}

/// The span between the reference points of a CV and its parent, on the branch where the CV begins.
fn face_span(parent: &[Cable], child: &[Cable]) -> Cable {
    let first = child[0];
    let dist = if child.len() == 1 { first.midpoint() } else { 1.0 };
    let prox = match parent {
        [only] if only.branch == first.branch => only.midpoint(),
        _ => 0.0,
    };
    Cable::new(first.branch, prox, dist)
}

fn face_conductance_us(
    m: &Morphology,
    props: &CableProperties,
    cables: &[Vec<Cable>],
    parent: usize,
    cv: usize,
) -> Result<f64, GeometryError> {
    let span = face_span(&cables[parent], &cables[cv]);
    let ixa_rl = m.ixa_weighted(&span, &props.rl_ohm_cm);
    // 1/(Ohm cm/um) = 1e-4 S = 100 uS.
    let g_us = 100.0 / ixa_rl;
    let valid = g_us.is_finite() && g_us > 0.0;
    if valid {
        Ok(g_us)
    } else {
        Err(GeometryError::BadFace { cv, span, ixa_rl })
    }
}

impl Discretisation {
    /// Number of control volumes, at least 1.
    pub fn n_cvs(&self) -> usize {
        self.parent.len()
    }

    /// The CV that receives what is placed at a location: stimuli, synapses, probes of densities and ions. Never a fork
    /// without area where a CV with area touches the location, which must be on the morphology
    /// ([`Morphology::check_location`]).
    pub fn cv_nonempty(&self, at: &Location) -> usize {
        let tiles = &self.tiles[at.branch];
        let i = rightmost(tiles, at.pos);
        if tiles[i].is_point() {
            if i > 0 && !tiles[i - 1].is_point() {
                return tiles[i - 1].cv;
            }
            if let Some(next) = tiles.get(i + 1).filter(|next| !next.is_point()) {
                return next.cv;
            }
        }
        tiles[i].cv
    }

    /// The CV whose voltage a detector at a location sees: the fork without area, where there is one. The location must be
    /// on the morphology.
    pub fn cv_empty(&self, at: &Location) -> usize {
        let tiles = &self.tiles[at.branch];
        let i = rightmost(tiles, at.pos);
        if at.pos <= tiles[i].prox && i > 0 && tiles[i - 1].is_point() {
            tiles[i - 1].cv
        } else {
            tiles[i].cv
        }
    }

    /// Which CVs some stretches cover, with the area covered, um2; only where that is positive, by CV.
    ///
    /// The stretches must be on the morphology and disjoint, as [`Region::evaluate`](crate::region::Region::evaluate)
    /// makes them.
    pub fn overlap(&self, m: &Morphology, cables: &[Cable]) -> Vec<(usize, f64)> {
        let mut covered: Vec<(usize, f64)> = Vec::new();
        for cable in cables {
            let tiles = &self.tiles[cable.branch];
            let first = tiles.partition_point(|tile| tile.dist <= cable.prox);
            for tile in tiles[first..].iter().take_while(|tile| tile.prox < cable.dist) {
                let part = Cable::new(cable.branch, cable.prox.max(tile.prox), cable.dist.min(tile.dist));
                covered.push((tile.cv, m.area_um2(&part)));
            }
        }
        // Stable: the parts of one CV are added in the order of the stretches.
        covered.sort_by_key(|&(cv, _)| cv);
        covered.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            sum.1 += if same { next.1 } else { 0.0 };
            same
        });
        covered.retain(|&(_, area)| area > 0.0);
        covered
    }
}

/// The last tile that contains a position: a boundary belongs to what is distal of it.
fn rightmost(tiles: &[Tile], pos: f64) -> usize {
    tiles.partition_point(|tile| tile.prox <= pos).max(1) - 1
}
