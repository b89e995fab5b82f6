//! Exchange of a diffusing ion between neighbouring CVs.

use super::{Discretisation, face_span};
use crate::morphology::Morphology;

impl Discretisation {
    /// Per CV the exchange with its parent, as Arbor computes it: 1e7·D·l/∫dx/(πr²) over the span of length l between the
    /// reference points, D in m²/s; 0 for CV 0.
    ///
    /// The physical one would be 1e6·D/∫dx/(πr²): Arbor's diffusivity is 10·l times what it is given, l in µm
    /// (host-numerics.md §4.5). A host that differed here would compute other concentrations.
    pub(crate) fn diffusive_faces(&self, m: &Morphology, diffusivity_m2_per_s: f64) -> Vec<f64> {
        let face = |(cv, parent): (usize, &Option<usize>)| {
            parent.map_or(0.0, |parent| {
                let span = face_span(&self.cables[parent], &self.cables[cv]);
                1e7 * m.length_um(&span) / (m.ixa_per_um(&span) / diffusivity_m2_per_s)
            })
        };
        self.parent.iter().enumerate().map(face).collect()
    }

    /// The same for one step of Arbor 0.9, which gave every CV the same mass: per CV the rate of exchange with its parent,
    /// D/(A·∫dx/(πr²)), A the lateral area of the CV itself and left out where that is 0; one number for both rows of
    /// the face, so an ion is not even conserved where areas differ. 0 for CV 0.
    ///
    /// With D = 100/(rL·cm) (Ω·cm, F/m²) and a uniform unbranched cable it is the rate of the voltage, g_f/C in 1/µs: the
    /// published carrier of sensitivities rests on that.
    pub fn unit_mass_rates(&self, m: &Morphology, diffusivity: f64) -> Vec<f64> {
        let face = |(cv, parent): (usize, &Option<usize>)| {
            parent.map_or(0.0, |parent| {
                let span = face_span(&self.cables[parent], &self.cables[cv]);
                let area = if self.area_um2[cv] > 0.0 {
                    self.area_um2[cv]
                } else {
                    1.0
                };
                diffusivity / (area * m.ixa_per_um(&span))
            })
        };
        self.parent.iter().enumerate().map(face).collect()
    }

    /// Volume by which a diffusing ion is diluted, µm³: that of the cylinder with the CV's area and length.
    pub(crate) fn volume_um3(&self, cv: usize) -> f64 {
        0.25 * self.area_um2[cv] * self.diam_um[cv]
    }
}
