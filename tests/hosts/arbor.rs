//! Arbor in another process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use graddiff::hosts::{HostError, RemoteHost};
use graddiff::plan::Plan;
use graddiff::plan::export::{Request, Run};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python with Arbor.
pub(crate) fn python() -> PathBuf {
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
    assert!(
        python.exists(),
        "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
        python.display()
    );
    python
}

/// A Python with Arbor that answers requests.
pub(crate) struct Arbor(RemoteHost);

impl Arbor {
    /// On a catalogue that exists.
    pub(crate) fn start(plan: &Plan, catalogue: &Path) -> Self {
        let patience = Duration::from_secs(600);
        Self(RemoteHost::arbor_on(plan, catalogue, python(), patience).expect("an Arbor 0.12.2"))
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Result<Run, HostError> {
        self.0.run(request)
    }

    pub(crate) fn run(&mut self, request: &Request) -> Run {
        self.ask(request).expect("Arbor runs it")
    }
}
