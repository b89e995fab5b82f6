//! Regions: names and expressions of an experiment become stretches of cable.

use host_shim::{Cable, Morphology, Region};

use super::PlanError;
use super::cell::{Cx, geometry};
use crate::experiment::{self, RegionExpr};

impl Cx<'_> {
    pub(super) fn cables(&self, region: &experiment::Region, place: &str) -> Result<Vec<Cable>, PlanError> {
        let here = format!("{place}.region");
        let region = self.region(region, &here, &mut Vec::new())?;
        stretches(&region, self.morphology, here)
    }

    fn region(&self, region: &experiment::Region, place: &str, inside: &mut Vec<String>) -> Result<Region, PlanError> {
        let expr = match region {
            experiment::Region::Named(name) if name == "all" => return Ok(Region::All),
            experiment::Region::Named(name) => {
                if inside.contains(name) {
                    return Err(PlanError::CircularRegion {
                        place: place.into(),
                        name: name.clone(),
                    });
                }
                let Some(definition) = self.cell.regions.get(name) else {
                    let known = self.cell.regions.keys().cloned().chain(["all".to_string()]).collect();
                    return Err(PlanError::Unknown {
                        place: place.into(),
                        what: "region",
                        name: name.clone(),
                        known,
                    });
                };
                inside.push(name.clone());
                let result = self.region(definition, place, inside);
                inside.pop();
                return result;
            }
            experiment::Region::Expr(expr) => expr,
        };
        let mut all = |regions: &[experiment::Region]| -> Result<Vec<Region>, PlanError> {
            regions.iter().map(|r| self.region(r, place, inside)).collect()
        };
        Ok(match expr {
            RegionExpr::Tag(tag) => Region::Tag(*tag),
            RegionExpr::Branch(branch) => Region::Branch(*branch),
            RegionExpr::Cable { branch, prox, dist } => Region::Cable(Cable::new(*branch, *prox, *dist)),
            RegionExpr::Segment(segment) => Region::Segment(*segment),
            RegionExpr::Distance { from_um, to_um } => Region::DistanceFromRoot {
                from_um: *from_um,
                to_um: to_um.unwrap_or(f64::INFINITY),
            },
            RegionExpr::Union(regions) => Region::Join(all(regions)?),
            RegionExpr::Intersection(regions) => Region::Intersect(all(regions)?),
            RegionExpr::Difference(pair) => {
                let [a, b] = pair.as_ref();
                let b = self.region(b, place, inside)?;
                Region::Difference(Box::new(self.region(a, place, inside)?), Box::new(b))
            }
            RegionExpr::Complement(region) => Region::Complement(Box::new(self.region(region, place, inside)?)),
        })
    }
}

/// Stretches of a region that have a length: closed regions that only touch share none.
pub(super) fn stretches(region: &Region, m: &Morphology, place: String) -> Result<Vec<Cable>, PlanError> {
    let mut cables = region.evaluate(m).map_err(geometry(place))?;
    cables.retain(|c| c.prox < c.dist);
    Ok(cables)
}
