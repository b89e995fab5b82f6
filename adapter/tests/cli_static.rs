//! The commands that run no simulation, as processes: exit code, standard output, standard error.
//!
//! Fixtures are copied into a folder of their own for each test, so that messages hold no machine's paths. Snapshots are
//! updated with `UPDATE_EXPECT=1`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a failure here is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::Value;
use tempfile::TempDir;

/// What a command left behind.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {}", self.stdout))
    }

    /// Compares exit code and both streams.
    fn expect(&self, code: i32, expected: Expect) {
        expected.assert_eq(&format!("{}--- stderr\n{}", self.stdout, self.stderr));
        assert_eq!(self.code, Some(code), "{}", self.stderr);
    }
}

/// A folder with copies of all fixtures.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli_static");
        for entry in fs::read_dir(fixtures).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn run(&self, arguments: &str) -> Outcome {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &str, environment: &[(&str, &Path)]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        for name in ["CC", "RUST_LOG", "RUST_BACKTRACE", "NO_COLOR", "GRADDIFF_PYTHON"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        let output = command.output().unwrap();
        let folder = self.0.path().display().to_string();
        let version = concat!("graddiff ", env!("CARGO_PKG_VERSION"));
        let text = |bytes| {
            let text = String::from_utf8(bytes).unwrap().replace(&folder, "$DIR");
            text.replace(version, "graddiff $VERSION")
        };
        Outcome {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Builds C text into a shared object.
    fn cc(&self, c_text: &str, name: &str) {
        fs::write(self.path("by_hand.c"), c_text).unwrap();
        let mut command = Command::new("cc");
        command
            .args(["-shared", "-fPIC", "-o"])
            .arg(self.path(name))
            .arg(self.path("by_hand.c"));
        let output = command.arg("-lm").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The Python with the reference simulators: GRADDIFF_PYTHON, else the virtual environment that `tests/run` makes.
fn reference_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
    let found = python.exists();
    assert!(
        found,
        "no Python at {}: run tests/run once, or set GRADDIFF_PYTHON",
        python.display()
    );
    python
}

// ---- INCLUDE

/// A mechanism whose parameters stand in a file that a file in another folder includes.
fn include(bench: &Bench) {
    fs::create_dir(bench.path("shared")).unwrap();
    let mechanism = "NEURON { SUFFIX inc NONSPECIFIC_CURRENT i RANGE g }\nINCLUDE \"shared/all.inc\" : both\n\nBREAKPOINT { i = g*(v - e) }\n";
    fs::write(bench.path("inc.mod"), mechanism).unwrap();
    fs::write(
        bench.path("shared/all.inc"),
        "TITLE all\nINCLUDE \"parameters.inc\"\nASSIGNED { v (mV) }",
    )
    .unwrap();
    let parameters = "PARAMETER {\n    g = 0.001 (S/cm2) : leak\n    e = -70 (mV)\n}\n";
    fs::write(bench.path("shared/parameters.inc"), parameters).unwrap();
}

#[test]
fn included_files_are_found_from_the_file_that_includes_them() {
    let bench = Bench::new();
    include(&bench);
    let json = bench.run("check inc.mod --json");
    assert_eq!((json.code, json.stdout.as_str()), (Some(0), "[]\n"), "{}", json.stderr);
    let emitted = bench.run("emit inc.mod --wrt g --to c -o out");
    assert_eq!(emitted.code, Some(0), "{}", emitted.stderr);

    // a fault in it is shown as it stands there, at the line of the INCLUDE
    fs::write(
        bench.path("shared/parameters.inc"),
        "PARAMETER { g = 1 e = 2 }\nASSIGNED {\n    g\n}\n",
    )
    .unwrap();
    let twice = bench.run("check inc.mod");
    assert_eq!(twice.code, Some(1));
    assert!(twice.stdout.contains("inc.mod:2:"), "{}", twice.stdout);
    assert!(twice.stdout.contains("\n 2 | g\n   | ^\n"), "{}", twice.stdout);
}

#[test]
fn an_include_that_fails_is_a_diagnostic_at_its_line() {
    let bench = Bench::new();
    include(&bench);
    fs::write(bench.path("shared/parameters.inc"), "INCLUDE \"../shared/all.inc\"").unwrap();
    let cycle = bench.run("check inc.mod --json");
    assert_eq!(cycle.code, Some(1), "{}", cycle.stderr);
    let found = &cycle.json()[0];
    assert_eq!(
        (&found["code"], &found["line"]),
        (&"bad-include".into(), &2.into()),
        "{found}"
    );
    fs::remove_file(bench.path("shared/parameters.inc")).unwrap();
    for command in [
        "check inc.mod",
        "emit inc.mod --wrt g --to c -o out",
        "build inc.mod -o x-catalogue.so",
    ] {
        let missing = bench.run(command);
        assert_eq!(missing.code, Some(1), "{command}: {}", missing.stderr);
        let said = format!("{}{}", missing.stdout, missing.stderr);
        let expected = "inc.mod:2:1: error[bad-include]: cannot read `shared/parameters.inc`: ";
        assert!(said.contains(expected), "{command}: {said}");
        assert!(said.contains("(included by `shared/all.inc`)"), "{command}: {said}");
    }
}

// ---- check

#[test]
fn check_accepts_good_mechanisms() {
    let bench = Bench::new();
    bench.run("check leak.mod shunt.mod").expect(
        0,
        expect![[r#"
        2 files checked: no errors
        --- stderr
    "#]],
    );
    let json = bench.run("check leak.mod --json");
    assert_eq!((json.code, json.stdout.as_str()), (Some(0), "[]\n"));
    let quiet = bench.run("check leak.mod --quiet");
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), ""));
}

#[test]
fn check_points_at_every_error() {
    let bench = Bench::new();
    bench.run("check wrong.mod unsound.mod").expect(
        1,
        expect![[r#"
        wrong.mod:10:9: error[unexpected-character]: "µ" belongs to no NMODL word or number
         10 |     i = µ*
            |         ^
           help: remove it, or put it in a comment (: … to the end of the line)
        unsound.mod:9:6: error[unknown-name]: `gg` is not declared
         9 |     i = gg*v + h(v)
           |         ^^
           help: declare it in PARAMETER, ASSIGNED, STATE or as LOCAL
        unsound.mod:9:13: error[unknown-function]: there is no function `h`
         9 |     i = gg*v + h(v)
           |                ^
           help: define it as FUNCTION or PROCEDURE in this file
        2 files checked: 3 errors
        --- stderr
    "#]],
    );
}

#[test]
fn check_json_is_an_array_of_places() {
    let outcome = Bench::new().run("check unsound.mod --json");
    outcome.expect(
        1,
        expect![[r#"
        [
          {
            "file": "unsound.mod",
            "line": 9,
            "column": 6,
            "end_line": 9,
            "end_column": 8,
            "code": "unknown-name",
            "severity": "error",
            "message": "`gg` is not declared",
            "notes": [],
            "help": "declare it in PARAMETER, ASSIGNED, STATE or as LOCAL"
          },
          {
            "file": "unsound.mod",
            "line": 9,
            "column": 13,
            "end_line": 9,
            "end_column": 14,
            "code": "unknown-function",
            "severity": "error",
            "message": "there is no function `h`",
            "notes": [],
            "help": "define it as FUNCTION or PROCEDURE in this file"
          }
        ]
        --- stderr
    "#]],
    );
    assert_eq!(outcome.json().as_array().unwrap().len(), 2);
}

#[test]
fn unreadable_files_are_told_apart() {
    let bench = Bench::new();
    bench.run("check nosuch.mod").expect(
        3,
        expect![[r#"
        --- stderr
        error: cannot read nosuch.mod
          because: No such file or directory (os error 2)
          help: check the spelling and the folder you are in
    "#]],
    );
    bench.run("check .").expect(
        3,
        expect![[r#"
        --- stderr
        error: cannot read .
          because: Is a directory (os error 21)
          help: name a regular file that you may read
    "#]],
    );
    fs::write(bench.path("latin1.mod"), b"TITLE a\nUNITS { (\xb5m) = (micron) }\n").unwrap();
    bench.run("check latin1.mod").expect(
        1,
        expect![[r#"
        --- stderr
        error: latin1.mod:2:10: byte 0xb5 is not UTF-8 text
          help: if it is an older text file, convert it: iconv -f latin1 -t utf-8 latin1.mod > new && mv new latin1.mod
    "#]],
    );
    fs::write(bench.path("huge.mod"), vec![b' '; (4 << 20) + 1]).unwrap();
    bench.run("check huge.mod").expect(
        1,
        expect![[r#"
        --- stderr
        error: huge.mod is longer than 4194304 bytes
          help: check that this is the file you mean
    "#]],
    );
}

// ---- usage

#[test]
fn bad_usage_is_exit_code_2() {
    let bench = Bench::new();
    for arguments in [
        "",
        "frobnicate",
        "check",
        "build leak.mod",
        "emit leak.mod --to c",
        "check leak.mod --nosuch",
    ] {
        let outcome = bench.run(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty(), "{arguments}");
        assert!(
            outcome.stderr.contains("Usage: graddiff"),
            "{arguments}: {}",
            outcome.stderr
        );
    }
    let version = bench.run("--version");
    assert_eq!(
        (version.code, version.stdout.as_str()),
        (Some(0), "graddiff $VERSION\n")
    );
}

#[test]
fn help_fits_a_terminal() {
    let bench = Bench::new();
    let commands = "check emit build inspect doctor run verify tune bench reproduce";
    for command in std::iter::once("").chain(commands.split(' ')) {
        let help = bench.run(&format!("{command} --help"));
        assert_eq!(help.code, Some(0));
        let long = help.stdout.lines().find(|l| l.chars().count() > 100);
        assert_eq!(long, None, "{command}");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let bench = Bench::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    command.args(["check", "wrong.mod"]).current_dir(bench.0.path());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

// ---- emit and build

#[test]
fn slots_that_do_not_exist_are_refused_with_a_suggestion() {
    let bench = Bench::new();
    let emit = |wrt: &str| bench.run(&format!("emit leak.mod shunt.mod --wrt {wrt} --to c -o out"));
    emit("gg").expect(
        2,
        expect![[r#"
        --- stderr
        error: --wrt gg: no mechanism declares a PARAMETER `gg`; did you mean `g`?
          help: name one of: g, e, q
    "#]],
    );
    emit("leek.g").expect(
        2,
        expect![[r#"
        --- stderr
        error: --wrt leek.g: no file defines mechanism `leek`; did you mean `leak`?
          help: name one of: leak, shunt
    "#]],
    );
    emit("shunt.e").expect(
        2,
        expect![[r#"
        --- stderr
        error: --wrt shunt.e: `shunt` declares no PARAMETER `e`
          help: name one of: g
    "#]],
    );
    emit("g,ek").expect(
        2,
        expect![[r#"
        --- stderr
        error: --wrt ek: `ek` is supplied by the simulator and is not a parameter that can be tuned
          help: name one of: g, e, q
    "#]],
    );
    emit("g,,q").expect(
        2,
        expect![[r#"
        --- stderr
        error: --wrt has an empty name in its list
          help: write names separated by single commas: --wrt gnabar,gkbar
    "#]],
    );
    assert!(!bench.path("out").exists());
}

#[test]
fn emit_writes_c_and_json() {
    let bench = Bench::new();
    bench
        .run("emit leak.mod shunt.mod --wrt g,q --to c -o out")
        .expect(0, expect![[r#"
            out/catalogue.c
            3 slots: leak_g (d/d leak.g), shunt_g (d/d shunt.g), q (d/d leak.q)
            1 warning
            --- stderr
            shunt.mod:13:9: warning[one-sided-derivative]: this condition depends on the voltage, a state or a tuned parameter
             13 |     if (v > 0) {
                |         ^^^^^
               note: the sensitivity is that of the branch taken; the jump itself contributes nothing
               help: the derivative is that of the branch taken; smooth the expression if the kink matters
        "#]]);
    let first = fs::read_to_string(bench.path("out/catalogue.c")).unwrap();
    bench.run("emit leak.mod shunt.mod --wrt g,q --to c -o again");
    assert_eq!(
        fs::read_to_string(bench.path("again/catalogue.c")).unwrap(),
        first,
        "not deterministic"
    );
    assert!(first.contains("seed_g__leak_g"));

    let json = bench.run("emit leak.mod --wrt g --to json -o out --json");
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    assert_eq!(json.json()["files"], serde_json::json!(["out/leak.json"]));
    let leak: Value = serde_json::from_str(&fs::read_to_string(bench.path("out/leak.json")).unwrap()).unwrap();
    assert_eq!(leak["name"], "leak");
    assert!(leak["tangent_currents"].is_object());
}

#[test]
fn emit_writes_nmodl() {
    let bench = Bench::new();
    for to in ["arbor", "neuron"] {
        let done = bench.run(&format!("emit leak.mod --to {to} -o {to}"));
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (
                Some(0),
                &*format!("{to}/leak.mod\nno slots (give --wrt for sensitivities)\n")
            ),
            "{}",
            done.stderr
        );
        let text = fs::read_to_string(bench.path(&format!("{to}/leak.mod"))).unwrap();
        assert!(
            text.contains(&format!("from leak.mod: `graddiff emit --to {to}`")),
            "{text}"
        );
    }
    fs::write(
        bench.path("noisy.mod"),
        "NEURON {\n    SUFFIX noisy\n    NONSPECIFIC_CURRENT i\n}\nSTATE { x }\nWHITE_NOISE { w }\nINITIAL { x = 0 }\n\
         BREAKPOINT {\n    SOLVE s METHOD stochastic\n    i = x\n}\nDERIVATIVE s { x' = -x + w }\n",
    )
    .unwrap();
    bench.run("emit noisy.mod --to neuron -o out").expect(
        1,
        expect![[r#"
            --- stderr
            noisy.mod:6:15: error[unsupported]: NEURON has no WHITE_NOISE: `w` cannot be written for it
             6 | WHITE_NOISE { w }
               |               ^
               note: its random numbers come from a Random object or RANDOM variables, with streams of their own
               help: run the mechanism in Arbor or in graddiff's host, or play a recorded noise into a PARAMETER
            error: 1 error in the mechanism sources
              help: correct the sources; `graddiff check FILE.mod` looks at them without building
        "#]],
    );
    assert!(!bench.path("out").exists());
}

#[test]
fn emit_warns_of_what_diffuses() {
    let bench = Bench::new();
    for (to, files) in [
        ("arbor", vec!["leak.mod", "gd_leak.mod"]),
        ("neuron", vec!["leak.mod", "gd_leak.mod", "gd_diffusion.mod"]),
    ] {
        let done = bench.run(&format!(
            "emit leak.mod --wrt g --to {to} --carrier diffusion -o {to} --json"
        ));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let written: Vec<String> = files.iter().map(|f| format!("{to}/{f}")).collect();
        assert_eq!(done.json()["files"], serde_json::json!(written));
        assert_eq!(done.json()["carrier"], "diffusion");
        assert!(
            done.stderr
                .starts_with("warning: the carrier `diffusion` is approximate"),
            "{}",
            done.stderr
        );
        for file in &written[1..] {
            let text = fs::read_to_string(bench.path(file)).unwrap();
            assert!(text.contains("WARNING: APPROXIMATE"), "{file}");
        }
    }
    let clone = bench.run("emit leak.mod --wrt g --to arbor -o clone --json");
    assert_eq!(clone.json()["carrier"], "clone");
    assert!(!clone.stderr.contains("approximate"), "{}", clone.stderr);
    bench
        .run("emit leak.mod --wrt g --to c --carrier diffusion -o out")
        .expect(
            2,
            expect![[r#"
            --- stderr
            error: --carrier is for NMODL, and --to asks for something else
              help: leave --carrier out, or write with --to arbor or --to neuron
        "#]],
        );
    let lone = bench.run("emit leak.mod --to arbor --carrier diffusion -o out");
    assert_eq!(lone.code, Some(2), "{}", lone.stderr);
    assert!(!bench.path("out").exists());
}

#[test]
fn build_makes_a_catalogue_that_inspect_reads() {
    let bench = Bench::new();
    let before = bench.names();
    bench
        .run("build leak.mod shunt.mod --wrt leak.g,q -o two-catalogue.so")
        .expect(0, expect![[r#"
            two-catalogue.so
            mechanisms: leak, shunt, gd0_cable, gd_leak, gd_shunt
            ABI 0.7, integrator arbor
            2 slots: g (d/d leak.g), q (d/d leak.q)
            1 warning
            --- stderr
            shunt.mod:13:9: warning[one-sided-derivative]: this condition depends on the voltage, a state or a tuned parameter
             13 |     if (v > 0) {
                |         ^^^^^
               note: the sensitivity is that of the branch taken; the jump itself contributes nothing
               help: the derivative is that of the branch taken; smooth the expression if the kink matters
        "#]]);
    assert_eq!(
        bench.names().len(),
        before.len() + 1,
        "intermediate files remain: {:?}",
        bench.names()
    );
    bench.run("inspect two-catalogue.so").expect(0, expect![[r#"
        two-catalogue.so
          built by graddiff $VERSION for ABI 0.7, integrator arbor, carrier cable
          slot 0: g
            moves gd_leak.g, seeded by parameter seed_g__g
          slot 1: q
            moves gd_leak.q, seeded by parameter seed_q__q

        gd0_cable: density mechanism, scalar kernels
          parameters
            parent_offset  0
            g_face         0 uS
            via_fork       0
            fork_offset    0
            fork_g         0 uS
            hosts_fork     0
            cap            0 pF
          globals
            gd__forgetting  0 /ms, at least 0
          states      v_prev (mV), g_sum (uS), inverse (1/uS), factor, chained, fork_inverse (1/uS), fork_number, own (uS), area (1e3 um2), fallen (1e3 um2 mV), room_0, room_1, room_2, room_3, room_4, room_5, room_6, room_7, room_8, room_9, room_10, room_11, room_12, room_13, room_14, room_15, room_16, room_17
          ions        gd_u__g (reads gd_u__gi), gd_u__q (reads gd_u__qi)

        leak: density mechanism, scalar kernels
          parameters
            g  0.001 S/cm2, 0 to 1e9
            e  -65 mV
            q  2
          states      n
          ions        k (reads ek)

        gd_leak: density mechanism, scalar kernels
          parameters
            g          0.001 S/cm2, 0 to 1e9
            e          -65 mV
            q          2
            seed_g__g  0
            seed_q__q  0
          globals
            gd__forgetting  0 /ms, at least 0
          states      n, d_n__g, d_n__q, gd__di_v, gd__di_p_g, gd__dg_p_g, gd__di_s_n, gd__dg_s_n
          ions        k (reads ek), gd_u__g (reads gd_u__gi), gd_u__q (reads gd_u__qi)

        shunt: density mechanism, scalar kernels
          parameters
            g  1e-5 S/cm2

        gd_shunt: density mechanism, scalar kernels
          parameters
            g  1e-5 S/cm2
          globals
            gd__forgetting  0 /ms, at least 0
          states      gd__di_v
          ions        gd_u__g (reads gd_u__gi), gd_u__q (reads gd_u__qi)
        --- stderr
    "#]]);

    let json = bench.run("inspect two-catalogue.so --json").json();
    assert_eq!(json["abi"], "0.7");
    assert_eq!(json["graddiff"]["slots"], serde_json::json!(["g", "q"]));
    let mechanisms = json["mechanisms"].as_array().unwrap();
    let leak = mechanisms.iter().find(|m| m["name"] == "leak").unwrap();
    assert_eq!(leak["parameters"][0]["default"], 0.001);
    assert_eq!(leak["parameters"][1]["low"], Value::Null);

    bench.run("inspect two-catalogue.so --abi 0.6").expect(
        1,
        expect![[r#"
        --- stderr
        error: `$DIR/two-catalogue.so` is built for ABI level 0.7, asked for 0.6
          help: leave out --abi: a catalogue of graddiff says its level itself
    "#]],
    );
}

#[test]
fn build_knows_both_abi_levels_and_integrators() {
    let bench = Bench::new();
    let built = bench.run("build leak.mod --wrt g --abi 0.6 --integrator neuron -o old-catalogue.so --json");
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    assert_eq!(built.json()["integrator"], "neuron");
    let read = bench.run("inspect old-catalogue.so --json").json();
    assert_eq!(
        (&read["abi"], &read["graddiff"]["integrator"]),
        (&"0.6".into(), &"neuron".into())
    );
}

#[test]
fn build_of_a_rejected_source_writes_nothing() {
    let bench = Bench::new();
    bench
        .run("build leak.mod wrong.mod --wrt nosuch -o x-catalogue.so")
        .expect(
            1,
            expect![[r#"
            --- stderr
            wrong.mod:10:9: error[unexpected-character]: "µ" belongs to no NMODL word or number
             10 |     i = µ*
                |         ^
               help: remove it, or put it in a comment (: … to the end of the line)
            error: 1 error in the mechanism sources
              help: correct the sources; `graddiff check FILE.mod` looks at them without building
        "#]],
        );
    let json = bench.run("build unsound.mod -o x-catalogue.so --json");
    assert_eq!(json.code, Some(1));
    assert_eq!(json.json()["diagnostics"].as_array().unwrap().len(), 2);
    bench.run("build leak.mod leak.mod -o x-catalogue.so").expect(
        1,
        expect![[r#"
            --- stderr
            error: mechanism `leak` is defined by both leak.mod and leak.mod
              help: give one of them another SUFFIX, or leave one out: a catalogue holds each name once
        "#]],
    );
    bench.run("build leak.mod -o leak.mod").expect(
        2,
        expect![[r#"
        --- stderr
        error: -o leak.mod: a catalogue's name ends in .so
          help: write -o NAME-catalogue.so
    "#]],
    );
    assert!(!bench.path("x-catalogue.so").exists());
}

#[test]
fn a_missing_compiler_is_an_environment_error() {
    let bench = Bench::new();
    let nowhere = Path::new("/nonexistent/cc");
    let before = bench.names();
    bench
        .run_with("build leak.mod -o x-catalogue.so", &[("CC", nowhere)])
        .expect(3, expect![[r#"
            --- stderr
            error: cannot run the C compiler `/nonexistent/cc`; install gcc or clang, or set CC
              because: No such file or directory (os error 2)
              help: Debian and Ubuntu: apt install gcc; macOS: xcode-select --install; or set CC to your compiler; then run `graddiff doctor`
        "#]]);
    assert_eq!(bench.names(), before);
    let doctor = bench.run_with("doctor", &[("CC", nowhere), ("GRADDIFF_PYTHON", nowhere)]);
    assert_eq!(doctor.code, Some(3));
    assert!(doctor.stdout.contains("C compiler  MISSING"), "{}", doctor.stdout);
}

// ---- inspect

#[test]
fn files_that_are_no_catalogue_are_refused_one_by_one() {
    let bench = Bench::new();
    bench.run("inspect nosuch.so").expect(
        3,
        expect![[r#"
        --- stderr
        error: cannot read catalogue `$DIR/nosuch.so`
          because: No such file or directory (os error 2)
          help: check the path and the permissions
    "#]],
    );
    bench.run("inspect leak.mod").expect(
        1,
        expect![[r#"
        --- stderr
        error: `$DIR/leak.mod` is not a shared object: it starts with [54, 49, 54, 4c], not with 7f 45 4c 46 (ELF)
          help: name the .so file that `graddiff build` or `arbor-build-catalogue` wrote
    "#]],
    );
    bench.cc("int nothing;\n", "empty.so");
    let empty = bench.run("inspect empty.so");
    assert_eq!(empty.code, Some(1));
    assert!(
        empty.stderr.contains("exports no symbol `get_catalogue`"),
        "{}",
        empty.stderr
    );
    let whole = fs::read(bench.path("empty.so")).unwrap();
    for length in [0, 3, 20, 64, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(bench.path("cut.so"), &whole[..length]).unwrap();
        let cut = bench.run("inspect cut.so");
        assert_eq!(cut.code, Some(1), "{length} bytes: {}", cut.stderr);
        assert!(
            cut.stderr.starts_with("error: `$DIR/cut.so` is "),
            "{length} bytes: {}",
            cut.stderr
        );
        assert!(cut.stderr.contains("\n  help: "), "{length} bytes: {}", cut.stderr);
    }
}

#[test]
fn a_foreign_catalogue_is_read_at_the_level_asked_for() {
    let bench = Bench::new();
    bench.run("emit shunt.mod --to c -o out");
    let ours = fs::read_to_string(bench.path("out/catalogue.c")).unwrap();
    bench.cc(
        &ours.replace("graddiff_catalogue_info_v1", "somebody_elses_symbol"),
        "foreign.so",
    );
    bench.run("inspect foreign.so").expect(0, expect![[r#"
        foreign.so
          not built by graddiff, so it does not tell its ABI level; read as 0.7 (if Arbor 0.9 or 0.10 built it, give --abi 0.6)

        shunt: density mechanism, scalar kernels
          parameters
            g  1e-5 S/cm2
        --- stderr
    "#]]);
    let asked = bench.run("inspect foreign.so --abi 0.7");
    assert!(asked.stdout.contains("read as 0.7 (as asked)"), "{}", asked.stdout);
    assert_eq!(bench.run("inspect foreign.so --json").json()["graddiff"], Value::Null);
}

// ---- doctor

#[test]
fn doctor_without_python_is_content() {
    let doctor = Bench::new().run_with(
        "doctor --json",
        &[("GRADDIFF_PYTHON", Path::new("/nonexistent/python"))],
    );
    assert_eq!(doctor.code, Some(0), "{}", doctor.stdout);
    let json = doctor.json();
    assert_eq!(json["ready"], true);
    assert_eq!(json["c_compiler"]["found"], true);
    for optional in ["python", "arbor", "neuron"] {
        assert_eq!(json[optional]["found"], false, "{optional}");
        assert!(json[optional]["help"].is_string(), "{optional}");
    }
}

#[test]
fn doctor_finds_the_reference_simulators() {
    let doctor = Bench::new().run_with("doctor --json", &[("GRADDIFF_PYTHON", &reference_python())]);
    let json = doctor.json();
    assert_eq!(json["arbor"]["detail"], "0.12.2", "{}", doctor.stdout);
    assert_eq!(json["neuron"]["detail"], "9.0.2", "{}", doctor.stdout);
}
