//! Control by the mechanism: what it adds to a catalogue, what it is in NMODL, and who cannot have it.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::emit::nmodl::Simulator;
use compiler::{Code, CompileError, Compiled, Integrator, Law, Options, SlotSpec, Source, compile};
use expect_test::expect_file;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn law(mechanism: &str, objective: &str, slots: &[&str]) -> Law {
    Law {
        mechanism: mechanism.into(),
        objective: objective.into(),
        slots: slots.iter().map(|s| (*s).into()).collect(),
        increment: false,
        clips: true,
    }
}

/// With slots that are parameters of the law's mechanism.
fn compiled(text: &str, integrator: Integrator, law: &Law) -> Compiled {
    let source = Source {
        name: "test.mod".into(),
        text: text.into(),
    };
    let slot = |name: &String| SlotSpec {
        name: name.clone(),
        targets: vec![(law.mechanism.clone(), name.clone())],
    };
    let options = Options {
        slots: law.slots.iter().map(slot).collect(),
        integrator,
        law: Some(law.clone()),
        ..Options::default()
    };
    compile(&[source], &options).expect("the mechanism compiles")
}

const SETPOINT: &str = include_str!("../../../examples/homeostasis/setpoint.mod");

#[test]
fn the_text_in_c() {
    let text = compiled(SETPOINT, Integrator::Arbor, &law("setpoint", "e", &["el", "g"])).c_source;
    let from = text.find("/* norms over").expect("clipping");
    let of_setpoint = &text[text.find("---- gd_setpoint ----").expect("the mechanism")..];
    let to = of_setpoint
        .find("GD_LOCAL void mech_gd_setpoint_weigh(arb_mechanism_ppack* pp")
        .expect("its end");
    assert!(from > 0);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/law/setpoint.c");
    expect_file![golden].assert_eq(&of_setpoint[..to]);
}

#[test]
fn the_text_in_nmodl() {
    for (to, integrator) in [
        (Simulator::Arbor, Integrator::Arbor),
        (Simulator::Neuron, Integrator::Neuron),
    ] {
        let mut law = law("setpoint", "e", &["el", "g"]);
        law.increment = to == Simulator::Neuron;
        let written = compiled(SETPOINT, integrator, &law).nmodl(to, &["setpoint.mod".into()]);
        let written = written.expect("it can be written");
        let names: Vec<&str> = written.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["setpoint", "gd_setpoint"]);
        let golden = format!("tests/golden/law/gd_setpoint.{}.mod", to.as_str());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
        expect_file![golden].assert_eq(&written[1].text);
        assert!(written[1].text.lines().all(|l| l.len() <= 120 && l.trim_end() == l));
    }
}

/// What the law cannot stand in has none; the catalogue says so by its slots.
#[test]
fn who_can_have_a_law() {
    let has = |text: &str, law: &Law| compiled(text, Integrator::Arbor, law).slots.law.is_some();
    assert!(has(SETPOINT, &law("setpoint", "e", &["el"])));
    let unmoved = SETPOINT.replace("e' = ", "e' = 0*");
    assert!(!has(&unmoved, &law("setpoint", "e", &["el"])), "no slot reaches it");
    assert!(!has(SETPOINT, &law("setpoint", "el", &["el"])), "a parameter");
    let synapse = fs::read_to_string(root().join("mechanisms/synapses/expsyn.mod")).expect("a mechanism");
    assert!(!has(&synapse, &law("expsyn", "g", &["tau"])), "a point process");
}

#[test]
fn who_has_none_in_nmodl() {
    let noisy = fs::read_to_string(root().join("mechanisms/homeostasis/hh_homeo.mod")).expect("a mechanism");
    let taken = SETPOINT
        .replace("RANGE g,", "RANGE c_m, g,")
        .replace("PARAMETER {", "PARAMETER {\n    c_m = 1\n");
    assert!(taken.contains("RANGE c_m"), "{taken}");
    for (text, law) in [
        (noisy.as_str(), law("hh_homeo", "e", &["gna"])),
        (taken.as_str(), law("setpoint", "e", &["el"])),
    ] {
        let refused = compiled(text, Integrator::Arbor, &law).nmodl(Simulator::Arbor, &["test.mod".into()]);
        let Err(CompileError::Rejected(found)) = refused else {
            unreachable!("it is refused: {refused:?}")
        };
        assert!(
            found
                .iter()
                .all(|(_, d)| d.code == Code::Unsupported && !d.span.is_empty() && d.help.is_some()),
            "{found:?}"
        );
    }
}
