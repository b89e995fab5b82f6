//! Names in tables that foreign code hands out.

use super::error::NameProblem;

/// Longest identifier.
const MAX_NAME: usize = 1024;

pub(super) type Text = Result<String, NameProblem>;

/// Letters, digits and underscores, not starting with a digit.
pub(super) fn identifier(text: Text) -> Text {
    let name = text?;
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
    if starts_well && name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(name);
    }
    Err(NameProblem::NotIdentifier(name))
}

/// As [`identifier`], or an element of an array: `name[3]`.
pub(super) fn element(text: Text) -> Text {
    let name = text?;
    let Some((array, index)) = name.strip_suffix(']').and_then(|n| n.split_once('[')) else {
        return identifier(Ok(name));
    };
    let numbered = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    match identifier(Ok(array.to_owned())) {
        Ok(_) if numbered => Ok(name),
        Ok(_) | Err(_) => Err(NameProblem::NotIdentifier(name)),
    }
}
