use super::*;
use proptest::prelude::*;

/// What [`load_swc_arbor`] says to a text.
fn error(text: &str) -> SwcError {
    load_swc_arbor(text).expect_err(text)
}

macro_rules! rejects {
    ($($name:ident: $text:expr => $pattern:pat,)*) => {
        $(#[test] fn $name() {
            let error = error($text);
            assert!(matches!(error, $pattern), "{error:?}");
            assert!(error.to_string().contains(';'), "the message gives no next step: {error}");
        })*
    };
}

rejects! {
    empty: "" => SwcError::Empty,
    only_comments: "# nothing\n\n   \n# here\n" => SwcError::Empty,
    missing_parent: "1 1 0 0 0 1 -1\n2 1 1 0 0 1\n"
        => SwcError::MissingColumn { line: 2, column: 12, field: "parent", found: 6 },
    missing_all_but_id: "7  # seven" => SwcError::MissingColumn { line: 1, column: 2, field: "tag", found: 1 },
    id_not_a_number: "one 1 0 0 0 1 -1" => SwcError::BadNumber { line: 1, column: 1, field: "id", .. },
    id_with_decimals: "1.0 1 0 0 0 1 -1" => SwcError::BadNumber { field: "id", .. },
    id_out_of_range: "99999999999999999999 1 0 0 0 1 -1" => SwcError::BadNumber { field: "id", .. },
    tag_not_a_number: "# head\n1 soma 0 0 0 1 -1" => SwcError::BadNumber { line: 2, column: 3, field: "tag", .. },
    comma_as_decimal_point: "1 1 0,5 0 0 1 -1" => SwcError::BadNumber { line: 1, column: 5, field: "x", .. },
    columns_counted_in_characters: "1 1 ü 0 0 1 -1" => SwcError::BadNumber { column: 5, field: "x", .. },
    radius_not_a_number: "1 1 0 0 0 r -1" => SwcError::BadNumber { column: 11, field: "radius", .. },
    parent_not_a_number: "1 1 0 0 0 1 none" => SwcError::BadNumber { column: 13, field: "parent", .. },
    nan_coordinate: "1 1 0 NaN 0 1 -1" => SwcError::NotFinite { line: 1, column: 7, field: "y", .. },
    infinite_coordinate: "1 1 0 0 -inf 1 -1" => SwcError::NotFinite { field: "z", .. },
    overflowing_coordinate: "1 1 1e999 0 0 1 -1" => SwcError::NotFinite { field: "x", .. },
    absurd_coordinate: "1 1 1e200 0 0 1 -1" => SwcError::NotFinite { field: "x", .. },
    nan_radius: "1 1 0 0 0 nan -1" => SwcError::NotFinite { field: "radius", .. },
    zero_radius: "1 1 0 0 0 0 -1" => SwcError::NonPositiveRadius { line: 1, column: 11, .. },
    negative_radius: "1 1 0 0 0 -2.5 -1" => SwcError::NonPositiveRadius { radius_um: -2.5, .. },
    negative_id: "-1 1 0 0 0 1 -1" => SwcError::NegativeId { line: 1, column: 1, id: -1 },
    duplicate_id: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 1\n\n2 1 2 0 0 1 1\n"
        => SwcError::DuplicateId { line: 4, id: 2, first_line: 2 },
    unknown_parent: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 9\n" => SwcError::UnknownParent { line: 2, column: 13, id: 2, parent: 9 },
    other_negative_parent: "1 1 0 0 0 1 -2\n" => SwcError::UnknownParent { id: 1, parent: -2, .. },
    several_roots: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 1\n3 1 2 0 0 1 -1\n"
        => SwcError::SeveralRoots { line: 3, id: 3, first_line: 1, first_id: 1 },
    own_parent: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 2\n" => SwcError::Cycle { line: 2, id: 2 },
    long_cycle: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 1\n5 1 1 0 0 1 4\n4 1 1 0 0 1 3\n3 1 1 0 0 1 5\n6 1 1 0 0 1 5\n"
        => SwcError::Cycle { line: 5, id: 3 },
    no_root: "1 1 0 0 0 1 2\n2 1 1 0 0 1 1\n" => SwcError::Cycle { id: 1, .. },
    parent_after_child: "1 1 0 0 0 1 -1\n2 1 1 0 0 1 3\n3 1 2 0 0 1 1\n"
        => SwcError::ParentAfterChild { line: 2, column: 13, id: 2, parent: 3 },
    single_sample: "# point\n1 1 0 0 0 5 -1\n" => SwcError::SingleSample { line: 2 },
    spherical_soma: "1 1 0 0 0 5 -1\n2 3 9 0 0 1 1\n3 3 20 0 0 1 2\n"
        => SwcError::SphericalSoma { line: 1, id: 1, tag: 1 },
    binary: "\u{0}\u{1}\u{2}ELF" => SwcError::BadNumber { field: "id", .. },
}

#[test]
fn defects_of_neurons_reading_have_their_own_variants() {
    let error = |text: &str| load_swc_neuron(text).expect_err(text);
    let tag = error("1 1 0 0 0 5 -1\n2 7 9 0 0 1 1\n3 7 20 0 0 1 2\n");
    assert_eq!(tag, SwcError::UnsupportedTag { line: 2, id: 2, tag: 7 });
    let change = error("1 1 0 0 0 5 -1\n2 3 9 0 0 1 1\n3 2 20 0 0 1 2\n");
    assert_eq!(
        change,
        SwcError::MismatchedTags {
            line: 3,
            id: 3,
            tag: 2,
            parent_tag: 3
        }
    );
    let soma = error("1 3 0 0 0 5 -1\n2 3 9 0 0 1 1\n3 1 20 0 0 1 2\n");
    assert!(matches!(soma, SwcError::MismatchedTags { id: 3, tag: 1, .. }));
}

#[test]
fn reads_what_the_format_allows() {
    let text =
        "\u{feff}# header\r\n\r\n 3 3 2 0 0 1e0 2 # tip\r\n1\t1\t0 0 0 2 -1\r\n2 1 1 .5 -0 +1. 1 extra columns\r\n";
    let tree = load_swc_arbor(text).unwrap();
    assert_eq!(tree.segments().len(), 2);
    let first = tree.segments()[0];
    assert_eq!((first.parent, first.tag), (None, 1));
    assert_eq!(
        (first.prox, first.dist),
        (Point::new(0.0, 0.0, 0.0, 2.0), Point::new(1.0, 0.5, 0.0, 1.0))
    );
    assert_eq!((tree.segments()[1].parent, tree.segments()[1].tag), (Some(0), 3));
}

#[test]
fn a_point_soma_is_two_cylinders_for_neuron() {
    let tree = load_swc_neuron("1 1 1 2 3 5 -1\n").unwrap();
    let ends: Vec<(f64, f64)> = tree.segments().iter().map(|s| (s.prox.x, s.dist.x)).collect();
    assert_eq!(ends, [(-4.0, 1.0), (1.0, 6.0)]);
}

const CELL: &str = "# cell\n1 1 0 0 0 5 -1\n2 1 0 10 0 6 1\n3 1 0 -10 0 5.5 1\n4 3 6 0 0 1.25 1\n5 3 40 5 0 1 4\n\
    6 3 80 20 0 0.5 5\n7 3 80 -20 3 0.4 5\n10 2 0 16.5 0 0.75 2\n12 2 3 90 0 0.3 10\n";

/// Reads a text both ways; whatever is read makes a morphology.
fn survives(text: &str) {
    for tree in [load_swc_arbor(text), load_swc_neuron(text)].into_iter().flatten() {
        crate::morphology::Morphology::new(tree).unwrap();
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        survives(&text);
    }

    #[test]
    fn no_lines_of_numbers_panic(rows in prop::collection::vec(
        (0..8_i64, -1..5_i32, -1e3..1e3_f64, prop::sample::select(vec!["0", "1", "nan", "1e999", "-3"]), -2..8_i64), 0..8))
    {
        let lines: Vec<String> =
            rows.iter().map(|(id, tag, x, r, parent)| format!("{id} {tag} {x} 0 0 {r} {parent}")).collect();
        survives(&lines.join("\n"));
    }

    #[test]
    fn no_mutation_of_a_cell_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<char>()), 1..6))
    {
        let mut text: Vec<char> = CELL.chars().collect();
        for (index, kind, with) in edits {
            if text.is_empty() {
                break;
            }
            let i = index.index(text.len());
            match kind {
                0 => text[i] = with,
                1 => text.insert(i, with),
                2 => drop(text.remove(i)),
                _ => text.truncate(i),
            }
        }
        survives(&text.into_iter().collect::<String>());
    }
}
