//! Progress on stderr: a bar on a terminal, plain lines in a log, nothing when a program is listening.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line is written at least every so many per cent …
const LINE_PERCENT: u64 = 10;
/// … or after so much time, so that a log of a long run shows that it lives.
const LINE_AFTER: Duration = Duration::from_secs(30);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar that redraws itself.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    Silent,
}

impl ProgressMode {
    /// Silent with `--quiet` or `--json`; else a bar if stderr is a terminal, lines if not.
    pub fn choose(quiet: bool, json: bool) -> Self {
        match (quiet || json, io::stderr().is_terminal()) {
            (true, _) => ProgressMode::Silent,
            (false, true) => ProgressMode::Bar,
            (false, false) => ProgressMode::Lines,
        }
    }
}

/// Reports how far a known number of steps has come. Failing to write is ignored: a closed log must not stop a run.
pub struct Progress(Shown);

enum Shown {
    Bar(ProgressBar),
    Lines(Lines),
    Silent,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Shown::Bar(_) => "Progress(Bar)",
            Shown::Lines(_) => "Progress(Lines)",
            Shown::Silent => "Progress(Silent)",
        })
    }
}

impl Progress {
    /// Starts reporting `total` steps of `label` on stderr.
    pub fn new(mode: ProgressMode, label: &str, total: u64) -> Self {
        match mode {
            ProgressMode::Bar => {
                let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
                // The template is a constant; should indicatif ever reject it, its default style does.
                if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {eta} {msg}") {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_prefix(label.to_owned());
                Progress(Shown::Bar(bar))
            }
            ProgressMode::Lines => Self::to_writer(Box::new(io::stderr()), label, total),
            ProgressMode::Silent => Progress(Shown::Silent),
        }
    }

    /// Lines to any writer.
    pub fn to_writer(out: Box<dyn Write + Send>, label: &str, total: u64) -> Self {
        Progress(Shown::Lines(Lines::new(out, label, total, Instant::now())))
    }

    /// `done` steps are behind us; `message` is shown with them (the loss, say).
    pub fn set(&mut self, done: u64, message: &str) {
        match &mut self.0 {
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            Shown::Lines(lines) => lines.set(done, message, Instant::now()),
            Shown::Silent => {}
        }
    }

    /// A line that stays, above the bar if there is one.
    pub fn note(&mut self, text: &str) {
        match &mut self.0 {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines(lines) => lines.write(text),
            Shown::Silent => {}
        }
    }

    /// Ends the report; the bar is removed, the message stays.
    pub fn finish(&mut self, message: &str) {
        match &mut self.0 {
            Shown::Bar(bar) => {
                bar.println(format!("{}: {message}", bar.prefix()));
                bar.finish_and_clear();
            }
            Shown::Lines(lines) => lines.finish(message, Instant::now()),
            Shown::Silent => {}
        }
    }
}

struct Lines {
    out: Box<dyn Write + Send>,
    label: String,
    total: u64,
    started: Instant,
    last_at: Instant,
    last_percent: u64,
}

impl Lines {
    fn new(out: Box<dyn Write + Send>, label: &str, total: u64, now: Instant) -> Self {
        Self {
            out,
            label: label.to_owned(),
            total,
            started: now,
            last_at: now,
            last_percent: 0,
        }
    }

    fn set(&mut self, done: u64, message: &str, now: Instant) {
        let percent = done.saturating_mul(100).checked_div(self.total).unwrap_or(100);
        let far = percent / LINE_PERCENT > self.last_percent / LINE_PERCENT;
        if !far && now.duration_since(self.last_at) < LINE_AFTER {
            return;
        }
        (self.last_at, self.last_percent) = (now, percent);
        let (label, total) = (&self.label, self.total);
        let separator = if message.is_empty() { "" } else { ", " };
        self.write(&format!("{label}: {done}/{total} ({percent} %){separator}{message}"));
    }

    fn finish(&mut self, message: &str, now: Instant) {
        let seconds = now.duration_since(self.started).as_secs_f64();
        self.write(&format!("{}: {message} ({seconds:.1} s)", self.label));
    }

    fn write(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_line_per_tenth_or_per_half_minute() {
        let out = Shared::default();
        let start = Instant::now();
        let mut lines = Lines::new(Box::new(out.clone()), "tune", 100, start);
        for done in 0..=20 {
            lines.set(done, "loss 3", start);
        }
        lines.set(21, "", start + LINE_AFTER);
        lines.set(22, "", start + LINE_AFTER);
        lines.finish("done", start + Duration::from_secs(40));
        let expected = [
            "tune: 10/100 (10 %), loss 3",
            "tune: 20/100 (20 %), loss 3",
            "tune: 21/100 (21 %)",
            "tune: done (40.0 s)",
            "",
        ];
        assert_eq!(out.text(), expected.join("\n"));
    }

    #[test]
    fn no_steps_and_too_many_steps_are_harmless() {
        let out = Shared::default();
        let mut progress = Progress::to_writer(Box::new(out.clone()), "x", 0);
        progress.set(0, "");
        progress.set(u64::MAX, "");
        assert_eq!(out.text(), "x: 0/0 (100 %)\n");
    }

    #[test]
    fn quiet_and_json_silence() {
        assert_eq!(ProgressMode::choose(true, false), ProgressMode::Silent);
        assert_eq!(ProgressMode::choose(false, true), ProgressMode::Silent);
        assert_ne!(ProgressMode::choose(false, false), ProgressMode::Silent);
        let mut silent = Progress::new(ProgressMode::Silent, "x", 1);
        silent.set(1, "m");
        silent.note("n");
        silent.finish("f");
    }
}
