use super::*;

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} is not {b}");
}

/// Cylinder, jump in radius, cone, ring without length, cone to a point: x 0..10, radius in the middle column.
fn stepped() -> Morphology {
    let mut tree = SegmentTree::default();
    let mut parent = None;
    for (x0, r0, x1, r1) in [
        (0.0, 2.0, 3.0, 2.0),
        (3.0, 1.0, 5.0, 0.5),
        (5.0, 0.5, 5.0, 3.0),
        (5.0, 3.0, 9.0, 3.0),
        (9.0, 1.0, 10.0, 0.25),
    ] {
        let id = tree
            .append(parent, Point::new(x0, 0.0, 0.0, r0), Point::new(x1, 0.0, 0.0, r1), 1)
            .unwrap();
        parent = Some(id);
    }
    Morphology::new(tree).unwrap()
}

fn radius_of_stepped(x: f64) -> f64 {
    match x {
        x if x < 3.0 => 2.0,
        x if x < 5.0 => 1.0 - 0.25 * (x - 3.0),
        x if x < 9.0 => 3.0,
        x => 1.0 - 0.75 * (x - 9.0),
    }
}

#[test]
fn cone_has_the_schoolbook_area_and_length() {
    let mut tree = SegmentTree::default();
    tree.append(None, Point::new(0.0, 0.0, 0.0, 3.0), Point::new(0.0, 0.0, 4.0, 0.0), 1)
        .unwrap();
    let m = Morphology::new(tree).unwrap();
    near(m.area_um2(&Cable::new(0, 0.0, 1.0)), 15.0 * PI);
    // The tip half is a cone of half the size.
    near(m.area_um2(&Cable::new(0, 0.5, 1.0)), 15.0 * PI / 4.0);
    near(m.length_um(&Cable::new(0, 0.25, 1.0)), 3.0);
    near(m.radius_um(&Location::new(0, 0.5)), 1.5);
    // Radii 3 and 1.5 over 2 um.
    near(m.ixa_per_um(&Cable::new(0, 0.0, 0.5)), 2.0 / (PI * 4.5));
    assert!(m.ixa_per_um(&Cable::new(0, 0.0, 1.0)).is_infinite());
}

#[test]
fn integrals_agree_with_dense_quadrature() {
    let m = stepped();
    for (from, to) in [
        (0.0, 10.0),
        (0.5, 2.5),
        (2.0, 4.5),
        (3.0, 4.9),
        (5.5, 9.7),
        (9.0, 9.5),
        (5.0, 10.0),
    ] {
        let (mut area, mut ixa) = (0.0, 0.0);
        let n = 1_000_000;
        let h = (to - from) / f64::from(n);
        for i in 0..n {
            let x = from + h * (f64::from(i) + 0.5);
            let slope: f64 = match x {
                x if (3.0..5.0).contains(&x) => 0.25,
                x if x > 9.0 => 0.75,
                _ => 0.0,
            };
            let r = radius_of_stepped(x);
            area += 2.0 * PI * r * slope.hypot(1.0) * h;
            ixa += h / (PI * r * r);
        }
        if from < 5.0 && to >= 5.0 {
            area += PI * (3.0_f64.powi(2) - 0.5_f64.powi(2));
        }
        let cable = Cable::new(0, from / 10.0, to / 10.0);
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 2e-6, "{from}..{to}: {a} is not {b}");
        close(m.area_um2(&cable), area);
        close(m.ixa_per_um(&cable), ixa);
        near(m.length_um(&cable), to - from);
    }
}

#[test]
fn integrals_add_up() {
    let m = stepped();
    let whole = Cable::new(0, 0.05, 0.97);
    for cut in [0.1, 0.3, 0.42, 0.5, 0.51, 0.9, 0.93] {
        let parts = [Cable::new(0, whole.prox, cut), Cable::new(0, cut, whole.dist)];
        near(parts.iter().map(|part| m.area_um2(part)).sum(), m.area_um2(&whole));
        near(parts.iter().map(|part| m.ixa_per_um(part)).sum(), m.ixa_per_um(&whole));
    }
}

#[test]
fn radius_is_the_distal_one_where_it_jumps() {
    let m = stepped();
    for (x, r) in [
        (0.0, 2.0),
        (3.0, 1.0),
        (4.0, 0.75),
        (5.0, 3.0),
        (9.0, 1.0),
        (10.0, 0.25),
    ] {
        near(m.radius_um(&Location::new(0, x / 10.0)), r);
    }
}

/// Segments 0-1 unbranched, a fork of three, one of them two segments long, and a second root.
fn forked() -> SegmentTree {
    let mut tree = SegmentTree::default();
    let at = |x: f64, y: f64| Point::new(x, y, 0.0, 1.0);
    tree.append(None, at(0.0, 0.0), at(1.0, 0.0), 1).unwrap();
    tree.extend(0, at(3.0, 0.0), 2).unwrap();
    tree.extend(1, at(7.0, 0.0), 3).unwrap();
    tree.append(None, at(0.0, 0.0), at(-5.0, 0.0), 3).unwrap();
    tree.extend(1, at(3.0, 6.0), 3).unwrap();
    tree.extend(2, at(7.0, 3.0), 3).unwrap();
    tree.extend(1, at(3.0, -8.0), 3).unwrap();
    tree
}

#[test]
fn branches_are_numbered_by_their_first_segment() {
    let m = Morphology::new(forked()).unwrap();
    let segments: Vec<Vec<usize>> = (0..m.n_branches()).map(|b| m.branch_segments(b).collect()).collect();
    assert_eq!(segments, [vec![0, 1], vec![2, 5], vec![3], vec![4], vec![6]]);
    let parents: Vec<Option<usize>> = (0..m.n_branches()).map(|b| m.branch_parent(b)).collect();
    assert_eq!(parents, [None, Some(0), None, Some(0), Some(0)]);
    assert_eq!(m.branch_children(0), [1, 3, 4]);
    assert_eq!(m.root_branches(), [0, 2]);
    near(m.branch_length_um(1), 7.0);
    near(m.distance_from_root_um(4), 3.0);
    assert_eq!(m.segment_cable(5), Some(Cable::new(1, 4.0 / 7.0, 1.0)));
    assert_eq!(m.segment_cable(7), None);
}

#[test]
fn malformed_trees_are_refused() {
    let p = |x: f64, r: f64| Point::new(x, 0.0, 0.0, r);
    let mut tree = SegmentTree::default();
    assert_eq!(
        Morphology::new(tree.clone()).unwrap_err(),
        GeometryError::EmptyMorphology
    );
    for (prox, dist, field) in [
        (p(f64::NAN, 1.0), p(1.0, 1.0), "prox x"),
        (p(0.0, 1.0), p(f64::INFINITY, 1.0), "dist x"),
        (p(0.0, -1.0), p(1.0, 1.0), "prox radius"),
        (p(0.0, 1.0), p(1.0, f64::NAN), "dist radius"),
        (p(0.0, 1.0), p(1e10, 1.0), "dist x"),
    ] {
        let error = tree.append(None, prox, dist, 1).unwrap_err();
        assert!(
            matches!(error, GeometryError::BadPoint { segment: 0, field: f, .. } if f == field),
            "{error}"
        );
    }
    let error = tree.append(Some(0), p(0.0, 1.0), p(1.0, 1.0), 1).unwrap_err();
    assert_eq!(error, GeometryError::UnknownSegmentParent { segment: 0, parent: 0 });
    assert_eq!(
        tree.extend(3, p(1.0, 1.0), 1).unwrap_err(),
        GeometryError::UnknownSegmentParent { segment: 0, parent: 3 }
    );
}

#[test]
fn locations_and_cables_off_the_tree_are_refused() {
    let m = stepped();
    assert!(m.check_location(&Location::new(0, 1.0)).is_ok());
    let error = m.check_location(&Location::new(1, 0.5)).unwrap_err();
    assert_eq!(
        error,
        GeometryError::NoSuchBranch {
            branch: 1,
            n_branches: 1
        }
    );
    for pos in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            m.check_location(&Location::new(0, pos)),
            Err(GeometryError::BadLocation { .. })
        ));
    }
    for (prox, dist) in [(0.5, 0.4), (-0.1, 0.5), (0.5, 1.5), (f64::NAN, 0.5), (0.5, f64::NAN)] {
        assert!(matches!(
            m.check_cable(&Cable::new(0, prox, dist)),
            Err(GeometryError::BadCable { .. })
        ));
    }
}
