//! Opening mechanism catalogues: the one place of the adapter that vouches for foreign code.

use std::path::Path;
use std::sync::Arc;

use host_shim::{AbiChoice, Catalogue, LoadError};

/// Loads the catalogue in `path`.
///
/// Loading runs the file's code with the rights of the user, like starting a program; every command that ends here takes
/// the path from its user or has just built the file.
///
/// # Errors
/// A [`LoadError`] for each way in which the file is not a catalogue that host-shim runs.
pub fn load_catalogue(path: &Path, abi: AbiChoice) -> Result<Arc<Catalogue>, LoadError> {
    #[expect(unsafe_code, reason = "the one vouching call: see SAFETY")]
    // SAFETY: the user asks us to run this file, as they would a program, or we built it ourselves a moment ago; in the
    // first case they also answer for the ABI level of a foreign catalogue. graddiff writes catalogues by renaming a
    // finished file into place, so it never overwrites one that is mapped.
    unsafe {
        Catalogue::load(path, abi)
    }
}
