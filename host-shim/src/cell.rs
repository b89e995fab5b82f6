//! What a cell is made of: shape, cable properties, ions, channels, clamps, detectors. Data only.

use std::collections::BTreeMap;

use crate::detector::Detector;
use crate::discretise::CableProperties;
use crate::morphology::{Cable, Morphology};
use crate::policy::CvPolicy;
use crate::stimulus::IClamp;

/// A cell, as [`crate::Simulation::new`] takes it.
#[derive(Debug, Clone)]
pub struct CellDescription {
    /// Shape.
    pub morphology: Morphology,
    /// How branches are cut into CVs.
    pub policy: CvPolicy,
    /// Capacitance, resistivity, initial voltage, temperature.
    pub properties: CableProperties,
    /// Ions by name; those that no mechanism uses cost nothing.
    pub ions: BTreeMap<String, IonProperties>,
    /// Density mechanisms. Several paints of one mechanism make one set of instances, and must not overlap.
    pub densities: Vec<DensityPaint>,
    /// Overrides of mechanisms' globals: painted name → global → value. As the derived mechanism `name/global=value`,
    /// which may also be painted by that name.
    pub globals: BTreeMap<String, BTreeMap<String, f64>>,
    /// Current clamps.
    pub clamps: Vec<IClamp>,
    /// Threshold detectors.
    pub detectors: Vec<Detector>,
}

impl CellDescription {
    /// A cell with Arbor's default properties and ions, and nothing painted or placed.
    pub fn new(morphology: Morphology, policy: CvPolicy) -> Self {
        Self {
            morphology,
            policy,
            properties: CableProperties::default(),
            ions: default_ions(),
            densities: Vec::new(),
            globals: BTreeMap::new(),
            clamps: Vec::new(),
            detectors: Vec::new(),
        }
    }
}

/// An ion species on one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IonProperties {
    /// Charge number.
    pub valence: i32,
    /// Initial internal concentration, mM.
    pub int_mm: f64,
    /// Initial external concentration, mM.
    pub ext_mm: f64,
    /// Initial reversal potential, mV.
    pub rev_mv: f64,
}

/// na, k and ca as NEURON and Arbor set them.
///
/// # Reference
/// Arbor 0.12.2 `neuron_parameter_defaults`; eca = 12.5·ln(2 / 5e-5) mV.
pub fn default_ions() -> BTreeMap<String, IonProperties> {
    let ion = |valence, int_mm, ext_mm, rev_mv| IonProperties {
        valence,
        int_mm,
        ext_mm,
        rev_mv,
    };
    BTreeMap::from([
        ("na".to_owned(), ion(1, 10.0, 140.0, 50.0)),
        ("k".to_owned(), ion(1, 54.4, 2.5, -77.0)),
        ("ca".to_owned(), ion(2, 5e-5, 2.0, 12.5 * (2.0f64 / 5e-5).ln())),
    ])
}

/// A density mechanism over a part of the membrane.
#[derive(Debug, Clone, PartialEq)]
pub struct DensityPaint {
    /// Name in a catalogue, or a derived name `name/global=value,…`.
    pub mechanism: String,
    /// Disjoint cables.
    pub cables: Vec<Cable>,
    /// Values of RANGE parameters; the others take their defaults.
    pub parameters: BTreeMap<String, f64>,
}

impl DensityPaint {
    /// `mechanism` with default parameters.
    pub fn new(mechanism: impl Into<String>, cables: Vec<Cable>) -> Self {
        Self {
            mechanism: mechanism.into(),
            cables,
            parameters: BTreeMap::new(),
        }
    }

    /// Sets one parameter.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: f64) -> Self {
        self.parameters.insert(parameter.into(), value);
        self
    }
}
