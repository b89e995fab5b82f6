//! A cell group: cells that share arrays and run in one pass. Building it from laid-out cells.
//!
//! It may hold several of the groups that the caller made, its *families* (see [`crate::batch`]).

mod merge;
mod place;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use mech_abi::EventData;

use crate::cable::CableSolver;
use crate::catalogue::{IonDependency, MechanismInfo, MechanismKind};
use crate::cell::CellDescription;
use crate::deliver::TargetInstance;
use crate::detector::{Spike, Watcher};
use crate::diffusion::DiffusionSolver;
use crate::discretise::Discretisation;
use crate::layout::{CellLayout, connect};
use crate::network::Network;
use crate::sim_error::SimError;
use crate::stimulus::Stimulus;
use crate::storage::{MechanismStorage, SharedStorage};

/// State of a cell group. Owns all that its step touches, so groups can run on different threads.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) shared: SharedStorage,
    /// In byte order of full names, which is the order of every hook.
    pub(crate) mechanisms: Vec<MechanismStorage>,
    /// Which of them run when.
    pub(crate) lists: Lists,
    pub(crate) cells: Vec<GroupCell>,
    pub(crate) solver: CableSolver,
    pub(crate) diffusion: Vec<DiffusionSolver>,
    pub(crate) stimuli: Vec<Stimulus>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) v_init_mv: Vec<f64>,
    /// Scratch space: the events of one mechanism in one step.
    pub(crate) arrived: Vec<EventData>,
    /// Those since the simulation last looked.
    pub(crate) spikes: Vec<Spike>,
}

/// Positions of mechanisms, ascending, by their part in the step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// Density mechanisms, point processes and gap junctions.
    pub(crate) main: Vec<usize>,
    pub(crate) reversal: Vec<usize>,
    pub(crate) voltage: Vec<usize>,
    /// Those of `main` that write a concentration.
    pub(crate) writers: Vec<usize>,
    /// POST_EVENT of `main` runs. As in Arbor only a point process can ask for that.
    pub(crate) post_events: bool,
}

impl Lists {
    fn new(mechanisms: &[MechanismStorage]) -> Self {
        let mut lists = Self::default();
        for (k, mechanism) in mechanisms.iter().enumerate() {
            match mechanism.info().kind {
                MechanismKind::Density | MechanismKind::Point | MechanismKind::GapJunction => lists.main.push(k),
                MechanismKind::ReversalPotential => lists.reversal.push(k),
                MechanismKind::Voltage => lists.voltage.push(k),
            }
            let writes = |ion: &IonDependency| ion.write_internal || ion.write_external;
            if lists.main.last() == Some(&k) && mechanism.info().ions.iter().any(writes) {
                lists.writers.push(k);
            }
            lists.post_events |= asks_for_spikes(mechanism.info());
        }
        lists
    }
}

fn asks_for_spikes(info: &MechanismInfo) -> bool {
    info.kind == MechanismKind::Point && info.has_post_events
}

/// One cell of a group.
#[derive(Debug, Clone)]
pub(crate) struct GroupCell {
    /// Position in the simulation.
    pub(crate) index: usize,
    pub(crate) cvs: Range<usize>,
    /// Instances of each mechanism of the group.
    pub(crate) instances: Vec<Range<usize>>,
    /// Painted and full names to mechanisms of the group.
    pub(crate) names: BTreeMap<String, usize>,
    /// Where events go, by target number.
    pub(crate) targets: Vec<TargetInstance>,
    /// Shared by copies of the cell.
    pub(crate) discretisation: Arc<Discretisation>,
}

impl Group {
    /// `cells` with their positions in the simulation, and `families`, which tiles them; of the network, the junctions
    /// between them and the seed matter.
    pub(crate) fn new(
        cells: &[(usize, &CellDescription)],
        mut laid_out: Vec<CellLayout>,
        families: &[Range<usize>],
        network: &Network,
    ) -> Result<Self, SimError> {
        let mut end = 0;
        let spans: Vec<Range<usize>> = laid_out
            .iter()
            .map(|cell| {
                let start = end;
                end += cell.discretisation.n_cvs();
                start..end
            })
            .collect();
        let positions: Vec<usize> = cells.iter().map(|c| c.0).collect();
        connect(&mut laid_out, &positions, &spans, network)?;
        for (layout, &index) in laid_out.iter().zip(&positions) {
            layout.check_ions(index)?;
        }

        let shared = merge::shared_storage(cells, &laid_out, &spans)?;
        let gids = merge::gids(cells, &spans);
        let merged = merge::mechanisms(&laid_out, &spans);
        let mut names = vec![BTreeMap::new(); cells.len()];
        let mut instances: Vec<Vec<Range<usize>>> = vec![Vec::with_capacity(merged.len()); cells.len()];
        let mut mechanisms = Vec::with_capacity(merged.len());
        let noise = merge::noise_keys(network.seed, &merged, families, &spans, &gids);
        for (k, ((full, mut set), noise)) in merged.into_iter().zip(noise).enumerate() {
            for (cell, range) in set.instances.into_iter().enumerate() {
                instances[cell].push(range);
                if let Some(own) = laid_out[cell].mechanisms.get(&full) {
                    names[cell].insert(full.clone(), k);
                    names[cell].extend(own.painted.iter().map(|name| (name.clone(), k)));
                }
            }
            set.layout.noise = noise;
            let storage = MechanismStorage::new(full.clone(), set.handle, set.layout, &shared);
            mechanisms.push(storage.ok_or(SimError::Layout { mechanism: full })?);
        }

        let concatenated =
            |of: fn(&CellLayout) -> &Vec<f64>| laid_out.iter().flat_map(of).copied().collect::<Vec<f64>>();
        let parent: Vec<Option<usize>> = laid_out
            .iter()
            .zip(&spans)
            .flat_map(|(cell, span)| cell.discretisation.parent.iter().map(|p| p.map(|p| p + span.start)))
            .collect();
        let solver = CableSolver::new(
            &parent,
            &spans,
            &concatenated(|c| &c.discretisation.cap_pf),
            &shared.area_um2,
            &concatenated(|c| &c.discretisation.g_face_us),
        );
        let diffusion = merge::diffusion(&laid_out, &spans, &shared);
        let mut stimuli = Vec::new();
        let mut watchers = Vec::new();
        for (k, (&(index, cell), layout)) in cells.iter().zip(&laid_out).enumerate() {
            let first_cv = spans[k].start;
            stimuli.extend(place::place_clamps(index, cell, layout, first_cv)?);
            let slot = |detector| shared.detector_slot(k, detector);
            watchers.extend(place::place_detectors(index, cell, layout, first_cv, slot)?);
        }
        let v_init_mv = concatenated(|c| &c.discretisation.v_init_mv);
        let mut group_cells = Vec::with_capacity(cells.len());
        for (k, (layout, (instances, names))) in laid_out.into_iter().zip(instances.into_iter().zip(names)).enumerate()
        {
            let target = |(full, instance): &(String, usize)| {
                let mechanism = *names.get(full)?;
                let instance = u32::try_from(instances[mechanism].start + instance).ok()?;
                Some(TargetInstance { mechanism, instance })
            };
            let lost = || SimError::Layout {
                mechanism: "a point process".into(),
            };
            let targets = layout.targets.iter().map(target).collect::<Option<_>>();
            group_cells.push(GroupCell {
                index: positions[k],
                cvs: spans[k].clone(),
                targets: targets.ok_or_else(lost)?,
                instances,
                names,
                discretisation: Arc::new(layout.discretisation),
            });
        }
        let mut group = Self {
            lists: Lists::new(&mechanisms),
            shared,
            mechanisms,
            cells: group_cells,
            solver,
            diffusion,
            stimuli,
            watchers,
            v_init_mv,
            arrived: Vec::new(),
            spikes: Vec::new(),
        };
        group.reset();
        Ok(group)
    }

    /// Bytes of all arrays that a step of the group touches.
    pub(crate) fn state_bytes(&self) -> usize {
        let mechanisms: usize = self.mechanisms.iter().map(MechanismStorage::bytes).sum();
        let diffusion: usize = self.diffusion.iter().map(DiffusionSolver::bytes).sum();
        self.shared.bytes() + mechanisms + self.solver.bytes() + diffusion
    }

    /// The instance that receives the events of a target of the group's `cell`-th cell.
    pub(crate) fn find_target(&self, cell: usize, target: usize) -> Result<TargetInstance, SimError> {
        let cell = &self.cells[cell];
        cell.targets.get(target).copied().ok_or(SimError::NoSuchTarget {
            cell: cell.index,
            target,
            n_targets: cell.targets.len(),
        })
    }
}

/// CV numbers fit the ABI's 32-bit indices: discretisation makes at most 10⁸ CVs a cell, and [`MechanismStorage::new`]
/// refuses what saturates here because it would repeat or leave the group.
fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
