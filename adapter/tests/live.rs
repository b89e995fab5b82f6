//! The live view, in a real browser: what the page shows is what the run computes, and the run does not care.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

#[path = "live/browser.rs"]
mod browser;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use browser::Browser;
use graddiff::live::{About, AboutSlot, Live};
use serde_json::{Value, json};
use tempfile::TempDir;

fn experiment(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli_dynamic/{name}.json"))
}

fn command(command: &str, out: &Path, arguments: &[&str]) -> Command {
    with(&experiment("tiny"), command, out, arguments)
}

fn with(experiment: &Path, command: &str, out: &Path, arguments: &[&str]) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    process.arg(command).arg(experiment).arg("-o").arg(out).args(arguments);
    process.env_remove("RUST_LOG").stdin(Stdio::null());
    process
}

/// A command whose page stays up until its standard input is closed.
struct Served {
    child: Child,
    stderr: BufReader<ChildStderr>,
    url: String,
}

impl Served {
    /// Starts it and waits until all is done and written.
    fn start(mut process: Command) -> Self {
        process.args(["-q", "--live", "--live-stay"]);
        process.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.stdout(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let url = line
            .strip_prefix("live view: ")
            .unwrap_or_else(|| panic!("{line}"))
            .trim()
            .to_owned();
        line.clear();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("live view: still at "), "{line}");
        Self { child, stderr, url }
    }

    /// Presses Enter; the exit code.
    fn end(mut self) -> Option<i32> {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(b"\n").unwrap();
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        status.code()
    }
}

/// Where pictures of the page are left for people to look at, if they ask for it.
fn picture(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("GRADDIFF_PICTURES") {
        browser.screenshot(&Path::new(&folder).join(format!("{name}.png")));
    }
}

/// The numbers of the page, all digits.
fn number(browser: &mut Browser, selector: &str) -> f64 {
    let text = browser.eval(&format!("document.querySelector('{selector}').dataset.value"));
    let text = text.as_str().unwrap_or_else(|| panic!("{selector}: {text}"));
    text.parse().unwrap()
}

/// Share of a canvas's pixels that are painted.
fn painted(browser: &mut Browser, figure: usize) -> f64 {
    let script = format!(
        "(() => {{ const c = document.querySelectorAll('canvas')[{figure}];
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (d.length / 4); }})()"
    );
    browser.eval(&script).as_f64().unwrap()
}

fn read(path: PathBuf) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One browser for all, since it takes seconds to start.
#[test]
fn the_page_in_a_browser() {
    let mut browser = Browser::start();
    a_tuning_run_is_shown_with_the_numbers_of_its_result(&mut browser);
    a_simulation_is_shown_with_its_sensitivities(&mut browser);
    a_run_under_control_is_shown_with_its_slots(&mut browser);
    the_page_follows_while_it_is_open(&mut browser);
    other_sites_get_nothing(&mut browser);
}

fn a_tuning_run_is_shown_with_the_numbers_of_its_result(browser: &mut Browser) {
    let folder = TempDir::new().unwrap();
    let (plain, out) = (folder.path().join("plain"), folder.path().join("out"));
    assert!(command("tune", &plain, &["-q"]).status().unwrap().success());
    let served = Served::start(command("tune", &out, &[]));
    for file in ["result.json", "tune.npz", "traces.npz", "checkpoint.json"] {
        assert!(
            read(plain.join(file)) == read(out.join(file)),
            "{file} depends on --live"
        );
    }

    browser.open(&served.url, 1200, 1100);
    browser
        .wait_for("document.querySelector('#state').dataset.state === 'ended' && document.body.dataset.rows === '20'");
    let result: Value = serde_json::from_slice(&read(out.join("result.json"))).unwrap();
    assert_eq!(
        number(browser, "#fact-loss").to_bits(),
        result["loss"].as_f64().unwrap().to_bits()
    );
    assert_eq!(
        number(browser, "#fact-at").to_bits(),
        result["iterations"].as_f64().unwrap().to_bits()
    );
    for slot in result["slots"].as_array().unwrap() {
        let name = slot["name"].as_str().unwrap();
        for (column, key) in [("start", "start"), ("best", "found"), ("target", "target")] {
            let selector = format!("tr[data-slot={name}] td[data-column={column}]");
            let wanted = slot[key].as_f64().unwrap();
            assert_eq!(
                number(browser, &selector).to_bits(),
                wanted.to_bits(),
                "{name} {column}"
            );
        }
    }
    let titles = browser.eval("[...document.querySelectorAll('figcaption')].map(c => c.textContent)");
    assert_eq!(titles, json!(["Loss", "Slots", "v · found"]));
    for figure in 0..3 {
        let share = painted(browser, figure);
        assert!(share > 0.005 && share < 0.5, "figure {figure}: {share}");
    }
    let state = browser.eval("document.querySelector('#state').textContent");
    assert!(
        state
            .as_str()
            .unwrap()
            .starts_with("iteration limit after 20 iterations"),
        "{state}"
    );
    // nothing came from elsewhere, and nothing went wrong
    let resources = browser.eval("performance.getEntriesByType('resource').map(r => r.name)");
    for resource in resources.as_array().unwrap() {
        assert!(resource.as_str().unwrap().starts_with(&served.url), "{resources}");
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    picture(browser, "tune");
    assert_eq!(served.end(), Some(0));
}

fn a_simulation_is_shown_with_its_sensitivities(browser: &mut Browser) {
    let folder = TempDir::new().unwrap();
    let (plain, out) = (folder.path().join("plain"), folder.path().join("out"));
    assert!(command("run", &plain, &["-q"]).status().unwrap().success());
    let served = Served::start(command("run", &out, &[]));
    assert!(
        read(plain.join("traces.npz")) == read(out.join("traces.npz")),
        "traces.npz depends on --live"
    );
    browser.open(&served.url, 1200, 1100);
    browser.wait_for("document.querySelector('#state').dataset.state === 'ended' && charts.size === 3");
    let titles = browser.eval("[...document.querySelectorAll('figcaption')].map(c => c.textContent)");
    assert_eq!(titles, json!(["Voltages", "States", "Sensitivities of v"]));
    // the peak of the spike, as the arrays have it
    let arrays = graddiff::report::read_npz(&out.join("traces.npz")).unwrap();
    let values = &arrays["values"];
    let peak = (0..values.shape()[0]).map(|i| values[[i, 0]]).fold(f64::MIN, f64::max);
    let shown = browser
        .eval("Math.max(...traces.panels[0].series[0].y)")
        .as_f64()
        .unwrap();
    assert!((shown - peak).abs() < 1e-5 * peak.abs(), "{shown} {peak}");
    assert!(painted(browser, 2) > 0.005);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    picture(browser, "run");
    assert_eq!(served.end(), Some(0));
}

fn a_run_under_control_is_shown_with_its_slots(browser: &mut Browser) {
    let folder = TempDir::new().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homeostasis");
    let mut shorter: Value = serde_json::from_slice(&read(examples.join("adapt.json"))).unwrap();
    shorter["mechanisms"] = json!([examples.join("hh_adapt.mod")]);
    shorter["simulation"] = json!({"duration_ms": 200, "dt_ms": 0.025, "sample_every_ms": 1});
    shorter["control"]["start_ms"] = json!(20);
    shorter["perturbations"] = json!([]);
    let file = folder.path().join("shorter.json");
    fs::write(&file, shorter.to_string()).unwrap();
    let (plain, out) = (folder.path().join("plain"), folder.path().join("out"));
    assert!(with(&file, "run", &plain, &["-q"]).status().unwrap().success());
    let served = Served::start(with(&file, "run", &out, &[]));
    assert!(
        read(plain.join("traces.npz")) == read(out.join("traces.npz")),
        "traces.npz depends on --live"
    );
    browser.open(&served.url, 1200, 1100);
    browser.wait_for("document.querySelector('#state').dataset.state === 'ended' && charts.size >= 2");
    let slots = &graddiff::report::read_npz(&out.join("traces.npz")).unwrap()["slots"];
    let last = slots.shape()[0] - 1;
    assert_eq!(browser.eval("document.body.dataset.rows"), (last + 1).to_string());
    for (k, name) in ["gna", "gk", "drive"].into_iter().enumerate() {
        let now = number(browser, &format!("tr[data-slot={name}] td[data-column=now]"));
        assert_eq!(now.to_bits(), slots[[last, k]].to_bits(), "{name}");
        assert_ne!(now.to_bits(), slots[[0, k]].to_bits(), "{name} has not moved");
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    picture(browser, "control");
    assert_eq!(served.end(), Some(0));
}

/// News, one by one, to a page that is open; names that try to be markup; the end.
fn the_page_follows_while_it_is_open(browser: &mut Browser) {
    let slot = |name: &str, start: f64| AboutSlot {
        name: name.into(),
        unit: "S/cm²".into(),
        start,
        target: Some(2.0),
    };
    let about = About {
        title: "<img src=x onerror=alert(1)>".into(),
        command: "tune".into(),
        axis: "iteration".into(),
        loss: "loss (mV²)".into(),
        slots: vec![slot("<b>g</b>", 1.0), slot("zero", 0.0)],
        total: Some(3),
    };
    let live = Live::start(0, &about).unwrap();
    browser.open(&live.url(), 900, 900);
    browser.wait_for("document.querySelector('#state').dataset.state === 'running'");
    for n in 0..3_u32 {
        live.row(
            n.into(),
            n.into(),
            (n != 1).then(|| 10.0_f64.powi(-6 * i32::try_from(n).unwrap())),
            &[1.0 + f64::from(n) / 3.0, 0.5],
        );
        browser.wait_for(&format!("document.body.dataset.rows === '{}'", n + 1));
        let now = number(browser, "tbody tr:first-child td[data-column=now]");
        assert_eq!(now.to_bits(), (1.0 + f64::from(n) / 3.0).to_bits());
    }
    assert_eq!(browser.eval("document.querySelectorAll('img, tbody b').length"), 0);
    assert_eq!(
        browser.eval("document.querySelector('tbody td').textContent"),
        "<b>g</b>"
    );
    picture(browser, "page");
    live.end("<i>done</i>", &json!({}));
    browser.wait_for("document.querySelector('#state').dataset.state === 'ended'");
    assert_eq!(
        browser.eval("document.querySelector('#state').textContent"),
        "<i>done</i>"
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    live.finish();
}

/// A page elsewhere whose name was made to point here, and one that just asks, get nothing.
fn other_sites_get_nothing(browser: &mut Browser) {
    let live = Live::start(0, &About::default()).unwrap();
    let port = live.url().trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: rebound.example:{port}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && !answer.contains("event:"),
        "{answer}"
    );
    // another port is another site to a browser
    let other = Live::start(0, &About::default()).unwrap();
    browser.open(&other.url(), 600, 400);
    let asked = format!("fetch('{}events').then(() => 'answered', () => 'nothing')", live.url());
    assert_eq!(browser.eval(&asked), "nothing");
}

/// No page, no run: who asked for it wants to see it.
#[test]
fn a_port_that_is_taken_ends_the_command_before_it_computes() {
    let folder = TempDir::new().unwrap();
    let live = Live::start(0, &About::default()).unwrap();
    let port = live.url().trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    for name in ["run", "tune"] {
        let out = folder.path().join(name);
        let ended = command(name, &out, &["-q", &format!("--live={port}")])
            .output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{said}");
        let told = format!("error: the live view cannot listen on 127.0.0.1:{port}");
        assert!(
            said.contains(&told) && said.contains("help: choose another port"),
            "{said}"
        );
        assert!(!out.join("traces.npz").exists() && !out.join("checkpoint.json").exists());
        let alone = command(name, &out, &["--live-stay"]).output().unwrap();
        assert_eq!(alone.status.code(), Some(2));
    }
}
