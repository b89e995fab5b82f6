//! `graddiff reproduce tuning --quick`, as a process: what it leaves, and that threads and interruptions change nothing.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use graddiff::report::read_npz;
use serde_json::Value;
use tempfile::TempDir;

fn reproduce(out: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graddiff"));
    command
        .args(["reproduce", "tuning", "--quick", "--json", "-o"])
        .arg(out)
        .args(arguments);
    let output = command.output().expect("graddiff starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(0), "{}\n{}", said[0], said[1]);
    serde_json::from_str(&said[0]).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_quick_run_tunes_both_readings_and_an_interrupted_one_ends_with_the_same_bits() {
    let folder = TempDir::new().unwrap();
    let (whole, torn) = (folder.path().join("whole"), folder.path().join("torn"));
    let result = reproduce(&whole, &["--threads", "2"]);
    assert_eq!(result["passed"], true);
    for reading in ["W", "P"] {
        let found = &result[reading];
        assert!(found["max_rel_error"].as_f64().unwrap() <= 1e-6, "{found}");
        // the search by the Jacobian descends far in six iterations, and further than six steps of Adam
        let searches = &found["searches"];
        let loss = |name: &str| searches[name]["loss"].as_f64().unwrap();
        let constant = found["best_constant_loss"].as_f64().unwrap();
        assert!(loss("lm") < 0.5 * constant && loss("lm") < loss("adam-1e-2"), "{found}");
    }

    let arrays = read_npz(&whole.join("tuning.npz")).unwrap();
    for name in [
        "W_target_v",
        "P_lm_loss",
        "W_cma_20_seed_1_found",
        "P_lm_start_1_noise_loss",
        "W_adam_forgetting_loss",
    ] {
        assert!(arrays.contains_key(name), "no {name}");
    }
    for stem in [
        "loss-iterations",
        "loss-cell-seconds",
        "loss-cost",
        "traces-W",
        "parameters-P",
        "spectrum",
        "cuts",
        "starts",
    ] {
        for extension in ["svg", "png"] {
            assert!(
                whole.join(format!("{stem}.{extension}")).is_file(),
                "{stem}.{extension}"
            );
        }
    }

    // as a run that was killed leaves it: some searches ended, one half-way, the others not begun
    fs::create_dir_all(torn.join("searches")).unwrap();
    for name in ["W-adam-1e-2", "W-lm", "P-cma-20-seed-1"] {
        let file = format!("{name}.json");
        fs::copy(whole.join("searches").join(&file), torn.join("searches").join(&file)).unwrap();
    }
    let first = torn.join("searches/W-adam-3e-2.json");
    fs::write(&first, b"{\"version\":").unwrap();
    reproduce(&torn, &["--threads", "1", "--resume"]);
    assert!(
        read(&whole.join("tuning.npz")) == read(&torn.join("tuning.npz")),
        "tuning.npz differs"
    );
}
