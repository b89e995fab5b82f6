//! The low-level road, without an experiment file: differentiate hh.mod, build and load the catalogue, paint a cable, and
//! read u = ∂V/∂gnabar at two places. A central difference checks u. `cargo run -p acceptance --example gradient`
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use compiler::emit::{Names, build::build, carrier};
use compiler::{Options, SlotSpec, Source, compile};
use host_shim::{
    AbiChoice, Cable, CellDescription, CvPolicy, DensityPaint, IClamp, IonProperties, Location, Morphology, Point,
    Probe, ProbeKind, Schedule, SegmentTree, Simulation, TreeTable, discretise,
};
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    // 1. The slot `gna` moves hh's gnabar. The compiler makes C of it, and `build` a shared library.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/mechanisms/hh/hh.mod");
    let (name, text) = (path.to_owned(), std::fs::read_to_string(path)?);
    let sources = [Source { name, text }];
    let (name, targets) = ("gna".to_owned(), vec![("hh".into(), "gnabar".into())]);
    let mut options = Options::default();
    options.slots.push(SlotSpec { name, targets });
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hh-catalogue.so");
    build(&compile(&sources, &options)?.c_source, &path)?;
    let catalogues = [graddiff::catalogue::load_catalogue(&path, AbiChoice::Auto)?];

    // 2. An axon of 500 µm. gd_hh computes what hh does, and the derivatives besides; its seed says how much the slot moves
    // the parameter on each CV: here everywhere one to one.
    let whole = || vec![Cable::new(0, 0.0, 1.0)];
    let mut cell = axon()?;
    let channels = DensityPaint::new(Names::augmented("hh"), whole());
    cell.densities.push(channels.with(Names::seed("gnabar", "gna"), 1.0));

    // 3. The carrier solves the cable equation of u, so it must know the tree. It has two made-up ions per slot.
    let cvs = discretise(&cell.morphology, &cell.policy, &cell.properties)?;
    let tree = TreeTable::new(&cvs)?;
    for (instance, &cv) in tree.cv.iter().enumerate() {
        let mut paint = DensityPaint::new(Names::CARRIER, cvs.cables[cv].clone());
        let columns = carrier::PARAMETERS.iter().map(|(name, _)| name.to_string());
        paint.parameters.extend(columns.zip(tree.row(instance)));
        cell.densities.push(paint);
    }
    cell.ions
        .insert(Names::voltage_ion("gna"), IonProperties::new(1, 0.0, 0.0, 0.0));

    // 4. Run, and read u with the weights by which a voltage probe at the same place reads V.
    let run = |cell: CellDescription, kinds: [ProbeKind; 2]| -> Outcome<Vec<f64>> {
        let probes = kinds.map(|kind| Probe { cell: 0, kind });
        let mut simulation = Simulation::new(vec![vec![cell]], &catalogues)?;
        Ok(simulation.record(20.0, 0.025, &Schedule::EveryStep, &probes)?.values)
    };
    let places = [Location::new(0, 0.1), Location::new(0, 0.9)];
    let kinds = places.map(|at| {
        let weights = cvs.voltage_weights(&cell.morphology, &cell.properties, &at);
        let ion = Names::voltage_ion("gna");
        ProbeKind::IonInternalInterpolated { ion, weights }
    });
    let u = run(cell, kinds)?;
    for (i, u) in u.chunks_exact(2).enumerate().step_by(40) {
        println!(
            "{:4.1} ms: dV/dgnabar = {:9.3} and {:9.3} mV per S/cm2",
            0.025 * i as f64,
            u[0],
            u[1]
        );
    }

    // 5. The same from two runs of the plain hh, with gnabar a little larger and a little smaller.
    let shifted = |gnabar: f64| {
        let mut cell = axon()?;
        cell.densities
            .push(DensityPaint::new("hh", whole()).with("gnabar", gnabar));
        run(cell, places.map(|at| ProbeKind::Voltage { at }))
    };
    let (h, mut largest, mut error) = (1e-6, 0.0_f64, 0.0_f64);
    for ((u, plus), minus) in u.iter().zip(shifted(0.12 + h)?).zip(shifted(0.12 - h)?) {
        largest = largest.max(u.abs());
        error = error.max((u - (plus - minus) / (2.0 * h)).abs());
    }
    println!(
        "greatest deviation from the central difference: {:.1e} of the greatest value",
        error / largest
    );
    if error < 1e-7 * largest {
        Ok(())
    } else {
        Err("u is not the derivative of V".into())
    }
}

/// Shape, cut and stimulus.
fn axon() -> Outcome<CellDescription> {
    let mut tree = SegmentTree::default();
    let end = |x_um| Point::new(x_um, 0.0, 0.0, 1.0);
    tree.append(None, end(0.0), end(500.0), 1)?;
    let mut cell = CellDescription::new(
        Morphology::new(tree)?,
        CvPolicy::MaxExtent {
            um: 25.0,
            interior_forks: false,
        },
    );
    cell.clamps.push(IClamp::pulse(Location::new(0, 0.0), 1.0, 2.0, 0.3));
    Ok(cell)
}
