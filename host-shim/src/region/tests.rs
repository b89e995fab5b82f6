use super::*;
use crate::morphology::{Point, SegmentTree};

/// A trunk of 10 um (tags 1, 2, 1), two children of 20 um and 5 um.
fn fork() -> Morphology {
    let mut tree = SegmentTree::default();
    let at = |x: f64, y: f64, r: f64| Point::new(x, y, 0.0, r);
    tree.append(None, at(0.0, 0.0, 2.0), at(2.0, 0.0, 1.0), 1).unwrap();
    tree.extend(0, at(6.0, 0.0, 1.0), 2).unwrap();
    tree.extend(1, at(10.0, 0.0, 0.5), 1).unwrap();
    tree.extend(2, at(30.0, 0.0, 0.5), 3).unwrap();
    tree.extend(2, at(10.0, 5.0, 0.5), 3).unwrap();
    Morphology::new(tree).unwrap()
}

/// Branch, proximal and distal end.
type Stretch = (usize, f64, f64);

fn check(region: &Region, expected: &[Stretch]) {
    let found = region.evaluate(&fork()).unwrap();
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    let same = |(c, e): (&Cable, &(usize, f64, f64))| c.branch == e.0 && near(c.prox, e.1) && near(c.dist, e.2);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(same),
        "{region:?}: {found:?}"
    );
}

#[test]
fn each_kind_of_region_covers_what_it_says() {
    use Region::{All, Branch, Complement, Difference, DistanceFromRoot, Intersect, Join, Nil, Segment, Tag};
    let boxed = Box::new;
    let cable = |b, prox, dist| Region::Cable(Cable::new(b, prox, dist));
    let rows: Vec<(Region, Vec<Stretch>)> = vec![
        (All, vec![(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)]),
        (Nil, vec![]),
        (Tag(1), vec![(0, 0.0, 0.2), (0, 0.6, 1.0)]),
        (Tag(3), vec![(1, 0.0, 1.0), (2, 0.0, 1.0)]),
        (Tag(9), vec![]),
        (Branch(1), vec![(1, 0.0, 1.0)]),
        (Segment(1), vec![(0, 0.2, 0.6)]),
        (Join(vec![Tag(1), Tag(2)]), vec![(0, 0.0, 1.0)]),
        (Join(vec![]), vec![]),
        (Intersect(vec![]), vec![(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)]),
        (
            Intersect(vec![Tag(1), cable(0, 0.1, 0.8)]),
            vec![(0, 0.1, 0.2), (0, 0.6, 0.8)],
        ),
        (
            Complement(boxed(Tag(1))),
            vec![(0, 0.2, 0.6), (1, 0.0, 1.0), (2, 0.0, 1.0)],
        ),
        (
            Complement(boxed(Nil)),
            vec![(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)],
        ),
        (Complement(boxed(All)), vec![]),
        (
            Difference(boxed(Branch(0)), boxed(cable(0, 0.3, 0.5))),
            vec![(0, 0.0, 0.3), (0, 0.5, 1.0)],
        ),
        (
            Region::Cables(vec![
                Cable::new(1, 0.5, 0.7),
                Cable::new(0, 0.0, 0.1),
                Cable::new(1, 0.1, 0.6),
            ]),
            vec![(0, 0.0, 0.1), (1, 0.1, 0.7)],
        ),
        (
            DistanceFromRoot {
                from_um: 4.0,
                to_um: 12.0,
            },
            vec![(0, 0.4, 1.0), (1, 0.0, 0.1), (2, 0.0, 0.4)],
        ),
        (
            DistanceFromRoot {
                from_um: 10.0,
                to_um: 10.0,
            },
            vec![],
        ),
        (
            DistanceFromRoot {
                from_um: 14.0,
                to_um: f64::INFINITY,
            },
            vec![(1, 0.2, 1.0), (2, 0.8, 1.0)],
        ),
        (Region::RadiusAbove(1.5), vec![(0, 0.0, 0.1)]),
        (
            Region::RadiusBelow(0.75),
            vec![(0, 0.8, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)],
        ),
        (
            Region::ProximalInterval {
                end: Location::new(1, 0.25),
                um: 7.0,
            },
            vec![(0, 0.8, 1.0), (1, 0.0, 0.25)],
        ),
        (
            Region::ProximalInterval {
                end: Location::new(2, 1.0),
                um: f64::INFINITY,
            },
            vec![(0, 0.0, 1.0), (2, 0.0, 1.0)],
        ),
        (
            Region::DistalInterval {
                start: Location::new(0, 0.9),
                um: 3.0,
            },
            vec![(0, 0.9, 1.0), (1, 0.0, 0.1), (2, 0.0, 0.4)],
        ),
        (
            Region::DistalInterval {
                start: Location::new(2, 1.0),
                um: 3.0,
            },
            vec![(2, 1.0, 1.0)],
        ),
    ];
    for (region, expected) in &rows {
        check(region, expected);
    }
}

#[test]
fn what_the_morphology_lacks_is_an_error() {
    let m = fork();
    let error = |region: Region| region.evaluate(&m).unwrap_err();
    assert!(matches!(
        error(Region::Branch(3)),
        GeometryError::NoSuchBranch {
            branch: 3,
            n_branches: 3
        }
    ));
    assert!(matches!(
        error(Region::Segment(5)),
        GeometryError::NoSuchSegment {
            segment: 5,
            n_segments: 5
        }
    ));
    assert!(matches!(
        error(Region::Cable(Cable::new(0, 0.7, 0.2))),
        GeometryError::BadCable { .. }
    ));
    assert!(matches!(
        error(Region::Cables(vec![Cable::new(0, 0.0, 2.0)])),
        GeometryError::BadCable { .. }
    ));
    for value in [-1.0, f64::NAN] {
        assert!(matches!(
            error(Region::RadiusAbove(value)),
            GeometryError::BadBound { .. }
        ));
        let start = Location::new(0, 0.0);
        assert!(matches!(
            error(Region::DistalInterval { start, um: value }),
            GeometryError::BadBound { .. }
        ));
    }
    let backwards = Region::DistanceFromRoot {
        from_um: 5.0,
        to_um: 4.0,
    };
    assert!(matches!(error(backwards), GeometryError::BadBound { .. }));
    let deep = Region::Complement(Box::new(Region::Join(vec![Region::All, Region::Branch(7)])));
    assert!(matches!(error(deep), GeometryError::NoSuchBranch { branch: 7, .. }));
}
