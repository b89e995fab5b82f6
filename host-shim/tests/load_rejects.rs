//! Every way in which a file is no catalogue gives its own [`LoadError`], and none brings the process down.
//!
//! Fixtures are C files (`fixtures/bad/*.c`) that differ from a valid catalogue in one thing, compiled here with `cc`.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests only in #[test] functions, not in their helpers"
)]
#![expect(unsafe_code, reason = "loads fixtures that this test has just compiled")]

use host_shim::load::NameProblem;
use host_shim::{
    AbiChoice, AbiLevel, Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, LoadError, Location, Morphology,
    Point, Probe, ProbeKind, Schedule, SegmentTree, SimError, Simulation,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Compiles a fixture (path below `fixtures/`, without extension) and returns the shared object.
fn compile(fixture: &str, flags: &[&str]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    std::fs::create_dir_all(&dir).unwrap();
    // One file per fixture and flags; written under a name of its own first, because tests run side by side.
    let stem: String = [&[fixture], flags]
        .concat()
        .join("")
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let (so, fresh) = (
        dir.join(format!("{stem}.so")),
        dir.join(format!("{stem}.{:?}", std::thread::current().id())),
    );
    let status = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-fPIC",
            "-shared",
            "-fvisibility=hidden",
        ])
        .args(flags)
        .arg("-I")
        .arg(fixtures().join("../../../mechanisms/abi/include"))
        .arg(fixtures().join(format!("{fixture}.c")))
        .arg("-o")
        .arg(&fresh)
        .status()
        .expect("a C compiler `cc` is needed for this test");
    assert!(status.success(), "cc rejects {fixture}");
    std::fs::rename(&fresh, &so).unwrap();
    so
}

fn load(path: &Path, abi: AbiChoice) -> Result<Arc<Catalogue>, LoadError> {
    // SAFETY: our own fixtures; the defective ones are refused before any defective part is used.
    unsafe { Catalogue::load(path, abi) }
}

fn rejected(fixture: &str) -> LoadError {
    let result = load(&compile(&format!("bad/{fixture}"), &[]), AbiChoice::Auto);
    result.expect_err(fixture)
}

macro_rules! rows {
    ($($fixture:literal => $pattern:pat $(if $guard:expr)?,)*) => {
        const FIXTURES: &[&str] = &[$($fixture),*];

        #[test]
        fn each_defect_has_its_variant() {
            $({
                let error = rejected($fixture);
                assert!(matches!(&error, $pattern $(if $guard)?), "{}: {error:?}", $fixture);
                assert!(!error.to_string().is_empty());
            })*
        }
    };
}

rows! {
    "missing_get_catalogue" => LoadError::Symbol { symbol: "get_catalogue", .. },
    "zero_mechanisms" => LoadError::MechanismCount { found: 0, .. },
    "absurd_mechanism_count" => LoadError::MechanismCount { found: 2_000_000_000, .. },
    "null_table_of_mechanisms" => LoadError::NullCatalogue { .. },
    "null_type" => LoadError::NullEntry { entry: 0, function: "type", .. },
    "null_interface" => LoadError::NullEntry { entry: 0, function: "i_cpu", .. },
    "null_hook" => LoadError::NullHook { hook: "compute_currents", .. },
    "null_unused_hook" => LoadError::NullHook { hook: "post_event", .. },
    "wrong_magic" => LoadError::InfoMagic { found, .. } if found == b"gradient",
    "wrong_info_version" => LoadError::InfoVersion { found: 2, expected: 1, .. },
    "wrong_info_size" => LoadError::StructSize { structure: "graddiff_catalogue_info", found: 64, .. },
    "unknown_abi_level" => LoadError::UnknownAbiLevel { found: 5, .. },
    "wrong_struct_size" => LoadError::StructSize { structure: "arb_mechanism_ppack", found: 216, expected: 224, .. },
    "mechanism_count_mismatch" => LoadError::CountMismatch { found: 1, expected: 2, .. },
    "null_slots" => LoadError::InfoField { field: "slots", .. },
    "seed_of_unknown_slot" => LoadError::InfoSeed { seed: 0, what: "slot", .. },
    "seed_of_unknown_mechanism" => LoadError::InfoSeed { what: "mechanism", .. },
    "seed_of_unknown_parameter" => LoadError::InfoSeed { what: "seed parameter", .. },
    "nonzero_abi_version" => LoadError::AbiVersion { found: 700_000_000, expected: 0, .. },
    "empty_name" => LoadError::MechanismName { problem: NameProblem::Empty, .. },
    "null_name" => LoadError::MechanismName { problem: NameProblem::Null, .. },
    "name_no_identifier" => LoadError::MechanismName { problem: NameProblem::NotIdentifier(_), .. },
    "name_not_utf8" => LoadError::MechanismName { problem: NameProblem::NotUtf8, .. },
    "duplicate_mechanism" => LoadError::DuplicateMechanism { mechanism, .. } if mechanism == "leak",
    "unknown_kind" => LoadError::UnknownKind { found: 9, .. },
    "random_index" => LoadError::RandomIndex { index: 1, n: 1, .. },
    "flag_not_boolean" => LoadError::Flag { field: "is_linear", found: 2, .. },
    "ion_flag_not_boolean" => LoadError::Flag { field: "write_int_concentration", found: 255, .. },
    "absurd_table_length" => LoadError::TableLength { table: "parameters", found: u32::MAX, .. },
    "null_table" => LoadError::NullTable { table: "parameters", rows: 1, .. },
    "null_parameter_name" => LoadError::FieldName { table: "parameters", row: 0, problem: NameProblem::Null, .. },
    "duplicate_state" => LoadError::DuplicateField { table: "state_vars", field, .. } if field == "s",
    "nan_in_range" => LoadError::Range { field, .. } if field == "g",
    "range_upside_down" => LoadError::Range { field, .. } if field == "g",
    "infinite_default" => LoadError::Default { field, .. } if field == "g",
    "infinite_global" => LoadError::Default { field, .. } if field == "e",
    "wrong_backend" => LoadError::Backend { found: 2, .. },
    "width_no_power_of_two" => LoadError::Layout { field: "partition_width", found: 3, .. },
    "absurd_alignment" => LoadError::Layout { field: "alignment", found: 1_048_576, .. },
}

#[test]
fn every_fixture_has_its_row() {
    let mut found: Vec<String> = std::fs::read_dir(fixtures().join("bad"))
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut listed = FIXTURES.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn files_that_are_no_shared_objects_are_refused_before_they_are_mapped() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files");
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        load(&path, AbiChoice::Auto).unwrap_err()
    };
    let missing = load(&dir.join("missing.so"), AbiChoice::Auto).unwrap_err();
    assert!(matches!(missing, LoadError::Read { .. }), "{missing:?}");
    let folder = load(&dir, AbiChoice::Auto).unwrap_err();
    assert!(matches!(folder, LoadError::Read { .. }), "{folder:?}");
    for (name, bytes) in [("text.so", &b"NEURON { SUFFIX hh }"[..]), ("empty.so", b"")] {
        let error = file(name, bytes);
        assert!(matches!(error, LoadError::NotElf { .. }), "{error:?}");
    }
    let whole = std::fs::read(compile("good", &[])).unwrap();
    // From the bare magic to one byte short: never a crash, always refused. The end holds section headers.
    for kept in (4..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let error = file("truncated.so", &whole[..kept]);
        assert!(matches!(error, LoadError::Truncated { .. }), "{kept} bytes: {error:?}");
    }
    let mut other = whole.clone();
    other[18] = 0x28;
    let error = file("arm.so", &other);
    assert!(
        matches!(error, LoadError::ForeignMachine { machine: 0x28, .. }),
        "{error:?}"
    );
    // Whole, but not for the dynamic linker: an executable is no shared object, nor is an object file.
    let mut object = whole;
    object[16] = 1;
    let error = file("object.so", &object);
    assert!(matches!(error, LoadError::Open { .. }), "{error:?}");
}

fn cell(mechanism: &str) -> CellDescription {
    let mut tree = SegmentTree::default();
    tree.append(None, Point::new(0.0, 0.0, 0.0, 5.0), Point::new(0.0, 0.0, 50.0, 5.0), 1)
        .unwrap();
    let policy = CvPolicy::FixedPerBranch {
        n: 5,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(Morphology::new(tree).unwrap(), policy);
    cell.properties.v_init_mv.set_default(-50.0).unwrap();
    cell.densities = vec![DensityPaint::new(mechanism, vec![Cable::new(0, 0.0, 1.0)])];
    cell
}

/// The same source at both levels: ion views differ in layout, results must not.
#[test]
fn both_abi_levels_run() {
    for (level, flag) in [
        (AbiLevel::V0_6, "-DMECH_ABI_LEVEL=6"),
        (AbiLevel::V0_7, "-DMECH_ABI_LEVEL=7"),
    ] {
        let so = compile("good", &[flag]);
        let catalogue = load(&so, AbiChoice::Auto).unwrap();
        assert_eq!(catalogue.abi(), level);
        let info = catalogue.info().unwrap();
        assert_eq!((info.abi, info.slots.as_slice()), (level, &["g".to_owned()][..]));
        assert_eq!((info.seeds[0].slot, info.seeds[0].mechanism.as_str()), (0, "leak"));
        assert_eq!((info.integrator.as_str(), info.carrier.as_str()), ("arbor", "none"));

        let mut sim = Simulation::new(vec![vec![cell("leak")]], &[catalogue]).unwrap();
        let at = Location::new(0, 0.5);
        let ion = || "na".to_owned();
        let probes = [
            ProbeKind::Voltage { at },
            ProbeKind::IonCurrent { ion: ion(), at },
            ProbeKind::IonReversal { ion: ion(), at },
            ProbeKind::State {
                mechanism: "leak".into(),
                state: "i".into(),
                at,
            },
            ProbeKind::State {
                mechanism: "leak".into(),
                state: "s".into(),
                at,
            },
            ProbeKind::MembraneCurrent { at },
            ProbeKind::Parameter {
                mechanism: "leak".into(),
                parameter: "g".into(),
                at,
            },
            ProbeKind::IonInternalInterpolated {
                ion: ion(),
                weights: vec![(0, 0.25), (4, 0.5)],
            },
        ]
        .map(|kind| Probe { cell: 0, kind });
        let samples = sim.record(1.0, 0.025, &Schedule::EveryStep, &probes).unwrap();
        let near = |probe: usize, expected: f64| {
            let first = samples.probe(probe).next().unwrap();
            assert!(
                (first - expected).abs() <= 1e-12 * expected.abs(),
                "{level}, probe {probe}: {first} {expected}"
            );
        };
        // g = 1e-3 S/cm² is 0.01 kS/m²; i = g (v − e).
        for (probe, expected) in [-50.0, 0.01, 50.0, 10.0, 50.0, 0.15, 1e-3, 7.5].into_iter().enumerate() {
            near(probe, expected);
        }
        // An isopotential RC cell under backward Euler: V → e + (V − e)/(1 + dt/τ), τ = cm/g = 1 ms.
        for (step, v) in samples.probe(0).enumerate() {
            let expected = -65.0 + 15.0 * 1.025f64.powi(-i32::try_from(step).unwrap());
            assert!((v - expected).abs() < 1e-10, "{level}, step {step}: {v} {expected}");
        }
    }
}

#[test]
fn the_level_asked_for_must_be_the_catalogues() {
    let so = compile("good", &["-DMECH_ABI_LEVEL=6"]);
    let error = load(&so, AbiChoice::Level(AbiLevel::V0_7)).unwrap_err();
    let (found, expected) = (AbiLevel::V0_6, AbiLevel::V0_7);
    assert!(matches!(error, LoadError::AbiLevelMismatch { found: f, expected: e, .. } if (f, e) == (found, expected)));
    assert!(load(&so, AbiChoice::Level(AbiLevel::V0_6)).is_ok());
    // Without a self-description the caller decides, and 0.7 is the default.
    let foreign = compile("good", &["-DNO_INFO"]);
    assert_eq!(load(&foreign, AbiChoice::Auto).unwrap().abi(), AbiLevel::V0_7);
    assert_eq!(
        load(&foreign, AbiChoice::Level(AbiLevel::V0_6)).unwrap().abi(),
        AbiLevel::V0_6
    );
}

/// Loadable, but not for what it is used as, or not without more.
#[test]
fn mechanisms_are_refused_where_they_do_not_belong() {
    for (flag, kind) in [
        ("-DKIND=1", host_shim::MechanismKind::Point),
        ("-DKIND=3", host_shim::MechanismKind::ReversalPotential),
        ("-DKIND=4", host_shim::MechanismKind::GapJunction),
        ("-DKIND=5", host_shim::MechanismKind::Voltage),
    ] {
        let catalogue = load(&compile("good", &[flag]), AbiChoice::Auto).unwrap();
        let error = Simulation::new(vec![vec![cell("leak")]], &[catalogue]).unwrap_err();
        assert!(
            matches!(&error, SimError::Kind { found, .. } if *found == kind),
            "{error:?}"
        );
    }
    // A global without default is how Arbor's catalogues list what their kernels do not use; used, it spoils V.
    let nan = load(&compile("good", &["-DGLOBAL={\"e\",\"\",NAN,0,1}"]), AbiChoice::Auto).unwrap();
    assert_eq!(nan.mechanism("leak").unwrap().globals[0].default, None);
    let mut sim = Simulation::new(vec![vec![cell("leak")]], &[nan]).unwrap();
    let error = sim.record(1.0, 0.1, &Schedule::EveryStep, &[]).unwrap_err();
    assert!(matches!(error, SimError::NonFinite { .. }), "{error:?}");
    // A parameter without default must be set.
    let unset = load(&compile("good", &["-DPARAMETER={\"g\",\"\",NAN,0,1}"]), AbiChoice::Auto).unwrap();
    let error = Simulation::new(vec![vec![cell("leak")]], &[Arc::clone(&unset)]).unwrap_err();
    assert!(matches!(error, SimError::UnsetParameter { .. }), "{error:?}");
    let mut set = cell("leak");
    set.densities[0].parameters.insert("g".into(), 0.5);
    assert!(Simulation::new(vec![vec![set]], &[Arc::clone(&unset)]).is_ok());
    let error = Simulation::new(vec![vec![cell("leak")]], &[Arc::clone(&unset), unset]).unwrap_err();
    assert!(matches!(error, SimError::AmbiguousMechanism { .. }), "{error:?}");
}

/// A simulation keeps the code mapped that it runs.
#[test]
fn a_simulation_outlives_its_catalogue_handle() {
    let catalogue = load(&compile("good", &["-DNAME=\"kept\"", "-DNO_INFO"]), AbiChoice::Auto).unwrap();
    let mut sim = Simulation::new(vec![vec![cell("kept")]], std::slice::from_ref(&catalogue)).unwrap();
    drop(catalogue);
    assert!(sim.record(1.0, 0.1, &Schedule::EveryStep, &[]).is_ok());
}
