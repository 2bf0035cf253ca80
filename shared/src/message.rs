//! The messages that functions read from queues, and those that the engine sends.

mod diagnosis;
mod envelope;
mod objects;
mod received;
mod rejection;
pub(crate) mod sqs_record;
pub mod wake;
mod wrapping;

#[cfg(feature = "schema")]
pub use envelope::Message1;
pub(crate) use envelope::key;
pub use envelope::{
    MAX_BODY_BYTES, MAX_ID_BYTES, MAX_ID_LENGTH, Message, Priority, VERSION, decode, key_of,
};
pub use received::{Purpose, ReceivedMessage, Woken};
pub use rejection::{Flaw, REJECTED_HEAD_BYTES, RejectedMessage, Rejection};
pub use wake::OutgoingMessage;
