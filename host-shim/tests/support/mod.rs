//! What parity tests share: catalogues built from .mod text by Arbor's own tools (SIMD kernels by `arbor-build-catalogue`,
//! scalar ones by `modcc` and a C++ compiler), and shapes in a form that both hosts read.

use host_shim::{AbiChoice, Catalogue, Morphology, Point, SegmentTree};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// File name without extension, and text.
pub(crate) type Mod = (&'static str, &'static str);

pub(crate) fn python() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("GRADDIFF_PYTHON").map_or(root.join(".venv/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "no Python with Arbor at {}: run tests/run, or set GRADDIFF_PYTHON",
        path.display()
    );
    path
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?} failed\n{out}\n{err}");
}

/// An empty folder with the .mod files in `mod/`.
fn workspace(name: &str, mods: &[Mod]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("mod")).unwrap();
    for (name, text) in mods {
        std::fs::write(dir.join(format!("mod/{name}.mod")), text).unwrap();
    }
    dir
}

/// Absolute, not canonical: the venv's `python` is a link, and its neighbours are beside the link.
fn bin_dir() -> PathBuf {
    std::path::absolute(python()).unwrap().parent().unwrap().to_owned()
}

/// Kernels with several lanes, of all `mods`.
pub(crate) fn simd(name: &str, mods: &[Mod]) -> Arc<Catalogue> {
    let dir = workspace(&format!("{name}-simd"), mods);
    // It calls cmake, which lives in the same environment.
    let path = format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap());
    run(Command::new(python())
        .arg(bin_dir().join("arbor-build-catalogue"))
        .args([name, "mod"])
        .env("PATH", path)
        .current_dir(&dir));
    let lanes = if cfg!(target_arch = "x86_64") { 4 } else { 2 };
    load(&dir.join(format!("{name}-catalogue.so")), lanes)
}

/// Kernels with one lane, of all `mods`.
pub(crate) fn scalar(name: &str, mods: &[Mod]) -> Arc<Catalogue> {
    let dir = workspace(&format!("{name}-scalar"), mods);
    let output = Command::new(python())
        .args(["-c", "import arbor; print(arbor.__path__[0])"])
        .output()
        .expect("Python starts");
    let arbor = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let files = mods.iter().map(|(name, _)| format!("mod/{name}.mod"));
    std::fs::create_dir_all(dir.join("out")).unwrap();
    run(Command::new(arbor.join("bin/modcc"))
        .args(["-t", "cpu", "-N", "arb", "-c", name, "-o", "out"])
        .args(files)
        .current_dir(&dir));
    let mut sources: Vec<PathBuf> = std::fs::read_dir(dir.join("out"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "cpp"))
        .collect();
    sources.sort();
    run(Command::new("c++")
        .args([
            "-O2",
            "-std=c++20",
            "-fPIC",
            "-shared",
            "-fvisibility=hidden",
            "-DSTANDALONE",
        ])
        .arg(format!("-I{}", arbor.join("include").display()))
        .args(sources)
        .args(["-o", "catalogue.so"])
        .current_dir(&dir));
    load(&dir.join("catalogue.so"), 1)
}

fn load(path: &Path, lanes: usize) -> Arc<Catalogue> {
    // SAFETY: built a moment ago by Arbor's own tools from the text of a test.
    let catalogue = unsafe { Catalogue::load(path, AbiChoice::Auto) }.unwrap();
    assert!(
        catalogue.mechanisms().all(|m| m.partition_width == lanes),
        "kernels should have {lanes} lanes"
    );
    catalogue
}

/// Rows of (parent, proximal point, distal point, tag).
pub(crate) fn morphology(segments: &Value) -> Morphology {
    let mut tree = SegmentTree::default();
    for s in segments.as_array().unwrap() {
        let number = |v: &Value| v.as_f64().unwrap();
        let point = |p: &Value| Point::new(number(&p[0]), number(&p[1]), number(&p[2]), number(&p[3]));
        let parent = s[0].as_u64().map(|p| usize::try_from(p).unwrap());
        let tag = i32::try_from(s[3].as_i64().unwrap()).unwrap();
        tree.append(parent, point(&s[1]), point(&s[2]), tag).unwrap();
    }
    Morphology::new(tree).unwrap()
}

/// Soma, a tapering trunk in two segments, two dendrites of which one forks again, an axon at the other end.
pub(crate) fn branched() -> Value {
    json!([
        [null, [0, 0, 0, 7], [0, 0, 14, 6], 1],
        [0, [0, 0, 14, 2.5], [0, 0, 90, 1.5], 3],
        [1, [0, 0, 90, 1.5], [0, 0, 160, 1.1], 3],
        [2, [0, 0, 160, 0.8], [0, 110, 200, 0.4], 3],
        [2, [0, 0, 160, 0.9], [80, 0, 210, 0.6], 3],
        [4, [80, 0, 210, 0.5], [160, 40, 260, 0.25], 3],
        [4, [80, 0, 210, 0.4], [150, -70, 230, 0.3], 3],
        [0, [0, 0, 14, 0.6], [0, 0, -240, 0.5], 2]
    ])
}
