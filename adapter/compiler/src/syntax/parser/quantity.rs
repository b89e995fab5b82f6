//! Values of unit texts such as `k-mole`, `joule/degC` or `10000 coulomb`, for the named constants of UNITS.
//!
//! The notation is that of NEURON's unit table: factors are separated by blanks or hyphens, what follows a slash
//! divides, `cm2` is a square, `1-3` is 1e-3 and `1|4` a quarter.

use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Elementary charge, C. Exact: SI Brochure, 9th edition (2019), table 1; NEURON 9's nrnunits.lib has the same.
const ELEMENTARY_CHARGE: f64 = 1.602176634e-19;
/// Boltzmann constant, J/K. Exact, same source.
const BOLTZMANN: f64 = 1.380649e-23;
/// Avogadro constant, 1/mol. Exact, same source.
const AVOGADRO: f64 = 6.02214076e23;
/// Planck constant, J s. Exact, same source.
const PLANCK: f64 = 6.62607015e-34;

/// Exponents of metre, kilogram, second, coulomb and kelvin.
type Dimension = [i32; 5];

const ONE: Dimension = [0, 0, 0, 0, 0];
const LENGTH: Dimension = [1, 0, 0, 0, 0];
const VOLUME: Dimension = [3, 0, 0, 0, 0];
const MASS: Dimension = [0, 1, 0, 0, 0];
const TIME: Dimension = [0, 0, 1, 0, 0];
const RATE: Dimension = [0, 0, -1, 0, 0];
const CHARGE: Dimension = [0, 0, 0, 1, 0];
const CURRENT: Dimension = [0, 0, -1, 1, 0];
const KELVIN: Dimension = [0, 0, 0, 0, 1];
const ENERGY: Dimension = [2, 1, -2, 0, 0];
const POTENTIAL: Dimension = [2, 1, -2, -1, 0];
const CONDUCTANCE: Dimension = [-2, -1, 1, 2, 0];
const PRESSURE: Dimension = [-1, 1, -2, 0, 0];

/// A value in SI units and what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    factor: f64,
    dimension: Dimension,
}

/// Units by name.
pub(super) type Known = BTreeMap<String, Quantity>;

/// How many `unit` the quantity is, if they measure the same.
pub(super) fn ratio(quantity: Quantity, unit: Quantity) -> Option<f64> {
    let value = quantity.factor / unit.factor;
    (quantity.dimension == unit.dimension && value.is_finite()).then_some(value)
}

/// Reads a unit text; `known` are the units that the file has defined. `None` if a part of it is unknown.
pub(super) fn evaluate(text: &str, known: &Known) -> Option<Quantity> {
    let mut total = Quantity {
        factor: 1.0,
        dimension: ONE,
    };
    let mut divide = false;
    let mut rest = text.trim_start_matches([' ', '\t', '-']);
    while let Some(c) = rest.chars().next() {
        if c == '/' {
            divide = true;
            rest = &rest[1..];
        } else if c.is_ascii_digit() || c == '.' {
            let (value, tail) = number(rest)?;
            total.multiply(value, ONE, if divide { -1 } else { 1 })?;
            rest = tail;
        } else {
            let end = rest.find(|c: char| !is_letter(c)).unwrap_or(rest.len());
            if end == 0 {
                return None; // no name; a file may have defined `( )`, which would stand here for ever
            }
            let unit = lookup(&rest[..end], known)?;
            let (power, tail) = power(&rest[end..])?;
            total.multiply(unit.factor, unit.dimension, if divide { -power } else { power })?;
            rest = tail;
        }
        rest = rest.trim_start_matches([' ', '\t', '-', '*']);
    }
    (total.factor.is_finite() && total.factor != 0.0).then_some(total)
}

impl Quantity {
    /// Times a unit to a power.
    fn multiply(&mut self, factor: f64, dimension: Dimension, power: i32) -> Option<()> {
        if power < 0 {
            self.factor /= factor.powi(-power);
        } else {
            self.factor *= factor.powi(power);
        }
        for (mine, theirs) in self.dimension.iter_mut().zip(dimension) {
            *mine = mine.checked_add(theirs.checked_mul(power)?)?;
        }
        Some(())
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// `2`, `^2`, `^-2` or nothing, which is 1; and what follows.
fn power(text: &str) -> Option<(i32, &str)> {
    let (caret, text) = match text.strip_prefix('^') {
        Some(tail) => (true, tail),
        None => (false, text),
    };
    let (sign, text) = match text.strip_prefix('-') {
        Some(tail) if caret => (-1, tail),
        _ => (1, text),
    };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, tail) = text.split_at(end);
    match digits {
        "" if !caret => Some((1, tail)),
        _ => Some((sign * digits.parse::<i32>().ok()?, tail)),
    }
}

/// `1.5`, `1-3`, `1+8`, `1|4`; and what follows.
fn number(text: &str) -> Option<(f64, &str)> {
    let (mantissa, tail) = decimal(text)?;
    // With the letter of charge behind a digit, NEURON's table means a product where others mean an exponent.
    if tail.starts_with(['e', 'E']) {
        return None;
    }
    if let Some(denominator) = tail.strip_prefix('|') {
        let (denominator, tail) = decimal(denominator)?;
        return Some((mantissa.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?, tail));
    }
    let signed = tail
        .strip_prefix(['+', '-'])
        .filter(|t| t.starts_with(|c: char| c.is_ascii_digit()));
    let Some(exponent) = signed else {
        return Some((mantissa.parse().ok()?, tail));
    };
    let end = exponent.find(|c: char| !c.is_ascii_digit()).unwrap_or(exponent.len());
    let sign = &tail[..1];
    let value = format!("{mantissa}e{sign}{}", &exponent[..end]).parse().ok()?;
    Some((value, &exponent[end..]))
}

/// Splits off digits and points.
fn decimal(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A name as it is, with a prefix, or in the plural.
fn lookup(name: &str, known: &Known) -> Option<Quantity> {
    let exact = |name: &str| {
        let table = || table(name).map(|(factor, dimension)| Quantity { factor, dimension });
        known.get(name).copied().or_else(table)
    };
    let singular = || name.strip_suffix('s').filter(|n| n.len() > 1);
    exact(name)
        .or_else(|| prefixed(name, exact))
        .or_else(|| exact(singular()?))
        .or_else(|| prefixed(singular()?, exact))
}

fn prefixed(name: &str, exact: impl Fn(&str) -> Option<Quantity>) -> Option<Quantity> {
    for (prefix, size) in PREFIXES {
        if let Some(mut unit) = name.strip_prefix(prefix).and_then(&exact) {
            unit.factor *= size;
            return Some(unit);
        }
    }
    let mut letters = name.chars();
    let size = match letters.next()? {
        'k' => 1e3,
        'c' => 1e-2,
        'm' => 1e-3,
        'u' => 1e-6,
        'n' => 1e-9,
        'p' => 1e-12,
        _ => return None,
    };
    let (factor, dimension) = symbol(letters.as_str())?;
    Some(Quantity {
        factor: factor * size,
        dimension,
    })
}

const PREFIXES: [(&str, f64); 13] = [
    ("tera", 1e12),
    ("giga", 1e9),
    ("mega", 1e6),
    ("kilo", 1e3),
    ("hecto", 1e2),
    ("deka", 1e1),
    ("deci", 1e-1),
    ("centi", 1e-2),
    ("milli", 1e-3),
    ("micro", 1e-6),
    ("nano", 1e-9),
    ("pico", 1e-12),
    ("femto", 1e-15),
];

/// Symbols that take a letter as prefix.
fn symbol(name: &str) -> Option<(f64, Dimension)> {
    Some(match name {
        "m" => (1.0, LENGTH),
        "s" => (1.0, TIME),
        "V" => (1.0, POTENTIAL),
        "A" => (1.0, CURRENT),
        "S" => (1.0, CONDUCTANCE),
        "F" => (1.0, [-2, -1, 2, 2, 0]),
        "C" => (1.0, CHARGE),
        "J" => (1.0, ENERGY),
        "Hz" => (1.0, RATE),
        _ => return None,
    })
}

/// Units and constants by their names in NEURON's table, in SI units.
fn table(name: &str) -> Option<(f64, Dimension)> {
    Some(match name {
        // Constants.
        "pi" => (PI, ONE),
        "mole" | "avogadro" => (AVOGADRO, ONE),
        "e" => (ELEMENTARY_CHARGE, CHARGE),
        "faraday" => (AVOGADRO * ELEMENTARY_CHARGE, CHARGE),
        "k" | "boltzmann" => (BOLTZMANN, [2, 1, -2, 0, -1]),
        "gasconstant" | "R" => (BOLTZMANN * AVOGADRO, [2, 1, -2, 0, -1]),
        "planck" => (PLANCK, [2, 1, -1, 0, 0]),
        "hbar" => (PLANCK / (2.0 * PI), [2, 1, -1, 0, 0]),
        "c" => (2.99792458e8, [1, 0, -1, 0, 0]),
        "g" => (9.80665, [1, 0, -2, 0, 0]),
        // Length, volume, angle.
        "m" | "meter" | "metre" => (1.0, LENGTH),
        "cm" => (1e-2, LENGTH),
        "mm" => (1e-3, LENGTH),
        "micron" => (1e-6, LENGTH),
        "nm" => (1e-9, LENGTH),
        "angstrom" => (1e-10, LENGTH),
        "liter" | "litre" => (1e-3, VOLUME),
        "ml" | "cc" => (1e-6, VOLUME),
        "radian" => (0.5 / PI, ONE),
        "degree" => (0.5 / 180.0, ONE),
        // Time.
        "sec" | "second" | "s" => (1.0, TIME),
        "ms" => (1e-3, TIME),
        "us" => (1e-6, TIME),
        "min" | "minute" => (60.0, TIME),
        "hr" | "hour" => (3600.0, TIME),
        "day" => (86400.0, TIME),
        "hertz" | "Hz" | "hz" => (1.0, RATE),
        // Mass, force, energy, temperature.
        "kg" => (1.0, MASS),
        "gram" | "gm" => (1e-3, MASS),
        "mg" => (1e-6, MASS),
        "newton" | "nt" | "N" => (1.0, [1, 1, -2, 0, 0]),
        "pascal" => (1.0, PRESSURE),
        "atmosphere" | "atm" => (1.01325e5, PRESSURE),
        "joule" | "J" => (1.0, ENERGY),
        "erg" => (1e-7, ENERGY),
        "cal" | "calorie" => (4.1868, ENERGY),
        "ev" | "eV" | "electronvolt" => (ELEMENTARY_CHARGE, ENERGY),
        "watt" => (1.0, [2, 1, -3, 0, 0]),
        "K" | "kelvin" | "degK" | "degC" => (1.0, KELVIN),
        // Electricity.
        "coul" | "coulomb" | "C" => (1.0, CHARGE),
        "amp" | "ampere" | "A" => (1.0, CURRENT),
        "volt" | "V" => (1.0, POTENTIAL),
        "ohm" => (1.0, [2, 1, -1, -2, 0]),
        "kilohm" => (1e3, [2, 1, -1, -2, 0]),
        "megohm" => (1e6, [2, 1, -1, -2, 0]),
        "mho" | "siemens" | "S" => (1.0, CONDUCTANCE),
        "farad" | "F" => (1.0, [-2, -1, 2, 2, 0]),
        "henry" => (1.0, [2, 1, 0, -2, 0]),
        _ => return None,
    })
}
