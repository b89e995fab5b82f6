//! A simulator as a child process: questions and answers over its pipes.
//!
//! It must not know any simulator. Whatever the child does (die, hang, talk nonsense), [`Process::ask`] returns within its
//! patience with an error that tells, and no process outlives the [`Process`]: the child leads a group of its own, which
//! is killed as a whole. Should this process die without notice, the child finds the end of its standard input.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::plan::export::{Answer, Failure, Hello, PROTOCOL, Question};

/// So much of what a simulator complained is kept, bytes: its end.
const COMPLAINT: usize = 4000;
/// A child that has closed its output gets so long to end, and its last words to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What is quoted of an answer that is none, characters.
const QUOTE: usize = 200;

/// What can go wrong with a simulator in another process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("cannot start {host}: cannot run `{}`", program.display())]
    Start {
        /// The simulator.
        host: &'static str,
        /// What should run it.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The Python that runs it does not find it.
    #[error("`{}` has no {host}: {message}", program.display())]
    Missing {
        /// The simulator.
        host: &'static str,
        /// The Python.
        program: PathBuf,
        /// Its words.
        message: String,
    },
    /// It is another simulator, or another version of it.
    #[error("`{}` has {found}; this version of graddiff runs in {expected}", program.display())]
    Version {
        /// The simulator.
        host: &'static str,
        /// The Python.
        program: PathBuf,
        /// Name and version of what was found.
        found: String,
        /// Name and version of what is wanted.
        expected: String,
    },
    /// It speaks another version of the protocol.
    #[error("`{}` speaks version {found} of the protocol, graddiff speaks {PROTOCOL}", program.display())]
    Protocol {
        /// The program.
        program: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It ended before it had answered.
    #[error("{host} ended while {doing} ({status}){}", quoted(complaint))]
    Ended {
        /// The simulator.
        host: &'static str,
        /// What it was doing.
        doing: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error.
        complaint: String,
    },
    /// It did not answer in time.
    #[error("{host} has said nothing for {seconds} s while {doing}{}", quoted(complaint))]
    Silent {
        /// The simulator.
        host: &'static str,
        /// What it was doing.
        doing: &'static str,
        /// For how long.
        seconds: u64,
        /// The end of what it wrote to standard error.
        complaint: String,
    },
    /// It answered something else.
    #[error("{host} gave an answer that graddiff does not understand while {doing}: {answer}")]
    Answer {
        /// The simulator.
        host: &'static str,
        /// What it was doing.
        doing: &'static str,
        /// The answer, shortened.
        answer: String,
    },
}

fn quoted(complaint: &str) -> String {
    let complaint = complaint.trim();
    if complaint.is_empty() {
        "; it wrote nothing to standard error".into()
    } else {
        format!(
            "; the end of its standard error:\n    {}",
            complaint.replace('\n', "\n    ")
        )
    }
}

/// What runs a simulator, and how.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Name of the simulator, for messages and to compare with what it says of itself.
    pub host: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The Python.
    pub python: PathBuf,
    /// The program, as text.
    pub program: &'static str,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// A simulator that answers questions.
#[derive(Debug)]
pub struct Process {
    host: &'static str,
    patience: Duration,
    child: Child,
    questions: Option<Sender<Vec<u8>>>,
    answers: Receiver<Heard>,
    complaint: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

/// What came from the child.
#[derive(Debug)]
enum Heard {
    Answer(Answer, Vec<f64>),
    Nonsense(String),
}

impl Process {
    /// Starts the simulator and waits for its hello.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn start(launch: &Launch) -> Result<Self, ProcessError> {
        let mut command = Command::new(&launch.python);
        command.args(["-c", launch.program]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let start = |source| ProcessError::Start {
            host: launch.host,
            program: launch.python.clone(),
            source,
        };
        let mut child = command.spawn().map_err(start)?;
        let (sender, questions) = channel();
        if let Some(input) = child.stdin.take() {
            std::thread::spawn(move || write(input, &questions));
        }
        let (heard, answers) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || listen(output, &heard));
        }
        let complaint = Arc::new(Mutex::new(Vec::new()));
        let listener = child.stderr.take().map(|errors| {
            let tail = Arc::clone(&complaint);
            std::thread::spawn(move || keep_the_end(errors, &tail))
        });
        let mut process = Self {
            host: launch.host,
            patience: launch.patience,
            child,
            questions: Some(sender),
            answers,
            complaint,
            listener,
        };
        process.greet(launch)?;
        Ok(process)
    }

    fn greet(&mut self, launch: &Launch) -> Result<(), ProcessError> {
        let doing = "starting";
        match self.hear(doing)? {
            (Answer::Hello(hello), _) => check(&hello, launch),
            (Answer::Failed(Failure { kind, message }), _) if kind == "missing" => Err(ProcessError::Missing {
                host: launch.host,
                program: launch.python.clone(),
                message,
            }),
            (other, _) => Err(self.misunderstood(doing, &other)),
        }
    }

    /// Asks, and waits for the answer and the numbers that belong to it. `doing` says what the question is about, as in
    /// "while running".
    ///
    /// # Errors
    /// [`ProcessError`]; after one there is no use in asking again.
    pub fn ask(&mut self, question: &Question<'_>, doing: &'static str) -> Result<(Answer, Vec<f64>), ProcessError> {
        let mut line = serde_json::to_vec(question).map_err(|error| ProcessError::Answer {
            host: self.host,
            doing,
            answer: format!("(the question is no JSON: {error})"),
        })?;
        line.push(b'\n');
        // a child that has ended takes no questions; what became of it shows when it is heard
        if let Some(questions) = &self.questions {
            let _ = questions.send(line);
        }
        self.hear(doing)
    }

    /// The error that says that this is no answer to what was asked.
    pub fn misunderstood(&self, doing: &'static str, answer: &Answer) -> ProcessError {
        ProcessError::Answer {
            host: self.host,
            doing,
            answer: shortened(&format!("{answer:?}")),
        }
    }

    fn hear(&mut self, doing: &'static str) -> Result<(Answer, Vec<f64>), ProcessError> {
        let host = self.host;
        match self.answers.recv_timeout(self.patience) {
            Ok(Heard::Answer(answer, numbers)) => Ok((answer, numbers)),
            Ok(Heard::Nonsense(answer)) => Err(ProcessError::Answer { host, doing, answer }),
            Err(RecvTimeoutError::Disconnected) => Err(ProcessError::Ended {
                host,
                doing,
                status: self.end(),
                complaint: self.complaint(),
            }),
            Err(RecvTimeoutError::Timeout) => {
                kill(&mut self.child);
                Err(ProcessError::Silent {
                    host,
                    doing,
                    seconds: self.patience.as_secs(),
                    complaint: self.complaint(),
                })
            }
        }
    }

    /// How a child ended that has closed its output.
    fn end(&mut self) -> String {
        let start = Instant::now();
        while start.elapsed() < LAST_WORDS {
            match self.child.try_wait() {
                Ok(Some(status)) => return words(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return error.to_string(),
            }
        }
        kill(&mut self.child);
        "it closed its output without ending".into()
    }

    /// The end of what the child wrote to standard error, once all of it has arrived.
    fn complaint(&mut self) -> String {
        let start = Instant::now();
        while self.listener.as_ref().is_some_and(|l| !l.is_finished()) && start.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
        String::from_utf8_lossy(&guard(&self.complaint)).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.questions = None;
        kill(&mut self.child);
    }
}

fn check(hello: &Hello, launch: &Launch) -> Result<(), ProcessError> {
    if hello.protocol != PROTOCOL {
        return Err(ProcessError::Protocol {
            program: launch.python.clone(),
            found: hello.protocol,
        });
    }
    if (hello.host.as_str(), hello.version.as_str()) != (launch.host, launch.version) {
        return Err(ProcessError::Version {
            host: launch.host,
            program: launch.python.clone(),
            found: format!("{} {}", hello.host, hello.version),
            expected: format!("{} {}", launch.host, launch.version),
        });
    }
    Ok(())
}

/// Ends the child and all that it has started, and takes note of it, so that no zombie remains.
fn kill(child: &mut Child) {
    // A child that has been waited for has no number any more: it may be somebody else's by now.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // gone already, if it fails
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status
        .code()
        .map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn guard<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= QUOTE {
        return text.into();
    }
    let start: String = text.chars().take(QUOTE).collect();
    format!("{start} …")
}

/// Hands questions on until nobody asks or nobody listens. A thread, since a child that does not read would block it.
fn write(mut input: ChildStdin, questions: &Receiver<Vec<u8>>) {
    for question in questions {
        if input.write_all(&question).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

/// Hands answers on until the child's output ends.
fn listen(output: ChildStdout, heard: &Sender<Heard>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line) {
            Ok(n) if n > 0 => {}
            Ok(_) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line);
        let next = match serde_json::from_str(&text) {
            Err(_) => Heard::Nonsense(shortened(&text)),
            Ok(answer) => {
                let numbers = match &answer {
                    Answer::Advanced(advanced) => advanced.numbers,
                    Answer::Numbers(numbers) => numbers.numbers,
                    Answer::Hello(_) | Answer::Started {} | Answer::Written {} | Answer::Failed(_) => 0,
                };
                match floats(&mut output, numbers) {
                    Some(numbers) => Heard::Answer(answer, numbers),
                    None => return, // it ended in the midst of them
                }
            }
        };
        if heard.send(next).is_err() {
            return;
        }
    }
}

/// So many 64-bit floats, little endian; none if there are fewer.
fn floats(input: &mut impl Read, n: usize) -> Option<Vec<f64>> {
    // not allotted beforehand: a wrong number must not ask for all memory
    let mut bytes = Vec::new();
    let wanted = u64::try_from(n).ok()?.checked_mul(8)?;
    input.take(wanted).read_to_end(&mut bytes).ok()?;
    let (whole, rest) = bytes.as_chunks::<8>();
    (whole.len() == n && rest.is_empty()).then(|| whole.iter().map(|b| f64::from_le_bytes(*b)).collect())
}

/// Keeps the last [`COMPLAINT`] bytes.
fn keep_the_end(mut errors: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut part = [0; 1024];
    while let Ok(n) = errors.read(&mut part) {
        if n == 0 {
            return;
        }
        tracing::debug!(text = %String::from_utf8_lossy(&part[..n]).trim_end(), "standard error of a host");
        let mut tail = guard(tail);
        tail.extend_from_slice(&part[..n]);
        let surplus = tail.len().saturating_sub(COMPLAINT);
        tail.drain(..surplus);
    }
}

/// The Python that runs simulators, and where its name comes from. An explicit choice is not second-guessed.
pub fn python(chosen: Option<&Path>) -> (PathBuf, &'static str) {
    if let Some(path) = chosen {
        return (path.to_path_buf(), "--python");
    }
    if let Some(path) = std::env::var_os("GRADDIFF_PYTHON").filter(|p| !p.is_empty()) {
        return (path.into(), "GRADDIFF_PYTHON");
    }
    let local = PathBuf::from(".venv/bin/python");
    if local.exists() {
        return (local, "this folder");
    }
    ("python3".into(), "PATH")
}
