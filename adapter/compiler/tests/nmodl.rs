//! Mechanisms as NMODL: what is written for the library, and what a simulator has no words for. That the simulators'
//! own compilers take the text, and that its voltages are the original's, is tested in tests/emit.rs of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use compiler::emit::nmodl::{NmodlFile, Simulator};
use compiler::{Code, CompileError, Compiled, Integrator, Options, SlotSpec, Source, compile};
use expect_test::expect_file;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn compiled(text: String, to: Simulator) -> Compiled {
    with_slot(text, to, None)
}

/// With a slot on (mechanism, parameter).
fn with_slot(text: String, to: Simulator, target: Option<(&str, &str)>) -> Compiled {
    let integrator = match to {
        Simulator::Arbor => Integrator::Arbor,
        Simulator::Neuron => Integrator::Neuron,
    };
    let source = Source {
        name: "test.mod".into(),
        text,
    };
    let slots = target.into_iter().map(|(mechanism, parameter)| SlotSpec {
        name: parameter.into(),
        targets: vec![(mechanism.into(), parameter.into())],
    });
    let options = Options {
        integrator,
        slots: slots.collect(),
        ..Options::default()
    };
    compile(&[source], &options).expect("the library compiles")
}

fn emitted(file: &str, to: Simulator) -> Result<String, CompileError> {
    let text = fs::read_to_string(root().join(file)).expect("a mechanism of the repository");
    let name = file.rsplit('/').next().expect("a file").to_owned();
    let mut files = compiled(text, to).nmodl(to, &[name])?;
    assert_eq!(files.len(), 1);
    Ok(files.remove(0).text)
}

fn library() -> Vec<String> {
    let mut out = Vec::new();
    for folder in fs::read_dir(root().join("mechanisms")).expect("the library") {
        let folder = folder.expect("an entry").path();
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "mod") {
                let inside = path.strip_prefix(root()).expect("below the root");
                out.push(inside.to_str().expect("UTF-8").to_owned());
            }
        }
    }
    out.sort();
    out
}

/// Written for people to read: a channel, a synapse, and a mechanism with noise.
#[test]
fn the_text() {
    for (name, file, to) in [
        ("hh.arbor", "mechanisms/hh/hh.mod", Simulator::Arbor),
        ("hh.neuron", "mechanisms/hh/hh.mod", Simulator::Neuron),
        (
            "ampa_nmda.neuron",
            "mechanisms/synapses/ampa_nmda.mod",
            Simulator::Neuron,
        ),
        ("ou_noise.arbor", "mechanisms/noise/ou_noise.mod", Simulator::Arbor),
    ] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/nmodl/{name}.mod"));
        let text = emitted(file, to).expect("it can be written");
        expect_file![golden].assert_eq(&text);
        assert_eq!(
            text,
            emitted(file, to).expect("again"),
            "the same input gives the same bytes"
        );
        assert!(text.lines().all(|l| l.len() <= 120 && l.trim_end() == l), "{name}");
    }
}

/// All of the library goes to Arbor; to NEURON what it has words for. What does not is named here.
#[test]
fn what_neuron_cannot_express() {
    let mut refused = Vec::new();
    for file in library() {
        emitted(&file, Simulator::Arbor).expect("Arbor takes all of it");
        let Err(error) = emitted(&file, Simulator::Neuron) else {
            continue;
        };
        let CompileError::Rejected(found) = error else {
            unreachable!("the sources are sound")
        };
        assert!(
            found
                .iter()
                .all(|(_, d)| d.code == Code::Unsupported && !d.span.is_empty() && d.help.is_some())
        );
        refused.push(file);
    }
    let expected = [
        "mechanisms/clamp/v_clamp.mod",
        "mechanisms/homeostasis/hh_homeo.mod",
        "mechanisms/ions/nernst.mod",
        "mechanisms/noise/ou_noise.mod",
    ];
    assert_eq!(refused, expected);
}

fn clone_of(file: &str, to: Simulator, target: (&str, &str)) -> Result<String, CompileError> {
    let text = fs::read_to_string(root().join(file)).expect("a mechanism of the repository");
    let name = file.rsplit('/').next().expect("a file").to_owned();
    let files = with_slot(text, to, Some(target)).nmodl(to, &[name])?;
    assert_eq!(files.len(), 2, "the mechanism and its clone");
    assert_eq!(files[1].name, format!("gd_{}", target.0));
    Ok(files[1].text.clone())
}

#[test]
fn the_clones_text() {
    for (name, file, to, target) in [
        ("gd_ih.arbor", "mechanisms/ih/ih.mod", Simulator::Arbor, ("ih", "gbar")),
        (
            "gd_expsyn.neuron",
            "mechanisms/synapses/expsyn.mod",
            Simulator::Neuron,
            ("expsyn", "tau"),
        ),
    ] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/nmodl/{name}.mod"));
        let text = clone_of(file, to, target).expect("it has a clone");
        expect_file![golden].assert_eq(&text);
        assert!(text.lines().all(|l| l.len() <= 120 && l.trim_end() == l), "{name}");
    }
}

/// What would need more than the peer's voltage is refused at its place.
#[test]
fn what_has_no_clone() {
    for (file, to, target, what) in [
        (
            "mechanisms/synapses/expsyn.mod",
            Simulator::Arbor,
            ("expsyn", "tau"),
            "point process",
        ),
        (
            "mechanisms/k/sk.mod",
            Simulator::Neuron,
            ("sk", "gbar"),
            "`cai` may move",
        ),
        (
            "mechanisms/calcium/ca_pool.mod",
            Simulator::Arbor,
            ("ca_pool", "tau"),
            "`ica` may move",
        ),
        (
            "mechanisms/calcium/ca_pool.mod",
            Simulator::Arbor,
            ("ca_pool", "tau"),
            "`cai` is written",
        ),
        (
            "mechanisms/junction/gap.mod",
            Simulator::Neuron,
            ("gap", "g"),
            "junction",
        ),
        (
            "mechanisms/noise/ou_noise.mod",
            Simulator::Arbor,
            ("ou_noise", "tau"),
            "WHITE_NOISE",
        ),
        (
            "mechanisms/clamp/v_clamp.mod",
            Simulator::Arbor,
            ("v_clamp", "hold"),
            "voltage process",
        ),
    ] {
        let Err(CompileError::Rejected(found)) = clone_of(file, to, target) else {
            unreachable!("{file} has no clone")
        };
        let said = found
            .iter()
            .any(|(_, d)| d.message.contains(what) && !d.span.is_empty() && d.help.is_some());
        assert!(said, "{file}: {found:?}");
    }
}

/// The files that the carrier `diffusion` takes.
fn diffusing(file: &str, to: Simulator, target: (&str, &str)) -> Result<Vec<NmodlFile>, CompileError> {
    let text = fs::read_to_string(root().join(file)).expect("a mechanism of the repository");
    let name = file.rsplit('/').next().expect("a file").to_owned();
    with_slot(text, to, Some(target)).nmodl_diffusing(to, &[name])
}

#[test]
fn what_diffuses() {
    for (to, names) in [
        (Simulator::Arbor, vec!["ih", "gd_ih"]),
        (Simulator::Neuron, vec!["ih", "gd_ih", "gd_diffusion"]),
    ] {
        let files = diffusing("mechanisms/ih/ih.mod", to, ("ih", "gbar")).expect("it has a companion");
        let written: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(written, names);
        for NmodlFile { name, text } in &files[1..] {
            let golden = format!("tests/golden/nmodl/diffusion/{name}.{}.mod", to.as_str());
            expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join(golden)].assert_eq(text);
            assert!(text.contains("WARNING: APPROXIMATE"), "{name}");
            assert!(text.lines().all(|l| l.len() <= 120 && l.trim_end() == l), "{name}");
        }
    }
}

/// What would need more than V and u is refused at its place.
#[test]
fn what_does_not_diffuse() {
    for (file, target, what) in [
        ("mechanisms/synapses/expsyn.mod", ("expsyn", "tau"), "a point process"),
        ("mechanisms/k/sk.mod", ("sk", "gbar"), "`cai` may move"),
        ("mechanisms/calcium/ca_pool.mod", ("ca_pool", "tau"), "`cai` is written"),
        ("mechanisms/junction/gap.mod", ("gap", "g"), "a junction"),
        ("mechanisms/noise/ou_noise.mod", ("ou_noise", "tau"), "WHITE_NOISE"),
        ("mechanisms/clamp/v_clamp.mod", ("v_clamp", "hold"), "a voltage process"),
    ] {
        let Err(CompileError::Rejected(found)) = diffusing(file, Simulator::Arbor, target) else {
            unreachable!("{file} has no companion")
        };
        let said = found
            .iter()
            .any(|(_, d)| d.message.contains(what) && !d.span.is_empty() && d.help.is_some());
        assert!(said, "{file}: {found:?}");
    }
}

/// Slots `x` and `xd`: the concentration of the first one's ion has the name of the second one's ion. And a name that
/// the companion needs.
#[test]
fn names_that_diffusion_needs_are_refused() {
    let text = |capacitance: &str| {
        format!(
            "NEURON {{\n    SUFFIX leak\n    NONSPECIFIC_CURRENT i\n    RANGE x, xd, {capacitance}\n}}\nPARAMETER {{\n    \
             x = 1\n    xd = 1\n    {capacitance} = 1\n    v (mV)\n}}\nBREAKPOINT {{\n    i = x*xd*{capacitance}*v\n}}\n"
        )
    };
    for (capacitance, slots, what) in [
        ("free", ["x", "xd"], Some("the slot `x`")),
        ("c_m", ["x", "free"], Some("`c_m`")),
        ("free", ["x", "free"], None),
    ] {
        let slots = slots.iter().filter(|s| **s != "free").map(|s| SlotSpec {
            name: (*s).into(),
            targets: vec![("leak".into(), (*s).into())],
        });
        let options = Options {
            slots: slots.collect(),
            ..Options::default()
        };
        let source = Source {
            name: "leak.mod".into(),
            text: text(capacitance),
        };
        let done = compile(&[source], &options).expect("it compiles");
        match (done.nmodl_diffusing(Simulator::Arbor, &["leak.mod".into()]), what) {
            (Ok(files), None) => assert_eq!(files.len(), 2),
            (Err(CompileError::Rejected(found)), Some(what)) => {
                assert!(found.iter().any(|(_, d)| d.message.contains(what)), "{found:?}");
            }
            (other, _) => unreachable!("{what:?}: {other:?}"),
        }
    }
}

/// Arbor's compiler takes each statement for itself: `x = k*g; i = x*g*(v - e)` looks linear to it, and instances would
/// be merged. A product of a state with itself keeps them apart, where they have to be.
#[test]
fn states_that_do_not_superpose_are_kept_apart() {
    let synapse = |current: &str| {
        format!(
            "NEURON {{\n    POINT_PROCESS s\n    NONSPECIFIC_CURRENT i\n    RANGE k\n}}\nPARAMETER {{ k = 1 }}\nSTATE {{ g }}\n\
             INITIAL {{ g = 0 }}\nBREAKPOINT {{\n    SOLVE d METHOD cnexp\n    i = {current}\n}}\n\
             DERIVATIVE d {{ g' = -g/2 }}\nNET_RECEIVE(w) {{ g = g + w }}\n"
        )
    };
    let text = |current: &str, to| {
        let files = compiled(synapse(current), to).nmodl(to, &["s.mod".into()]);
        files.expect("it can be written").remove(0).text
    };
    let product = "apart_now = g*g";
    assert!(text("k*g*g*v + exp(k*g)", Simulator::Arbor).contains(product));
    assert!(!text("k*g*v", Simulator::Arbor).contains(product));
    assert!(!text("k*g*g*v", Simulator::Neuron).contains(product));
}
