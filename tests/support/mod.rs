//! What the acceptance tests share: the mechanism library, catalogues built from it, cylindrical cells.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compiler::{AbiLevel, Compiled, Integrator, Options, SlotSpec, Source, compile};
use host_shim::{AbiChoice, Cable, Catalogue, CellDescription, CvPolicy, DensityPaint, IonProperties};
use host_shim::{Morphology, Point, SegmentTree, TreeTable, discretise};

/// The library's and the tests' mechanisms, relative to the repository.
pub(crate) const MECHANISMS: [(&str, &str); 9] = [
    ("branchy", "tests/mod/branchy.mod"),
    ("ca_hva", "mechanisms/ca_hva/ca_hva.mod"),
    ("coupled", "tests/mod/coupled.mod"),
    ("hh", "mechanisms/hh/hh.mod"),
    ("ih", "mechanisms/ih/ih.mod"),
    ("kv", "mechanisms/kv/kv.mod"),
    ("na", "mechanisms/na/na.mod"),
    ("pas", "mechanisms/pas/pas.mod"),
    ("r1", "mechanisms/r1/r1.mod"),
];

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of some mechanisms.
pub(crate) fn sources(names: &[&str]) -> Vec<Source> {
    let of = |name: &&str| {
        let (_, file) = MECHANISMS
            .iter()
            .find(|(n, _)| n == name)
            .expect("a mechanism of the library");
        Source {
            name: (*file).into(),
            text: fs::read_to_string(repository().join(file)).expect("a mechanism is UTF-8"),
        }
    };
    names.iter().map(of).collect()
}

/// The slot that moves one parameter of one mechanism: `mechanism_parameter`.
pub(crate) fn slot(mechanism: &str, parameter: &str) -> SlotSpec {
    SlotSpec {
        name: format!("{mechanism}_{parameter}"),
        targets: vec![(mechanism.into(), parameter.into())],
    }
}

/// A catalogue, compiled and loaded.
pub(crate) struct Built {
    pub(crate) compiled: Compiled,
    pub(crate) catalogue: Arc<Catalogue>,
}

/// Tests of one process run side by side: each catalogue is a file of its own.
static BUILDS: AtomicUsize = AtomicUsize::new(0);

/// Compiles `names` with `slots`.
pub(crate) fn build(names: &[&str], slots: Vec<SlotSpec>, integrator: Integrator, abi: AbiLevel) -> Built {
    let options = Options {
        slots,
        integrator,
        abi,
        ..Options::default()
    };
    let compiled = compile(&sources(names), &options).expect("the library compiles");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!(
        "{}-{}-catalogue.so",
        std::process::id(),
        BUILDS.fetch_add(1, Ordering::Relaxed)
    ));
    compiler::emit::build::build(&compiled.c_source, &path).expect("a C compiler; set CC");
    #[expect(unsafe_code, reason = "loading runs the catalogue's code")]
    // SAFETY: built a moment ago by our own compiler, under a name of its own.
    let catalogue = unsafe { Catalogue::load(&path, AbiChoice::Auto) }.expect("our own catalogue loads");
    fs::remove_file(&path).expect("our own file; the mapping outlives its name");
    Built { compiled, catalogue }
}

/// A cylinder of one branch along x.
pub(crate) fn cylinder(length_um: f64, radius_um: f64) -> Morphology {
    let mut tree = SegmentTree::default();
    let end = |x| Point::new(x, 0.0, 0.0, radius_um);
    tree.append(None, end(0.0), end(length_um), 1).expect("a cylinder");
    Morphology::new(tree).expect("a cylinder")
}

/// Declares what the carrier needs: its ions, and its parameters on each CV with area. Channels, cuts and properties
/// must be there already.
pub(crate) fn add_carrier(cell: &mut CellDescription, slots: &[String]) {
    let ion = IonProperties::new(1, 0.0, 0.0, 0.0);
    for slot in slots {
        cell.ions.insert(format!("gd_u__{slot}"), ion.clone());
    }
    let cvs = discretise(&cell.morphology, &cell.policy, &cell.properties).expect("the cell can be cut");
    let table = TreeTable::new(&cvs).expect("the cell has area");
    let columns = [
        &table.parent_offset,
        &table.g_face_us,
        &table.via_fork,
        &table.fork_offset,
        &table.fork_g_us,
        &table.hosts_fork,
        &table.cap_pf,
    ];
    for (instance, &cv) in table.cv.iter().enumerate() {
        let mut paint = DensityPaint::new(compiler::emit::Names::CARRIER, cvs.cables[cv].clone());
        for ((name, _), column) in compiler::emit::carrier::PARAMETERS.iter().zip(columns) {
            paint = paint.with(*name, column[instance]);
        }
        cell.densities.push(paint);
    }
}

/// A cell of one CV with nothing on it.
pub(crate) fn one_compartment(length_um: f64, radius_um: f64) -> CellDescription {
    CellDescription::new(cylinder(length_um, radius_um), CvPolicy::Single)
}

/// All of a cylinder.
pub(crate) fn everywhere() -> Vec<Cable> {
    vec![Cable::new(0, 0.0, 1.0)]
}
