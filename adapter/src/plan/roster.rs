//! Who takes part: cells and members of populations, by name, in the order of their groups.

use std::collections::BTreeMap;

use super::PlanError;
use crate::experiment::{Cell, Experiment};

/// More cells than this are a slip of the pen.
const MAX_CELLS: usize = 100_000;

/// A cell of the simulation.
#[derive(Debug)]
pub(super) struct Member {
    /// What it is made of.
    pub(super) cell: Cell,
    /// Where the experiment says so.
    pub(super) place: String,
    /// Its population, and its number there; a cell by itself is number 0 of none.
    pub(super) population: Option<usize>,
    /// Number in its population.
    pub(super) number: usize,
}

/// All cells of an experiment, those of a group side by side.
#[derive(Debug)]
pub(super) struct Roster {
    /// The cells, numbered as in the simulation.
    pub(super) members: Vec<Member>,
    /// Cells by group.
    pub(super) groups: Vec<Vec<usize>>,
    /// Cells, populations and members by name.
    names: BTreeMap<String, Vec<usize>>,
    /// What can be named, without members.
    known: Vec<String>,
    /// Position in the experiment's order to number.
    number: Vec<usize>,
}

impl Roster {
    pub(super) fn new(experiment: &Experiment) -> Result<Self, PlanError> {
        let mut roster = Self::list(experiment)?;
        let groups = roster.group(experiment)?;
        roster.sort(&groups);
        Ok(roster)
    }

    /// In the order of the experiment, each in a group of its own.
    fn list(experiment: &Experiment) -> Result<Self, PlanError> {
        let mut roster = Self {
            members: Vec::new(),
            groups: Vec::new(),
            names: BTreeMap::new(),
            known: Vec::new(),
            number: Vec::new(),
        };
        for (i, cell) in experiment.cells.iter().enumerate() {
            let place = format!("cells[{i}]");
            roster.register(&place, "cell", &cell.name, vec![roster.members.len()])?;
            roster.known.push(cell.name.clone());
            roster.members.push(Member {
                cell: cell.clone(),
                place,
                population: None,
                number: 0,
            });
        }
        for (p, population) in experiment.populations.iter().enumerate() {
            let place = format!("populations[{p}]");
            let first = roster.members.len();
            if population.count == 0 || population.count > MAX_CELLS - first.min(MAX_CELLS) {
                return Err(PlanError::Value {
                    place: format!("{place}.count"),
                    value: population.count as f64,
                    rule: "at least 1, and at most 100000 with all other cells",
                });
            }
            let all = (first..first + population.count).collect();
            roster.register(&place, "cell", &population.name, all)?;
            roster.known.push(population.name.clone());
            for number in 0..population.count {
                let name = format!("{}[{number}]", population.name);
                roster.register(&place, "cell", &name, vec![first + number])?;
                roster.members.push(Member {
                    cell: population.cell.named(name),
                    place: format!("{place}.cell"),
                    population: Some(p),
                    number,
                });
            }
        }
        if roster.members.is_empty() {
            return Err(PlanError::Empty {
                place: "cells".into(),
                what: "a cell",
            });
        }
        roster.number = (0..roster.members.len()).collect();
        Ok(roster)
    }

    fn register(&mut self, place: &str, what: &'static str, name: &str, cells: Vec<usize>) -> Result<(), PlanError> {
        match self.names.insert(name.to_string(), cells) {
            None => Ok(()),
            Some(_) => Err(PlanError::Duplicate {
                place: place.into(),
                what,
                name: name.into(),
            }),
        }
    }

    /// The cells that a name means, in the experiment's order.
    pub(super) fn find(&self, name: &str, place: &str) -> Result<Vec<usize>, PlanError> {
        match self.names.get(name) {
            Some(cells) => Ok(cells.iter().map(|&c| self.number[c]).collect()),
            None => Err(PlanError::Unknown {
                place: place.into(),
                what: "cell",
                name: name.into(),
                known: self.known.clone(),
            }),
        }
    }

    /// The one cell that a name means, or the experiment's first.
    pub(super) fn one(&self, name: Option<&str>, place: &str) -> Result<usize, PlanError> {
        let Some(name) = name else {
            return Ok(self.number.first().copied().unwrap_or(0));
        };
        match self.find(name, place)?.as_slice() {
            [only] => Ok(*only),
            several => Err(PlanError::Several {
                place: place.into(),
                name: name.into(),
                count: several.len(),
            }),
        }
    }

    /// The group of each cell: those the experiment names, merged where gap junctions join cells.
    fn group(&self, experiment: &Experiment) -> Result<Vec<usize>, PlanError> {
        let mut group: Vec<usize> = (0..self.members.len()).collect();
        let merge = |group: &mut Vec<usize>, cells: &[usize]| {
            let smallest = cells.iter().map(|&c| group[c]).min();
            let others: Vec<usize> = cells.iter().map(|&c| group[c]).collect();
            for g in group.iter_mut().filter(|g| others.contains(g)) {
                *g = smallest.unwrap_or(*g);
            }
        };
        let mut named = vec![false; self.members.len()];
        for (g, names) in experiment.groups.iter().enumerate() {
            let place = format!("groups[{g}]");
            let mut cells = Vec::new();
            for name in names {
                for cell in self.find(name, &place)? {
                    if std::mem::replace(&mut named[cell], true) {
                        return Err(PlanError::Duplicate {
                            place,
                            what: "cell",
                            name: self.members[cell].cell.name.clone(),
                        });
                    }
                    cells.push(cell);
                }
            }
            merge(&mut group, &cells);
        }
        for (i, gap) in experiment.gap_junctions.iter().enumerate() {
            let mut cells = self.find(&gap.a.cell, &format!("gap_junctions[{i}].a.cell"))?;
            cells.extend(self.find(&gap.b.cell, &format!("gap_junctions[{i}].b.cell"))?);
            merge(&mut group, &cells);
        }
        Ok(group)
    }

    /// Moves the cells of a group side by side, else keeps the order: a simulation numbers cells group after group.
    fn sort(&mut self, group: &[usize]) {
        let mut order: Vec<usize> = (0..group.len()).collect();
        order.sort_by_key(|&cell| group[cell]);
        for (number, &cell) in order.iter().enumerate() {
            self.number[cell] = number;
        }
        let mut members: Vec<Option<Member>> = std::mem::take(&mut self.members).into_iter().map(Some).collect();
        let mut last = None;
        for (number, &cell) in order.iter().enumerate() {
            self.members.extend(members[cell].take());
            match self.groups.last_mut().filter(|_| last == Some(group[cell])) {
                Some(same) => same.push(number),
                None => self.groups.push(vec![number]),
            }
            last = Some(group[cell]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(text: &str) -> Result<Roster, PlanError> {
        let mut experiment: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let cell =
            serde_json::json!({ "morphology": { "cylinder": { "length_um": 1, "diameter_um": 1 } }, "paint": [] });
        for population in experiment
            .get_mut("populations")
            .and_then(|p| p.as_array_mut())
            .into_iter()
            .flatten()
        {
            population["cell"] = cell.clone();
        }
        for named in experiment
            .get_mut("cells")
            .and_then(|c| c.as_array_mut())
            .into_iter()
            .flatten()
        {
            let name = named["name"].take();
            *named = cell.clone();
            named["name"] = name;
        }
        for (key, value) in [
            ("name", serde_json::json!("x")),
            ("mechanisms", serde_json::json!([])),
            ("probes", serde_json::json!([])),
            ("simulation", serde_json::json!({ "duration_ms": 1 })),
        ] {
            experiment[key] = value;
        }
        Roster::new(&serde_json::from_value(experiment).expect("an experiment"))
    }

    fn names(roster: &Roster) -> Vec<&str> {
        roster.members.iter().map(|m| m.cell.name.as_str()).collect()
    }

    #[test]
    fn names_mean_cells_populations_and_members() {
        let roster = roster(r#"{ "cells": [{ "name": "a" }], "populations": [{ "name": "p", "count": 3 }] }"#);
        let roster = roster.expect("sound");
        assert_eq!(names(&roster), ["a", "p[0]", "p[1]", "p[2]"]);
        assert_eq!(roster.groups, [[0], [1], [2], [3]]);
        assert_eq!(roster.find("p", "").expect("there"), [1, 2, 3]);
        assert_eq!(roster.one(Some("p[1]"), "").expect("there"), 2);
        assert_eq!(roster.one(None, "").expect("there"), 0);
        assert!(matches!(
            roster.one(Some("p"), ""),
            Err(PlanError::Several { count: 3, .. })
        ));
        assert!(matches!(roster.find("p[3]", ""), Err(PlanError::Unknown { .. })));
    }

    #[test]
    fn groups_are_moved_together_and_gap_junctions_merge_them() {
        let roster = roster(
            r#"{ "cells": [{ "name": "a" }, { "name": "b" }, { "name": "c" }, { "name": "d" }, { "name": "e" }],
                 "groups": [["b", "d"]],
                 "gap_junctions": [
                    { "a": { "cell": "c", "junction": "j" }, "b": { "cell": "e", "junction": "j" } },
                    { "a": { "cell": "e", "junction": "j" }, "b": { "cell": "d", "junction": "j" } }] }"#,
        )
        .expect("sound");
        assert_eq!(names(&roster), ["a", "b", "c", "d", "e"]);
        assert_eq!(roster.groups, [vec![0], vec![1, 2, 3, 4]]);
    }

    #[test]
    fn scattered_groups_are_brought_together() {
        let roster =
            roster(r#"{ "cells": [{ "name": "a" }, { "name": "b" }, { "name": "c" }], "groups": [["c", "a"]] }"#)
                .expect("sound");
        assert_eq!(names(&roster), ["a", "c", "b"]);
        assert_eq!(roster.groups, [vec![0, 1], vec![2]]);
        assert_eq!(roster.one(Some("b"), "").expect("there"), 2);
        assert_eq!(roster.one(None, "").expect("there"), 0);
    }

    #[test]
    fn a_name_is_given_once() {
        let twice = roster(r#"{ "cells": [{ "name": "p[1]" }], "populations": [{ "name": "p", "count": 2 }] }"#);
        assert!(matches!(twice, Err(PlanError::Duplicate { name, .. }) if name == "p[1]"));
    }
}
