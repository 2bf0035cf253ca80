//! Patterns of the template's parameters against the checks of the functions: what a deployment accepts, its
//! functions must accept, or they would not start.

use std::path::Path;

use evenkeel::{
    base::config::{Environment, Reader},
    http::Settings,
};
use regex_lite::Regex;
use url_shortening::rebrandly;

/// Contacts, and whether a deployment accepts them.
const CONTACTS: [(&str, bool); 20] = [
    ("https://www.example.com/contact", true),
    ("http://example.com", true),
    ("https://example.com/a?b=c&d=%20#e", true),
    ("https://EXAMPLE.com/", true),
    ("ops@example.com", true),
    ("first.last+bots@mail.example.co.uk", true),
    ("", false),
    (" ", false),
    ("example.com", false),
    ("www.example.com/contact", false),
    ("ftp://example.com/", false),
    ("https://", false),
    ("https://example.com/(contact)", false),
    ("https://example.com/\\contact", false),
    ("https://example.com/ü", false),
    ("https://example.com/a b", false),
    ("ops@example", false),
    ("@example.com", false),
    ("ops@", false),
    ("mailto:ops@example.com", false),
];

/// Whether the client for addresses from outside takes this contact.
fn function_accepts(contact: &str) -> bool {
    let variables = [("OUTBOUND_CONTACT".to_owned(), contact.to_owned())];
    let environment: Environment = variables.into_iter().collect();
    let mut reader = Reader::new(&environment);
    let settings = Settings::read(&mut reader);
    reader.finish(settings).is_ok()
}

#[test]
fn a_contact_that_a_deployment_accepts_lets_the_functions_start() {
    let template = xtask::template::load(Path::new("../template.yaml")).unwrap();
    let parameter = &template["Parameters"]["OutboundContact"];
    let longest = usize::try_from(parameter["MaxLength"].as_u64().unwrap()).unwrap();
    let pattern = Regex::new(parameter["AllowedPattern"].as_str().unwrap()).unwrap();
    let deployment_accepts = |text: &str| text.len() <= longest && pattern.is_match(text);
    for (contact, accepted) in CONTACTS {
        assert_eq!(deployment_accepts(contact), accepted, "{contact:?}");
        assert!(!accepted || function_accepts(contact), "{contact:?}: the functions refuse it");
    }
    let of_length = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    let (long, longer) = (of_length(longest), of_length(longest + 1));
    assert!(deployment_accepts(&long) && function_accepts(&long));
    assert!(!deployment_accepts(&longer) && !function_accepts(&longer));
}

/// The monthly allowance that the shortening function reads, or why it does not start.
fn allowance(links: &str, begins: &str) -> Result<Option<(u32, u8)>, String> {
    let variables = [
        ("REBRANDLY_DOMAIN", "go.example"),
        ("REBRANDLY_LINKS_PER_MONTH", links),
        ("REBRANDLY_MONTH_BEGINS", begins),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment: Environment = variables.into_iter().collect();
    let mut reader = Reader::new(&environment);
    let settings = rebrandly::Settings::read(&mut reader);
    let settings = reader.finish(settings).map_err(|error| error.to_string())?;
    Ok(settings.links.map(|links| (links.most, links.month_begins)))
}

#[test]
fn an_allowance_that_a_deployment_accepts_is_one_that_the_function_reads() {
    let template = xtask::template::load(Path::new("../template.yaml")).unwrap();
    let parameters = &template["Parameters"];
    let bound = |name: &str, bound: &str| parameters[name][bound].as_u64().unwrap();
    let number = |name: &str, which: &str| bound(name, which).to_string();
    let [links, begins] = ["RebrandlyLinksPerMonth", "RebrandlyMonthBegins"];
    for which in ["MinValue", "MaxValue", "Default"] {
        let read = allowance(&number(links, which), &number(begins, which));
        assert!(read.is_ok(), "{which}: {read:?}");
    }
    assert_eq!(allowance(&number(links, "Default"), &number(begins, "Default")), Ok(None));
    assert_eq!(allowance("25000", "15"), Ok(Some((25_000, 15))));
    assert_eq!(allowance("", ""), Ok(None));
    let beyond = (bound(links, "MaxValue") + 1).to_string();
    let problem =
        "configuration: REBRANDLY_LINKS_PER_MONTH is not a whole number from 0 to 10000000";
    assert_eq!(allowance(&beyond, "1").unwrap_err(), problem);
    for day in ["0", "29", "first"] {
        let problem = "configuration: REBRANDLY_MONTH_BEGINS is not a whole number from 1 to 28";
        assert_eq!(allowance("1", day).unwrap_err(), problem);
    }
}
