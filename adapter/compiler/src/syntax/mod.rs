//! NMODL text to syntax tree. Knows the grammar of both dialects (Arbor's and NEURON's), resolves no names.

pub mod ast;
pub mod include;
mod keywords;
mod lexer;
mod parser;
pub mod sexpr;

pub use parser::{MAX_ARRAY_LEN, MAX_EXPR_HEIGHT, MAX_NESTING};

use crate::diagnostic::{Code, Diagnostic};
use ast::Ast;

/// The codes of the diagnostics that [`parse`] reports.
pub const CODES: [Code; 10] = [
    Code::UnexpectedCharacter,
    Code::UnterminatedBlock,
    Code::BadNumber,
    Code::UnexpectedToken,
    Code::NestingTooDeep,
    Code::MissingSuffix,
    Code::DuplicateDefinition,
    Code::Unsupported,
    Code::Verbatim,
    Code::Ignored,
];

/// Parses one `.mod` file. Never fails: whatever could be read is in the tree, whatever could not is in the list.
///
/// The list is sorted by position. Without an error in it the tree is the whole file, and its depth is bounded by
/// [`MAX_NESTING`] blocks and [`MAX_EXPR_HEIGHT`] plus [`MAX_NESTING`] operators, so it can be walked by recursion.
/// Time and space are linear in the length of the source.
pub fn parse(source: &str) -> (Ast, Vec<Diagnostic>) {
    parser::parse(source)
}
