//! A headless Chromium, driven over its debugging pipe (the Chrome DevTools protocol): JSON messages that end in a zero
//! byte, requests on the browser's file descriptor 3, answers and events on 4.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the browser may be silent before a test is given up. No test waits for it to pass.
const GIVE_UP: Duration = Duration::from_secs(120);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    requests: File,
    answers: Receiver<Value>,
    /// Events that came while an answer was awaited.
    events: VecDeque<Value>,
    asked: u64,
    session: Option<String>,
    _folder: TempDir,
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("GRADDIFF_CHROMIUM") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let candidates = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    candidates
        .into_iter()
        .find(|p| p.is_file())
        .expect("no chromium on PATH: apt install chromium, or name the program in GRADDIFF_CHROMIUM")
}

impl Browser {
    pub(crate) fn start() -> Self {
        let program = program();
        let folder = TempDir::new().unwrap();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo starts");
            assert!(made.success(), "mkfifo {}", path.display());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        let log = folder.path().join("log");
        let child = Command::new("bash")
            .arg("-c")
            .arg("exec 3<\"$1\" 4>\"$2\"; shift 2; exec \"$@\"")
            .arg("bash")
            .args([&to, &from, &program])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-extensions",
                "--disable-component-update",
                "--mute-audio",
                "--hide-scrollbars",
            ])
            // nothing but this machine can be reached
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")
            .arg("--no-proxy-server")
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("about:blank")
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("bash starts");
        // each waits for the other end
        let requests = OpenOptions::new().write(true).open(&to).unwrap();
        let answers = BufReader::new(File::open(&from).unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else {
                    return;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            requests,
            answers: receiver,
            events: VecDeque::new(),
            asked: 0,
            session: None,
            _folder: folder,
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(Into::into);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.ask(domain, json!({}));
        }
        browser
    }

    fn message(&mut self) -> Value {
        self.answers
            .recv_timeout(GIVE_UP)
            .expect("chromium answers (if it did not start: does `chromium --headless=new --no-sandbox` work here?)")
    }

    /// Sends a command and waits for its answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let sent = write!(self.requests, "{request}\0").and_then(|()| self.requests.flush());
        sent.expect(
            "chromium takes requests (if it did not start: does `chromium --headless=new --no-sandbox` work here?)",
        );
        loop {
            let message = self.message();
            if message["id"] == self.asked {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }

    /// Waits for the next event of this name.
    fn event(&mut self, method: &str) -> Value {
        loop {
            let event = self.events.pop_front();
            let event = event.unwrap_or_else(|| self.message());
            if event["method"] == method {
                return event["params"].clone();
            }
        }
    }

    /// Opens a page of this size and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        self.events.clear();
        let started = self.ask("Page.navigate", json!({"url": url}));
        assert!(started.get("errorText").is_none(), "{url}: {started}");
        self.event("Page.loadEventFired");
    }

    /// The value of a JavaScript expression; a promise is awaited.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true: it is looked at again whenever the page has drawn something.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let until = format!(
            "new Promise(done => {{ const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look(); }})"
        );
        assert_eq!(self.eval(&until), true, "{expression}");
    }

    /// The page as it looks, as a PNG file.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let asked = json!({"format": "png", "captureBeyondViewport": true});
        let data = self.ask("Page.captureScreenshot", asked)["data"]
            .as_str()
            .unwrap()
            .to_owned();
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// What the page complained about since it was opened: exceptions, errors on the console, requests that failed.
    pub(crate) fn complaints(&mut self) -> Vec<Value> {
        self.eval("1"); // what came before is here now
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            // the page itself ends its stream when it is told the end
            Some("Network.loadingFailed") => event["params"]["canceled"] != true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_complaint).cloned().collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
