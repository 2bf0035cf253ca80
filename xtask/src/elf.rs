//! Whether a binary is one that Lambda can unpack and run: the head of an ELF file tells the processor.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::architecture::Architecture;

/// `e_machine` of the processors ("Executable and Linkable Format", chapter 1, and its list of machines).
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Largest unpacked package, in bytes ("Lambda quotas").
const LARGEST_UNPACKED: usize = 250 << 20;

/// Fails unless the file is a program for the processor, and not too large.
pub(crate) fn check(binary: &Path, architecture: Architecture) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("{}: no binary", binary.display()))?;
    expect(&bytes, architecture)?;
    let size = bytes.len();
    ensure!(
        size <= LARGEST_UNPACKED,
        "{size} bytes, expected at most {LARGEST_UNPACKED}, which Lambda unpacks"
    );
    Ok(())
}

/// Fails unless the file is a 64-bit ELF program for the processor.
fn expect(bytes: &[u8], architecture: Architecture) -> Result<()> {
    let found = machine(bytes)?;
    ensure!(found == architecture, "built for {found}, expected {architecture}");
    Ok(())
}

fn machine(bytes: &[u8]) -> Result<Architecture> {
    // Magic number, then the class: 2 is 64 bits, and the order of bytes: 1 is the lowest first.
    let is_elf = bytes.len() >= 20 && bytes.starts_with(b"\x7fELF\x02\x01");
    ensure!(is_elf, "expected a 64-bit ELF file");
    match u16::from_le_bytes([bytes[18], bytes[19]]) {
        X86_64 => Ok(Architecture::X86_64),
        AARCH64 => Ok(Architecture::Arm64),
        other => bail!("built for machine {other} of ELF, which Lambda does not have"),
    }
}

#[cfg(test)]
mod tests {
    use super::expect;
    use crate::architecture::Architecture::{Arm64, X86_64};

    fn file(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes
    }

    #[test]
    fn a_program_for_another_processor_is_refused() {
        assert!(expect(&file(62), X86_64).is_ok() && expect(&file(183), Arm64).is_ok());
        let error = expect(&file(62), Arm64).expect_err("another one").to_string();
        assert_eq!(error, "built for x86_64, expected arm64");
        assert!(expect(&file(40), Arm64).is_err(), "32-bit ARM");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [b"".as_slice(), b"#!/bin/sh\nexec something", b"\x7fELF\x01\x01"] {
            assert!(expect(bytes, X86_64).is_err());
        }
    }
}
