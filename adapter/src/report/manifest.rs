//! `manifest.json`: what was run, on what, with which result files, so that a folder of results explains itself.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{Error, Operation};
use super::file::write_atomic;
use super::pruned::Pruned;

/// Provenance of one results folder. Fields a command has no value for are left out of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// graddiff's version.
    pub graddiff_version: String,
    /// The command, such as `tune`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The experiment's name.
    pub experiment: String,
    /// Every file that was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputFile>,
    /// `shim`, `arbor` or `neuron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The host's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_version: Option<String>,
    /// How `cnexp` is discretised: `arbor` or `neuron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrator: Option<String>,
    /// What carries ∂V/∂θ between CVs: `cable`, `clone` or `diffusion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Arbor's mechanism ABI level, `0.7` or `0.6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi_level: Option<String>,
    /// Time step, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dt_ms: Option<f64>,
    /// Simulated time, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Parameters differentiated, in slot order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<String>,
    /// Probes, in the order of the arrays' columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<String>,
    /// Names of the cells, in the order by which spikes number them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// Arrays of the `.npz` files beside this manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrays: Vec<ArrayInfo>,
    /// Seed of every random number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Real time the command took, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
    /// Simulations without sensitivities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_evaluations: Option<u64>,
    /// Simulations with sensitivities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_evaluations: Option<u64>,
    /// Time steps of all simulations together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// What was left out, since nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
    /// What the user should know before trusting the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A file that was read, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// What it was read as: `experiment`, `mechanism`, `morphology`, `target`.
    pub role: String,
    /// Its path, as the user gave it.
    pub path: PathBuf,
    /// SHA-256 of its bytes in hexadecimal; `sha256sum` prints the same.
    pub sha256: String,
}

impl InputFile {
    /// Reads the file to hash it.
    ///
    /// # Errors
    /// [`Error::Io`] with [`Operation::Read`].
    pub fn read(role: &str, path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| Error::io(Operation::Read, path, e))?;
        Ok(Self::of(role, path, &bytes))
    }

    /// Hashes bytes that were read already: what was used, even if the file has changed since.
    pub fn of(role: &str, path: &Path, bytes: &[u8]) -> Self {
        Self {
            role: role.to_owned(),
            path: path.to_path_buf(),
            sha256: sha256_hex(bytes),
        }
    }
}

/// One array of a result file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayInfo {
    /// File beside the manifest, such as `traces.npz`.
    pub file: String,
    /// Name inside the file.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Unit, such as `mV`; `1` if dimensionless.
    pub unit: String,
    /// What it is, axes included: `voltage, time × probe`.
    pub meaning: String,
}

impl ArrayInfo {
    /// Describes `array`.
    pub fn of(file: &str, name: &str, array: &ArrayViewD<'_, f64>, unit: &str, meaning: &str) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
            shape: array.shape().to_vec(),
            unit: unit.to_owned(),
            meaning: meaning.to_owned(),
        }
    }
}

impl Manifest {
    /// A manifest of this version of graddiff for the named experiment, all else empty.
    pub fn new(experiment: &str) -> Self {
        Self {
            graddiff_version: env!("CARGO_PKG_VERSION").to_owned(),
            experiment: experiment.to_owned(),
            ..Self::default()
        }
    }

    /// Writes indented JSON with a final newline.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Json`] if a path is not UTF-8.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let json = |source| Error::Json {
            path: path.to_path_buf(),
            source,
        };
        let mut text = serde_json::to_string_pretty(self).map_err(json)?;
        text.push('\n');
        write_atomic(path, text.as_bytes())
    }

    /// Reads a manifest; unknown fields are ignored, so that older versions read newer files.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Json`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| Error::io(Operation::Read, path, e))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Json {
            path: path.to_path_buf(),
            source,
        })
    }
}

/// SHA-256 in lower-case hexadecimal (FIPS 180-4).
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use ndarray::{ArrayD, IxDyn};

    #[test]
    fn hash_is_sha256() {
        // FIPS 180-4's own example.
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn writes_what_is_known_and_reads_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest.json");
        let v = ArrayD::zeros(IxDyn(&[10, 2]));
        let manifest = Manifest {
            graddiff_version: "0.0.0".into(),
            inputs: vec![InputFile::of("mechanism", Path::new("hh.mod"), b"abc")],
            dt_ms: Some(0.025),
            arrays: vec![ArrayInfo::of(
                "traces.npz",
                "v_mv",
                &v.view(),
                "mV",
                "voltage, time × probe",
            )],
            ..Manifest::new("axon")
        };
        manifest.write(&path).unwrap();
        expect![[r#"
            {
              "graddiff_version": "0.0.0",
              "experiment": "axon",
              "inputs": [
                {
                  "role": "mechanism",
                  "path": "hh.mod",
                  "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                }
              ],
              "dt_ms": 0.025,
              "arrays": [
                {
                  "file": "traces.npz",
                  "name": "v_mv",
                  "shape": [
                    10,
                    2
                  ],
                  "unit": "mV",
                  "meaning": "voltage, time × probe"
                }
              ]
            }
        "#]]
        .assert_eq(&fs::read_to_string(&path).unwrap());
        assert_eq!(Manifest::read(&path).unwrap(), manifest);

        fs::write(&path, "{\"experiment\": 3}").unwrap();
        assert!(matches!(Manifest::read(&path), Err(Error::Json { .. })));
        assert!(matches!(
            InputFile::read("x", Path::new("/nonexistent")),
            Err(Error::Io { .. })
        ));
    }
}
