//! What nothing depends on is not computed, and what somebody reads is.

use compiler::{Compiled, Dropped, Keep, Options, SlotSpec, Source, compile};

/// `gate` makes the current. `echo` follows `gate`, `trace` follows `echo`, and neither comes back. `peak` is carried
/// from one kernel to the next and only shown in `shown`.
const SOURCE: &str = "
NEURON { SUFFIX x NONSPECIFIC_CURRENT i RANGE g, ginf, shown }
PARAMETER { g = 0.001 (S/cm2) v (mV) }
ASSIGNED { ginf shown peak }
STATE { gate echo trace }
INITIAL { ginf = 1/(1 + exp(-v/10)) gate = ginf echo = 0 trace = 0 peak = v shown = 0 }
BREAKPOINT { SOLVE states METHOD derivimplicit  shown = 2*peak  i = g*gate*(v + 70) }
DERIVATIVE states {
    ginf = 1/(1 + exp(-v/10))
    peak = v
    gate' = (ginf - gate)/5
    echo' = (gate - echo)/5
    trace' = (echo - trace)/5
}
";

fn compiled(keep: Keep) -> Compiled {
    let options = Options {
        slots: vec![SlotSpec {
            name: "g".into(),
            targets: vec![("x".into(), "g".into())],
        }],
        keep,
        ..Options::default()
    };
    let source = Source {
        name: "x.mod".into(),
        text: SOURCE.into(),
    };
    compile(&[source], &options).expect("a sound mechanism")
}

fn named(variables: &[&str]) -> Keep {
    Keep::Named(variables.iter().map(|v| ("x".to_string(), (*v).to_string())).collect())
}

fn stored(c: &Compiled) -> Vec<&str> {
    c.mechanisms[0].states.iter().map(|s| s.name.as_str()).collect()
}

fn carried(c: &Compiled) -> Vec<&str> {
    let t = &c.tangents[0];
    t.active.iter().map(|&s| t.mechanism.states[s].name.as_str()).collect()
}

fn pruned(c: &Compiled) -> Vec<(&str, Dropped)> {
    c.pruned.iter().map(|p| (p.variable.as_str(), p.dropped)).collect()
}

#[test]
fn a_catalogue_for_anybody_keeps_every_value_and_the_sensitivities_of_every_state() {
    let c = compiled(Keep::Readable);
    assert_eq!(stored(&c), ["gate", "echo", "trace", "peak", "ginf", "shown"]);
    assert_eq!(carried(&c), ["gate", "echo", "trace"]);
    let gone = |v| (v, Dropped::Sensitivities);
    assert_eq!(pruned(&c), [gone("peak"), gone("ginf"), gone("shown")]);
    assert!(c.c_source.contains("\"d_trace__g\"") && !c.c_source.contains("\"d_peak__g\""));
}

#[test]
fn a_catalogue_for_one_experiment_keeps_what_its_outputs_depend_on() {
    let c = compiled(named(&[]));
    assert_eq!(stored(&c), ["gate", "echo", "trace", "peak"]);
    assert_eq!(carried(&c), ["gate"]);
    let gone = |v| (v, Dropped::Sensitivities);
    let unread = |v| (v, Dropped::Value);
    assert_eq!(
        pruned(&c),
        [
            gone("echo"),
            gone("trace"),
            gone("peak"),
            unread("ginf"),
            unread("shown")
        ]
    );
    for text in ["s_ginf", "s_shown", "\"shown\"", "d_echo", "d_peak"] {
        assert!(!c.c_source.contains(text), "{text} is still there");
    }
}

#[test]
fn what_is_read_back_is_kept_with_all_it_depends_on() {
    let c = compiled(named(&["trace"]));
    assert_eq!(carried(&c), ["gate", "echo", "trace"]);
    // assigned variables too, with their sensitivities
    let c = compiled(named(&["shown"]));
    assert_eq!(stored(&c), ["gate", "echo", "trace", "peak", "shown"]);
    assert_eq!(carried(&c), ["gate", "peak", "shown"]);
    assert!(c.c_source.contains("\"d_shown__g\""));
    // of another mechanism the name means nothing
    let other = Keep::Named(vec![("y".into(), "shown".into())]);
    assert_eq!(stored(&compiled(other)), stored(&compiled(named(&[]))));
}

#[test]
fn what_comes_back_through_an_ion_is_no_dead_end() {
    let text = "
NEURON { SUFFIX pool USEION ca READ cai, ica WRITE cai RANGE tau }
PARAMETER { tau = 10 (ms) ica (mA/cm2) }
STATE { cai }
INITIAL { cai = 1e-4 }
BREAKPOINT { SOLVE s METHOD cnexp }
DERIVATIVE s { cai' = -0.1*ica - cai/tau }
";
    let reader = "
NEURON { SUFFIX sk USEION ca READ cai NONSPECIFIC_CURRENT i }
BREAKPOINT { i = cai*(v + 80) }
";
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    let slot = SlotSpec {
        name: "tau".into(),
        targets: vec![("pool".into(), "tau".into())],
    };
    let options = Options {
        slots: vec![slot],
        keep: Keep::Named(Vec::new()),
        ..Options::default()
    };
    let read = compile(&[source("pool", text), source("sk", reader)], &options).expect("sound");
    assert_eq!(carried(&read), ["cai"]);
    assert_eq!(read.tangent_ions, ["ca"]);
    // the total of what mechanisms contribute is read by none but the pool itself, which WRITEs
    let alone = "
NEURON { SUFFIX pool USEION ca READ ica WRITE cai RANGE tau }
PARAMETER { tau = 10 (ms) ica (mA/cm2) }
ASSIGNED { cai }
STATE { level }
INITIAL { level = 1e-4 cai = level }
BREAKPOINT { SOLVE s METHOD cnexp cai = 1e-4 }
DERIVATIVE s { level' = -0.1*ica - level/tau }
";
    let unread = compile(&[source("pool", alone)], &options).expect("sound");
    assert_eq!(carried(&unread), [""; 0]);
}

/// A mechanism that nothing moves keeps its place among the augmented ones, whose order counts, but costs no slot
/// anything: no states, no ions, no loops.
#[test]
fn what_no_slot_can_move_is_augmented_in_name_only() {
    let still = "
NEURON { SUFFIX still NONSPECIFIC_CURRENT i RANGE amplitude }
PARAMETER { amplitude = 0.001 (mA/cm2) }
STATE { s }
INITIAL { s = 1 }
BREAKPOINT { SOLVE d METHOD cnexp  i = amplitude*s }
DERIVATIVE d { s' = -s/10 }
";
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    let options = |slotted: &str, parameter: &str| Options {
        slots: vec![SlotSpec {
            name: "k".into(),
            targets: vec![(slotted.into(), parameter.into())],
        }],
        ..Options::default()
    };
    let sources = [source("x", SOURCE), source("still", still)];
    let of_slots = |c: &Compiled| {
        let parts = c.c_source.split("/* ---- gd_still ---- */").skip(1);
        let text: String = parts.filter_map(|part| part.split("/* ---- ").next()).collect();
        assert!(!text.is_empty(), "the last mechanism");
        ["gd_u__k", "_contribute(", "d_s__k", "seed_"].map(|sign| text.contains(sign))
    };
    let c = compile(&sources, &options("x", "g")).expect("sound");
    assert_eq!(c.tangents[1].active, []);
    assert_eq!(of_slots(&c), [false; 4]);
    // the signs are those of a mechanism that is moved
    let c = compile(&sources, &options("still", "amplitude")).expect("sound");
    assert_eq!(of_slots(&c), [true, true, false, true]);
}
