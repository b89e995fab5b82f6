//! The tree as text, one s-expression per entry: for tests, goldens and looking at what the parser understood.

use std::fmt::Write as _;

use super::ast::{
    Ast, BinaryOp, Block, Callable, Expr, ExprKind, Ident, ParameterDecl, Place, Process, Species, Statement,
    StatementKind, UnaryOp, VariableDecl,
};

/// The operator as NMODL writes it.
pub fn binary_symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Pow => "^",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::And => "&&",
        BinaryOp::Or => "||",
    }
}

/// `(+ a (* b 2))`
pub fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Number(value) => format!("{value:?}"),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Element(name, index) => format!("{}[{}]", name.name, expr(index)),
        ExprKind::Unary(UnaryOp::Neg, a) => format!("(neg {})", expr(a)),
        ExprKind::Unary(UnaryOp::Not, a) => format!("(! {})", expr(a)),
        ExprKind::Binary(op, a, b) => format!("({} {} {})", binary_symbol(*op), expr(a), expr(b)),
        ExprKind::Call(callee, args) => list("call", &callee.name, args.iter().map(expr)),
    }
}

/// The whole tree, indented; spans are left out.
pub fn ast(tree: &Ast) -> String {
    let mut out = Printer::default();
    if let Some(title) = &tree.title {
        out.line(&format!("(title {title:?})"));
    }
    neuron(tree, &mut out);
    for unit in &tree.units {
        let value = unit.value.map_or(String::new(), |v| format!(" {v:?}"));
        let head = if unit.is_unit { "unit" } else { "named-constant" };
        out.line(&format!("({head} {}{value} {:?})", unit.name.name, unit.unit));
    }
    for (head, entries) in [("parameter", &tree.parameters), ("constant", &tree.constants)] {
        entries.iter().for_each(|p| out.line(&parameter(head, p)));
    }
    for (head, entries) in [
        ("assigned", &tree.assigned),
        ("state", &tree.states),
        ("local", &tree.file_locals),
    ] {
        entries.iter().for_each(|v| out.line(&variable(head, v)));
    }
    if !tree.white_noise.is_empty() {
        out.line(&list("white-noise", "", names(&tree.white_noise)));
    }
    for (head, b) in [("initial", &tree.initial), ("breakpoint", &tree.breakpoint)] {
        if let Some(b) = b {
            out.open(head);
            block(b, &mut out);
            out.close();
        }
    }
    for (head, entries) in [
        ("derivative", &tree.derivatives),
        ("kinetic", &tree.kinetics),
        ("linear", &tree.linears),
        ("nonlinear", &tree.nonlinears),
        ("procedure", &tree.procedures),
        ("function", &tree.functions),
    ] {
        entries.iter().for_each(|c| callable(head, c, &mut out));
    }
    if let Some(n) = &tree.net_receive {
        out.open(&format!(
            "net-receive ({})",
            names(&n.params).collect::<Vec<_>>().join(" ")
        ));
        if let Some(initial) = &n.initial {
            out.open("initial");
            block(initial, &mut out);
            out.close();
        }
        block(&n.body, &mut out);
        out.close();
    }
    tree.post_event.iter().for_each(|c| callable("post-event", c, &mut out));
    out.text
}

fn neuron(tree: &Ast, out: &mut Printer) {
    let n = &tree.neuron;
    out.open("neuron");
    if let Some(suffix) = &n.suffix {
        let head = match n.process {
            Process::Density => "suffix",
            Process::Point => "point-process",
            Process::ArtificialCell => "artificial-cell",
            Process::Junction => "junction-process",
            Process::Voltage => "voltage-process",
        };
        out.line(&format!("({head} {})", suffix.name));
    }
    for ion in &n.ions {
        let valence = ion.valence.map(|z| z.to_string());
        let valence = valence.or_else(|| ion.valence_name.as_ref().map(|z| z.name.clone()));
        let valence = valence.map_or(String::new(), |z| format!(" (valence {z})"));
        let (read, write) = (list("read", "", names(&ion.read)), list("write", "", names(&ion.write)));
        out.line(&format!("(useion {} {read} {write}{valence})", ion.ion.name));
    }
    for (head, list_of) in [
        ("nonspecific", &n.nonspecific),
        ("electrode", &n.electrode),
        ("range", &n.range),
        ("global", &n.global),
    ] {
        if !list_of.is_empty() {
            out.line(&list(head, "", names(list_of)));
        }
    }
    if n.threadsafe {
        out.line("(threadsafe)");
    }
    out.close();
}

fn parameter(head: &str, p: &ParameterDecl) -> String {
    let value = p.value.map_or(String::new(), |v| format!(" {v:?}"));
    let limits = p
        .limits
        .map_or(String::new(), |(low, high)| format!(" (limits {low:?} {high:?})"));
    format!("({head} {}{value} {:?}{limits})", p.name.name, p.unit)
}

fn variable(head: &str, v: &VariableDecl) -> String {
    let len = v.len.map_or(String::new(), |n| format!("[{n}]"));
    format!("({head} {}{len} {:?})", v.name.name, v.unit)
}

fn callable(head: &str, c: &Callable, out: &mut Printer) {
    out.open(&format!("{head} {}", list(&c.name.name, "", names(&c.params))));
    block(&c.body, out);
    out.close();
}

fn block(b: &Block, out: &mut Printer) {
    if !b.locals.is_empty() {
        out.line(&list("local", "", names(&b.locals)));
    }
    b.statements.iter().for_each(|s| statement(s, out));
}

fn statement(s: &Statement, out: &mut Printer) {
    match &s.kind {
        StatementKind::Assign { target, value } => out.line(&format!("(= {} {})", place(target), expr(value))),
        StatementKind::Derivative { state, value } => out.line(&format!("(' {} {})", place(state), expr(value))),
        StatementKind::Call { callee, args } => out.line(&list("call", &callee.name, args.iter().map(expr))),
        StatementKind::Solve {
            block,
            method,
            steadystate,
        } => {
            let clause =
                |head, name: &Option<Ident>| name.as_ref().map_or(String::new(), |n| format!(" ({head} {})", n.name));
            let clauses = clause("method", method) + &clause("steadystate", steadystate);
            out.line(&format!("(solve {}{clauses})", block.name));
        }
        StatementKind::Conductance { conductance, ion } => {
            out.line(&list(
                "conductance",
                &conductance.name,
                ion.iter().map(|i| i.name.clone()),
            ));
        }
        StatementKind::Table { names: tabulated } => out.line(&list("table", "", names(tabulated))),
        StatementKind::Block(b) => {
            out.open("block");
            block(b, out);
            out.close();
        }
        StatementKind::If {
            condition,
            then,
            otherwise,
        } => {
            out.open(&format!("if {}", expr(condition)));
            out.open("then");
            block(then, out);
            out.close();
            if let Some(otherwise) = otherwise {
                out.open("else");
                block(otherwise, out);
                out.close();
            }
            out.close();
        }
        StatementKind::For {
            variable,
            from,
            to,
            by,
            body,
        } => {
            let by = by.as_ref().map_or(String::new(), |b| format!(" by {}", expr(b)));
            out.open(&format!("for {} {} {}{by}", variable.name, expr(from), expr(to)));
            block(body, out);
            out.close();
        }
        StatementKind::While { condition, body } => {
            out.open(&format!("while {}", expr(condition)));
            block(body, out);
            out.close();
        }
        StatementKind::Reaction {
            left,
            right,
            forward,
            backward,
        } => {
            let side = |s: &[Species]| list("side", "", s.iter().map(species));
            let backward = backward.as_ref().map_or(String::new(), |b| format!(" {}", expr(b)));
            out.line(&format!(
                "(reaction {} {} {}{backward})",
                side(left),
                side(right),
                expr(forward)
            ));
        }
        StatementKind::Influx { species: s, rate } => out.line(&format!("(influx {} {})", species(s), expr(rate))),
        StatementKind::Equation { left, right } => out.line(&format!("(equation {} {})", expr(left), expr(right))),
        StatementKind::Conserve { sum, total } => out.line(&format!("(conserve {} {})", expr(sum), expr(total))),
        StatementKind::Compartment { index, volume, species } => {
            let index = index.as_ref().map_or(String::new(), |i| format!(" {}", i.name));
            out.line(&format!(
                "(compartment{index} {} {})",
                expr(volume),
                list("of", "", names(species))
            ));
        }
    }
}

/// `a` or `a[i]`
fn place(p: &Place) -> String {
    match &p.index {
        Some(index) => format!("{}[{}]", p.name.name, expr(index)),
        None => p.name.name.clone(),
    }
}

fn species(s: &Species) -> String {
    if s.count.to_bits() == 1f64.to_bits() {
        place(&s.place)
    } else {
        format!("({:?} {})", s.count, place(&s.place))
    }
}

fn names(idents: &[Ident]) -> impl Iterator<Item = String> {
    idents.iter().map(|i| i.name.clone())
}

/// `(head first rest…)`; an empty first is left out.
fn list(head: &str, first: &str, rest: impl Iterator<Item = String>) -> String {
    let first = (!first.is_empty()).then(|| first.to_owned());
    let items: Vec<String> = std::iter::once(head.to_owned()).chain(first).chain(rest).collect();
    format!("({})", items.join(" "))
}

#[derive(Default)]
struct Printer {
    text: String,
    indent: usize,
}

impl Printer {
    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:width$}{line}", "", width = 2 * self.indent);
    }

    fn open(&mut self, head: &str) {
        self.line(&format!("({head}"));
        self.indent += 1;
    }

    /// Closes on the last line, as Lisp does.
    fn close(&mut self) {
        self.indent -= 1;
        self.text.truncate(self.text.trim_end().len());
        self.text.push_str(")\n");
    }
}
