use super::*;
use crate::morphology::{Point, SegmentTree};
use crate::region::Region;

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-3), "{a} is not {b}");
}

fn at(b: usize, pos: f64) -> Location {
    Location::new(b, pos)
}

/// A trunk of 10 um and radius 2, children of 20 um (a cone, 2 to 1) and 10 um (radius 1).
fn fork() -> Morphology {
    let mut tree = SegmentTree::default();
    let p = |x: f64, y: f64, r: f64| Point::new(x, y, 0.0, r);
    tree.append(None, p(0.0, 0.0, 2.0), p(10.0, 0.0, 2.0), 1).unwrap();
    tree.extend(0, p(30.0, 0.0, 1.0), 3).unwrap();
    tree.append(Some(0), p(10.0, 0.0, 1.0), p(10.0, 10.0, 1.0), 3).unwrap();
    Morphology::new(tree).unwrap()
}

fn per_branch(n: usize, interior_forks: bool) -> CvPolicy {
    CvPolicy::FixedPerBranch { n, interior_forks }
}

#[test]
fn a_cylinder_has_the_schoolbook_numbers() {
    let mut tree = SegmentTree::default();
    tree.append(None, Point::new(0.0, 0.0, 0.0, 1.5), Point::new(0.0, 40.0, 0.0, 1.5), 1)
        .unwrap();
    let m = Morphology::new(tree).unwrap();
    let mut props = CableProperties::default();
    props.rl_ohm_cm.set_default(100.0).unwrap();
    let d = discretise(&m, &per_branch(4, false), &props).unwrap();
    assert_eq!(d.n_cvs(), 4);
    for cv in 0..4 {
        near(d.area_um2[cv], 2.0 * PI * 1.5 * 10.0);
        near(d.length_um[cv], 10.0);
        near(d.diam_um[cv], 3.0);
        near(d.cap_pf[cv], 0.01 * 2.0 * PI * 1.5 * 10.0);
        near(d.v_init_mv[cv], -65.0);
        near(d.temperature_k[cv], 279.45);
        // Resistance 1e4 rL h/(pi r^2) Ohm with h, r in um, rL in Ohm cm.
        let g_us = if cv == 0 {
            0.0
        } else {
            1e6 / (1e4 * 100.0 * 10.0 / (PI * 2.25))
        };
        near(d.g_face_us[cv], g_us);
    }
    // Arbor 0.9's ion with D rL cm = 100 keeps pace with the voltage here, and with no other D
    for (cv, rate) in d.unit_mass_rates(&m, 100.0 / (100.0 * 0.01)).into_iter().enumerate() {
        near(rate, d.g_face_us[cv] / d.cap_pf[cv]);
    }
}

/// By hand: D/(A ∫dx/(πr²)), A that of the CV on the far side and none where that is a fork.
#[test]
fn arbor_0_9_divides_the_exchange_by_the_far_area_only() {
    let m = fork();
    let d = discretise(&m, &per_branch(1, false), &CableProperties::default()).unwrap();
    let rates = d.unit_mass_rates(&m, 2.0);
    near(rates[0], 0.0);
    near(rates[1], 2.0 * PI * 4.0 / 5.0);
    near(rates[3], 2.0 * PI / 5.0 / (2.0 * PI * 10.0));
}

#[test]
fn faces_next_to_forks_reach_to_the_fork() {
    let m = fork();
    let rl = 35.4;
    let props = CableProperties::default();
    // CV 0 the trunk, 1 the fork, 2 the cone, 3 the thin child.
    let d = discretise(&m, &per_branch(1, false), &props).unwrap();
    assert_eq!(d.parent, [None, Some(0), Some(1), Some(1)]);
    near(d.g_face_us[1], 100.0 * PI * 4.0 / (rl * 5.0));
    near(d.g_face_us[2], 100.0 * PI * 2.0 * 1.5 / (rl * 10.0));
    near(d.g_face_us[3], 100.0 * PI / (rl * 5.0));
    assert_eq!(
        (d.area_um2[1], d.cap_pf[1], d.diam_um[1], d.length_um[1]),
        (0.0, 0.0, 0.0, 0.0)
    );
    near(d.area_um2[2], PI * 3.0 * 401.0_f64.sqrt());
    // With the fork inside CV 1: it is the reference point of both its faces.
    let d = discretise(&m, &per_branch(1, true), &props).unwrap();
    near(d.g_face_us[1], 100.0 * PI * 4.0 / (rl * 7.5));
    near(d.g_face_us[2], 100.0 * PI * 2.0 * 1.25 / (rl * 15.0));
    near(d.g_face_us[3], 100.0 * PI / (rl * 7.5));
}

#[test]
fn painted_properties_are_integrated_where_they_lie() {
    let m = fork();
    let mut props = CableProperties::default();
    let trunk = |prox, dist| [Cable::new(0, prox, dist)];
    props.cm_f_per_m2.paint(&trunk(0.0, 0.25), 0.03).unwrap();
    props.v_init_mv.paint(&trunk(0.5, 0.75), -45.0).unwrap();
    props.rl_ohm_cm.paint(&trunk(0.75, 1.0), 70.8).unwrap();
    props.temperature_k.paint(&[Cable::new(2, 0.0, 1.0)], 300.0).unwrap();
    let d = discretise(&m, &per_branch(1, false), &props).unwrap();
    near(d.cap_pf[0], 40.0 * PI * (0.25 * 0.03 + 0.75 * 0.01));
    near(d.v_init_mv[0], -60.0);
    near(d.g_face_us[1], 100.0 * PI * 4.0 / (35.4 * 2.5 + 70.8 * 2.5));
    // The fork has no area: it takes its parent's values.
    near(d.v_init_mv[1], -60.0);
    near(d.temperature_k[1], 279.45);
    near(d.temperature_k[3], 300.0);
}

#[test]
fn a_fork_at_the_root_takes_its_last_childs_values() {
    let mut tree = SegmentTree::default();
    let p = |x: f64| Point::new(x, 0.0, 0.0, 1.0);
    tree.append(None, p(0.0), p(10.0), 1).unwrap();
    tree.append(None, p(0.0), p(-10.0), 1).unwrap();
    let m = Morphology::new(tree).unwrap();
    let mut props = CableProperties::default();
    props.v_init_mv.paint(&[Cable::new(1, 0.0, 1.0)], -50.0).unwrap();
    let d = discretise(&m, &per_branch(1, false), &props).unwrap();
    assert_eq!(d.v_init_mv, [-50.0, -65.0, -50.0]);
}

#[test]
fn locations_find_their_cvs() {
    let m = fork();
    let d = discretise(&m, &per_branch(2, false), &CableProperties::default()).unwrap();
    // 0, 1 the trunk; 2 the fork; 3, 4 branch 1; 5, 6 branch 2.
    assert_eq!(d.cables[2].len(), 3);
    for (location, nonempty, empty) in [
        (at(0, 0.0), 0, 0),
        (at(0, 0.25), 0, 0),
        (at(0, 0.5), 1, 1),
        (at(0, 1.0), 1, 2),
        (at(1, 0.0), 3, 2),
        (at(1, 0.5), 4, 4),
        (at(1, 1.0), 4, 4),
        (at(2, 0.0), 5, 2),
        (at(2, 0.1), 5, 5),
    ] {
        assert_eq!(
            (d.cv_nonempty(&location), d.cv_empty(&location)),
            (nonempty, empty),
            "{location}"
        );
    }
}

#[test]
fn overlap_is_the_covered_area_of_each_cv() {
    let m = fork();
    let d = discretise(&m, &per_branch(2, false), &CableProperties::default()).unwrap();
    let all = d.overlap(&m, &Region::All.evaluate(&m).unwrap());
    assert_eq!(all.iter().map(|&(cv, _)| cv).collect::<Vec<_>>(), [0, 1, 3, 4, 5, 6]);
    for &(cv, area) in &all {
        near(area, d.area_um2[cv]);
    }
    let some = d.overlap(
        &m,
        &[
            Cable::new(0, 0.1, 0.2),
            Cable::new(0, 0.4, 0.7),
            Cable::new(2, 0.5, 0.5),
        ],
    );
    assert_eq!(some.len(), 2);
    near(some[0].1, 40.0 * PI * 0.2);
    near(some[1].1, 40.0 * PI * 0.2);
    assert_eq!(d.overlap(&m, &[]), []);
    // Several stretches of several branches in one CV.
    let d = discretise(&m, &CvPolicy::Single, &CableProperties::default()).unwrap();
    let parts = [
        Cable::new(0, 0.0, 0.1),
        Cable::new(0, 0.5, 0.6),
        Cable::new(2, 0.0, 1.0),
    ];
    let one = d.overlap(&m, &parts);
    assert_eq!(one.len(), 1);
    near(one[0].1, 40.0 * PI * 0.2 + 20.0 * PI);
}

#[test]
fn probe_weights_interpolate_in_resistance_and_extrapolate() {
    let m = fork();
    let props = CableProperties::default();
    let d = discretise(&m, &per_branch(2, false), &props).unwrap();
    let check = |location: Location, expected: &[(usize, f64)]| {
        let found = d.voltage_weights(&m, &props, &location);
        assert_eq!(found.len(), expected.len(), "{location}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.0, expected.0, "{location}");
            near(found.1, expected.1);
        }
    };
    check(at(0, 0.25), &[(0, 1.0)]);
    check(at(0, 0.5), &[(0, 0.5), (1, 0.5)]);
    check(at(0, 0.0), &[(0, 1.5), (1, -0.5)]);
    check(at(0, 1.0), &[(2, 1.0)]);
    check(at(1, 0.0), &[(2, 1.0)]);
    check(at(2, 0.125), &[(2, 0.5), (5, 0.5)]);
    check(at(2, 1.0), &[(5, -0.5), (6, 1.5)]);
    // Half-way by resistance, not by length, on the cone: reference points at radii 1.75 and 1.25.
    let ixa = |r0: f64, r1: f64| (1.0 / r1 - 1.0 / r0) / (1.0 / 1.25 - 1.0 / 1.75);
    check(at(1, 0.5), &[(3, 1.0 - ixa(1.75, 1.5)), (4, ixa(1.75, 1.5))]);
    let d = discretise(&m, &CvPolicy::Single, &props).unwrap();
    assert_eq!(d.voltage_weights(&m, &props, &at(1, 0.3)), [(0, 1.0)]);
}

#[test]
fn overlapping_paint_and_bad_values_are_refused() {
    let mut props = CableProperties::default();
    let cable = |prox, dist| [Cable::new(0, prox, dist)];
    let map = &mut props.cm_f_per_m2;
    map.paint(&cable(0.2, 0.5), 0.02).unwrap();
    map.paint(&cable(0.5, 0.7), 0.03).unwrap();
    map.paint(&cable(0.3, 0.3), 0.03).unwrap();
    for (prox, dist) in [(0.0, 1.0), (0.1, 0.3), (0.3, 0.4), (0.45, 0.55), (0.2, 0.5)] {
        let error = map.paint(&cable(prox, dist), 0.01).unwrap_err();
        assert!(
            matches!(
                error,
                GeometryError::PaintOverlap {
                    property: "cm_f_per_m2",
                    ..
                }
            ),
            "{prox} {dist}: {error}"
        );
    }
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = map.paint(&cable(0.9, 1.0), value).unwrap_err();
        assert!(matches!(error, GeometryError::BadProperty { positive: true, .. }));
        assert!(map.set_default(value).is_err());
    }
    assert!(matches!(
        map.paint(&cable(0.9, 1.1), 0.01),
        Err(GeometryError::BadCable { .. })
    ));
    props.v_init_mv.set_default(-70.0).unwrap();
    assert!(props.v_init_mv.set_default(f64::NAN).is_err());
    // A branch that the morphology does not have shows when the two meet.
    props.v_init_mv.paint(&[Cable::new(3, 0.0, 1.0)], -60.0).unwrap();
    let error = discretise(&fork(), &CvPolicy::default(), &props).unwrap_err();
    assert_eq!(
        error,
        GeometryError::NoSuchBranch {
            branch: 3,
            n_branches: 3
        }
    );
}

#[test]
fn cvs_without_conductance_between_them_are_refused() {
    // A child of no length, and one that pinches off.
    for (to, r) in [(10.0, 1.0), (20.0, 0.0)] {
        let mut tree = SegmentTree::default();
        let p = |x: f64, r: f64| Point::new(x, 0.0, 0.0, r);
        tree.append(None, p(0.0, 1.0), p(10.0, 1.0), 1).unwrap();
        tree.append(Some(0), p(10.0, r), p(to, r), 1).unwrap();
        tree.append(Some(0), p(10.0, 1.0), p(30.0, 1.0), 1).unwrap();
        let m = Morphology::new(tree).unwrap();
        let error = discretise(&m, &CvPolicy::default(), &CableProperties::default()).unwrap_err();
        assert!(matches!(error, GeometryError::BadFace { cv: 2, .. }), "{error}");
    }
}
