//! Named arrays in NumPy's `.npz` (an uncompressed zip of `.npy`), written with identical bytes for identical input.
//!
//! # Reference
//! The `.npy` format: numpy.lib.format, versions 1.0 to 3.0; the zip container: PKWARE APPNOTE 6.3.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement, WriteNpyError, WriteNpyExt};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::error::{Error, Operation};
use super::file::write_atomic;

/// Arrays by name, as read from a file; sorted, whatever the file's order.
pub type Arrays = BTreeMap<String, ArrayD<f64>>;

/// Bytes beyond which a zip entry needs 64-bit sizes; the specification's 2³² − 1 with room for the header.
const ZIP64_FROM_BYTES: usize = 0xFFFF_0000;

/// Why an array file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// Two arrays of one name.
    #[error("the array name `{name}` is used twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that cannot be a file name inside the archive.
    #[error("`{name}` cannot name an array: it is empty or contains `/`, `\\` or a control character")]
    BadName {
        /// The name.
        name: String,
    },
    /// The zip container is broken.
    #[error("the zip container is broken")]
    Container(#[from] ZipError),
    /// One array could not be encoded.
    #[error("array `{name}` cannot be written")]
    Encode {
        /// The array.
        name: String,
        /// The reason.
        source: WriteNpyError,
    },
    /// One array could not be decoded.
    #[error("array `{name}` cannot be read")]
    Decode {
        /// The array.
        name: String,
        /// The reason.
        source: ReadNpyError,
    },
    /// The header promises more numbers than the file holds.
    #[error("array `{name}` is truncated: its header promises {promised} numbers, {held_bytes} bytes follow")]
    Truncated {
        /// The array.
        name: String,
        /// Product of the header's shape, saturated.
        promised: usize,
        /// Bytes after the header.
        held_bytes: usize,
    },
    /// An element type other than `f8`, `f4`, `i8`, `i4`.
    #[error("array `{name}` has element type {found}; expected float64, float32, int64 or int32")]
    ElementType {
        /// The array.
        name: String,
        /// NumPy's type descriptor.
        found: String,
    },
}

/// The bytes of an `.npz` file with these arrays, in this order, of any rank (0 included).
///
/// # Errors
/// [`NpzError::DuplicateName`], [`NpzError::BadName`]; the others only if the array is beyond what the format can hold.
pub fn npz_bytes(arrays: &[(&str, ArrayViewD<'_, f64>)]) -> Result<Vec<u8>, NpzError> {
    let mut names = BTreeSet::new();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        if name.is_empty() || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
            return Err(NpzError::BadName {
                name: (*name).to_owned(),
            });
        }
        if !names.insert(*name) {
            return Err(NpzError::DuplicateName {
                name: (*name).to_owned(),
            });
        }
        let mut npy = Vec::new();
        array.write_npy(&mut npy).map_err(|source| NpzError::Encode {
            name: (*name).to_owned(),
            source,
        })?;
        // The time is the zip format's zero (1980-01-01): stated, because a build with zip's `time` feature would use now.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(npy.len() >= ZIP64_FROM_BYTES);
        zip.start_file(format!("{name}.npy"), options)?;
        std::io::Write::write_all(&mut zip, &npy).map_err(ZipError::Io)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Writes `arrays` to `path`; `numpy.load` reads the file.
///
/// # Errors
/// [`Error::Io`] (the previous file is then untouched) or [`Error::Npz`].
pub fn write_npz(path: &Path, arrays: &[(&str, ArrayViewD<'_, f64>)]) -> Result<(), Error> {
    let bytes = npz_bytes(arrays).map_err(|source| Error::Npz {
        path: path.to_path_buf(),
        source,
    })?;
    write_atomic(path, &bytes)
}

/// Reads all arrays of an `.npz` file; float32, int64 and int32 are widened to f64.
///
/// # Errors
/// [`Error::Io`] or [`Error::Npz`].
pub fn read_npz(path: &Path) -> Result<Arrays, Error> {
    let bytes = fs::read(path).map_err(|e| Error::io(Operation::Read, path, e))?;
    npz_from_bytes(&bytes).map_err(|source| Error::Npz {
        path: path.to_path_buf(),
        source,
    })
}

/// Reads the array of an `.npy` file; float32, int64 and int32 are widened to f64.
///
/// # Errors
/// [`Error::Io`] or [`Error::Npz`].
pub fn read_npy(path: &Path) -> Result<ArrayD<f64>, Error> {
    let bytes = fs::read(path).map_err(|e| Error::io(Operation::Read, path, e))?;
    let name = path
        .file_stem()
        .map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    npy_from_bytes(&name, &bytes).map_err(|source| Error::Npz {
        path: path.to_path_buf(),
        source,
    })
}

fn npz_from_bytes(bytes: &[u8]) -> Result<Arrays, NpzError> {
    let mut zip = ZipArchive::new(Cursor::new(bytes))?;
    let mut arrays = Arrays::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
        let mut npy = Vec::new();
        entry.read_to_end(&mut npy).map_err(ZipError::Io)?;
        let array = npy_from_bytes(&name, &npy)?;
        if arrays.insert(name.clone(), array).is_some() {
            return Err(NpzError::DuplicateName { name });
        }
    }
    Ok(arrays)
}

fn npy_from_bytes(name: &str, bytes: &[u8]) -> Result<ArrayD<f64>, NpzError> {
    check_length(name, bytes)?;
    let mut found = match decode::<f64>(bytes) {
        Err(ReadNpyError::WrongDescriptor(found)) => found,
        other => return named(name, other),
    };
    for read in [widen::<f32>, widen::<i32>, widen_i64] {
        match read(bytes) {
            Err(ReadNpyError::WrongDescriptor(other)) => found = other,
            other => return named(name, other),
        }
    }
    Err(NpzError::ElementType {
        name: name.to_owned(),
        found: found.to_string(),
    })
}

fn decode<T: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<T>, ReadNpyError> {
    ArrayD::<T>::read_npy(bytes)
}

fn widen<T: ReadableElement + Copy + Into<f64>>(bytes: &[u8]) -> Result<ArrayD<f64>, ReadNpyError> {
    Ok(decode::<T>(bytes)?.mapv(Into::into))
}

fn widen_i64(bytes: &[u8]) -> Result<ArrayD<f64>, ReadNpyError> {
    Ok(decode::<i64>(bytes)?.mapv(|v| v as f64))
}

fn named<T>(name: &str, result: Result<T, ReadNpyError>) -> Result<T, NpzError> {
    result.map_err(|source| NpzError::Decode {
        name: name.to_owned(),
        source,
    })
}

/// Refuses a header that promises more numbers than bytes follow: the decoder allocates what the header says, and an
/// allocation of that size would abort the process.
fn check_length(name: &str, bytes: &[u8]) -> Result<(), NpzError> {
    let Some((header, data)) = split_header(bytes) else {
        return Ok(());
    }; // the decoder says what is wrong
    let Some(promised) = promised_len(header) else {
        return Ok(());
    };
    if promised > data.len() {
        return Err(NpzError::Truncated {
            name: name.to_owned(),
            promised,
            held_bytes: data.len(),
        });
    }
    Ok(())
}

fn split_header(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (len, rest) = if version[0] == 1 {
        let (len, rest) = rest.split_at_checked(2)?;
        (usize::from(u16::from_le_bytes(len.try_into().ok()?)), rest)
    } else {
        let (len, rest) = rest.split_at_checked(4)?;
        (usize::try_from(u32::from_le_bytes(len.try_into().ok()?)).ok()?, rest)
    };
    let (header, data) = rest.split_at_checked(len)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// Product of the header's `shape` tuple; saturates, so that an overflow reads as "too many".
fn promised_len(header: &str) -> Option<usize> {
    let tuple = header.split_once("shape")?.1.split_once('(')?.1.split_once(')')?.0;
    let lengths = tuple.split(',').map(str::trim).filter(|s| !s.is_empty());
    let lengths: Vec<usize> = lengths.map(|s| s.parse().unwrap_or(usize::MAX)).collect();
    if lengths.contains(&0) {
        return Some(0); // an empty array allocates nothing, whatever its other extents
    }
    Some(lengths.into_iter().fold(1, usize::saturating_mul))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    fn arrays_of_any_rank() -> impl Strategy<Value = Vec<(String, ArrayD<f64>)>> {
        let array = proptest::collection::vec(0usize..4, 0..5).prop_flat_map(|shape| {
            let len = shape.iter().product::<usize>();
            proptest::collection::vec(any::<f64>(), len)
                .prop_map(move |data| ArrayD::from_shape_vec(IxDyn(&shape), data).unwrap())
        });
        proptest::collection::btree_map("[A-Za-zµ0-9_. ]{1,12}", array, 0..5).prop_map(|m| m.into_iter().collect())
    }

    fn bits(array: &ArrayD<f64>) -> (Vec<usize>, Vec<u64>) {
        (array.shape().to_vec(), array.iter().map(|v| v.to_bits()).collect())
    }

    proptest! {
        #[test]
        fn round_trip_is_bit_exact(arrays in arrays_of_any_rank()) {
            let views: Vec<_> = arrays.iter().map(|(n, a)| (n.as_str(), a.view())).collect();
            let bytes = npz_bytes(&views).unwrap();
            prop_assert_eq!(&bytes, &npz_bytes(&views).unwrap());
            let read = npz_from_bytes(&bytes).unwrap();
            prop_assert_eq!(read.len(), arrays.len());
            for (name, array) in &arrays {
                prop_assert_eq!(bits(&read[name]), bits(array));
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = npz_from_bytes(&bytes);
            let _ = npy_from_bytes("x", &bytes);
        }

        #[test]
        fn damaged_files_never_panic(at in 0usize..600, with in any::<u8>(), cut in 0usize..600) {
            let array = ArrayD::from_elem(IxDyn(&[2, 3]), 1.5);
            let mut bytes = npz_bytes(&[("a", array.view()), ("b", array.view())]).unwrap();
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = npz_from_bytes(&bytes);
            bytes.truncate(cut);
            let _ = npz_from_bytes(&bytes);
        }

        #[test]
        fn wild_shapes_never_panic(shape in "[0-9]{1,20}(, [0-9]{1,20}){0,3}") {
            let _ = npy_from_bytes("x", &npy_with("<f8", &format!("({shape},)"), &[0; 16]));
        }
    }

    fn npy_with(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn time_stamps_are_the_formats_zero() {
        let array = ArrayD::from_elem(IxDyn(&[]), 1.0);
        let bytes = npz_bytes(&[("a", array.view())]).unwrap();
        // Local file header: time at offset 10, date at 12; 1980-01-01 is day 1, month 1, year 0.
        assert_eq!(&bytes[..4], b"PK\x03\x04");
        assert_eq!(&bytes[10..14], [0, 0, 0b0010_0001, 0]);
    }

    #[test]
    fn refuses_bad_names() {
        let array = ArrayD::from_elem(IxDyn(&[1]), 1.0);
        let twice = npz_bytes(&[("a", array.view()), ("a", array.view())]);
        assert!(matches!(twice, Err(NpzError::DuplicateName { name }) if name == "a"));
        for bad in ["", "a/b", "a\\b", "a\nb"] {
            assert!(matches!(
                npz_bytes(&[(bad, array.view())]),
                Err(NpzError::BadName { .. })
            ));
        }
    }

    #[test]
    fn huge_shapes_are_refused_before_allocation() {
        for shape in [
            "(1000000000000000,)",
            "(4294967296, 4294967296)",
            "(99999999999999999999,)",
        ] {
            assert!(matches!(
                npy_from_bytes("x", &npy_with("<f8", shape, &[0; 8])),
                Err(NpzError::Truncated { .. })
            ));
        }
    }

    #[test]
    fn other_number_types_are_widened_and_the_rest_named() {
        let one_two = npy_from_bytes("x", &npy_with("<f4", "(2,)", &[0, 0, 128, 63, 0, 0, 0, 64])).unwrap();
        assert_eq!(one_two.as_slice().unwrap(), [1.0, 2.0]);
        let minus_one = npy_from_bytes("x", &npy_with("<i8", "(1,)", &[255; 8])).unwrap();
        assert_eq!(minus_one.as_slice().unwrap(), [-1.0]);
        let complex = npy_from_bytes("x", &npy_with("<c16", "(1,)", &[0; 16]));
        assert!(matches!(complex, Err(NpzError::ElementType { found, .. }) if found.contains("c16")));
    }
}
