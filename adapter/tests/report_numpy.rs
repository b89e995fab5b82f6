//! NumPy reads what we write, and we read what NumPy writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use graddiff::report::{Operation, read_npz, read_traces, write_npz};
use ndarray::{Array, ArrayD, IxDyn, array};

/// The interpreter: `GRADDIFF_PYTHON`, else the virtual environment that `tests/run` makes.
fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let python = std::env::var_os("GRADDIFF_PYTHON").map_or(venv, PathBuf::from);
    assert!(
        python.exists(),
        "no Python at {}: run tests/run once, or set GRADDIFF_PYTHON to an interpreter that has NumPy",
        python.display()
    );
    python
}

/// Runs a script that must succeed; returns what it prints.
fn run(script: &str, file: &Path) -> String {
    let output = Command::new(python())
        .args(["-c", script])
        .arg(file)
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn numpy_reads_our_arrays_of_every_rank() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ours.npz");
    let scalar = ArrayD::from_elem(IxDyn(&[]), -0.0);
    let vector = array![1.0, f64::NAN, f64::INFINITY, 5e-324, f64::MAX].into_dyn();
    let cube = Array::from_shape_fn((2, 3, 4), |(i, j, k)| 0.1 * (i * 100 + j * 10 + k) as f64);
    let swapped = cube.view().permuted_axes([2, 0, 1]).into_dyn(); // not contiguous
    let empty = ArrayD::<f64>::zeros(IxDyn(&[0, 3]));
    let arrays = [
        ("scalar", scalar.view()),
        ("v_mv", vector.view()),
        ("swapped µ", swapped.view()),
        ("empty", empty.view()),
    ];
    write_npz(&path, &arrays).unwrap();
    let script = "
import sys, numpy as np
z = np.load(sys.argv[1])
for n in z.files:
    a = z[n]
    assert a.dtype == np.dtype('<f8'), a.dtype
    bits = np.ascontiguousarray(a).reshape(-1).view('<u8')
    print(n, '|', a.shape, '|', ' '.join('%016x' % int(x) for x in bits))
";
    let expected: String = arrays
        .iter()
        .map(|(name, a)| {
            let shape = match a.shape() {
                [] => "()".to_owned(),
                [n] => format!("({n},)"),
                many => format!("({})", many.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
            };
            let bits: Vec<_> = a.iter().map(|v| format!("{:016x}", v.to_bits())).collect();
            format!("{name} | {shape} | {}\n", bits.join(" "))
        })
        .collect();
    assert_eq!(run(script, &path), expected);
}

#[test]
fn we_read_numpys_arrays_and_traces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("numpys.npz");
    let script = "
import sys, numpy as np
t = np.arange(4) * 0.5
np.savez_compressed(sys.argv[1], t_ms=t, f=np.asfortranarray(np.arange(8.).reshape(4, 2)), i=np.arange(4), s=t.astype('f4'), b=t.astype('>f8'))
";
    run(script, &path);
    let arrays = read_npz(&path).unwrap();
    assert_eq!(
        arrays["f"],
        array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]].into_dyn()
    );
    let traces = read_traces(&path).unwrap();
    assert_eq!(traces.time_ms, [0.0, 0.5, 1.0, 1.5]);
    assert_eq!(traces.names, ["b", "f[0]", "f[1]", "i", "s"]);
    assert_eq!(traces.column("f[1]").unwrap(), [1.0, 3.0, 5.0, 7.0]);
    assert_eq!(traces.column("i").unwrap(), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(traces.column("b").unwrap(), traces.column("s").unwrap());

    run(
        "import sys, numpy as np; np.savez(sys.argv[1], t_ms=np.zeros(2), c=np.zeros(2, complex))",
        &path,
    );
    assert!(matches!(read_npz(&path), Err(graddiff::report::Error::Npz { .. })));
    let missing = read_npz(&dir.path().join("missing.npz"));
    assert!(matches!(
        missing,
        Err(graddiff::report::Error::Io {
            operation: Operation::Read,
            ..
        })
    ));
}
