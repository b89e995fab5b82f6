//! Which file-level names the statements of a file assign: a PARAMETER among them becomes a variable.

use std::collections::BTreeSet;

use crate::syntax::ast::{Ast, Block, StatementKind};

/// Names assigned where no LOCAL, argument or loop variable of the same name is in the way.
pub(super) fn assigned_names(ast: &Ast) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let callables = [
        &ast.derivatives,
        &ast.procedures,
        &ast.functions,
        &ast.kinetics,
        &ast.linears,
        &ast.nonlinears,
    ];
    for callable in callables.into_iter().flatten().chain(&ast.post_event) {
        let mut bound: Vec<&str> = callable.params.iter().map(|p| p.name.as_str()).collect();
        bound.push(&callable.name.name);
        visit(&callable.body, &mut bound, &mut found);
    }
    for block in ast.initial.iter().chain(&ast.breakpoint) {
        visit(block, &mut Vec::new(), &mut found);
    }
    if let Some(receive) = &ast.net_receive {
        let bound: Vec<&str> = receive.params.iter().take(1).map(|p| p.name.as_str()).collect();
        for block in receive.initial.iter().chain(std::iter::once(&receive.body)) {
            visit(block, &mut bound.clone(), &mut found);
        }
    }
    found
}

fn visit<'a>(block: &'a Block, bound: &mut Vec<&'a str>, found: &mut BTreeSet<String>) {
    let outer = bound.len();
    bound.extend(block.locals.iter().map(|l| l.name.as_str()));
    for statement in &block.statements {
        match &statement.kind {
            StatementKind::Assign { target, .. } => {
                if !bound.contains(&target.name.name.as_str()) {
                    found.insert(target.name.name.clone());
                }
            }
            StatementKind::If { then, otherwise, .. } => {
                visit(then, bound, found);
                if let Some(otherwise) = otherwise {
                    visit(otherwise, bound, found);
                }
            }
            StatementKind::Block(inner) | StatementKind::While { body: inner, .. } => visit(inner, bound, found),
            StatementKind::For { variable, body, .. } => {
                bound.push(&variable.name);
                visit(body, bound, found);
                bound.pop();
            }
            StatementKind::Derivative { .. }
            | StatementKind::Call { .. }
            | StatementKind::Solve { .. }
            | StatementKind::Conductance { .. }
            | StatementKind::Table { .. }
            | StatementKind::Reaction { .. }
            | StatementKind::Influx { .. }
            | StatementKind::Equation { .. }
            | StatementKind::Conserve { .. }
            | StatementKind::Compartment { .. } => {}
        }
    }
    bound.truncate(outer);
}
