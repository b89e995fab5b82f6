//! The low-level road, without an experiment file: compile hh.mod, build and load the catalogue, paint a cable, and read
//! u = ∂V/∂gnabar at two places. A central difference checks u at the end.
//!
//! `cargo run -p acceptance --example gradient`
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::sync::Arc;

use compiler::emit::{Names, carrier};
use compiler::{Options, SlotSpec, Source};
use host_shim::{
    AbiChoice, Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, IClamp, IonProperties, Location, Morphology,
    Point, Probe, ProbeKind, Schedule, SegmentTree, Simulation, TreeTable, discretise,
};

const T_END_MS: f64 = 20.0;
const DT_MS: f64 = 0.025;

fn main() -> Result<(), Box<dyn Error>> {
    // 1. Differentiate hh with respect to gnabar: the slot is called `gna` here. The result is C, and the catalogue a .so.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/mechanisms/hh/hh.mod");
    let source = Source {
        name: file.into(),
        text: std::fs::read_to_string(file)?,
    };
    let slots = vec![SlotSpec {
        name: "gna".into(),
        targets: vec![("hh".into(), "gnabar".into())],
    }];
    let compiled = compiler::compile(
        &[source],
        &Options {
            slots,
            ..Options::default()
        },
    )?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hh-catalogue.so");
    compiler::emit::build::build(&compiled.c_source, &path)?;
    let catalogue = graddiff::catalogue::load_catalogue(&path, AbiChoice::Auto)?;

    // 2. An axon of 500 µm in 20 CVs, painted with gd_hh, which computes what hh does and the derivatives besides. The seed
    // says how the slot moves the parameter on each CV: here everywhere one to one.
    let mut cell = axon()?;
    let everywhere = vec![Cable::new(0, 0.0, 1.0)];
    let channels = DensityPaint::new(Names::augmented("hh"), everywhere.clone());
    cell.densities.push(channels.with(Names::seed("gnabar", "gna"), 1.0));

    // 3. The carrier solves the cable equation of u; it must know the tree and has two made-up ions per slot.
    let cvs = discretise(&cell.morphology, &cell.policy, &cell.properties)?;
    let tree = TreeTable::new(&cvs)?;
    for (instance, &cv) in tree.cv.iter().enumerate() {
        let mut paint = DensityPaint::new(Names::CARRIER, cvs.cables[cv].clone());
        for ((name, _), value) in carrier::PARAMETERS.iter().zip(tree.row(instance)) {
            paint = paint.with(*name, value);
        }
        cell.densities.push(paint);
    }
    let nothing = IonProperties {
        valence: 1,
        int_mm: 0.0,
        ext_mm: 0.0,
        rev_mv: 0.0,
    };
    cell.ions.insert(Names::voltage_ion("gna"), nothing);
    cell.ions.insert(Names::conductance_ion("gna"), nothing);

    // 4. Run, and read u with the weights with which a voltage probe at the same place reads V.
    let places = [Location::new(0, 0.1), Location::new(0, 0.9)];
    let u = |at: &Location| ProbeKind::IonInternalInterpolated {
        ion: Names::voltage_ion("gna"),
        weights: cvs.voltage_weights(&cell.morphology, &cell.properties, at),
    };
    let u = record(cell.clone(), &catalogue, places.each_ref().map(u))?;

    // 5. The same from two plain runs with gnabar a little smaller and a little larger.
    let h = 1e-6;
    let shifted = |gnabar: f64| -> Result<Vec<f64>, Box<dyn Error>> {
        let mut cell = axon()?;
        cell.densities
            .push(DensityPaint::new("hh", everywhere.clone()).with("gnabar", gnabar));
        record(cell, &catalogue, places.map(|at| ProbeKind::Voltage { at }))
    };
    let (low, high) = (shifted(0.12 - h)?, shifted(0.12 + h)?);
    let difference: Vec<f64> = high.iter().zip(&low).map(|(b, a)| (b - a) / (2.0 * h)).collect();

    println!(
        "{:>6}  {:>16}  {:>16}   mV per S/cm2",
        "t (ms)", "dV/dgnabar at 0.1", "at 0.9"
    );
    for (i, at) in u.chunks_exact(2).enumerate().step_by(40) {
        println!("{:6.1}  {:17.6}  {:16.6}", i as f64 * DT_MS, at[0], at[1]);
    }
    let largest = difference.iter().fold(0.0, |m: f64, d| m.max(d.abs()));
    let error = u
        .iter()
        .zip(&difference)
        .fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()))
        / largest;
    println!("greatest difference from the central difference, relative to the greatest value: {error:.1e}");
    // the difference itself is off by its truncation, about h² times a third derivative
    if error < 1e-4 {
        Ok(())
    } else {
        Err("u is not the derivative".into())
    }
}

/// A cell without channels: shape, cut, and a stimulus at one end.
fn axon() -> Result<CellDescription, Box<dyn Error>> {
    let mut tree = SegmentTree::default();
    let end = |x_um| Point::new(x_um, 0.0, 0.0, 1.0);
    tree.append(None, end(0.0), end(500.0), 1)?;
    let policy = CvPolicy::FixedPerBranch {
        n: 20,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(Morphology::new(tree)?, policy);
    cell.clamps.push(IClamp::pulse(Location::new(0, 0.0), 1.0, 2.0, 0.3));
    Ok(cell)
}

/// Two probes at every step, from rest.
fn record(
    cell: CellDescription,
    catalogue: &Arc<Catalogue>,
    kinds: [ProbeKind; 2],
) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut simulation = Simulation::new(vec![vec![cell]], std::slice::from_ref(catalogue))?;
    let probes = kinds.map(|kind| Probe { cell: 0, kind });
    Ok(simulation
        .record(T_END_MS, DT_MS, &Schedule::EveryStep, &probes)?
        .values)
}
