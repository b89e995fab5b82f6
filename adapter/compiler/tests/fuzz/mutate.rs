//! Mutated `.mod` files, each a function of a seed and a number.

/// splitmix64 (Steele, Lea and Flood, 2014, DOI 10.1145/2660193.2660195).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0. The bias is of no account here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("less than a usize")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "2",
    "3",
    "7",
    "999",
    "1000",
    "1001",
    "1e9",
    "1000000000",
    "4294967296",
    "9223372036854775808",
    "1e308",
    "1e309",
    "1e-308",
    "1e-400",
    "0.1",
    "1e",
    "1.2.3",
    "0x10",
    "-0",
    "1e+",
    "1.",
    ".5",
    "99999999999999999999999",
];

const WORDS: &[&str] = &[
    "NEURON",
    "SUFFIX",
    "POINT_PROCESS",
    "JUNCTION_PROCESS",
    "VOLTAGE_PROCESS",
    "ARTIFICIAL_CELL",
    "USEION",
    "READ",
    "WRITE",
    "RANGE",
    "GLOBAL",
    "NONSPECIFIC_CURRENT",
    "ELECTRODE_CURRENT",
    "VALENCE",
    "PARAMETER",
    "ASSIGNED",
    "STATE",
    "CONSTANT",
    "INITIAL",
    "BREAKPOINT",
    "SOLVE",
    "METHOD",
    "STEADYSTATE",
    "cnexp",
    "sparse",
    "derivimplicit",
    "euler",
    "stochastic",
    "DERIVATIVE",
    "KINETIC",
    "LINEAR",
    "NONLINEAR",
    "PROCEDURE",
    "FUNCTION",
    "NET_RECEIVE",
    "POST_EVENT",
    "WHITE_NOISE",
    "LOCAL",
    "IF",
    "ELSE",
    "WHILE",
    "FROM",
    "TO",
    "BY",
    "TABLE",
    "DEPEND",
    "WITH",
    "DEFINE",
    "CONSERVE",
    "COMPARTMENT",
    "CONDUCTANCE",
    "VERBATIM",
    "ENDVERBATIM",
    "COMMENT",
    "ENDCOMMENT",
    "TITLE",
    "UNITS",
    "UNITSOFF",
    "UNITSON",
    "INCLUDE",
    "INDEPENDENT",
    "net_send",
    "WATCH",
    "RANDOM",
    "POINTER",
    "FUNCTION_TABLE",
    "exp",
    "log",
    "exprelr",
    "fabs",
    "pow",
    "min",
    "v",
    "t",
    "dt",
    "celsius",
    "diam",
    "area",
    "cai",
    "eca",
    "ica",
    "cad",
    "x",
    "m",
    "m'",
    "x[0]",
    "x[3]",
    "~",
    "<->",
    "->",
    "<<",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "<=",
    "==",
    "!=",
    "=",
    "'",
    ",",
    "+",
    "-",
    "*",
    "/",
    "^",
    "!",
    "&&",
    "||",
    "%",
    ":",
    "?",
    "\"",
    "@",
    "\n",
    "é",
    "\u{2028}",
    "\0",
    "(mV)",
    "(S/cm2)",
    "__",
    "1e9",
];

/// Words, numbers, blanks and single characters; joined they are the text again.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    for c in text.chars() {
        match out.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => out.push(c.to_string()),
        }
    }
    out
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit() || c == '.') && token.chars().any(|c| c.is_ascii_digit())
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// One mutant of so many asks for much: these take most of the time.
const AMPLIFIED: usize = 200;

/// A text that asks for much: sizes inside and far outside of what the compiler takes, as a file of its own.
fn amplifier(random: &mut Random) -> String {
    let n = [3, 7, 12, 25, 60, 200, 999, 100_000][random.below(8)];
    let few = n.min(300);
    let each = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().join("\n");
    let states = format!("STATE {{ {} }}", each(few, &|k| format!("s{k}")));
    let next = |k: usize| (k * 7 + 1) % few;
    let method = random.pick(&["cnexp", "sparse", "derivimplicit", "euler"]);
    let (blocks, initial, breakpoint) = match random.below(10) {
        0 => {
            let body = format!("LOCAL q FROM i = 0 TO {n} {{ FROM j = 0 TO {n} {{\n q = q + i*j + v\n }} }}\n i = q");
            (String::new(), String::new(), body)
        }
        1 => {
            let body = format!("FROM k = 0 TO {} {{\n s[k] = s[k]*k + v\n }}\n i = s[0]", n - 1);
            (format!("STATE {{ s[{n}] }}"), String::new(), body)
        }
        // each calls its predecessor twice
        2 => {
            let chain = |k: usize| format!("FUNCTION f{}(a) {{\n f{0} = f{k}(a) + f{k}(a*a + {k})\n}}", k + 1);
            let functions = format!("FUNCTION f0(a) {{\n f0 = a*exp(a)\n}}\n{}", each(few, &chain));
            (functions, String::new(), format!("i = f{few}(v)"))
        }
        3 => {
            let reaction = |k: usize| format!("~ s{k} <-> s{} (exp(v + {k}), {k}*g)", k + 1);
            let sum = (0..few).map(|k| format!("s{k}")).collect::<Vec<_>>().join(" + ");
            let kinetic = format!("KINETIC k {{\n{}\nCONSERVE {sum} = 1\n}}", each(few - 1, &reaction));
            let steady = "SOLVE k STEADYSTATE sparse".to_owned();
            (
                format!("{states}\n{kinetic}"),
                steady,
                "SOLVE k METHOD sparse\n i = s0".into(),
            )
        }
        // species that react with one another: Newton's iterations
        4 => {
            let reaction = |k: usize| format!("~ s{k} + s{} <-> s{} (exp(v + {k}), {k}*g)", next(k), next(k + 1));
            let kinetic = format!("KINETIC k {{\n{}\n}}", each(few, &reaction));
            (
                format!("{states}\n{kinetic}"),
                String::new(),
                "SOLVE k METHOD sparse\n i = s0".into(),
            )
        }
        5 => {
            let equation = |k: usize| format!("~ s{k} + {k}*s{} + g*s{} = v", next(k), next(next(k)));
            let kind = random.pick(&["LINEAR", "NONLINEAR"]);
            (
                format!("{states}\n{kind} l {{\n{}\n}}", each(few, &equation)),
                String::new(),
                "SOLVE l\n i = s0".into(),
            )
        }
        6 => {
            let body = format!(
                "LOCAL q\n q = v\n {}i = q",
                "q = q*q + q^q + exp(q)\n".repeat(n.min(2000))
            );
            (String::new(), String::new(), body)
        }
        7 => {
            let body = format!("LOCAL q\n q = 0\n WHILE (q < {n}) {{\n q = q + 1\n }}\n i = q*v");
            (String::new(), String::new(), body)
        }
        8 => {
            let equation = |k: usize| format!("s{k}' = s{}*s{k} - g*exp(v)", next(k));
            let derivative = format!("DERIVATIVE d {{\n{}\n}}", each(few, &equation));
            (
                format!("{states}\n{derivative}"),
                String::new(),
                format!("SOLVE d METHOD {method}\n i = s0"),
            )
        }
        // branches that multiply
        _ => {
            let branch = |k: usize| format!("if (q > {k}) {{\n q = q*g + v\n }} else {{\n q = q/g - p\n }}");
            let body = format!("LOCAL q\n q = v\n {}\n i = q", each(n.min(2000), &branch));
            (String::new(), String::new(), body)
        }
    };
    let zero = if blocks.contains("s0") && initial.is_empty() {
        each(few, &|k| format!("s{k} = 0.1"))
    } else if blocks.contains("s[") {
        format!("FROM k = 0 TO {} {{\n s[k] = 0\n }}", n - 1)
    } else {
        initial
    };
    format!(
        "NEURON {{\n SUFFIX big\n NONSPECIFIC_CURRENT i\n RANGE g, p\n}}\nPARAMETER {{\n v (mV)\n g = 0.5\n p = 2\n}}\n\
         {blocks}\nINITIAL {{\n {zero}\n}}\nBREAKPOINT {{\n {breakpoint}\n}}\n"
    )
}

/// Puts a part of `other` into `text`, or joins the head of one to the tail of the other.
fn splice(text: &str, other: &str, random: &mut Random) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (text.split('\n').collect(), other.split('\n').collect());
    let (at, from) = (random.below(a.len()), random.below(b.len()));
    let upto = from + random.below(b.len() - from) + 1;
    let rest = if random.below(2) == 0 { &a[at..] } else { &[] };
    [&a[..at], &b[from..upto], rest].concat().join("\n")
}

/// Nests an assignment in IFs, or its right-hand side in parentheses, signs or calls.
fn nest(text: &str, random: &mut Random) -> String {
    let depth = [1, 2, 9, 99, 101, 5000][random.below(6)];
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let places: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains('=')).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let at = places[random.below(places.len())];
    let line = lines[at].clone();
    let (left, right) = line.split_once('=').expect("just looked for");
    lines[at] = match random.below(5) {
        0 => format!("{}{line}{}", "if (v > 0) {\n".repeat(depth), "\n}".repeat(depth)),
        1 => format!(
            "{}{line}{}",
            "if (v > 0) {\n".repeat(depth),
            "\n} else {\n }".repeat(depth)
        ),
        2 => format!("{left}={}{right}{}", "(".repeat(depth), ")".repeat(depth)),
        3 => format!("{left}={}({right})", "-".repeat(depth)),
        _ => format!("{left}={}{right}{}", "exp(".repeat(depth), ")".repeat(depth)),
    };
    lines.join("\n")
}

fn flip_bytes(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn edit_tokens(text: &str, other: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    if tokens.is_empty() {
        return WORDS.concat();
    }
    let (at, to) = (random.below(tokens.len()), random.below(tokens.len()));
    match random.below(5) {
        0 => tokens.swap(at, to),
        1 => drop(tokens.remove(at)),
        2 => tokens.insert(at, random.pick(WORDS).to_owned()),
        3 => tokens[at] = random.pick(WORDS).to_owned(),
        _ => {
            let theirs = self::tokens(other);
            if !theirs.is_empty() {
                tokens[at].clone_from(&theirs[random.below(theirs.len())]);
            }
        }
    }
    tokens.concat()
}

/// Exchanges some names, or some numbers, for others of the file or of the list.
fn rename(text: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    let numbers = random.below(2) == 0;
    let kind = if numbers { is_number } else { is_name };
    let places: Vec<usize> = (0..tokens.len()).filter(|&i| kind(&tokens[i])).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    for _ in 0..=random.below(3) {
        let at = places[random.below(places.len())];
        tokens[at] = if numbers {
            random.pick(NUMBERS).to_owned()
        } else {
            tokens[places[random.below(places.len())]].clone()
        };
    }
    tokens.concat()
}

fn edit_lines(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let (at, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(4) {
        0 => lines.swap(at, to),
        1 => drop(lines.remove(at)),
        2 => lines.truncate(at),
        _ => {
            let times = [1, 2, 10, 200][random.below(4)];
            let copies = vec![lines[at]; times];
            lines.splice(to..to, copies);
        }
    }
    lines.join("\n")
}

/// What mutants are made of.
pub(crate) struct Corpus {
    /// Files without errors.
    pub(crate) sound: Vec<String>,
    /// All files.
    pub(crate) all: Vec<String>,
}

/// The `number`-th mutant.
pub(crate) fn mutant(corpus: &Corpus, seed: u64, number: u64) -> String {
    let mut random = Random::new(seed, number);
    let one = |random: &mut Random| {
        // what is refused early says little about what comes later
        let from = if random.below(8) == 0 {
            &corpus.all
        } else {
            &corpus.sound
        };
        &from[random.below(from.len())]
    };
    let mut text = match random.below(AMPLIFIED) {
        0 => amplifier(&mut random),
        _ => one(&mut random).clone(),
    };
    // few edits leave much that still lowers
    for _ in 0..[1, 1, 1, 2, 3, 6][random.below(6)] {
        let other = one(&mut random);
        text = match random.below(12) {
            0 => flip_bytes(&text, &mut random),
            1..=3 => edit_tokens(&text, other, &mut random),
            4..=7 => rename(&text, &mut random),
            8 | 9 => edit_lines(&text, &mut random),
            10 => nest(&text, &mut random),
            _ => splice(&text, other, &mut random),
        };
    }
    text
}
