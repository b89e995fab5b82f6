//! `--live`: a page that shows a run while it goes on.

use std::io::{self, BufRead};

use serde_json::Value;

use super::{Context, ExitStatus, Failure};
use crate::live::{About, Live, LiveError};

/// Whether there is a page, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LiveArgs {
    /// Show the run while it goes on: loss, slots and traces on a page at 127.0.0.1:PORT, which only this machine can
    /// reach; without PORT on any that is free. Its address is printed on standard error. Results do not depend on it.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    live: Option<u16>,
    /// Keep the page when all is done and written, until Enter is pressed or standard input ends.
    #[arg(long, requires = "live")]
    live_stay: bool,
}

impl LiveArgs {
    /// Serves the page, if it was asked for, and says where it is.
    pub(super) fn start(&self, context: &Context, about: impl FnOnce() -> About) -> Result<Option<Live>, Failure> {
        let Some(port) = self.live else {
            return Ok(None);
        };
        let live = Live::start(port, &about())?;
        context.warn(&format!("live view: {}", live.url()));
        Ok(Some(live))
    }

    /// Tells the page how it ended, and lets its readers go.
    pub(super) fn end(&self, context: &Context, live: Option<Live>, text: &str, result: &Value) {
        let Some(live) = live else {
            return;
        };
        live.end(text, result);
        if self.live_stay {
            context.warn(&format!("live view: still at {}; press Enter to end", live.url()));
            let mut line = String::new();
            // whatever it says, or if it says nothing
            let _ = io::stdin().lock().read_line(&mut line);
        }
        live.finish();
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        let help = match &error {
            LiveError::Bind { .. } => "choose another port, or --live without one for any that is free",
            LiveError::Thread(_) => "leave out --live, or end other programs",
        };
        Self::new(ExitStatus::Environment, error, help)
    }
}
