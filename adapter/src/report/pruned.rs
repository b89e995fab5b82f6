//! What a run left out because nothing depends on it, as data and in plain words.

use serde::{Deserialize, Serialize};

/// What was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pruned {
    /// By mechanism.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<PrunedMechanism>,
    /// Cells that no slot reaches: they run without sensitivities, and theirs are 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// Slots that are computed as one, since no cell is reached by two of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_slots: Vec<Vec<String>>,
}

/// What was left out of a mechanism.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrunedMechanism {
    /// The mechanism.
    pub mechanism: String,
    /// Variables whose sensitivities are not carried, since nothing depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitivities: Vec<String>,
    /// Variables that are not stored, since no probe reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Pruned {
    /// True if nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.mechanisms.is_empty() && self.cells.is_empty() && self.shared_slots.is_empty()
    }

    /// One sentence each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for m in &self.mechanisms {
            let name = &m.mechanism;
            if !m.sensitivities.is_empty() {
                let list: Vec<String> = m.sensitivities.iter().map(|v| format!("d_{v}")).collect();
                lines.push(format!("{name}: {} (nothing depends on it)", list.join(", ")));
            }
            if !m.values.is_empty() {
                lines.push(format!("{name}: {} (no probe reads it)", m.values.join(", ")));
            }
        }
        if !self.cells.is_empty() {
            let list = self.cells.join(", ");
            lines.push(format!("sensitivities of cells: {list} (no slot reaches them)"));
        }
        for slots in &self.shared_slots {
            let list = slots.join(", ");
            lines.push(format!(
                "slots computed as one: {list} (no cell is reached by two of them)"
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_and_why() {
        assert!(Pruned::default().is_empty());
        assert!(Pruned::default().lines().is_empty());
        let names = |all: &[&str]| all.iter().map(|n| (*n).to_string()).collect::<Vec<_>>();
        let pruned = Pruned {
            mechanisms: vec![PrunedMechanism {
                mechanism: "hh".into(),
                sensitivities: names(&["peak"]),
                values: names(&["minf", "mtau"]),
            }],
            cells: names(&["b"]),
            shared_slots: vec![names(&["g1", "g2"])],
        };
        assert!(!pruned.is_empty());
        assert_eq!(
            pruned.lines(),
            [
                "hh: d_peak (nothing depends on it)",
                "hh: minf, mtau (no probe reads it)",
                "sensitivities of cells: b (no slot reaches them)",
                "slots computed as one: g1, g2 (no cell is reached by two of them)",
            ]
        );
    }
}
