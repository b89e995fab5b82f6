//! The cell's tree as columns of numbers, one row per CV with area, for mechanisms that solve on it themselves.
//!
//! Mechanisms run only on CVs with area. The `cable` carrier must solve the tangent's tree system on all of them, so every
//! fork without area becomes a virtual node that one of its children, the *host*, carries. Rows are in CV order, which is the
//! order of a density mechanism's instances when it is painted everywhere.

#[cfg(test)]
mod tests;

use crate::discretise::{CableProperties, Discretisation};
use crate::error::GeometryError;
use crate::morphology::{Location, Morphology};

/// The tree seen from its CVs with area ("instances"). All columns have one entry per instance.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeTable {
    /// The instance's CV.
    pub cv: Vec<usize>,
    /// Own index minus the parent instance's, through at most one fork; 0 without one.
    pub parent_offset: Vec<f64>,
    /// Conductance to the parent node, uS: the fork's node if `via_fork`, else the parent instance; 0 at the root.
    pub g_face_us: Vec<f64>,
    /// 1 if the parent node is a fork without area, else 0.
    pub via_fork: Vec<f64>,
    /// If `via_fork`: own index minus the index of the fork's host (0 on the host); else 0.
    pub fork_offset: Vec<f64>,
    /// On a host: the conductance between its fork and the fork's parent, uS; 0 if the fork is the root, or on no host.
    pub fork_g_us: Vec<f64>,
    /// 1 on the lowest-numbered child of a fork, else 0.
    pub hosts_fork: Vec<f64>,
    /// Capacitance, pF.
    pub cap_pf: Vec<f64>,
    /// Per CV, its voltage as weights of instance voltages.
    of_instances: Vec<Vec<(usize, f64)>>,
}

impl TreeTable {
    /// The table of a discretised cell. CVs without area and without descendants that have any are dropped: no current
    /// flows into them.
    ///
    /// # Errors
    /// [`GeometryError::ChainedZeroArea`] where a CV without area follows another, [`GeometryError::NoArea`].
    pub fn new(d: &Discretisation) -> Result<Self, GeometryError> {
        let n_cvs = d.n_cvs();
        let has_area: Vec<bool> = d.area_um2.iter().map(|&area| area > 0.0).collect();
        let mut kept = has_area.clone();
        for cv in (0..n_cvs).rev().filter(|&cv| d.parent[cv].is_some()) {
            if let Some(parent) = d.parent[cv].filter(|_| kept[cv]) {
                kept[parent] = true;
            }
        }
        let mut instance_of = vec![0; n_cvs];
        let mut table = TreeTable::empty(n_cvs);
        // Per fork, its host, once the first child has come by.
        let mut host_of: Vec<Option<usize>> = vec![None; n_cvs];
        for cv in 0..n_cvs {
            if !has_area[cv] {
                let above = d.parent[cv].filter(|&parent| kept[cv] && !has_area[parent]);
                if let Some(parent) = above {
                    let start = d.cables[cv][0];
                    return Err(GeometryError::ChainedZeroArea {
                        cv,
                        parent,
                        at: Location::new(start.branch, start.prox),
                    });
                }
                continue;
            }
            let instance = table.cv.len();
            instance_of[cv] = instance;
            let fork = d.parent[cv].filter(|&parent| !has_area[parent]);
            let above = match fork {
                Some(fork) => d.parent[fork],
                None => d.parent[cv],
            };
            let host = fork.map(|fork| *host_of[fork].get_or_insert(instance));
            let is_host = host == Some(instance);
            table.cv.push(cv);
            table
                .parent_offset
                .push(above.map_or(0.0, |above| (instance - instance_of[above]) as f64));
            table.g_face_us.push(d.g_face_us[cv]);
            table.via_fork.push(if fork.is_some() { 1.0 } else { 0.0 });
            table
                .fork_offset
                .push(host.map_or(0.0, |host| (instance - host) as f64));
            table
                .fork_g_us
                .push(fork.filter(|_| is_host).map_or(0.0, |fork| d.g_face_us[fork]));
            table.hosts_fork.push(if is_host { 1.0 } else { 0.0 });
            table.cap_pf.push(d.cap_pf[cv]);
        }
        if table.cv.is_empty() {
            return Err(GeometryError::NoArea);
        }
        table.eliminate_forks(d, &has_area, &kept, &instance_of);
        Ok(table)
    }

    fn empty(n_cvs: usize) -> Self {
        TreeTable {
            cv: Vec::new(),
            parent_offset: Vec::new(),
            g_face_us: Vec::new(),
            via_fork: Vec::new(),
            fork_offset: Vec::new(),
            fork_g_us: Vec::new(),
            hosts_fork: Vec::new(),
            cap_pf: Vec::new(),
            of_instances: vec![Vec::new(); n_cvs],
        }
    }

    /// Number of instances, at least 1.
    pub fn n_instances(&self) -> usize {
        self.cv.len()
    }

    /// No current enters a node without area: its voltage is the mean of its neighbours', weighted by conductance.
    fn eliminate_forks(&mut self, d: &Discretisation, has_area: &[bool], kept: &[bool], instance_of: &[usize]) {
        for cv in 0..d.n_cvs() {
            if has_area[cv] {
                self.of_instances[cv].push((instance_of[cv], 1.0));
            } else if let Some(parent) = d.parent[cv].filter(|_| kept[cv]) {
                self.of_instances[cv].push((instance_of[parent], d.g_face_us[cv]));
            }
            if let Some(fork) = d.parent[cv].filter(|&parent| has_area[cv] && !has_area[parent]) {
                self.of_instances[fork].push((instance_of[cv], d.g_face_us[cv]));
            }
        }
        for (cv, &kept) in kept.iter().enumerate() {
            if kept {
                let weights = &mut self.of_instances[cv];
                let sum: f64 = weights.iter().map(|&(_, g)| g).sum();
                weights.iter_mut().for_each(|(_, g)| *g /= sum);
            } else if let Some(parent) = d.parent[cv] {
                // Dropped: a dead end has its parent's voltage.
                self.of_instances[cv] = self.of_instances[parent].clone();
            }
        }
    }

    /// One instance's row: parent_offset, g_face_us, via_fork, fork_offset, fork_g_us, hosts_fork, cap_pf.
    pub fn row(&self, instance: usize) -> [f64; 7] {
        [
            self.parent_offset[instance],
            self.g_face_us[instance],
            self.via_fork[instance],
            self.fork_offset[instance],
            self.fork_g_us[instance],
            self.hosts_fork[instance],
            self.cap_pf[instance],
        ]
    }

    /// A combination of CV voltages, as one of instance voltages: sorted, each instance once.
    ///
    /// `weights` name CVs of the discretisation the table was made of.
    pub fn over_instances(&self, weights: &[(usize, f64)]) -> Vec<(usize, f64)> {
        let mut sums: Vec<(usize, f64)> = Vec::new();
        for &(cv, weight) in weights {
            sums.extend(
                self.of_instances[cv]
                    .iter()
                    .map(|&(instance, share)| (instance, weight * share)),
            );
        }
        sums.sort_by_key(|&(instance, _)| instance);
        sums.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            sum.1 += if same { next.1 } else { 0.0 };
            same
        });
        sums
    }

    /// [`Discretisation::voltage_weights`] over instances: what a voltage-like quantity that lives on instances reads at a
    /// location.
    pub fn voltage_weights(
        &self,
        d: &Discretisation,
        m: &Morphology,
        props: &CableProperties,
        at: &Location,
    ) -> Vec<(usize, f64)> {
        self.over_instances(&d.voltage_weights(m, props, at))
    }
}
