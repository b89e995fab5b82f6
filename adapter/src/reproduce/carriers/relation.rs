//! β·cm·rL = 100 on uniform cables drawn at random.
//!
//! The voltage is our host's; the ion's concentration X is a dense solve of what Arbor 0.9 solves on a tree,
//! `X'_i − X_i + dt Σ_f x_f (X'_i − X'_j) = 0` with `x_f = β/(A·∫dx/(πr²))`. Neither shares code with the other.

use host_shim::{
    Cable, CellDescription, CvPolicy, Discretisation, Morphology, Point, Probe, ProbeKind, Schedule, SegmentTree,
    Simulation, discretise,
};
use nalgebra::{DMatrix, DVector};

use super::super::Error;
use super::super::random::SplitMix;
use crate::hosts::HostError;
use crate::outcome::Named;
use crate::report::plot::{LinePlot, Panel, Series, Stroke};
use crate::report::{Column, Table};

/// Any other gives other cables.
const SEED: u64 = 241_207_327;
/// Steps compared.
const STEPS: usize = 200;

/// One cable.
struct Drawn {
    rl_ohm_cm: f64,
    cm_f_per_m2: f64,
    radius_um: f64,
    length_um: f64,
    n_cvs: usize,
    dt_ms: f64,
    /// Greatest distance of V and X over the perturbation, and with β 1 % too great.
    distances: [f64; 2],
}

/// Cables drawn at random, and how far voltage and ion are apart.
pub(super) struct Relation(Vec<Drawn>);

impl Relation {
    /// As many cables as that.
    pub(super) fn draw(n: usize) -> Result<Self, Error> {
        let mut random = SplitMix(SEED);
        (0..n).map(|_| cable(&mut random)).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn worst(&self) -> f64 {
        self.0.iter().map(|d| d.distances[0]).fold(0.0, f64::max)
    }

    pub(super) fn worst_off(&self) -> f64 {
        self.0.iter().map(|d| d.distances[1]).fold(0.0, f64::max)
    }

    pub(super) fn arrays(&self) -> Vec<Named> {
        let rows: Vec<f64> = self
            .0
            .iter()
            .flat_map(|d| {
                let n = d.n_cvs as f64;
                [
                    d.rl_ohm_cm,
                    d.cm_f_per_m2,
                    d.radius_um,
                    d.length_um,
                    n,
                    d.dt_ms,
                    d.distances[0],
                    d.distances[1],
                ]
            })
            .collect();
        let meaning =
            "cable × (rL, Ω·cm; cm, F/m²; radius, µm; length, µm; CVs; dt, ms; distance; distance with β 1 % off)";
        vec![Named::new("relation", "see meaning", meaning, &[self.0.len(), 8], rows)]
    }

    pub(super) fn plot(&self) -> LinePlot {
        let mut panel = Panel::new("greatest |V − X| (1)").log();
        for (i, name) in ["β = 100/(cm·rL)", "β 1 % greater"].into_iter().enumerate() {
            let x = (1..=self.0.len()).map(|k| k as f64).collect();
            // where both are the same to the last bit a logarithm has no place for it
            let y = self.0.iter().map(|d| d.distances[i].max(1e-17)).collect();
            panel = panel.series(Series::new(name, x, y).stroke(Stroke::Points));
        }
        let mut plot = LinePlot::new("Voltage and ion on uniform cables", "cable, by number in the table").panel(panel);
        plot.x_range = Some((0.5, self.0.len() as f64 + 0.5));
        plot
    }

    pub(super) fn table(&self) -> Table {
        let columns = [
            "cable",
            "rL (Ω·cm)",
            "cm (F/m²)",
            "radius (µm)",
            "length (µm)",
            "CVs",
            "dt (ms)",
            "distance",
            "with β 1 % off",
        ];
        let caption = format!("The cables; seed {SEED}.");
        let mut table = Table::new(&caption, columns.map(Column::number).to_vec());
        for (i, d) in self.0.iter().enumerate() {
            table.row([
                (i + 1).to_string(),
                format!("{:.1}", d.rl_ohm_cm),
                format!("{:.2}", d.cm_f_per_m2),
                format!("{:.1}", d.radius_um),
                format!("{:.0}", d.length_um),
                d.n_cvs.to_string(),
                format!("{:.4}", d.dt_ms),
                format!("{:.1e}", d.distances[0]),
                format!("{:.1e}", d.distances[1]),
            ]);
        }
        table
    }
}

/// The ranges are the paper's.
fn cable(random: &mut SplitMix) -> Result<Drawn, Error> {
    let rl_ohm_cm = random.between(0.1, 1000.0);
    let radius_um = random.between(0.1, 100.0);
    let length_um = random.between(1.0, 2000.0);
    let n_cvs = 2 + random.below(48);
    let cm_f_per_m2 = random.between(0.1, 100.0);
    let dt_ms = random.between(0.001, 0.025);
    let fraction = random.between(0.05, 0.95);
    let (zero, perturbed) = (random.between(0.1, 10.0), random.between(0.1, 10.0));

    let mut tree = SegmentTree::default();
    let end = |x| Point::new(x, 0.0, 0.0, radius_um);
    tree.append(None, end(0.0), end(length_um), 1)?;
    let morphology = Morphology::new(tree)?;
    let policy = CvPolicy::FixedPerBranch {
        n: n_cvs,
        interior_forks: false,
    };
    let mut cell = CellDescription::new(morphology.clone(), policy.clone());
    cell.properties.rl_ohm_cm.set_default(rl_ohm_cm)?;
    cell.properties.cm_f_per_m2.set_default(cm_f_per_m2)?;
    cell.properties.v_init_mv.set_default(zero)?;
    cell.properties
        .v_init_mv
        .paint(&[Cable::new(0, 0.0, fraction)], perturbed)?;
    let d = discretise(&morphology, &policy, &cell.properties)?;
    let voltages = spread(cell, n_cvs, dt_ms)?;
    let beta = 100.0 / (cm_f_per_m2 * rl_ohm_cm);
    let size = (perturbed - zero).abs();
    let distances = [beta, 1.01 * beta].map(|beta| distance(&d, &morphology, beta, dt_ms, &voltages) / size);
    Ok(Drawn {
        rl_ohm_cm,
        cm_f_per_m2,
        radius_um,
        length_um,
        n_cvs,
        dt_ms,
        distances,
    })
}

/// The voltage of every CV after 0, 1, … steps.
fn spread(cell: CellDescription, n_cvs: usize, dt_ms: f64) -> Result<Vec<Vec<f64>>, Error> {
    let mut simulation = Simulation::new(vec![vec![cell]], &[]).map_err(HostError::from)?;
    let probes: Vec<Probe> = (0..n_cvs)
        .map(|cv| Probe {
            cell: 0,
            kind: ProbeKind::CvVoltage { cv },
        })
        .collect();
    // in the middle of a step: the value at its start
    let times = (0..STEPS).map(|k| (k as f64 + 0.5) * dt_ms).collect();
    let samples = simulation
        .record(STEPS as f64 * dt_ms, dt_ms, &Schedule::Explicit(times), &probes)
        .map_err(HostError::from)?;
    Ok(samples.values.chunks_exact(n_cvs).map(<[f64]>::to_vec).collect())
}

/// Greatest distance from the ion that starts like the voltage.
fn distance(d: &Discretisation, m: &Morphology, beta: f64, dt_ms: f64, voltages: &[Vec<f64>]) -> f64 {
    let n = d.n_cvs();
    let mut matrix = DMatrix::<f64>::identity(n, n);
    for (i, rate) in d.unit_mass_rates(m, beta).into_iter().enumerate() {
        if let Some(p) = d.parent[i] {
            let x = 1e3 * dt_ms * rate; // rate per µs
            matrix[(i, i)] += x;
            matrix[(p, p)] += x;
            matrix[(i, p)] -= x;
            matrix[(p, i)] -= x;
        }
    }
    let factors = matrix.lu();
    let mut ion = voltages
        .first()
        .map_or_else(|| DVector::zeros(n), |v| DVector::from_column_slice(v));
    let mut greatest = 0.0f64;
    for v in voltages.iter().skip(1) {
        let solved = factors.solve_mut(&mut ion);
        let away = ion.iter().zip(v).map(|(x, v)| (x - v).abs()).fold(0.0, f64::max);
        greatest = greatest.max(if solved && !away.is_nan() { away } else { f64::INFINITY });
    }
    greatest
}
