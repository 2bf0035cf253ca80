//! The cursor of a list: a place as hexadecimal digits, so that no shell changes it and nobody builds one by hand.

use crate::exit::Failure;

/// The cursor of a place.
pub(crate) fn of(place: &str) -> String {
    hex::encode(place)
}

/// The place of a cursor.
pub(crate) fn place(cursor: &str) -> Result<String, Failure> {
    let bytes = hex::decode(cursor).ok();
    let place = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    place.filter(|place| !place.is_empty()).ok_or_else(unknown)
}

/// The failure of a cursor that no list of this kind has printed.
pub(crate) fn unknown() -> Failure {
    Failure::usage("cursor: expected the one that the same list has printed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_nonsense_is_refused() {
        assert_eq!(place(&of("a#g:x#y 車")), Ok("a#g:x#y 車".to_owned()));
        for bad in ["", "zz", "abc", "ff"] {
            assert_eq!(place(bad).unwrap_err().code, "usage", "{bad}");
        }
    }
}
