//! What the parser makes of sources that it accepts: precedence by table, both dialects by row, the library by golden.

use std::fs;
use std::path::Path;

use compiler::diagnostic::Diagnostic;
use compiler::syntax::ast::{Ast, Expr, StatementKind};
use compiler::syntax::{parse, sexpr};
use expect_test::expect_file;

fn accept(source: &str) -> Ast {
    let (ast, diagnostics) = parse(source);
    assert!(diagnostics.is_empty(), "{source}\n{diagnostics:#?}");
    ast
}

/// The right-hand side of `x = …`.
fn expression(text: &str) -> Expr {
    let source = format!("NEURON {{ SUFFIX t }} BREAKPOINT {{ x = {text} }}");
    let mut block = accept(&source).breakpoint.expect("a BREAKPOINT block");
    assert_eq!(block.statements.len(), 1, "{text}");
    match block.statements.remove(0).kind {
        StatementKind::Assign { value, .. } => value,
        other => unreachable!("{text} became {other:?}"),
    }
}

#[test]
fn operators_bind_as_they_should() {
    let rows = [
        // The sign is looser than the power. Arbor had this wrong until 0.11.
        ("-K^n", "(neg (^ K n))"),
        ("-2^2", "(neg (^ 2.0 2.0))"),
        ("(-K)^n", "(^ (neg K) n)"),
        ("a^-b", "(^ a (neg b))"),
        ("a^-b^c", "(^ a (neg (^ b c)))"),
        ("a^b^c", "(^ a (^ b c))"),
        ("(a^b)^c", "(^ (^ a b) c)"),
        ("-a^-b", "(neg (^ a (neg b)))"),
        ("a*-b^c", "(* a (neg (^ b c)))"),
        ("a*b^c", "(* a (^ b c))"),
        ("a^b*c", "(* (^ a b) c)"),
        ("2*-a", "(* 2.0 (neg a))"),
        ("a - -b", "(- a (neg b))"),
        ("--a", "(neg (neg a))"),
        ("+a", "a"),
        ("-+a", "(neg a)"),
        ("-a*b", "(* (neg a) b)"),
        ("-a/b", "(/ (neg a) b)"),
        // Left to right.
        ("a - b - c", "(- (- a b) c)"),
        ("a/b/c", "(/ (/ a b) c)"),
        ("a/b*c", "(* (/ a b) c)"),
        ("a - b + c", "(+ (- a b) c)"),
        ("a - (b - c)", "(- a (- b c))"),
        // Tight to loose.
        ("a + b*c", "(+ a (* b c))"),
        ("a*b + c", "(+ (* a b) c)"),
        ("a + b < c*d", "(< (+ a b) (* c d))"),
        ("a < b == c > d", "(== (< a b) (> c d))"),
        ("a <= b != c >= d", "(!= (<= a b) (>= c d))"),
        ("a == b && c != d", "(&& (== a b) (!= c d))"),
        ("a || b && c", "(|| a (&& b c))"),
        ("a && b || c", "(|| (&& a b) c)"),
        ("a && b && c", "(&& (&& a b) c)"),
        ("!a == b", "(== (! a) b)"),
        ("!(a == b)", "(! (== a b))"),
        ("!a && !b", "(&& (! a) (! b))"),
        ("!a^b", "(! (^ a b))"),
        // Calls and numbers.
        ("f(a, -b)^2", "(^ (call f a (neg b)) 2.0)"),
        ("f()", "(call f)"),
        ("exp(-(v + 65)/18)", "(call exp (/ (neg (+ v 65.0)) 18.0))"),
        (
            "1. + .5 + 1e-3 + 1E+3 + 2.e2",
            "(+ (+ (+ (+ 1.0 0.5) 0.001) 1000.0) 200.0)",
        ),
        ("0.1 (mV) + v*1(/mV)", "(+ 0.1 (* v 1.0))"),
        ("(0.1 (mV))*1(um)", "(* 0.1 1.0)"),
        ("2 (1/ms)^2", "(^ 2.0 2.0)"),
        ("(1e8)*area1", "(* 100000000.0 area1)"),
    ];
    for (text, tree) in rows {
        assert_eq!(sexpr::expr(&expression(text)), tree, "{text}");
    }
}

#[test]
fn spans_cover_what_was_written() {
    let source = "NEURON { SUFFIX t }\nBREAKPOINT {\n    y = a + (b*2 (mV)) ^ -c\n}\n";
    let ast = accept(source);
    let at = |s: compiler::diagnostic::Span| &source[s.start..s.end];
    let block = ast.breakpoint.expect("a BREAKPOINT block");
    assert_eq!(at(block.span), "{\n    y = a + (b*2 (mV)) ^ -c\n}");
    assert_eq!(at(block.statements[0].span), "y = a + (b*2 (mV)) ^ -c");
    let StatementKind::Assign { value, .. } = &block.statements[0].kind else {
        panic!("not an assignment")
    };
    assert_eq!(at(value.span), "a + (b*2 (mV)) ^ -c");
    assert_eq!(at(ast.neuron.span), "NEURON { SUFFIX t }");
}

/// Wraps file-level text so that it parses, and gives the tree without the NEURON block.
fn tree(text: &str) -> String {
    let printed = sexpr::ast(&accept(&format!("NEURON {{ SUFFIX t }}\n{text}")));
    printed
        .strip_prefix("(neuron\n  (suffix t))\n")
        .expect("the NEURON block comes first")
        .to_owned()
}

#[test]
fn both_dialects_are_read() {
    let rows = [
        (
            "PARAMETER { a = 1 (mV) <0,1e9>  b=2 c=-3(ms) d }",
            "(parameter a 1.0 \"mV\" (limits 0.0 1000000000.0))\n(parameter b 2.0 \"\")\n(parameter c -3.0 \"ms\")\n(parameter d \"\")\n",
        ),
        (
            "PARAMETER {\n k1 = 5e8 (/mM-s) <-1e-3, +1e10>:note\n e = - 65 ( mV )\n}",
            "(parameter k1 500000000.0 \"/mM-s\" (limits -0.001 10000000000.0))\n(parameter e -65.0 \"mV\")\n",
        ),
        (
            "STATE { m FROM 0 TO 1 h (1) n }",
            "(state m \"\")\n(state h \"1\")\n(state n \"\")\n",
        ),
        ("STATE { c (mM) <1e-6> }", "(state c \"mM\")\n"),
        (
            "ASSIGNED { v (mV) g (S/cm^2) minf taum (ms)\n}",
            "(assigned v \"mV\")\n(assigned g \"S/cm^2\")\n(assigned minf \"\")\n(assigned taum \"ms\")\n",
        ),
        ("ASSIGNED { c1 (1+8 um5/ms) }", "(assigned c1 \"1+8 um5/ms\")\n"),
        ("CONSTANT { volo = 1 (liter) }", "(constant volo 1.0 \"liter\")\n"),
        (
            "UNITS { (mV)=(millivolt) (mA) = (milliamp) F = 96485 (coul) }",
            "(unit mV \"millivolt\")\n(unit mA \"milliamp\")\n(named-constant F 96485.0 \"coul\")\n",
        ),
        (
            "BREAKPOINT { SOLVE states METHOD cnexp }",
            "(breakpoint\n  (solve states (method cnexp)))\n",
        ),
        (
            "BREAKPOINT { SOLVE s STEADYSTATE sparse  i = 1 }",
            "(breakpoint\n  (solve s (steadystate sparse))\n  (= i 1.0))\n",
        ),
        (
            "BREAKPOINT { SOLVE s\n i = 1 }",
            "(breakpoint\n  (solve s)\n  (= i 1.0))\n",
        ),
        (
            "BREAKPOINT { CONDUCTANCE g USEION na\n CONDUCTANCE gl }",
            "(breakpoint\n  (conductance g na)\n  (conductance gl))\n",
        ),
        (
            "DERIVATIVE d { LOCAL a,b\n m' = a  h'=b }",
            "(derivative (d)\n  (local a b)\n  (' m a)\n  (' h b))\n",
        ),
        (
            "FUNCTION f(x (mV), y) (1/ms) { f = x }",
            "(function (f x y)\n  (= f x))\n",
        ),
        (
            "PROCEDURE p { q(1, x) r() }",
            "(procedure (p)\n  (call q 1.0 x)\n  (call r))\n",
        ),
        (
            "PROCEDURE rates(v(mV)) {LOCAL a, b :rest\n TABLE inf, tau DEPEND celsius FROM -100 TO 100 WITH 200\n a = alp(v)  b=bet(v)\n}",
            "(procedure (rates v)\n  (local a b)\n  (table inf tau)\n  (= a (call alp v))\n  (= b (call bet v)))\n",
        ),
        (
            "FUNCTION f(v) { TABLE FROM 0 TO 1 WITH 10\n f = v }",
            "(function (f v)\n  (table)\n  (= f v))\n",
        ),
        (
            "INITIAL { if (v > 0) { m = 1 }else{ m = 2 } }",
            "(initial\n  (if (> v 0.0)\n    (then\n      (= m 1.0))\n    (else\n      (= m 2.0))))\n",
        ),
        (
            "INITIAL { IF (a) { } ELSE IF (b) { x = 1 } ELSE { { x = 2 } } }",
            "(initial\n  (if a\n    (then)\n    (else\n      (if b\n        (then\n          (= x 1.0))\n        (else\n          (block\n            (= x 2.0)))))))\n",
        ),
        (
            "INITIAL {\n LOCAL a\n a = 1\n LOCAL b\n b = a\n}",
            "(initial\n  (local a b)\n  (= a 1.0)\n  (= b a))\n",
        ),
        (
            "UNITSOFF\nINITIAL {\nUNITSON\n x = 1 ? why\n UNITSOFF }\nUNITSON",
            "(initial\n  (= x 1.0))\n",
        ),
        ("INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}\nINITIAL { }", "(initial)\n"),
        ("COMMENT\nBREAKPOINT { ENDCOMMENT INITIAL { }", "(initial)\n"),
        ("INITIAL { x = a\n - b }", "(initial\n  (= x (- a b)))\n"),
        (
            "KINETIC k {\n COMPARTMENT i, (1 + b)*vol[i]*1(um) {ca, x}\n COMPARTMENT 2e10 {p q\n r}\n ~ a + 2 b <-> c[0] (f, r)\n\
             ~ a -> (f)\n ~ a -> 2a (f*g)\n ~ ca[1] << (-(i - j))\n x = f_flux\n CONSERVE a + 2 b - 3*c[0] = t*2\n}",
            "(kinetic (k)\n  (compartment i (* (* (+ 1.0 b) vol[i]) 1.0) (of ca x))\n  \
             (compartment 20000000000.0 (of p q r))\n  (reaction (side a (2.0 b)) (side c[0.0]) f r)\n  \
             (reaction (side a) (side) f)\n  (reaction (side a) (side (2.0 a)) (* f g))\n  \
             (influx ca[1.0] (neg (- i j)))\n  (= x f_flux)\n  \
             (conserve (- (+ a (* 2.0 b)) (* 3.0 c[0.0])) (* t 2.0)))\n",
        ),
        (
            "LINEAR l {\n ~ a + b = 1\n ~ 2*a - b = f(v)\n}\nNONLINEAR n { ~ a*a = b }",
            "(linear (l)\n  (equation (+ a b) 1.0)\n  (equation (- (* 2.0 a) b) (call f v)))\n\
             (nonlinear (n)\n  (equation (* a a) b))\n",
        ),
        (
            "DEFINE N 4 : note\nASSIGNED { a[N] (mM) <1e-6> b[2] }\nSTATE { c[N] FROM 0 TO N }\nLOCAL f[N], g\n\
             PROCEDURE p() { a[0] = b[i + 1]*N(ms) a[N - 1] = g }\nDERIVATIVE d { c'[0] = 1 c[1]' = 2 }",
            "(assigned a[4] \"mM\")\n(assigned b[2] \"\")\n(state c[4] \"\")\n(local f[4] \"\")\n(local g \"\")\n\
             (derivative (d)\n  (' c[0.0] 1.0)\n  (' c[1.0] 2.0))\n\
             (procedure (p)\n  (= a[0.0] (* b[(+ i 1.0)] 4.0))\n  (= a[(- 4.0 1.0)] g))\n",
        ),
        (
            "NET_RECEIVE (w (uS), n, tl (ms)) {\n LOCAL d\nINITIAL {\n n = 0\n}\n n = n + w net_send(1, 2)\n}",
            "(net-receive (w n tl)\n  (initial\n    (= n 0.0))\n  (local d)\n  (= n (+ n w))\n  \
             (call net_send 1.0 2.0))\n",
        ),
        (
            "NET_RECEIVE { x = 1 }\nPOST_EVENT(t) { y = t }\nWHITE_NOISE { a, b\n c }",
            "(white-noise a b c)\n(net-receive ()\n  (= x 1.0))\n(post-event (POST_EVENT t)\n  (= y t))\n",
        ),
        (
            "PROCEDURE p() { FROM i = 0 TO 9 { a[i] = 0 } FROM i=n-1 TO 0 BY -1 { x = i }\n WHILE (x < 3) { x = x + 1 }\n\
             while (x) { } PROTECT x = 2 }",
            "(procedure (p)\n  (for i 0.0 9.0\n    (= a[i] 0.0))\n  (for i (- n 1.0) 0.0 by (neg 1.0)\n    (= x i))\n  \
             (while (< x 3.0)\n    (= x (+ x 1.0)))\n  (while x)\n  (= x 2.0))\n",
        ),
        (
            "BREAKPOINT { SOLVE p METHOD after_cvode\n}\nFUNCTION ss() (mM) { SOLVE k STEADYSTATE sparse ss = c }",
            "(breakpoint\n  (solve p (method after_cvode)))\n\
             (function (ss)\n  (solve k (steadystate sparse))\n  (= ss c))\n",
        ),
        (
            "UNITS { (a) = (b) }\nASSIGNED { x }\nUNITS { (c) = (1/liter) G = 3 (um) }\nASSIGNED { y }",
            "(unit a \"b\")\n(unit c \"1/liter\")\n(named-constant G 3.0 \"um\")\n(assigned x \"\")\n(assigned y \"\")\n",
        ),
    ];
    for (source, want) in rows {
        assert_eq!(tree(source), want, "{source}");
    }
}

#[test]
fn neuron_blocks_are_read() {
    let source = "\u{feff}TITLE  A, b: c?\r\nNEURON {\r\n THREADSAFE SUFFIX t\r\n USEION na READ ena, nai WRITE ina VALENCE 1\r\n\
                  USEION cl WRITE icl VALENCE -1 NONSPECIFIC_CURRENT i, il\r\n RANGE a, b c,\r\n d\r\n GLOBAL e\r\n}\r\n";
    let want = "(title \"A, b: c?\")\n(neuron\n  (suffix t)\n  (useion na (read ena nai) (write ina) (valence 1))\n  \
                (useion cl (read) (write icl) (valence -1))\n  (nonspecific i il)\n  (range a b c d)\n  (global e)\n  (threadsafe))\n";
    assert_eq!(sexpr::ast(&accept(source)), want);
}

#[test]
fn every_kind_of_process_is_read() {
    for (line, head) in [
        ("POINT_PROCESS t", "point-process"),
        ("ARTIFICIAL_CELL t", "artificial-cell"),
        ("JUNCTION_PROCESS t", "junction-process"),
        ("VOLTAGE_PROCESS t", "voltage-process"),
        ("SUFFIX t", "suffix"),
    ] {
        let source = format!(
            "NEURON {{ {line} ELECTRODE_CURRENT i, j\n USEION x READ ex WRITE ix VALENCE zx REPRESENTS CHEBI:29108\n\
             THREADSAFE a, b\n REPRESENTS [NCIT:C17145] REPRESENTS NCIT:C17008 RANGE g }}"
        );
        let want = format!(
            "(neuron\n  ({head} t)\n  (useion x (read ex) (write ix) (valence zx))\n  (electrode i j)\n  (range g)\n  \
             (threadsafe))\n"
        );
        assert_eq!(sexpr::ast(&accept(&source)), want, "{line}");
    }
}

/// 0x1.78e555060882cp+16
const FARADAY: f64 = 96485.33212331001;

/// The bits are those that nocmodl 9.0.2 writes for the same line (as C hexadecimal literals).
#[test]
fn named_constants_have_the_values_of_neuron() {
    let rows = [
        ("F = (faraday) (coulombs)", FARADAY),
        ("F = (faraday) (coul)", FARADAY),
        ("R = (k-mole) (joule/degC)", 8.31446261815324),
        ("PI = (pi) (1)", std::f64::consts::PI),
        ("k = (k) (joule/degC)", 1.380649e-23),
        ("e = (e) (coulombs)", 1.602176634e-19),
        ("N = (mole) (1)", 6.02214076e23),
        ("h = (planck) (joule-sec)", 6.62607015e-34),
        ("H = (hbar) (joule-sec)", 1.0545718176461565e-34),
        ("c = (c) (cm/sec)", 29979245800.0),
        ("c = (c) (m/s)", 299792458.0),
        ("g = (g) (m/sec2)", 9.80665),
        ("k = (boltzmann) (joule/degC)", 1.380649e-23),
        ("R = (gasconstant) (joule/degC)", 8.31446261815324),
        ("R = (R) (joule/degC)", 8.31446261815324),
        ("x = (2 pi) (1)", std::f64::consts::TAU),
        ("x = (ev) (joule)", 1.602176634e-19),
        ("x = (atm) (pascal)", 101325.0),
        ("x = (cal) (joule)", 4.1868),
        ("F = (faraday) (C)", 96485.33212331001),
        ("x = (volt-coul) (joule)", 1.0),
        ("x = (1|4 m) (m)", 0.25),
        ("x = (day) (s)", 86400.0),
    ];
    for (text, want) in rows {
        assert_eq!(constant(text).to_bits(), want.to_bits(), "{text}");
    }
    // Here NEURON's unit conversion rounds once more than we do.
    for (text, want) in [
        ("F = (faraday) (kilocoulombs)", 96.48533212331002),
        ("F = (faraday) (10000 coulomb)", 9.648533212331001),
        ("x = (pi) (degree)", 1130.9733552923256),
        ("q = (e) (picocoul)", 1.602176634e-07),
        ("x = (siemens/cm2) (mho/m2)", 10000.0),
        ("x = (e/k) (coul-degC/joule)", 11604.518121550082),
        ("x = (hour) (ms)", 3600000.0),
        ("R = (mole k) (mV-coulomb/degC)", 8314.462618153239),
        ("x = (hour/min-sec) (hertz)", 60.0),
        // Units that the file defines, by their definitions.
        ("(mine) = (1-3 coul) F = (faraday) (kilomine)", 96485.33212331001),
        ("(molar) = (1/liter) (mM) = (millimolar) x = (mole/m3) (mole-mM)", 1.0),
        // Arbor writes powers with a caret.
        ("x = (mA/cm^2) (A*m^-2)", 10.0),
    ] {
        assert!((constant(text) / want - 1.0).abs() < 4.0 * f64::EPSILON, "{text}");
    }
}

fn constant(text: &str) -> f64 {
    let ast = accept(&format!("NEURON {{ SUFFIX t }}\nUNITS {{ {text} }}"));
    ast.units.last().and_then(|u| u.value).expect("a value")
}

/// What follows an error is read all the same.
#[test]
fn reading_goes_on_after_an_error() {
    let source = "NEURON { SUFFIX t }\nPARAMETER { a = = 2\n b = 3 }\nDISCRETE k { ~ x <-> y (1, 2) }\nBREAKPOINT {\n i = * 2\n j = 1\n if (a b) {\n c = 1\n } else {\n d = 1\n }\n k = 2\n}\nPROCEDURE p( {\n}\nFUNCTION f() { f = 1 }\n";
    let (ast, diagnostics) = parse(source);
    let codes: Vec<_> = diagnostics.iter().map(|d: &Diagnostic| d.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "unexpected-token",
            "unsupported",
            "unexpected-token",
            "unexpected-token",
            "unexpected-token"
        ]
    );
    let printed = sexpr::ast(&ast);
    assert_eq!(
        printed,
        "(neuron\n  (suffix t))\n(parameter b 3.0 \"\")\n(breakpoint\n  (= j 1.0)\n  (= k 2.0))\n(function (f)\n  (= f 1.0))\n"
    );
}

#[test]
fn misspelt_keywords_are_recognised() {
    let rows = [
        (
            "NEURON { SUFFIX t NONSPECIFIK_CURRENT i }",
            Some("did you mean `NONSPECIFIC_CURRENT`?"),
        ),
        (
            "NEURON { SUFFIX t }\nbreakpoint { }",
            Some("did you mean `BREAKPOINT`?"),
        ),
        ("NEURON { SUFFIX t }\nPARAMETERS { }", Some("did you mean `PARAMETER`?")),
        ("NEURON { SUFFIX t }\nsomething { }", None),
    ];
    for (source, help) in rows {
        let (_, diagnostics) = parse(source);
        assert_eq!(diagnostics.len(), 1, "{source}");
        assert_eq!(diagnostics[0].help.as_deref(), help, "{source}");
    }
}

/// Locks are ignored, and said to be; the rest of the file is read without a word.
#[test]
fn kinetics_match_their_golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let source = fs::read_to_string(folder.join("syntax/calcium.mod")).expect("a file of the tests");
    let (ast, diagnostics) = parse(&source);
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["ignored", "ignored"]);
    expect_file![folder.join("golden/syntax/calcium.sexp")].assert_eq(&sexpr::ast(&ast));
}

#[test]
fn library_files_match_their_goldens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        "mechanisms/hh/hh.mod",
        "mechanisms/pas/pas.mod",
        "mechanisms/ih/ih.mod",
        "mechanisms/kv/kv.mod",
        "mechanisms/na/na.mod",
        "mechanisms/ca_hva/ca_hva.mod",
        "mechanisms/r1/r1.mod",
        "tests/mod/coupled.mod",
        "tests/mod/branchy.mod",
        "adapter/compiler/tests/syntax/synapse.mod",
    ];
    for file in files {
        let source = fs::read_to_string(root.join(file)).expect("a file of the library");
        let stem = Path::new(file)
            .file_stem()
            .expect("a file name")
            .to_string_lossy()
            .into_owned();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/syntax/{stem}.sexp"));
        expect_file![golden].assert_eq(&sexpr::ast(&accept(&source)));
    }
}
