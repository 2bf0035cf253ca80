//! Hashes as hexadecimal text.

use sha2::{Digest, Sha256};

/// SHA-256 of the concatenated parts, as 64 lower-case hexadecimal digits. Nothing separates the
/// parts: a caller with parts of variable length adds separators.
#[must_use]
pub fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}
