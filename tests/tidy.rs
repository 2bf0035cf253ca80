//! Rules about the repository's own text that no lint checks.

mod borders;
mod circles;
mod commands;
mod comments;
mod crates;
mod documents;
mod files;
mod imports;
mod layers;
mod length;
mod machine;
mod order;
mod rust_text;
mod security;
mod sockets;
mod troubleshooting;
