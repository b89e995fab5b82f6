use super::*;

const CENTRE: [f64; 3] = [1.0, -2.0, 0.5];

fn settings(seed: u64) -> CmaEsSettings {
    CmaEsSettings {
        seed,
        population: Some(8),
        sigma: 0.7,
    }
}

/// An ill-conditioned valley around (0, 1, 2).
fn loss(y: &[f64]) -> f64 {
    let r: Vec<f64> = y.iter().enumerate().map(|(i, y)| y - i as f64).collect();
    r[0] * r[0] + 1e2 * (r[1] - r[0]).powi(2) + 1e4 * (r[2] + r[1]).powi(2)
}

struct Valley;

impl CostFunction for Valley {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, y: &Vec<f64>) -> Result<f64, Infallible> {
        Ok(loss(y))
    }
}

/// Turned inside out, the search is the library's own, to the bit.
#[test]
fn asking_and_telling_is_the_librarys_search() {
    for seed in [1, 2, u64::MAX] {
        let settings = settings(seed);
        let mut direct: basin::CmaEs<Vec<f64>, DenseMatrix<f64>> =
            basin::CmaEs::new(seed, settings.sigma).with_lambda(8);
        let mut problem = Problem::new(Valley);
        let Ok(mut state) = direct.init(&mut problem, PopulationProgress::from_point(CENTRE.to_vec()));
        let mut search = CmaEs::default();
        for generation in 0..60 {
            let mut points = search.ask(&settings, &CENTRE).unwrap();
            assert_eq!(
                points,
                search.ask(&settings, &CENTRE).unwrap(),
                "asking changes nothing"
            );
            let losses: Vec<Option<f64>> = points.iter().map(|y| Some(loss(y))).collect();
            search.tell(&settings, &CENTRE, &losses).unwrap();
            points.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
            assert_eq!(
                basin::PopulationState::candidates(&state),
                points,
                "generation {generation}"
            );
            let Ok(step) = direct.next_iter(&mut problem, state);
            state = step.state;
        }
        assert_eq!(search.n_slots(), Some(3));
    }
}

#[test]
fn the_valley_is_descended_until_nothing_is_left() {
    let settings = settings(4);
    let mut search = CmaEs::default();
    let mut least = f64::INFINITY;
    for generation in 0..1000 {
        let points = search.ask(&settings, &CENTRE).unwrap();
        assert_eq!(points.len(), 8);
        least = points.iter().map(|y| loss(y)).fold(least, f64::min);
        let losses: Vec<Option<f64>> = points.iter().map(|y| Some(loss(y))).collect();
        if search.tell(&settings, &CENTRE, &losses).unwrap() == Spread::Collapsed {
            assert!(generation > 50 && least < 1e-20, "{generation} {least}");
            return;
        }
    }
    panic!("1000 generations did not end");
}

#[test]
fn the_population_follows_the_number_of_slots() {
    // 4 + ⌊3 ln n⌋
    for (n, expected) in [(1, 4), (3, 7), (12, 11)] {
        let settings = CmaEsSettings {
            population: None,
            ..settings(1)
        };
        assert_eq!(CmaEs::default().ask(&settings, &vec![0.0; n]).unwrap().len(), expected);
    }
}
