//! Hashes as text.

use sha2::{Digest, Sha256};

/// SHA-256 over the parts in turn, in 64 hexadecimal digits.
#[must_use]
pub fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}
