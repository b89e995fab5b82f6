use super::*;
use crate::morphology::{Point, SegmentTree};

/// Three branches of 10, 4 and 6 um; the first has two segments.
fn fork() -> Morphology {
    let mut tree = SegmentTree::default();
    let at = |x: f64, y: f64| Point::new(x, y, 0.0, 1.0);
    tree.append(None, at(0.0, 0.0), at(5.0, 0.0), 1).unwrap();
    tree.extend(0, at(10.0, 0.0), 1).unwrap();
    tree.extend(1, at(14.0, 0.0), 3).unwrap();
    tree.extend(1, at(10.0, 6.0), 3).unwrap();
    Morphology::new(tree).unwrap()
}

/// Branch, proximal and distal end.
type Stretch = (usize, f64, f64);

fn cvs(policy: &CvPolicy) -> (Vec<Vec<Stretch>>, Vec<Option<usize>>) {
    let m = fork();
    let cvs = partition(&m, policy.boundaries(&m).unwrap());
    let cables = cvs
        .cables
        .iter()
        .map(|cables| cables.iter().map(|c| (c.branch, c.prox, c.dist)).collect());
    (cables.collect(), cvs.parent)
}

#[test]
fn the_default_makes_a_cv_of_the_fork() {
    let (cables, parent) = cvs(&CvPolicy::default());
    let fork = vec![(0, 1.0, 1.0), (1, 0.0, 0.0), (2, 0.0, 0.0)];
    assert_eq!(
        cables,
        [vec![(0, 0.0, 1.0)], fork, vec![(1, 0.0, 1.0)], vec![(2, 0.0, 1.0)]]
    );
    assert_eq!(parent, [None, Some(0), Some(1), Some(1)]);
}

#[test]
fn interior_forks_lie_inside_cvs() {
    let (cables, parent) = cvs(&CvPolicy::FixedPerBranch {
        n: 1,
        interior_forks: true,
    });
    let middle = vec![(0, 0.5, 1.0), (1, 0.0, 0.5), (2, 0.0, 0.5)];
    assert_eq!(
        cables,
        [vec![(0, 0.0, 0.5)], middle, vec![(1, 0.5, 1.0)], vec![(2, 0.5, 1.0)]]
    );
    assert_eq!(parent, [None, Some(0), Some(1), Some(1)]);
}

#[test]
fn extents_round_up_per_branch() {
    let (cables, _) = cvs(&CvPolicy::MaxExtent {
        um: 4.0,
        interior_forks: false,
    });
    let per_branch = |b: usize| cables.iter().flatten().filter(|c| c.0 == b && c.1 < c.2).count();
    assert_eq!([per_branch(0), per_branch(1), per_branch(2)], [3, 1, 2]);
}

#[test]
fn single_every_segment_and_explicit() {
    let (cables, parent) = cvs(&CvPolicy::Single);
    assert_eq!(
        (cables, parent),
        (vec![vec![(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)]], vec![None])
    );
    let (cables, _) = cvs(&CvPolicy::EverySegment);
    assert_eq!(cables[..2], [vec![(0, 0.0, 0.5)], vec![(0, 0.5, 1.0)]]);
    // A boundary at the fork on one child only: the fork itself belongs to the trunk's CV.
    let at = |b, pos| Location::new(b, pos);
    let (cables, parent) = cvs(&CvPolicy::Explicit(vec![
        at(2, 1.0),
        at(1, 0.0),
        at(0, 0.0),
        at(1, 0.0),
    ]));
    assert_eq!(
        cables,
        [vec![(0, 0.0, 1.0), (1, 0.0, 0.0), (2, 0.0, 1.0)], vec![(1, 0.0, 1.0)]]
    );
    assert_eq!(parent, [None, Some(0)]);
}

#[test]
fn senseless_arguments_are_refused() {
    let m = fork();
    for um in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
        let error = CvPolicy::MaxExtent {
            um,
            interior_forks: false,
        }
        .boundaries(&m)
        .unwrap_err();
        assert!(
            matches!(
                error,
                GeometryError::BadPolicy {
                    policy: "max-extent",
                    ..
                }
            ),
            "{um}: {error}"
        );
    }
    for n in [0, usize::MAX] {
        let error = CvPolicy::FixedPerBranch {
            n,
            interior_forks: false,
        }
        .boundaries(&m)
        .unwrap_err();
        assert!(matches!(
            error,
            GeometryError::BadPolicy {
                policy: "fixed-per-branch",
                ..
            }
        ));
    }
    let error = CvPolicy::Explicit(vec![Location::new(0, 1.5)])
        .boundaries(&m)
        .unwrap_err();
    assert!(matches!(error, GeometryError::BadLocation { .. }));
    let error = CvPolicy::Explicit(vec![Location::new(9, 0.5)])
        .boundaries(&m)
        .unwrap_err();
    assert!(matches!(error, GeometryError::NoSuchBranch { branch: 9, .. }));
}
