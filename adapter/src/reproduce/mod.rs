//! Results of *Gradient Diffusion* (arXiv 2412.07327), computed again.

pub mod fig1;

use std::path::Path;

use crate::report::{Error, create_dir, write_atomic};

/// A file that a reproduction needs, carried inside the program so that it runs anywhere.
struct Carried {
    /// Path below the inputs' folder.
    path: &'static str,
    text: &'static str,
}

/// Writes carried files below `folder`, where the user can look at them and run them again.
fn unpack(folder: &Path, files: &[Carried]) -> Result<(), Error> {
    for file in files {
        let path = folder.join(file.path);
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        write_atomic(&path, file.text.as_bytes())?;
    }
    Ok(())
}
