//! `--wrt`: which parameters become slots, and what the slots are called.

use compiler::{SlotSpec, Source};

use super::{ExitStatus, Failure};

/// Why the slots asked for do not exist.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Nothing between two commas.
    #[error("--wrt has an empty name in its list")]
    Empty,
    /// No file defines the mechanism before the dot.
    #[error("--wrt {asked}: no file defines mechanism `{mechanism}`{}", suggest(.known, mechanism))]
    Mechanism {
        /// The item of `--wrt`.
        asked: String,
        /// The part before the dot.
        mechanism: String,
        /// SUFFIXes of the files.
        known: Vec<String>,
    },
    /// No file, or not that mechanism, has the parameter.
    #[error("--wrt {asked}: {} PARAMETER `{parameter}`{}", nobody(mechanism.as_deref()), suggest(.known, parameter))]
    Parameter {
        /// The item of `--wrt`.
        asked: String,
        /// The mechanism it names, if it names one.
        mechanism: Option<String>,
        /// The parameter it names.
        parameter: String,
        /// What there is instead.
        known: Vec<String>,
    },
    /// It is a quantity that the simulator supplies, not a number of the mechanism.
    #[error("--wrt {asked}: `{parameter}` is supplied by the simulator and is not a parameter that can be tuned")]
    Supplied {
        /// The item of `--wrt`.
        asked: String,
        /// The name.
        parameter: String,
        /// What can be tuned.
        known: Vec<String>,
    },
}

fn nobody(mechanism: Option<&str>) -> String {
    mechanism.map_or("no mechanism declares a".into(), |m| format!("`{m}` declares no"))
}

/// `; did you mean …?` if one of the known names is close enough to be a slip.
fn suggest(known: &[String], name: &str) -> String {
    closest(known, name).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// The known name that `name` is most likely a slip of.
fn closest<'a>(known: &'a [String], name: &str) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let score = |k: &str| strsim::jaro_winkler(&k.to_lowercase(), &lower);
    known
        .iter()
        .map(|k| (score(k), k.as_str()))
        .filter(|(s, _)| *s > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

impl From<SlotError> for Failure {
    fn from(error: SlotError) -> Self {
        let list = |names: &[String]| match names {
            [] => "the files declare no parameters: build without --wrt".into(),
            _ => format!("name one of: {}", names.join(", ")),
        };
        let help = match &error {
            SlotError::Empty => "write names separated by single commas: --wrt gnabar,gkbar".into(),
            SlotError::Mechanism { known, .. }
            | SlotError::Parameter { known, .. }
            | SlotError::Supplied { known, .. } => list(known),
        };
        Self::new(ExitStatus::Usage, error, help)
    }
}

/// One mechanism as far as `--wrt` is concerned.
struct Declared {
    mechanism: String,
    tunable: Vec<String>,
    supplied: Vec<String>,
}

/// Names every simulator provides, which NMODL lets PARAMETER declare.
const SUPPLIED: [&str; 6] = ["v", "t", "dt", "celsius", "diam", "area"];

fn declared(source: &Source) -> Declared {
    let ast = compiler::syntax::parse(&source.text).0;
    let ion = |name: &str| {
        let variables = ast.neuron.ions.iter().flat_map(|i| i.read.iter().chain(&i.write));
        variables.into_iter().any(|v| v.name == name)
    };
    let names = ast.parameters.iter().map(|p| p.name.name.clone());
    let (supplied, tunable) = names.partition(|n| SUPPLIED.contains(&n.as_str()) || ion(n));
    Declared {
        mechanism: ast.neuron.suffix.as_ref().map(|s| s.name.clone()).unwrap_or_default(),
        tunable,
        supplied,
    }
}

/// The slots that the items of `--wrt` stand for, in that order.
///
/// `P` makes a slot for every mechanism that declares PARAMETER P, `mech.P` for that one. A slot is called P if no other
/// slot moves a parameter of that name, else `mech_P`. The sources must parse.
///
/// # Errors
/// A [`SlotError`] for the first item that names nothing.
pub(super) fn resolve(wrt: &[String], sources: &[Source]) -> Result<Vec<SlotSpec>, SlotError> {
    if wrt.is_empty() {
        return Ok(Vec::new());
    }
    let declared: Vec<Declared> = sources.iter().map(declared).collect();
    let mut targets: Vec<(String, String)> = Vec::new();
    for asked in wrt {
        for target in find(asked.trim(), &declared)? {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    let shared = |parameter: &str| targets.iter().filter(|(_, p)| p == parameter).count() > 1;
    Ok(targets
        .iter()
        .map(|(mechanism, parameter)| SlotSpec {
            name: if shared(parameter) {
                format!("{mechanism}_{parameter}")
            } else {
                parameter.clone()
            },
            targets: vec![(mechanism.clone(), parameter.clone())],
        })
        .collect())
}

/// The (mechanism, parameter) pairs of one item.
fn find(asked: &str, declared: &[Declared]) -> Result<Vec<(String, String)>, SlotError> {
    let (mechanism, parameter) = match asked.split_once('.') {
        Some((mechanism, parameter)) => (Some(mechanism), parameter),
        None => (None, asked),
    };
    if parameter.is_empty() || mechanism.is_some_and(str::is_empty) {
        return Err(SlotError::Empty);
    }
    let here: Vec<&Declared> = declared
        .iter()
        .filter(|d| mechanism.is_none_or(|m| d.mechanism == m))
        .collect();
    if let (Some(mechanism), true) = (mechanism, here.is_empty()) {
        return Err(SlotError::Mechanism {
            asked: asked.into(),
            mechanism: mechanism.into(),
            known: declared.iter().map(|d| d.mechanism.clone()).collect(),
        });
    }
    let found: Vec<(String, String)> = here
        .iter()
        .filter(|d| d.tunable.iter().any(|p| p == parameter))
        .map(|d| (d.mechanism.clone(), parameter.to_string()))
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut known: Vec<String> = Vec::new();
    for name in here.iter().flat_map(|d| &d.tunable) {
        if !known.contains(name) {
            known.push(name.clone());
        }
    }
    let (asked, parameter) = (asked.to_string(), parameter.to_string());
    if here.iter().any(|d| d.supplied.contains(&parameter)) {
        return Err(SlotError::Supplied {
            asked,
            parameter,
            known,
        });
    }
    Err(SlotError::Parameter {
        asked,
        mechanism: mechanism.map(Into::into),
        parameter,
        known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let hh = "NEURON { SUFFIX hh USEION na READ ena WRITE ina RANGE g, gna }\nPARAMETER { g = 1 gna = 2 ena v }\nBREAKPOINT { ina = (g + gna)*(v - ena) }";
        let pas = "NEURON { SUFFIX pas NONSPECIFIC_CURRENT i RANGE g }\nPARAMETER { g = 1 v }\nBREAKPOINT { i = g*v }";
        [("hh.mod", hh), ("pas.mod", pas)]
            .map(|(name, text)| Source {
                name: name.into(),
                text: text.into(),
            })
            .into()
    }

    fn names(wrt: &[&str]) -> Vec<(String, String)> {
        let wrt: Vec<String> = wrt.iter().map(ToString::to_string).collect();
        let slots = resolve(&wrt, &sources()).unwrap();
        slots
            .into_iter()
            .map(|s| (s.name, s.targets.into_iter().map(|(m, p)| format!("{m}.{p}")).collect()))
            .collect()
    }

    fn refused(item: &str) -> SlotError {
        resolve(&[item.to_string()], &sources()).unwrap_err()
    }

    #[test]
    fn a_bare_name_makes_a_slot_for_each_mechanism_that_has_it() {
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(names(&["gna"]), [pair("gna", "hh.gna")]);
        assert_eq!(names(&["g"]), [pair("hh_g", "hh.g"), pair("pas_g", "pas.g")]);
        assert_eq!(names(&["pas.g", "gna"]), [pair("g", "pas.g"), pair("gna", "hh.gna")]);
        assert_eq!(names(&["pas.g", "g"]), [pair("pas_g", "pas.g"), pair("hh_g", "hh.g")]);
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_does() {
        assert!(matches!(refused(""), SlotError::Empty));
        assert!(matches!(refused(".g"), SlotError::Empty));
        assert!(matches!(refused("hx.g"), SlotError::Mechanism { known, .. } if known == ["hh", "pas"]));
        assert!(matches!(refused("gn"), SlotError::Parameter { known, .. } if known == ["g", "gna"]));
        assert!(matches!(refused("pas.gna"), SlotError::Parameter { known, .. } if known == ["g"]));
        assert!(matches!(refused("ena"), SlotError::Supplied { .. }));
        assert!(refused("GNA").to_string().ends_with("did you mean `gna`?"));
        assert!(!refused("zzz").to_string().contains("did you mean"));
    }
}
