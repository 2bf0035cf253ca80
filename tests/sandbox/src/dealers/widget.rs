//! The older inventory endpoint: `GET apis/widget/ALIAS:inventory-data-bus1/getInventory`.

use super::listing::Window;

/// The part of the widget's name that says which window of the page the data is for. A name with
/// another window matches no list.
const WINDOW: &str = ":inventory-data-bus1";

/// Parses the name of the widget and the query. A value that is not a number counts as missing.
pub(super) fn read(name: &str, query: &str) -> Window {
    let alias = name.strip_suffix(WINDOW).unwrap_or(name).to_owned();
    let mut window = Window { alias, start: 0, page_size: None, site_id: None };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "start" => window.start = value.parse().unwrap_or_default(),
            "pageSize" => window.page_size = value.parse().ok(),
            // Filters and the sort order, which the project does not use.
            _ => {}
        }
    }
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_the_window() {
        let window = read("A:inventory-data-bus1", "pageSize=100&start=70&sortBy=price");
        assert_eq!((window.alias.as_str(), window.start, window.page_size), ("A", 70, Some(100)));
        let window = read("A:inventory-data-bus1", "start=x&pageSize=");
        assert_eq!((window.start, window.page_size), (0, None));
    }

    #[test]
    fn the_window_id_is_part_of_the_alias() {
        assert_eq!(read("A:inventory-data-bus9", "").alias, "A:inventory-data-bus9");
        assert_eq!(read("A", "").alias, "A");
    }
}
