//! A look at an ELF file before the dynamic linker sees it: `dlopen` maps what the headers announce, and touching
//! pages past the end of a truncated file raises SIGBUS, which nobody can catch.
//!
//! Reads the header and both header tables, nothing else. Layout: System V ABI, "Object Files" (ELF-64).

use std::path::Path;

use super::error::LoadError;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

const HEADER_LEN: u64 = 64;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// Refuses files that are no ELF shared object of this machine, or shorter than their headers announce.
pub(super) fn check(path: &Path) -> Result<(), LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.into(),
        source,
    })?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(LoadError::NotElf {
            path: path.into(),
            found: bytes.iter().take(4).copied().collect(),
        });
    }
    let found = bytes.len() as u64;
    let truncated = |needed| LoadError::Truncated {
        path: path.into(),
        found,
        needed,
    };
    let needs = |needed: u64| if needed > found { Err(truncated(needed)) } else { Ok(()) };
    needs(HEADER_LEN)?;
    let class = bytes.get(4).copied().unwrap_or(0);
    let machine = u16_at(&bytes, 18).ok_or_else(|| truncated(HEADER_LEN))?;
    if class != 2 || machine != MACHINE {
        return Err(LoadError::ForeignMachine {
            path: path.into(),
            class,
            machine,
        });
    }
    // e_phoff, e_shoff; e_phentsize, e_phnum, e_shentsize, e_shnum
    let header = || -> Option<(u64, u64, [u16; 4])> {
        let sizes = [
            u16_at(&bytes, 54)?,
            u16_at(&bytes, 56)?,
            u16_at(&bytes, 58)?,
            u16_at(&bytes, 60)?,
        ];
        Some((u64_at(&bytes, 32)?, u64_at(&bytes, 40)?, sizes))
    };
    let (phoff, shoff, [phentsize, phnum, shentsize, shnum]) = header().ok_or_else(|| truncated(HEADER_LEN))?;
    needs(phoff.saturating_add(u64::from(phentsize) * u64::from(phnum)))?;
    needs(shoff.saturating_add(u64::from(shentsize) * u64::from(shnum)))?;
    for k in 0..u64::from(phnum) {
        let entry = usize::try_from(phoff + k * u64::from(phentsize)).unwrap_or(usize::MAX - 64);
        // p_offset at 8, p_filesz at 32
        let (Some(offset), Some(size)) = (u64_at(&bytes, entry + 8), u64_at(&bytes, entry + 32)) else {
            return Err(truncated(phoff.saturating_add(u64::from(phentsize) * (k + 1))));
        };
        needs(offset.saturating_add(size))?;
    }
    Ok(())
}
