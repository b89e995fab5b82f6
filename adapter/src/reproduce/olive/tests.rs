use host_shim::CvPolicy;
use host_shim::discretise::{CableProperties, discretise};

use super::*;

fn morphology() -> Morphology {
    Morphology::new(load_swc_arbor(&tree::swc()).unwrap()).unwrap()
}

#[test]
fn the_generated_tree_has_the_size_of_the_papers() {
    let m = morphology();
    let d = discretise(&m, &CvPolicy::default(), &CableProperties::default()).unwrap();
    let forks = d.area_um2.iter().filter(|a| **a <= 0.0).count();
    assert_eq!((m.n_branches(), d.n_cvs(), forks), (64, 94, 30));
    let segments = m.segment_tree().segments();
    let area = |soma: bool| -> f64 {
        let of = segments.iter().filter(|s| (s.tag == SOMA) == soma);
        of.map(|s| {
            let [x, y, z] = [s.dist.x - s.prox.x, s.dist.y - s.prox.y, s.dist.z - s.prox.z];
            let (sum, step) = (s.prox.radius + s.dist.radius, s.prox.radius - s.dist.radius);
            std::f64::consts::PI * sum * (x * x + y * y + z * z + step * step).sqrt()
        })
        .sum()
    };
    // C4A: 1627 and 4350 µm²
    assert!((1200.0..2100.0).contains(&area(true)), "soma {}", area(true));
    assert!((3000.0..5500.0).contains(&area(false)), "dendrite {}", area(false));
}

#[test]
fn nine_branches_hold_both_soma_and_dendrite() {
    let m = morphology();
    let tag = |s: usize| m.segment_tree().segments()[s].tag;
    let mixed = |b: &usize| m.branch_segments(*b).any(|s| tag(s) == SOMA) && m.branch_segments(*b).any(|s| tag(s) == 3);
    assert_eq!((0..m.n_branches()).filter(mixed).count(), 9);
}

#[test]
fn every_current_loses_its_conductance_in_the_published_reading() {
    for file in &MECHANISMS {
        let text = without_conductance(file.text);
        assert!(text.contains("    i = 0\n    i = 0.1*("), "{}", file.path);
        let source = |text: &str| compiler::Source {
            name: file.path.into(),
            text: text.into(),
        };
        let compile = |text: &str| compiler::compile(&[source(text)], &compiler::Options::default()).unwrap();
        // the one line that adds to the host's conductance
        let g = |text: &str| {
            let code = compile(text).c_source;
            let mut lines = code.lines().filter(|l| l.contains("g__sum[j] +="));
            let first = lines.next().map(|l| l.trim().to_string());
            assert!(lines.next().is_none(), "{}", file.path);
            first
        };
        let nothing = Some("g__sum[j] += w * (0.0);".to_string());
        assert_ne!(g(file.text), nothing, "{}", file.path);
        assert_eq!(g(&text), nothing, "{}", file.path);
    }
}
