//! The inferior-olive cell of figures 2 and 3: its shape, its mechanisms, its twelve conductances, as an experiment.
//!
//! The paper's shape, C4A, may not be carried; who has it names it, and all others get a generated tree of similar size
//! (`tree`). One CV per branch, as in the paper. On such coarse CVs soma and dendrite meet, and what happens there is
//! not said in the paper: [`Reading`] names the two ways we know.

mod tree;

use std::path::{Path, PathBuf};

use host_shim::{GeometryError, Morphology, SwcError, load_swc_arbor};

use super::{Carried, unpack};
use crate::control::Transform;
use crate::experiment::{
    self, Carrier, Cell, Detector, Experiment, Location, Paint, Probe, Properties, Region, RegionExpr, Scale,
    Simulation, Slot, SlotTarget, Verify,
};
use crate::report::{self, create_dir, write_atomic};

/// The paper's time step, ms.
pub const DT_MS: f64 = 0.025;
/// The paper's length, ms.
pub const DURATION_MS: f64 = 1000.0;

const SOMA: i32 = 1;
const AXON: i32 = 2;

/// The mechanisms, soma, dendrite and axon.
const MECHANISMS: [Carried; 3] = [
    Carried {
        path: "mechanisms/olive/soma.mod",
        text: include_str!("../../../mechanisms/olive/soma.mod"),
    },
    Carried {
        path: "mechanisms/olive/dend.mod",
        text: include_str!("../../../mechanisms/olive/dend.mod"),
    },
    Carried {
        path: "mechanisms/olive/axon.mod",
        text: include_str!("../../../mechanisms/olive/axon.mod"),
    },
];

/// What happens on CVs that hold both soma and dendrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// W: both mechanisms, each with the share of its area. Arbor's own rule.
    Weighted,
    /// P: the soma's mechanism alone, unweighted, and no conductance in the matrix (g = 0, so the membrane's current is
    /// taken at the old voltage). What the public code does.
    Published,
}

impl Reading {
    /// The letter it goes by.
    pub fn letter(self) -> &'static str {
        match self {
            Reading::Weighted => "W",
            Reading::Published => "P",
        }
    }
}

/// One conductance of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conductance {
    /// Name of its slot, as in the paper without the `g_`.
    pub name: &'static str,
    mechanism: &'static str,
    parameter: &'static str,
    /// Where tuning starts, A/m²/mV.
    pub start: f64,
    /// Where the target was made, A/m²/mV.
    pub target: f64,
}

impl Conductance {
    /// The target as a factor of the start: the value of the relative slot.
    pub fn target_factor(&self) -> f64 {
        self.target / self.start
    }
}

const fn g(name: &'static str, mechanism: &'static str, parameter: &'static str, values: (f64, f64)) -> Conductance {
    let (start, target) = values;
    Conductance {
        name,
        mechanism,
        parameter,
        start,
        target,
    }
}

/// The twelve conductances, in the order of the paper's matrices: soma, dendrite, axon.
pub const CONDUCTANCES: [Conductance; 12] = [
    g("CaL", "olive_soma", "gcal", (0.015, 0.003)),
    g("Na_s", "olive_soma", "gnas", (0.030, 0.030)),
    g("Kdr_s", "olive_soma", "gkdr", (0.030, 0.040)),
    g("K_s", "olive_soma", "gks", (0.015, 0.020)),
    g("ls", "olive_soma", "gls", (1.3e-5, 1.3e-5)),
    g("CaH", "olive_dend", "gcah", (0.090, 0.160)),
    g("K_Ca", "olive_dend", "gkca", (0.300, 0.250)),
    g("h", "olive_dend", "gh", (0.025, 0.025)),
    g("ld", "olive_dend", "gld", (1.3e-5, 1.3e-5)),
    g("Na_a", "olive_axon", "gnaa", (0.200, 0.250)),
    g("K_a", "olive_axon", "gka", (0.200, 0.250)),
    g("la", "olive_axon", "gla", (1.3e-5, 1.3e-5)),
];

/// The eleven states: mechanism, and variable in its source.
pub const STATES: [(&str, &str); 11] = [
    ("olive_soma", "k"),
    ("olive_soma", "l"),
    ("olive_soma", "h"),
    ("olive_soma", "n"),
    ("olive_soma", "x"),
    ("olive_dend", "r"),
    ("olive_dend", "s"),
    ("olive_dend", "q"),
    ("olive_dend", "ca"),
    ("olive_axon", "h"),
    ("olive_axon", "x"),
];

/// Why there is no olive cell.
#[derive(Debug, thiserror::Error)]
pub enum OliveError {
    /// The file cannot be read.
    #[error("cannot read the morphology `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is no SWC.
    #[error("`{}` is not a morphology", path.display())]
    Swc {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: SwcError,
    },
    /// Its segments make no tree of branches.
    #[error("`{}` is not a morphology", path.display())]
    Geometry {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: GeometryError,
    },
    /// A part of the cell is missing.
    #[error("`{}` has no {region} (SWC tag {tag})", path.display())]
    NoRegion {
        /// The file.
        path: PathBuf,
        /// What is missing.
        region: &'static str,
        /// The tag it would have.
        tag: i32,
    },
}

/// The cell's files, in a folder where the user can look at them and run them again.
#[derive(Debug, Clone)]
pub struct OliveCell {
    folder: PathBuf,
    swc: PathBuf,
    /// Its shape.
    pub morphology: Morphology,
    /// Whether the shape is generated; else it is the user's.
    pub generated: bool,
}

impl OliveCell {
    /// Writes the mechanisms, in both readings, and if there is no `morphology` the generated tree below `inputs`.
    ///
    /// # Errors
    /// [`super::Error`]: a file cannot be read or written, or the morphology is no olive cell.
    pub fn prepare(inputs: &Path, morphology: Option<&Path>) -> Result<Self, super::Error> {
        unpack(inputs, &MECHANISMS)?;
        create_dir(&inputs.join("mechanisms/olive-published"))?;
        for file in &MECHANISMS {
            let path = inputs.join(mechanism_path(file.path, Reading::Published));
            write_atomic(&path, without_conductance(file.text).as_bytes())?;
        }
        let (swc, text) = match morphology {
            Some(path) => {
                let read = |source| OliveError::Read {
                    path: path.to_path_buf(),
                    source,
                };
                let bytes = std::fs::read(path).map_err(read)?;
                let full = std::fs::canonicalize(path).map_err(read)?;
                (full, String::from_utf8_lossy(&bytes).into_owned())
            }
            None => {
                let text = tree::swc();
                write_atomic(&inputs.join(tree::FILE), text.as_bytes())?;
                (PathBuf::from(tree::FILE), text)
            }
        };
        let path = swc.clone();
        let segments = load_swc_arbor(&text).map_err(|source| OliveError::Swc { path, source })?;
        let path = swc.clone();
        let morphology_read = Morphology::new(segments).map_err(|source| OliveError::Geometry { path, source })?;
        for (region, tag, is) in [
            ("soma", SOMA, (|t| t == SOMA) as fn(i32) -> bool),
            ("axon", AXON, |t| t == AXON),
            ("dendrite", 3, |t| t != SOMA && t != AXON),
        ] {
            if !morphology_read.segment_tree().segments().iter().any(|s| is(s.tag)) {
                let path = swc.clone();
                return Err(OliveError::NoRegion { path, region, tag }.into());
            }
        }
        Ok(Self {
            folder: inputs.to_path_buf(),
            swc,
            morphology: morphology_read,
            generated: morphology.is_none(),
        })
    }

    /// The model at its starting point: 1000 ms, sampled each ms, twelve relative slots, no detector, and the voltage at
    /// the root of the soma as the only probe, `soma`.
    pub fn experiment(&self, name: &str, reading: Reading) -> Experiment {
        Experiment {
            schema: None,
            name: name.into(),
            description: None,
            mechanisms: MECHANISMS
                .iter()
                .map(|m| mechanism_path(m.path, reading).into())
                .collect(),
            integrator: experiment::Integrator::Arbor,
            cells: vec![self.cell(reading)],
            populations: Vec::new(),
            connections: Vec::new(),
            gap_junctions: Vec::new(),
            groups: Vec::new(),
            simulation: Simulation {
                duration_ms: DURATION_MS,
                dt_ms: DT_MS,
                sample_every_ms: 1.0,
                seed: 0,
            },
            slots: CONDUCTANCES.iter().map(slot).collect(),
            probes: vec![probe("soma", 0, 0.0, "v")],
            forgetting_per_ms: 0.0,
            carrier: Carrier::Cable,
            tune: None,
            control: None,
            perturbations: Vec::new(),
            verify: Verify::default(),
        }
    }

    /// Writes an experiment beside the files it names, as `NAME.json`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, experiment: &Experiment) -> Result<PathBuf, report::Error> {
        let path = self.folder.join(format!("{}.json", experiment.name));
        // an experiment that we made is data of known types: it always is JSON
        let text = serde_json::to_string_pretty(experiment).unwrap_or_default();
        write_atomic(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Branches, and thereby CVs, by the mechanism that has them in the reading P.
    pub fn branches(&self, mechanism: &str) -> Vec<usize> {
        (0..self.morphology.n_branches())
            .filter(|&b| self.winner(b) == mechanism)
            .collect()
    }

    /// Branches that hold some of a mechanism in the reading W, with a place in the middle of its stretch.
    pub fn places(&self, mechanism: &str) -> Vec<(usize, f64)> {
        let segments = self.morphology.segment_tree().segments();
        let mut places = Vec::new();
        for branch in 0..self.morphology.n_branches() {
            let of = |&s: &usize| of_tag(segments[s].tag) == mechanism;
            let cables = self.morphology.branch_segments(branch).filter(of);
            let longest = cables
                .filter_map(|s| self.morphology.segment_cable(s))
                .max_by(|a, b| (a.dist - a.prox).total_cmp(&(b.dist - b.prox)));
            if let Some(cable) = longest {
                places.push((branch, 0.5 * (cable.prox + cable.dist)));
            }
        }
        places
    }

    /// The mechanism of a branch where one must win: soma, then axon, then dendrite.
    fn winner(&self, branch: usize) -> &'static str {
        let segments = self.morphology.segment_tree().segments();
        let has = |tag: i32| self.morphology.branch_segments(branch).any(|s| segments[s].tag == tag);
        match (has(SOMA), has(AXON)) {
            (true, _) => of_tag(SOMA),
            (false, true) => of_tag(AXON),
            (false, false) => "olive_dend",
        }
    }

    fn cell(&self, reading: Reading) -> Cell {
        let tag = |t: i32| Region::Expr(RegionExpr::Tag(t));
        let branches = |mechanism: &str| {
            let all = self.branches(mechanism).into_iter();
            Region::Expr(RegionExpr::Union(
                all.map(|b| Region::Expr(RegionExpr::Branch(b))).collect(),
            ))
        };
        let regions = match reading {
            Reading::Weighted => {
                let others = RegionExpr::Union(vec![tag(SOMA), tag(AXON)]);
                let dendrite = RegionExpr::Complement(Box::new(Region::Expr(others)));
                [tag(SOMA), Region::Expr(dendrite), tag(AXON)]
            }
            Reading::Published => ["olive_soma", "olive_dend", "olive_axon"].map(branches),
        };
        let paint = regions
            .into_iter()
            .zip(["olive_soma", "olive_dend", "olive_axon"])
            .map(|(region, mechanism)| Paint {
                region,
                mechanism: Some(mechanism.into()),
                parameters: std::collections::BTreeMap::new(),
                properties: None,
            })
            .collect();
        Cell {
            name: "olive".into(),
            morphology: experiment::Morphology::Swc(self.swc.clone()),
            cv_policy: None,
            properties: Properties {
                v_init_mv: Some(-60.0),
                temperature_degc: None,
                rl_ohm_cm: Some(100.0),
                cm_f_per_m2: Some(0.01),
            },
            ions: std::collections::BTreeMap::new(),
            regions: std::collections::BTreeMap::new(),
            paint,
            synapses: Vec::new(),
            junctions: Vec::new(),
            stimuli: Vec::new(),
            generators: Vec::new(),
            detectors: Vec::<Detector>::new(),
        }
    }
}

/// A probe at a place.
pub fn probe(name: &str, branch: usize, pos: f64, variable: &str) -> Probe {
    Probe {
        name: name.into(),
        cell: None,
        at: Some(Location { branch, pos }),
        synapse: None,
        variable: variable.into(),
        each_cell: false,
    }
}

fn of_tag(tag: i32) -> &'static str {
    match tag {
        SOMA => "olive_soma",
        AXON => "olive_axon",
        _ => "olive_dend",
    }
}

fn slot(g: &Conductance) -> Slot {
    Slot {
        name: g.name.into(),
        targets: vec![SlotTarget {
            mechanism: g.mechanism.into(),
            parameter: g.parameter.into(),
            region: Region::all(),
            synapse: None,
            cell: None,
        }],
        scale: Scale::Relative,
        value: None,
        transform: Transform::default(),
        each_cell: false,
    }
}

/// Where a mechanism's file lies below the inputs.
fn mechanism_path(path: &str, reading: Reading) -> String {
    match reading {
        Reading::Weighted => path.into(),
        Reading::Published => path.replace("mechanisms/olive/", "mechanisms/olive-published/"),
    }
}

/// The same mechanism without a conductance in the matrix: with Arbor's arithmetic that is the derivative of a current's
/// first assignment.
fn without_conductance(text: &str) -> String {
    text.replacen("    i = 0.1*(", "    i = 0\n    i = 0.1*(", 1)
}

#[cfg(test)]
mod tests;
