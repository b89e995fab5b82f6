//! What has been published, as frames of a stream of server-sent events, and who has seen how much of it.
//!
//! Memory is bounded: of many rows every second, fourth, eighth … is kept, and of traces only the newest.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows kept at most, besides the newest of each run.
const MAX_ROWS: usize = 4096;

/// Everything a reader that comes now is told.
#[derive(Debug)]
pub(super) struct Feed {
    head: Arc<str>,
    /// In the order they came.
    rows: Vec<Row>,
    /// The newest of each run.
    newest: BTreeMap<usize, Row>,
    /// Rows whose number within their run is no multiple of this are kept only while they are the newest.
    stride: u64,
    /// Frames published; every frame has a number from 1.
    published: u64,
    traces: Option<(u64, Arc<str>)>,
    end: Option<Arc<str>>,
    /// Nobody will publish any more, and readers shall go.
    pub(super) closed: bool,
    /// Streams that are open and have not been told the end.
    pub(super) readers: usize,
}

#[derive(Debug, Clone)]
struct Row {
    number: u64,
    /// Within its run, from 0.
    position: u64,
    frame: Arc<str>,
}

/// How much a reader has been told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    head: bool,
    row: u64,
    traces: u64,
    /// The end too: there will be no more.
    pub(super) end: bool,
}

/// One event. `json` is one line.
fn frame(event: &str, json: &str) -> Arc<str> {
    format!("event: {event}\ndata: {json}\n\n").into()
}

impl Feed {
    pub(super) fn new(head: &str) -> Self {
        Self {
            head: frame("head", head),
            rows: Vec::new(),
            newest: BTreeMap::new(),
            stride: 1,
            published: 0,
            traces: None,
            end: None,
            closed: false,
            readers: 0,
        }
    }

    /// Adds the row with this position in its run.
    pub(super) fn row(&mut self, run: usize, position: u64, json: &str) {
        self.published += 1;
        let row = Row {
            number: self.published,
            position,
            frame: frame("row", json),
        };
        if position.is_multiple_of(self.stride) {
            self.rows.push(row.clone());
        }
        self.newest.insert(run, row);
        if self.rows.len() > MAX_ROWS {
            self.stride = self.stride.saturating_mul(2);
            let stride = self.stride;
            self.rows.retain(|r| r.position.is_multiple_of(stride));
        }
    }

    /// Replaces the traces.
    pub(super) fn traces(&mut self, json: &str) {
        self.published += 1;
        self.traces = Some((self.published, frame("traces", json)));
    }

    /// There will be no more.
    pub(super) fn end(&mut self, json: &str) {
        self.end = Some(frame("end", json));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Frames that are new to a reader, in the order they should come.
    pub(super) fn news(&self, seen: &mut Seen) -> Vec<Arc<str>> {
        let mut news = Vec::new();
        if !seen.head {
            news.push(Arc::clone(&self.head));
            seen.head = true;
        }
        let from = self.rows.partition_point(|r| r.number <= seen.row);
        let newest = self.newest.values().filter(|r| r.number > seen.row);
        let mut rows: Vec<&Row> = self.rows[from..].iter().chain(newest).collect();
        rows.sort_by_key(|r| r.number);
        rows.dedup_by_key(|r| r.number);
        seen.row = rows.last().map_or(seen.row, |r| r.number);
        news.extend(rows.into_iter().map(|r| Arc::clone(&r.frame)));
        if let Some((number, frame)) = &self.traces
            && *number > seen.traces
        {
            news.push(Arc::clone(frame));
            seen.traces = *number;
        }
        if let Some(end) = &self.end
            && !seen.end
        {
            news.push(Arc::clone(end));
            seen.end = true;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(feed: &Feed, seen: &mut Seen) -> Vec<String> {
        let data = |frame: Arc<str>| frame.split_once("data: ").unwrap().1.trim_end().to_owned();
        feed.news(seen).into_iter().map(data).collect()
    }

    #[test]
    fn everybody_is_told_everything_once() {
        let mut feed = Feed::new("h");
        let (mut early, mut late) = (Seen::default(), Seen::default());
        assert_eq!(told(&feed, &mut early), ["h"]);
        feed.row(0, 0, "a");
        feed.row(1, 0, "b");
        feed.traces("old");
        assert_eq!(told(&feed, &mut early), ["a", "b", "old"]);
        assert!(told(&feed, &mut early).is_empty());
        feed.row(0, 1, "c");
        feed.traces("new");
        feed.end("e");
        assert_eq!(told(&feed, &mut early), ["c", "new", "e"]);
        assert_eq!(told(&feed, &mut late), ["h", "a", "b", "c", "new", "e"]);
        assert!(early.end && late.end);
    }

    #[test]
    fn a_long_run_is_thinned_and_shows_first_and_last() {
        let mut feed = Feed::new("h");
        let mut follower = Seen::default();
        let mut followed = Vec::new();
        let n = 100_000;
        for i in 0..n {
            feed.row(0, i, &i.to_string());
            if i % 7 == 0 {
                followed.extend(told(&feed, &mut follower));
            }
            assert!(feed.rows.len() <= MAX_ROWS);
        }
        let late = told(&feed, &mut Seen::default());
        assert!((MAX_ROWS / 2..=MAX_ROWS + 2).contains(&late.len()), "{}", late.len());
        assert_eq!(
            (late[1].as_str(), late[late.len() - 1].clone()),
            ("0", (n - 1).to_string())
        );
        followed.extend(told(&feed, &mut follower));
        let rows: Vec<u64> = followed[1..].iter().map(|r| r.parse().unwrap()).collect();
        assert!(rows.is_sorted_by(|a, b| a < b) && rows.last() == Some(&(n - 1)));
    }

    #[test]
    fn of_many_runs_each_keeps_its_newest_row() {
        let mut feed = Feed::new("h");
        for i in 0..3000 {
            for run in 0..4 {
                feed.row(run, i, &format!("{run}:{i}"));
            }
        }
        let rows = told(&feed, &mut Seen::default());
        for run in 0..4 {
            assert!(rows.contains(&format!("{run}:2999")) && rows.contains(&format!("{run}:0")));
        }
        assert!(rows.len() <= MAX_ROWS + 5);
    }
}
