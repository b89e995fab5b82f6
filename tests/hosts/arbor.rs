//! Arbor in another process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use graddiff::plan::export::{Reply, Request, Run};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python with Arbor that answers requests.
pub(crate) struct Arbor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Arbor {
    pub(crate) fn start() -> Self {
        let python = std::env::var_os("GRADDIFF_PYTHON").map_or(root().join(".venv/bin/python"), PathBuf::from);
        assert!(
            python.exists(),
            "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(root().join("tests/hosts/arbor_run.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = BufReader::new(output.expect("a pipe"));
        Self { child, input, output }
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Reply {
        let line = serde_json::to_string(request).expect("a request is JSON");
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "{line}").expect("Arbor listens; its messages are above");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("UTF-8");
        serde_json::from_str(&answer).expect("arbor_run.py answers; its messages are above")
    }

    pub(crate) fn run(&mut self, request: &Request) -> Run {
        let run = match self.ask(request) {
            Reply::Done(run) => Ok(run),
            Reply::Failed(failure) => Err(failure),
        };
        let run = run.expect("Arbor runs it");
        assert_eq!(run.host, "Arbor 0.12.2", "the reference is Arbor 0.12.2");
        run
    }
}

impl Drop for Arbor {
    fn drop(&mut self) {
        // end of input ends the script
        self.input = None;
        let _ = self.child.wait();
    }
}
