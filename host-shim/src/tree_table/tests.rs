use super::*;
use crate::discretise::discretise;
use crate::morphology::{Point, SegmentTree};
use crate::policy::CvPolicy;
use crate::region::Region;

fn table(m: &Morphology, policy: &CvPolicy) -> (Discretisation, TreeTable) {
    let d = discretise(m, policy, &CableProperties::default()).unwrap();
    let table = TreeTable::new(&d).unwrap();
    (d, table)
}

fn p(x: f64, y: f64, r: f64) -> Point {
    Point::new(x, y, 0.0, r)
}

/// A trunk with two children, one of which forks again.
fn tree() -> Morphology {
    let mut tree = SegmentTree::default();
    tree.append(None, p(0.0, 0.0, 2.0), p(10.0, 0.0, 1.5), 1).unwrap();
    tree.extend(0, p(30.0, 0.0, 1.0), 3).unwrap();
    tree.extend(0, p(10.0, 10.0, 0.7), 3).unwrap();
    tree.extend(1, p(50.0, 0.0, 0.5), 3).unwrap();
    tree.extend(1, p(30.0, 25.0, 0.4), 3).unwrap();
    Morphology::new(tree).unwrap()
}

fn root_fork() -> Morphology {
    let mut tree = SegmentTree::default();
    for (x, y) in [(20.0, 0.0), (-15.0, 0.0), (0.0, 25.0)] {
        tree.append(None, p(0.0, 0.0, 1.0), p(x, y, 0.5), 1).unwrap();
    }
    Morphology::new(tree).unwrap()
}

const ONE: CvPolicy = CvPolicy::FixedPerBranch {
    n: 1,
    interior_forks: false,
};

#[test]
fn forks_without_area_are_hosted_by_their_first_child() {
    let (d, t) = table(&tree(), &ONE);
    // CVs: 0 trunk, 1 fork, 2 branch 1, 3 fork, 4 and 5 its children, 6 branch 2.
    assert_eq!(t.cv, [0, 2, 4, 5, 6]);
    assert_eq!(t.parent_offset, [0.0, 1.0, 1.0, 2.0, 4.0]);
    assert_eq!(t.via_fork, [0.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(t.hosts_fork, [0.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(t.fork_offset, [0.0, 0.0, 0.0, 1.0, 3.0]);
    let g = &d.g_face_us;
    assert_eq!(t.g_face_us, [0.0, g[2], g[4], g[5], g[6]]);
    assert_eq!(t.fork_g_us, [0.0, g[1], g[3], 0.0, 0.0]);
    assert_eq!(t.cap_pf, [0, 2, 4, 5, 6].map(|cv| d.cap_pf[cv]));
    assert_eq!(t.n_instances(), 5);
}

#[test]
fn a_fork_at_the_root_has_no_parent() {
    let (_, t) = table(&root_fork(), &ONE);
    assert_eq!(t.cv, [1, 2, 3]);
    assert_eq!(t.parent_offset, [0.0; 3]);
    assert_eq!(t.via_fork, [1.0; 3]);
    assert_eq!(t.hosts_fork, [1.0, 0.0, 0.0]);
    assert_eq!(t.fork_offset, [0.0, 1.0, 2.0]);
    assert_eq!(t.fork_g_us, [0.0; 3]);
    assert!(t.g_face_us.iter().all(|&g| g > 0.0));
}

#[test]
fn interior_forks_need_no_virtual_nodes() {
    let (d, t) = table(
        &tree(),
        &CvPolicy::FixedPerBranch {
            n: 2,
            interior_forks: true,
        },
    );
    assert_eq!(t.cv, (0..d.n_cvs()).collect::<Vec<_>>());
    assert!(
        t.via_fork
            .iter()
            .chain(&t.hosts_fork)
            .chain(&t.fork_g_us)
            .all(|&x| x == 0.0)
    );
    let offset = |cv: usize| d.parent[cv].map_or(0.0, |parent| (cv - parent) as f64);
    assert_eq!(t.parent_offset, (0..d.n_cvs()).map(offset).collect::<Vec<_>>());
}

/// Solves a dense system by elimination with pivoting.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        b.swap(k, pivot);
        let row = a[k].clone();
        for i in k + 1..n {
            let f = a[i][k] / row[k];
            a[i].iter_mut().zip(&row).for_each(|(below, above)| *below -= f * above);
            b[i] -= f * b[k];
        }
    }
    for k in (0..n).rev() {
        b[k] = (b[k] - (k + 1..n).map(|j| a[k][j] * b[j]).sum::<f64>()) / a[k][k];
    }
    b
}

fn couple(a: &mut [Vec<f64>], i: usize, j: usize, g: f64) {
    a[i][i] += g;
    a[j][j] += g;
    a[i][j] -= g;
    a[j][i] -= g;
}

/// The system that a carrier builds from the table alone: instances first, then one node per host.
fn by_table(t: &TreeTable, source: &[f64]) -> Vec<f64> {
    let n = t.n_instances();
    let mut a = vec![vec![0.0; 2 * n]; 2 * n];
    let index = |x: f64| (0..n).find(|&i| (i as f64 - x).abs() < 0.5).unwrap();
    for i in 0..n {
        a[i][i] += t.cap_pf[i];
        let parent = index(i as f64 - t.parent_offset[i]);
        if t.via_fork[i] > 0.0 {
            couple(&mut a, i, n + index(i as f64 - t.fork_offset[i]), t.g_face_us[i]);
        } else if t.parent_offset[i] > 0.0 {
            couple(&mut a, i, parent, t.g_face_us[i]);
        }
        if t.hosts_fork[i] < 1.0 {
            a[n + i][n + i] = 1.0;
        } else if t.fork_g_us[i] > 0.0 {
            couple(&mut a, n + i, parent, t.fork_g_us[i]);
        }
    }
    let mut rhs = vec![0.0; 2 * n];
    rhs[..n].copy_from_slice(source);
    solve(a, rhs)[..n].to_vec()
}

/// The whole system, one row per CV.
fn by_cvs(d: &Discretisation, t: &TreeTable, source: &[f64]) -> Vec<f64> {
    let n = d.n_cvs();
    let mut a = vec![vec![0.0; n]; n];
    for cv in 0..n {
        a[cv][cv] += d.cap_pf[cv];
        if let Some(parent) = d.parent[cv] {
            couple(&mut a, cv, parent, d.g_face_us[cv]);
        }
    }
    let mut rhs = vec![0.0; n];
    for (i, &cv) in t.cv.iter().enumerate() {
        rhs[cv] = source[i];
    }
    solve(a, rhs)
}

#[test]
fn the_table_holds_the_whole_system() {
    let fixed = |n, interior_forks| CvPolicy::FixedPerBranch { n, interior_forks };
    for m in [tree(), root_fork()] {
        for policy in [
            fixed(1, false),
            fixed(3, false),
            fixed(2, true),
            CvPolicy::Single,
            CvPolicy::EverySegment,
        ] {
            let (d, t) = table(&m, &policy);
            let source: Vec<f64> = (0..t.n_instances())
                .map(|i| ((i * 37 + 11) % 17) as f64 - 8.0)
                .collect();
            let ours = by_table(&t, &source);
            let whole = by_cvs(&d, &t, &source);
            let scale = whole.iter().fold(0.0, |max: f64, u| max.max(u.abs()));
            for (i, &cv) in t.cv.iter().enumerate() {
                assert!(
                    (ours[i] - whole[cv]).abs() <= 1e-11 * scale,
                    "{policy:?}, CV {cv}: {} {}",
                    ours[i],
                    whole[cv]
                );
            }
            // Every CV's value, forks included, from the instances' alone.
            for (cv, whole) in whole.iter().enumerate() {
                let of = t.over_instances(&[(cv, 1.0)]);
                let sum: f64 = of.iter().map(|&(i, weight)| weight * ours[i]).sum();
                assert!(
                    (sum - whole).abs() <= 1e-11 * scale,
                    "{policy:?}, CV {cv}: {sum} {whole}"
                );
            }
        }
    }
}

#[test]
fn probe_weights_on_instances_sum_to_one() {
    let m = tree();
    let props = CableProperties::default();
    let (d, t) = table(&m, &ONE);
    for cable in Region::All.evaluate(&m).unwrap() {
        for pos in [0.0, 0.2, 0.5, 1.0] {
            let weights = t.voltage_weights(&d, &m, &props, &Location::new(cable.branch, pos));
            assert!(
                weights.windows(2).all(|pair| pair[0].0 < pair[1].0),
                "sorted, each once: {weights:?}"
            );
            let sum: f64 = weights.iter().map(|&(_, weight)| weight).sum();
            assert!((sum - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn dead_ends_without_area_are_dropped() {
    let m = tree();
    let (mut d, _) = table(&m, &ONE);
    // Branch 2 (CV 6) without area: it hangs from the first fork and carries nothing.
    d.area_um2[6] = 0.0;
    d.cap_pf[6] = 0.0;
    let t = TreeTable::new(&d).unwrap();
    assert_eq!(t.cv, [0, 2, 4, 5]);
    assert_eq!(t.over_instances(&[(6, 1.0)]), t.over_instances(&[(1, 1.0)]));
    let source = [1.0, -2.0, 3.0, 0.5];
    let (ours, whole) = (by_table(&t, &source), by_cvs(&d, &t, &source));
    for (i, &cv) in t.cv.iter().enumerate() {
        assert!((ours[i] - whole[cv]).abs() <= 1e-11);
    }
}

#[test]
fn two_nodes_without_area_in_a_row_are_refused() {
    let (mut d, _) = table(&tree(), &ONE);
    // Branch 1 (CV 2) lies between the two forks.
    d.area_um2[2] = 0.0;
    let error = TreeTable::new(&d).unwrap_err();
    assert_eq!(
        error,
        GeometryError::ChainedZeroArea {
            cv: 2,
            parent: 1,
            at: Location::new(1, 0.0)
        }
    );
    d.area_um2.fill(0.0);
    assert_eq!(TreeTable::new(&d).unwrap_err(), GeometryError::NoArea);
}
