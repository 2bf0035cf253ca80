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

/// The shard of a text, below `shards`: FNV-1a (Fowler, Noll and Vo), folded, so that names which differ in their last
/// digits are spread.
#[must_use]
pub fn shard(text: &str, shards: u32) -> u32 {
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) % shards
}
