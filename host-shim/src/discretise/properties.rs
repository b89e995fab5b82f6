//! Cable properties: a default and values painted over stretches.

use crate::error::GeometryError;
use crate::morphology::{Cable, Morphology};

/// A piecewise constant property of the cable.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyMap {
    name: &'static str,
    positive: bool,
    default: f64,
    /// Sorted by branch and position, disjoint, none of zero length.
    painted: Vec<(Cable, f64)>,
}

impl PropertyMap {
    fn new(name: &'static str, positive: bool, default: f64) -> Self {
        Self {
            name,
            positive,
            default,
            painted: Vec::new(),
        }
    }

    fn check_value(&self, value: f64) -> Result<(), GeometryError> {
        let valid = value.is_finite() && (value > 0.0 || !self.positive);
        if valid {
            Ok(())
        } else {
            Err(GeometryError::BadProperty {
                property: self.name,
                value,
                positive: self.positive,
            })
        }
    }

    /// The value where nothing is painted.
    pub fn default_value(&self) -> f64 {
        self.default
    }

    /// What is painted: disjoint stretches, by branch and position.
    pub fn painted(&self) -> &[(Cable, f64)] {
        &self.painted
    }

    /// Sets the value where nothing is painted.
    ///
    /// # Errors
    /// [`GeometryError::BadProperty`] for a value out of range.
    pub fn set_default(&mut self, value: f64) -> Result<(), GeometryError> {
        self.check_value(value)?;
        self.default = value;
        Ok(())
    }

    /// Sets the value on some stretches. Stretches of zero length have no effect; touching ones do not overlap.
    ///
    /// # Errors
    /// [`GeometryError::BadProperty`] for a value out of range, [`GeometryError::BadCable`],
    /// [`GeometryError::PaintOverlap`] where something is painted already or `cables` overlap. After an error the
    /// stretches before the offending one are painted.
    pub fn paint(&mut self, cables: &[Cable], value: f64) -> Result<(), GeometryError> {
        self.check_value(value)?;
        for new in cables {
            let inside = 0.0 <= new.prox && new.prox <= new.dist && new.dist <= 1.0;
            if !inside {
                return Err(GeometryError::BadCable { cable: *new });
            }
            if new.prox >= new.dist {
                continue;
            }
            let before = |(old, _): &(Cable, f64)| (old.branch, old.dist) <= (new.branch, new.prox);
            let i = self.painted.partition_point(before);
            if let Some(&(old, _)) = self
                .painted
                .get(i)
                .filter(|(old, _)| old.branch == new.branch && old.prox < new.dist)
            {
                return Err(GeometryError::PaintOverlap {
                    property: self.name,
                    old,
                    new: *new,
                });
            }
            self.painted.insert(i, (*new, value));
        }
        Ok(())
    }

    /// The parts of a stretch on which the property is constant, proximal first; nothing for a stretch of zero length.
    pub(crate) fn over(&self, cable: &Cable) -> impl Iterator<Item = (Cable, f64)> + '_ {
        let Cable {
            branch,
            prox: mut from,
            dist: end,
        } = *cable;
        let mut i = self
            .painted
            .partition_point(|(old, _)| (old.branch, old.dist) <= (branch, from));
        std::iter::from_fn(move || {
            if from >= end {
                return None;
            }
            let next = self
                .painted
                .get(i)
                .filter(|(old, _)| old.branch == branch && old.prox < end);
            let (to, value) = match next {
                Some((old, _)) if from < old.prox => (old.prox, self.default),
                Some((old, value)) => {
                    i += 1;
                    (old.dist.min(end), *value)
                }
                None => (end, self.default),
            };
            let part = Cable::new(branch, from, to);
            from = to;
            Some((part, value))
        })
    }
}

/// The properties that decide a cell's passive electrical system, with Arbor's (and NEURON's) defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct CableProperties {
    /// Initial voltage, mV; -65.
    pub v_init_mv: PropertyMap,
    /// Temperature, K; 279.45.
    pub temperature_k: PropertyMap,
    /// Axial resistivity, Ohm cm; 35.4. Positive.
    pub rl_ohm_cm: PropertyMap,
    /// Membrane capacitance, F/m2; 0.01. Positive.
    pub cm_f_per_m2: PropertyMap,
}

impl Default for CableProperties {
    fn default() -> Self {
        Self {
            v_init_mv: PropertyMap::new("v_init_mv", false, -65.0),
            temperature_k: PropertyMap::new("temperature_k", true, 279.45),
            rl_ohm_cm: PropertyMap::new("rl_ohm_cm", true, 35.4),
            cm_f_per_m2: PropertyMap::new("cm_f_per_m2", true, 0.01),
        }
    }
}

impl CableProperties {
    /// Values are checked when they are set; here, that the painted branches exist.
    pub(crate) fn check(&self, m: &Morphology) -> Result<(), GeometryError> {
        let maps = [&self.v_init_mv, &self.temperature_k, &self.rl_ohm_cm, &self.cm_f_per_m2];
        maps.into_iter()
            .flat_map(|map| &map.painted)
            .try_for_each(|(cable, _)| m.check_cable(cable))
    }
}
