//! What the compiler makes of the mechanism library, as files to read in a diff: `UPDATE_EXPECT=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::{Compiled, Integrator, Options, SlotSpec, Source, compile};
use expect_test::expect_file;

/// Name, file relative to the repository, and the parameters that get a slot: a conductance and, where the kernels
/// depend on one nonlinearly, another.
const LIBRARY: [(&str, &str, &[&str]); 9] = [
    ("branchy", "tests/mod/branchy.mod", &["gbar", "shift"]),
    ("ca_hva", "mechanisms/ca_hva/ca_hva.mod", &["gbar"]),
    ("coupled", "tests/mod/coupled.mod", &["gbar", "vhalf"]),
    ("hh", "mechanisms/hh/hh.mod", &["gnabar", "gkbar"]),
    ("ih", "mechanisms/ih/ih.mod", &["gbar"]),
    ("kv", "mechanisms/kv/kv.mod", &["gbar"]),
    ("na", "mechanisms/na/na.mod", &["gbar"]),
    ("pas", "mechanisms/pas/pas.mod", &["g", "e"]),
    ("r1", "mechanisms/r1/r1.mod", &["w"]),
];

fn compiled(name: &str, file: &str, parameters: &[&str], integrator: Integrator) -> Compiled {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let source = Source {
        name: file.into(),
        text: fs::read_to_string(path).expect("a mechanism of the repository"),
    };
    let slot = |p: &&str| SlotSpec {
        name: (*p).into(),
        targets: vec![(name.into(), (*p).into())],
    };
    let slots = parameters.iter().map(slot).collect();
    let options = Options {
        slots,
        integrator,
        ..Options::default()
    };
    compile(&[source], &options).expect("the library compiles")
}

fn golden(path: impl Into<PathBuf>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(path.into())
}

#[test]
fn mechanisms_as_json() {
    for (name, file, parameters) in LIBRARY {
        let json = compiled(name, file, parameters, Integrator::Arbor).json();
        assert_eq!(json.len(), 1);
        assert_eq!(json[0].0, name);
        expect_file![golden(format!("json/{name}.json"))].assert_eq(&json[0].1);
    }
}

/// The smallest catalogue with a slot. Header and numerics are files of their own, so the golden begins after them.
#[test]
fn pas_with_one_slot_as_c() {
    let (name, file, _) = LIBRARY[7];
    let c = compiled(name, file, &["g"], Integrator::Arbor).c_source;
    let start = c.find("static void gd_nothing").expect("the end of the preamble");
    expect_file![golden("c/pas.c")].assert_eq(&c[start..]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for (name, file, parameters) in LIBRARY {
        for integrator in [Integrator::Arbor, Integrator::Neuron] {
            let once = compiled(name, file, parameters, integrator);
            let again = compiled(name, file, parameters, integrator);
            assert!(once.c_source == again.c_source, "{name}");
            assert_eq!(once.json(), again.json());
        }
    }
}
