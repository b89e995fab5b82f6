//! The live view: a local page that shows a run while it goes on.
//!
//! [`Live`] serves one page on 127.0.0.1 and tells it, as server-sent events, what it is given: rows (loss and slot
//! values of an iteration, or of a moment), traces, and the end. `view` makes these from tuners and simulations.
//!
//! A run only leaves its news here and goes on: nobody reads under the lock, readers take what they have not seen at
//! their own pace, and one that joins late is told everything that is kept (`feed` says how much that is). What is
//! published is a copy, so results do not depend on whether anybody looks.
//!
//! The server is our own, because it is small (one page, one stream, GET only) and the maintained HTTP libraries bring
//! an asynchronous runtime; tiny_http, which does not, has had no release since 2022.

mod feed;
mod server;
mod thin;
mod view;

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::control::{Best, Row, Tuner};
use feed::Feed;
use thin::Curve;
pub use view::{RunView, TuneView, Watched};

/// How long [`Live::finish`] lets connected readers fetch what they have not seen.
const FAREWELL: Duration = Duration::from_secs(1);
/// Traces are published no more often than this: a page cannot show more, and making them takes time.
const TRACES_EVERY: Duration = Duration::from_millis(200);

/// Why there is no live view.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The port cannot be had.
    #[error("the live view cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// As asked for; 0: any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("the live view gets no thread")]
    Thread(#[source] io::Error),
}

/// What is shown besides curves.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// Title of the page.
    pub title: String,
    /// The command that runs, `tune` for instance.
    pub command: String,
    /// What rows are counted by: `iteration`, `time (ms)`.
    pub axis: String,
    /// What their loss is, with its unit; empty if rows carry none.
    pub loss: String,
    /// What is adjusted.
    pub slots: Vec<AboutSlot>,
    /// Rows that will come at most, of all runs together; `None` if nobody knows.
    pub total: Option<u64>,
}

/// A slot as the page names it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AboutSlot {
    /// Its name.
    pub name: String,
    /// Its unit; `1` if dimensionless.
    pub unit: String,
    /// Value at the start of the (first) run.
    pub start: f64,
    /// Value it should find, where that is known.
    pub target: Option<f64>,
}

/// A diagram of traces.
#[derive(Debug)]
struct Panel {
    title: String,
    label: String,
    /// Names and curves; the first is drawn broad and pale if there are several and it is the target.
    series: Vec<(String, Arc<Curve>)>,
}

/// What server and publisher share.
#[derive(Debug)]
struct Shared {
    feed: Mutex<Feed>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page that is being served. Dropping it ends the service.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
    /// When traces were published last.
    traces_at: Mutex<Option<Instant>>,
}

impl Live {
    /// Serves `about` on 127.0.0.1, on any free port if `port` is 0.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn start(port: u16, about: &About) -> Result<Self, LiveError> {
        let (listener, address) = server::bind(port).map_err(|source| LiveError::Bind { port, source })?;
        let head = json!({"version": env!("CARGO_PKG_VERSION"), "about": about});
        let shared = Arc::new(Shared {
            feed: Mutex::new(Feed::new(&head.to_string())),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let server = thread::Builder::new()
            .name("live view".into())
            .spawn(move || server::serve(&listener, address.port(), &theirs))
            .map_err(LiveError::Thread)?;
        Ok(Self {
            shared,
            address,
            server: Some(server),
            traces_at: Mutex::default(),
        })
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Publishes the newest row of a tuner; `run` numbers tuners that run side by side.
    pub fn iteration(&self, run: usize, tuner: &Tuner) {
        if let Some(row) = tuner.history().last() {
            self.history_row(run, tuner.history().len() - 1, row, tuner.best());
        }
    }

    /// Publishes all rows of a tuner that goes on from a checkpoint.
    pub fn resume(&self, run: usize, tuner: &Tuner) {
        let earlier = tuner.history().len().saturating_sub(1);
        for (position, row) in tuner.history().iter().take(earlier).enumerate() {
            self.history_row(run, position, row, None);
        }
        self.iteration(run, tuner);
    }

    fn history_row(&self, run: usize, position: usize, row: &Row, best: Option<&Best>) {
        let row = json!({
            "run": run, "at": row.iteration, "loss": row.loss, "x": row.x, "horizon_ms": row.horizon_ms,
            "best": best.map(|b| json!({"loss": b.loss, "x": b.x, "horizon_ms": b.horizon_ms})),
        });
        self.publish(|feed| feed.row(run, position as u64, &row.to_string()));
    }

    /// Publishes a row that is no tuner's: `position` counts them from 0 and `at` places them on the axis. A loss or
    /// slot value that is not finite is shown as a gap.
    pub fn row(&self, position: u64, at: f64, loss: Option<f64>, x: &[f64]) {
        let row = json!({"run": 0, "at": at, "loss": loss, "x": x});
        self.publish(|feed| feed.row(0, position, &row.to_string()));
    }

    /// Publishes how it ended: `text` for the reader, and the numbers of `result`, which the page shows under these
    /// keys: `loss`, `iterations`, `found` (slot values).
    pub fn end(&self, text: &str, result: &serde_json::Value) {
        let end = json!({"text": text, "result": result});
        self.publish(|feed| feed.end(&end.to_string()));
    }

    /// Ends the service, once the readers that are connected have been told everything, or after a second.
    pub fn finish(self) {
        let until = Instant::now() + FAREWELL;
        let mut feed = self.shared.lock();
        while feed.readers > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(feed, left);
            feed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn publish(&self, what: impl FnOnce(&mut Feed)) {
        what(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }

    /// Whether traces would be shown now; if so, no others for a while.
    fn takes_traces(&self) -> bool {
        let mut last = self.traces_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= TRACES_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    fn traces(&self, label: &str, panels: &[Panel]) {
        let mut out = format!("{{\"label\":{},\"panels\":[", json!(label));
        for (i, panel) in panels.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let (title, unit) = (json!(panel.title), json!(panel.label));
            // writing to a String cannot fail
            let _ = write!(out, "{comma}{{\"title\":{title},\"label\":{unit},\"series\":[");
            for (j, (name, curve)) in panel.series.iter().enumerate() {
                let comma = if j == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{{\"name\":{},", json!(name));
                curve.write_json(&mut out);
                out.push('}');
            }
            out.push_str("]}");
        }
        out.push_str("]}");
        self.publish(|feed| feed.traces(&out));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.publish(|feed| {
            if !feed.has_ended() {
                feed.end(&json!({"text": "stopped without a result", "result": {}}).to_string());
            }
            feed.closed = true;
        });
        // The listener waits in accept(); a connection wakes it.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(server) = self.server.take().filter(|_| woken) {
            let _ = server.join();
        }
    }
}

#[cfg(test)]
mod tests;
