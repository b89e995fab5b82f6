//! R1 in an unmodified Arbor 0.9.0, the paper's simulator, where the user has one.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::super::{Agreement, Carried, Comparison, unpack};

/// Names the Python that has Arbor 0.9.0; `tests/venv-arbor-0.9` makes one.
const PYTHON: &str = "GRADDIFF_PYTHON_ARBOR_09";
/// Relative L2 error of the paper's carrier there, at the paper's step, at soma, middle and end, against Arbor's own
/// central differences: as measured by us, where it is not measured anew. tests/python.rs holds these figures.
pub const MEASURED: [f64; 3] = [0.866, 0.849, 0.844];
/// Digits that figures are printed with make them the same.
const SAME: f64 = 1e-3;

const FILES: [Carried; 2] = [
    Carried {
        path: "tests/paper/r1_in_arbor_09.py",
        text: include_str!("../../../../tests/paper/r1_in_arbor_09.py"),
    },
    Carried {
        path: "tests/paper/r1_published.mod",
        text: include_str!("../../../../tests/paper/r1_published.mod"),
    },
];

/// What the script writes of each cell and step.
#[derive(Debug, Deserialize)]
struct Row {
    published: [f64; 3],
    cable: [f64; 3],
}

/// The row of the overall table; computed below `folder`, which has r1.mod, if there is an Arbor 0.9.0.
pub(super) fn comparison(folder: &Path) -> Comparison {
    let (found, agreement, why) = match measure(folder) {
        Ok(row) => {
            let same = row.published.iter().zip(MEASURED).all(|(e, m)| (e - m).abs() < SAME);
            let exact = row.cable.iter().copied().fold(0.0, f64::max);
            let why = format!(
                "The sensitivity is an ion that Arbor itself diffuses. The exact carrier in the same Arbor is off by {exact:.0e}."
            );
            let agreement = if same { Agreement::Agrees } else { Agreement::Differs };
            (row.published, agreement, why)
        }
        Err(reason) => {
            let why = format!("Measured by us earlier (tests/paper/r1_in_arbor_09.py); not in this run: {reason}.");
            (MEASURED, Agreement::Agrees, why)
        }
    };
    Comparison::new(
        "the same in an unmodified Arbor 0.9.0, with a catalogue of ABI 0.6: soma, middle, end",
        "0.86 to 0.87 (measured by us with the public code)",
        &found.map(|e| format!("{e:.3}")).join(", "),
        agreement,
        &why,
    )
}

/// Runs the script in that Python, with this program to build its catalogues. The error is the reason why it cannot.
fn measure(folder: &Path) -> Result<Row, String> {
    let python = std::env::var_os(PYTHON).ok_or_else(|| format!("{PYTHON} does not name a Python that has it"))?;
    let program = std::env::current_exe().map_err(|e| format!("this program's path is unknown ({e})"))?;
    unpack(folder, &FILES).map_err(|e| e.to_string())?;
    let rows = folder.join("r1-in-arbor-0.9.json");
    let mut command = Command::new(&python);
    command.arg(folder.join(FILES[0].path)).arg("--graddiff").arg(program);
    let done = command.arg("--json").arg(&rows).output();
    let done = done.map_err(|e| format!("{} cannot be run ({e})", python.display()))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let text = std::fs::read_to_string(&rows);
    let text = text.map_err(|_| format!("the script ended with {}: {}", done.status, said.trim()))?;
    // the axon at the paper's step comes first
    let rows: Vec<Row> =
        serde_json::from_str(&text).map_err(|e| format!("the script's answer is not understood ({e})"))?;
    rows.into_iter()
        .next()
        .ok_or_else(|| "the script answered nothing".into())
}
