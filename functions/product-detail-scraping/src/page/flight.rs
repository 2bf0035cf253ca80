//! The rows of data that a page framework streams to its own scripts as texts: `push([1, "5:{…}\\n6:[…]"])`.

/// Most texts read of one push, and most rows of a text.
pub(crate) const MAX_TEXTS: usize = 8;
const MAX_ROWS: usize = 64;

/// Longest id of a row, in bytes.
const MAX_ID_BYTES: usize = 8;

/// The objects and arrays in the rows of a text. A text without ids is one row.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = &str> {
    let rows = text.split('\n').take(MAX_ROWS).map(|row| {
        let id = row.split_once(':').filter(|(id, _)| {
            id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        id.map_or(row, |(_, data)| data).trim_start()
    });
    rows.filter(|row| row.starts_with(['{', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_data_behind_its_id() {
        let found: Vec<&str> = rows("5:{\"a\":1}\n6:I[1]\n{\"b\":2}\na:[3]\ntext").collect();
        assert_eq!(found, ["{\"a\":1}", "{\"b\":2}", "[3]"]);
        assert_eq!(rows(&"1:[]\n".repeat(1_000)).count(), MAX_ROWS);
    }
}
