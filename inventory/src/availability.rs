//! The words by which feeds and pages say whether a car can be bought.

/// Words after "sold" that make it say something else, as in "sold by" and "sold: no".
pub const SOLD_ELSEWISE: [&str; 16] = [
    "0",
    "and",
    "as",
    "at",
    "by",
    "false",
    "for",
    "here",
    "in",
    "n",
    "new",
    "no",
    "not",
    "originally",
    "with",
    "without",
];

/// The state that a text names: as a word, as a few words that begin with it, or as a schema.org address. It is one of
/// `in_stock`, `sold`, `out_of_stock`, `reserved` and `on_order`.
#[must_use]
pub fn named(text: &str) -> Option<&'static str> {
    let word = text.rsplit(['/', '#', ':']).next().unwrap_or(text);
    let letters = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    match letters.collect::<String>().as_str() {
        "instock"
        | "available"
        | "instoreonly"
        | "onlineonly"
        | "limitedavailability"
        | "active"
        | "live"
        | "forsale"
        | "onlot"
        | "ready" => Some("in_stock"),
        "sold" | "soldout" | "discontinued" => Some("sold"),
        "outofstock" | "oos" | "unavailable" | "notavailable" | "inactive" => Some("out_of_stock"),
        "reserved" | "onhold" | "hold" | "pending" | "deposit" | "deposittaken" | "salepending"
        | "pendingsale" | "underoffer" => Some("reserved"),
        "preorder" | "presale" | "backorder" | "intransit" | "onorder" | "madetoorder"
        | "inproduction" | "comingsoon" => Some("on_order"),
        _ => begun(text),
    }
}

/// The state that the first words of a text name: "Sold - Delivered", "Sale pending since Monday".
fn begun(text: &str) -> Option<&'static str> {
    let words: Vec<String> = words(text).take(3).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sold"] => Some("sold"),
        ["sold", next, ..] if !SOLD_ELSEWISE.contains(next) => Some("sold"),
        ["sale", "pending", ..] | ["pending", "sale", ..] | ["on", "hold", ..] => Some("reserved"),
        ["out", "of", "stock"] => Some("out_of_stock"),
        _ => None,
    }
}

/// The words of a text in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_from_its_first_words() {
        let cases = [
            ("SOLD", Some("sold")),
            ("Sold!", Some("sold")),
            ("https://schema.org/SoldOut", Some("sold")),
            ("Sold - Delivered", Some("sold")),
            ("Sold 5/1/2024", Some("sold")),
            ("Status: Sold", Some("sold")),
            ("Sale Pending", Some("reserved")),
            ("Sale pending (deposit)", Some("reserved")),
            ("In Transit", Some("on_order")),
            ("https://schema.org/InStock", Some("in_stock")),
            ("Sold by Acme Motors", None),
            ("Sold as is", None),
            ("Sold: No", None),
            ("Sold: false", None),
            ("Sold: 0", None),
            // To whom is not said: it may be to the dealer.
            ("Delivered", None),
            ("Not sold", None),
            ("New", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text), expected, "{text}");
        }
    }
}
