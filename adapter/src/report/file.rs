//! Atomic file writing: the target is replaced in one step, after its bytes have reached the device.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::{Error, Operation};

/// Makes `path` and its missing parents; an existing folder is fine.
///
/// # Errors
/// [`Error::Io`] with [`Operation::CreateDir`].
pub fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::io(Operation::CreateDir, path, source))
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// [`Error::Io`]; the previous file, if any, is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(path, |out| {
        out.write_all(bytes).map_err(|e| Error::io(Operation::Write, path, e))
    })
}

/// Lets `fill` write the contents of `path` into a temporary file in the same folder, then flushes and renames it.
///
/// The folder must be the same because a rename is atomic only within one file system.
/// A symbolic link is followed, so that the link survives; a device or pipe (`/dev/stdout`) is written directly, since
/// renaming over it would replace the device itself.
///
/// # Errors
/// Whatever `fill` returns, or [`Error::Io`]; in both cases the previous file is untouched and no temporary remains.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<(), Error>) -> Result<(), Error> {
    let at = |operation| move |source| Error::io(operation, path, source);
    let target = resolve(path);
    if fs::metadata(&target).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut device = fs::OpenOptions::new()
            .write(true)
            .open(&target)
            .map_err(at(Operation::Write))?;
        fill(&mut device)?;
        return device.flush().map_err(at(Operation::Write));
    }
    let dir = match target.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut temporary = temporary_in(dir).map_err(at(Operation::CreateTemporary))?;
    {
        let mut out = BufWriter::new(temporary.as_file_mut());
        fill(&mut out)?;
        out.flush().map_err(at(Operation::Write))?;
    }
    temporary.as_file().sync_all().map_err(at(Operation::Sync))?;
    temporary
        .persist(&target)
        .map_err(|e| Error::io(Operation::Rename, path, e.error))?;
    // The rename is durable once the folder is; not every file system lets a folder be opened or flushed.
    if let Ok(folder) = fs::File::open(dir) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The file a write should land on: the end of a chain of links, else `path` itself.
fn resolve(path: &Path) -> PathBuf {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
        _ => path.to_path_buf(),
    }
}

fn temporary_in(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".graddiff-").suffix(".tmp");
    #[cfg(unix)]
    {
        // tempfile's default is 0600; results should be as readable as any other file (the umask still applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(entries(dir.path()), ["a.txt"]);
    }

    #[test]
    fn failed_write_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let result = write_atomic_with(&path, |out| {
            out.write_all(&[b'x'; 1 << 20]).unwrap();
            Err(Error::io(
                Operation::Write,
                &path,
                io::Error::from(io::ErrorKind::StorageFull),
            ))
        });
        assert!(matches!(
            result,
            Err(Error::Io {
                operation: Operation::Write,
                ..
            })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(dir.path()), ["a.txt"]);
    }

    #[test]
    fn missing_or_impossible_folder_is_a_typed_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"not a folder").unwrap();
        for path in [dir.path().join("missing/a.txt"), file.join("a.txt")] {
            match write_atomic(&path, b"x") {
                Err(Error::Io {
                    operation: Operation::CreateTemporary,
                    path: named,
                    ..
                }) => assert_eq!(named, path),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(
            create_dir(&file),
            Err(Error::Io {
                operation: Operation::CreateDir,
                ..
            })
        ));
        assert!(matches!(
            write_atomic(dir.path(), b"x"),
            Err(Error::Io {
                operation: Operation::Rename,
                ..
            })
        ));
        assert_eq!(fs::read(&file).unwrap(), b"not a folder");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn full_device_is_a_typed_error_and_the_device_survives() {
        use std::os::unix::fs::FileTypeExt;
        let full = Path::new("/dev/full");
        match write_atomic(full, b"x") {
            Err(Error::Io {
                operation: Operation::Write,
                source,
                ..
            }) => {
                assert_eq!(source.kind(), io::ErrorKind::StorageFull);
            }
            other => panic!("{other:?}"),
        }
        assert!(fs::metadata(full).unwrap().file_type().is_char_device());
    }

    #[cfg(unix)]
    #[test]
    fn follows_a_link_and_is_readable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        write_atomic(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_atomic(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        // Compare with a plainly created file, so that the test holds under any umask.
        let plain = dir.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&real), mode(&plain));
    }
}
