//! Fields that take a name, a list or an object. Read by hand, because serde's untagged enums lose the position.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::experiment::{
    Indegree, Location, NamedRule, Placement, Probability, Region, RegionExpr, ReversalMechanism, ReversalMethod, Rule,
    Uniform,
};

/// What a field takes, by the shape of the JSON value.
trait Choice: Sized {
    /// For the message where something else stands.
    const EXPECTED: &'static str;

    fn text<E: de::Error>(text: &str) -> Result<Self, E> {
        Err(E::invalid_type(de::Unexpected::Str(text), &Self::EXPECTED))
    }

    fn list<'de, A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(de::Error::invalid_type(de::Unexpected::Seq, &Self::EXPECTED))
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

struct ByShape<T>(PhantomData<T>);

impl<'de, T: Choice> Visitor<'de> for ByShape<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

macro_rules! deserialize_by_shape {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ByShape::<$type>(PhantomData))
            }
        }
    )*};
}

deserialize_by_shape!(Region, ReversalMethod, Placement, Rule);

impl Choice for Region {
    const EXPECTED: &'static str = "the name of a region, or an object such as {\"tag\": 1}";

    fn text<E: de::Error>(name: &str) -> Result<Self, E> {
        Ok(Region::Named(name.to_string()))
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        RegionExpr::deserialize(MapAccessDeserializer::new(map)).map(Region::Expr)
    }
}

impl Choice for ReversalMethod {
    const EXPECTED: &'static str = "the name of a mechanism, or an object with `mechanism` and `parameters`";

    fn text<E: de::Error>(name: &str) -> Result<Self, E> {
        Ok(ReversalMethod::Named(name.to_string()))
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        ReversalMechanism::deserialize(MapAccessDeserializer::new(map)).map(ReversalMethod::With)
    }
}

impl Choice for Placement {
    const EXPECTED: &'static str = "a place, a list of places, or an object with `region`, `count` and `seed`";

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::<Location>::deserialize(SeqAccessDeserializer::new(list)).map(Placement::Several)
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        /// The keys of both objects.
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Either {
            branch: Option<usize>,
            pos: Option<f64>,
            region: Option<Region>,
            count: Option<usize>,
            seed: Option<u64>,
        }
        let found = Either::deserialize(MapAccessDeserializer::new(map))?;
        let missing = de::Error::missing_field;
        if found.region.is_none() && found.count.is_none() && found.seed.is_none() {
            let branch = found.branch.ok_or_else(|| missing("branch"))?;
            let pos = found.pos.ok_or_else(|| missing("pos"))?;
            return Ok(Placement::One(Location { branch, pos }));
        }
        for (key, present) in [("branch", found.branch.is_some()), ("pos", found.pos.is_some())] {
            if present {
                return Err(de::Error::unknown_field(key, &["region", "count", "seed"]));
            }
        }
        Ok(Placement::Uniform(Uniform {
            region: found.region.unwrap_or_else(Region::all),
            count: found.count.ok_or_else(|| missing("count"))?,
            seed: found.seed.ok_or_else(|| missing("seed"))?,
        }))
    }
}

impl Choice for Rule {
    const EXPECTED: &'static str =
        "`all_to_all`, `one_to_one`, or an object with `indegree` or `probability` and `seed`";

    fn text<E: de::Error>(name: &str) -> Result<Self, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        NamedRule::deserialize(name).map(Rule::Named)
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        /// The keys of both objects.
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Either {
            indegree: Option<usize>,
            probability: Option<f64>,
            seed: u64,
        }
        let Either {
            indegree,
            probability,
            seed,
        } = Either::deserialize(MapAccessDeserializer::new(map))?;
        match (indegree, probability) {
            (Some(indegree), None) => Ok(Rule::Indegree(Indegree { indegree, seed })),
            (None, Some(probability)) => Ok(Rule::Probability(Probability { probability, seed })),
            (Some(_), Some(_)) => Err(de::Error::unknown_field("probability", &["indegree", "seed"])),
            (None, None) => Err(de::Error::missing_field("indegree")),
        }
    }
}
