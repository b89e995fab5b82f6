//! On how many threads a command computes.

use std::num::NonZeroUsize;

use super::{ExitStatus, Failure};

/// How many threads.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Threads {
    /// Threads to compute on; as many as the machine has, or RAYON_NUM_THREADS, if absent. Results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    /// Sets up the threads of this process. To be called once, before anything is computed.
    ///
    /// # Errors
    /// [`ExitStatus::Environment`] if the machine does not give them.
    pub(super) fn start(self) -> Result<(), Failure> {
        let Some(threads) = self.threads else {
            return Ok(()); // rayon starts its own when they are needed
        };
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
        builder.build_global().map_err(|error| {
            let help = "ask for fewer with --threads";
            Failure::new(ExitStatus::Environment, error, help)
        })
    }
}
