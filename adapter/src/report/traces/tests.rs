use super::*;
use crate::report::write_npz;
use ndarray::Array;
use proptest::prelude::*;

#[test]
fn reads_header_comments_blanks_and_byte_order_mark() {
    let text = "\u{feff}# made by hand\nt_ms, soma ,\"dend, far\"\r\n0, -65, 1e-3\n\n0.025, -64.5, 2\n# end\n";
    let traces = parse_csv(text.as_bytes()).unwrap();
    assert_eq!(traces.time_ms, [0.0, 0.025]);
    assert_eq!(traces.names, ["soma", "dend, far"]);
    assert_eq!(traces.column("dend, far").unwrap(), [1e-3, 2.0]);
    assert_eq!(traces.column("axon"), None);
}

#[test]
fn each_fault_has_its_own_error_at_its_place() {
    use TraceError as E;
    let fail = |text: &str| parse_csv(text.as_bytes()).unwrap_err();
    assert!(matches!(fail(""), E::Empty { missing: "header line" }));
    assert!(matches!(fail("t,v\n"), E::Empty { missing: "data" }));
    assert!(matches!(fail("t\n1\n2\n"), E::Empty { missing: "data" }));
    assert!(matches!(fail("0,1\n"), E::HeaderIsNumber { line: 1, column: 1, .. }));
    assert!(matches!(
        fail("# c\nt,v,v\n0,1,1\n"),
        E::BadColumnName { line: 2, column: 3, .. }
    ));
    assert!(matches!(fail("t,\n0,1\n"), E::BadColumnName { line: 1, column: 2, .. }));
    assert!(matches!(
        fail("t,v\n0,1\n\n1\n"),
        E::Ragged {
            line: 4,
            found: 1,
            expected: 2
        }
    ));
    assert!(matches!(
        fail("t,v\n0,1,2\n"),
        E::Ragged {
            line: 2,
            found: 3,
            expected: 2
        }
    ));
    assert!(
        matches!(fail("t,v\n0,1\n1,abc\n"), E::NotANumber { line: 3, column: 2, name, text } if name == "v" && text == "abc")
    );
    assert!(matches!(fail("t,v\n0,\n"), E::NotANumber { line: 2, column: 2, .. }));
    assert!(matches!(fail("t,v\n0,NaN\n"), E::NotFinite { line: 2, column: 2, value, .. } if value.is_nan()));
    assert!(matches!(
        fail("t,v\n0,1\n1,-inf\n"),
        E::NotFinite { line: 3, column: 2, .. }
    ));
    assert!(matches!(
        fail("t,v\n0,1\n1,1\n1,1\n"),
        E::TimeNotIncreasing { line: 4, .. }
    ));
    assert!(matches!(parse_csv(b"t,v\n0,1\n1,\xff\n"), Err(E::NotUtf8 { line: 3 })));
    assert!(matches!(fail("t,v\r0,1\r1,x\r"), E::NotANumber { line: 3, .. }));
}

#[test]
fn reads_arrays_of_one_and_two_dimensions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npz");
    let t = Array::from_vec(vec![0.0, 1.0, 2.0]).into_dyn();
    let v = Array::from_vec(vec![5.0, 6.0, 7.0]).into_dyn();
    let u = Array::from_shape_vec((3, 2), vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0])
        .unwrap()
        .into_dyn();
    write_npz(&path, &[("v", v.view()), ("t_ms", t.view()), ("u", u.view())]).unwrap();
    let traces = read_traces(&path).unwrap();
    assert_eq!(traces.names, ["u[0]", "u[1]", "v"]);
    assert_eq!(traces.columns, [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [5.0, 6.0, 7.0]]);

    write_npz(&path, &[("v", v.view())]).unwrap();
    assert!(matches!(
        read_traces(&path),
        Err(Error::Traces {
            source: TraceError::NoTimeAxis { .. },
            ..
        })
    ));
    let short = Array::from_vec(vec![5.0]).into_dyn();
    write_npz(&path, &[("t_ms", t.view()), ("v", short.view())]).unwrap();
    assert!(matches!(
        read_traces(&path),
        Err(Error::Traces {
            source: TraceError::Shape { .. },
            ..
        })
    ));

    let npy = dir.path().join("a.npy");
    ndarray_npy::write_npy(&npy, &ndarray::array![[0.0, 4.0], [0.5, 5.0]]).unwrap();
    assert_eq!(read_traces(&npy).unwrap().columns, [[4.0, 5.0]]);
    ndarray_npy::write_npy(&npy, &ndarray::array![0.0, 4.0]).unwrap();
    assert!(matches!(
        read_traces(&npy),
        Err(Error::Traces {
            source: TraceError::Shape { .. },
            ..
        })
    ));
}

#[test]
fn unknown_and_missing_files_are_named() {
    let missing = Path::new("/nonexistent/a.csv");
    assert!(matches!(read_traces(missing), Err(Error::Io { operation: Operation::Read, path, .. }) if path == missing));
    let kind = read_traces(Path::new("a.txt"));
    assert!(matches!(
        kind,
        Err(Error::Traces {
            source: TraceError::UnknownKind,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_csv(&bytes);
    }

    #[test]
    fn random_csv_like_text_never_panics(text in "([a-z0-9.,;\"#\\n\\r eEnN+-]{0,40}\n){0,6}") {
        if let Ok(traces) = parse_csv(text.as_bytes()) {
            prop_assert!(traces.time_ms.is_sorted_by(|a, b| a < b));
            prop_assert!(traces.columns.iter().all(|c| c.len() == traces.time_ms.len()));
        }
    }

    #[test]
    fn numbers_survive_text(rows in proptest::collection::vec(-1e300f64..1e300, 1..20)) {
        let mut text = String::from("t_ms,v\n");
        for (i, v) in rows.iter().enumerate() {
            text += &format!("{i},{v:?}\n");
        }
        prop_assert_eq!(&parse_csv(text.as_bytes()).unwrap().columns[0], &rows);
    }
}
