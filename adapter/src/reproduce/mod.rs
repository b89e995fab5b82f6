//! Results of *Gradient Diffusion* (arXiv 2412.07327), computed again.
//!
//! A result is a [`Part`]: a row of [`PARTS`]. The command line, `reproduce all` and the overall report know results only
//! from that table.

pub mod all;
pub mod carriers;
pub mod fig1;
pub mod fig2;
pub mod olive;
pub mod online;
mod random;
pub mod tuning;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::control::{IdentifiabilityError, ObjectiveError, SettingsError, TuneError};
use crate::hosts::HostError;
use crate::plan::PlanError;
use crate::report::{ProgressMode, create_dir, write_atomic};
use crate::tune::TuneSetupError;

/// All results, in the order in which `reproduce all` computes them.
pub const PARTS: &[Part] = &[
    fig1::PART,
    carriers::PART,
    fig2::PART,
    tuning::PART,
    online::homeostasis::PART,
    online::network::PART,
    online::stability::PART,
    online::adaptation::PART,
    online::plasticity::PART,
    online::hosts::PART,
];

/// One result of the paper.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name on the command line, and of its folder in `reproduce all`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Where it is in the paper, as in `figure 1B and C`.
    pub place: &'static str,
    /// Whether `--morphology` changes it.
    pub takes_morphology: bool,
    /// Computes it.
    pub run: fn(&Job<'_>) -> Result<Outcome, Error>,
}

/// What a part is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The part's own folder.
    pub output: &'a Path,
    /// How much of it.
    pub scale: Scale,
    /// The SWC file of the olive cell; a generated tree if absent.
    pub morphology: Option<&'a Path>,
    /// Whether to go on from what an earlier run with the same options left in the folder, where a part can.
    pub resume: bool,
    /// How to show progress.
    pub progress: ProgressMode,
}

/// How much of a result is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// A minute at most: shows that it works.
    Quick,
    /// As much as fits into half an hour for all results together.
    #[default]
    Default,
    /// The paper's own lengths, where they take hours.
    Full,
}

/// What came out of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether our own checks passed, above all that of the sensitivities. That the paper's number is another does not
    /// count here.
    pub passed: bool,
    /// One line for the terminal.
    pub summary: String,
    /// Our numbers beside the paper's.
    pub comparisons: Vec<Comparison>,
    /// Numbers for `--json`, beside `passed`.
    pub numbers: serde_json::Map<String, serde_json::Value>,
    /// The part's own report.
    pub report: PathBuf,
}

/// One quantity, the paper's and ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    pub quantity: String,
    /// The paper's value, or what it claims; with its unit.
    pub paper: String,
    /// Ours; with its unit.
    pub ours: String,
    /// How they stand to each other.
    pub agreement: Agreement,
    /// Why they agree or differ.
    pub why: String,
}

impl Comparison {
    /// A row of the overall table.
    pub fn new(quantity: &str, paper: &str, ours: &str, agreement: Agreement, why: &str) -> Self {
        Self {
            quantity: quantity.into(),
            paper: paper.into(),
            ours: ours.into(),
            agreement,
            why: why.into(),
        }
    }
}

/// How our number stands to the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Within what the paper's figure can be read to.
    Agrees,
    /// Not; the reason is beside it.
    Differs,
    /// The paper says nothing to compare with.
    New,
}

impl Agreement {
    /// In a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Agreement::Agrees => "agrees",
            Agreement::Differs => "differs",
            Agreement::New => "new",
        }
    }
}

/// Why a part could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An experiment is rejected: a bug of ours, unless it came with a morphology.
    #[error(transparent)]
    Plan(Box<PlanError>),
    /// A simulation failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A file could not be written.
    #[error(transparent)]
    Report(#[from] crate::report::Error),
    /// A cable drawn at random cannot be simulated: a bug of ours.
    #[error(transparent)]
    Cable(#[from] host_shim::GeometryError),
    /// The olive cell cannot be made of this morphology.
    #[error(transparent)]
    Olive(#[from] olive::OliveError),
    /// A search failed.
    #[error(transparent)]
    Search(Box<TuneError<HostError>>),
    /// A search of ours has constants that are none: a bug.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A target of ours fits no trace: a bug.
    #[error(transparent)]
    Objective(#[from] ObjectiveError),
    /// A search of ours cannot be set up: a bug.
    #[error(transparent)]
    Problem(Box<TuneSetupError<HostError>>),
    /// The sensitivities tell nothing.
    #[error(transparent)]
    Identifiability(#[from] IdentifiabilityError),
}

impl From<TuneError<HostError>> for Error {
    fn from(error: TuneError<HostError>) -> Self {
        Error::Search(Box::new(error))
    }
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        Error::Plan(Box::new(error))
    }
}

/// The part of this name.
pub fn part(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|p| p.name == name)
}

/// A file that a reproduction needs, carried inside the program so that it runs anywhere.
struct Carried {
    /// Path below the inputs' folder.
    path: &'static str,
    text: &'static str,
}

/// Writes carried files below `folder`, where the user can look at them and run them again.
fn unpack(folder: &Path, files: &[Carried]) -> Result<(), crate::report::Error> {
    for file in files {
        let path = folder.join(file.path);
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        write_atomic(&path, file.text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_unique_and_fit_for_folders() {
        let mut names: Vec<&str> = PARTS.iter().map(|p| p.name).collect();
        assert!(
            names
                .iter()
                .all(|n| n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
        );
        assert!(!names.contains(&"all"));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PARTS.len());
    }
}
