//! Which kind an amount is, by the words around it.

use super::{quality::Code, value};

/// Longest label read, in characters.
const MAX_LABEL_CHARS: usize = 200;

// The words that tell what an amount is. A `_BESIDE` list holds words that count only next to the
// amount, because they are ambiguous elsewhere: "MO" is also a state, "off" a part of trim names.
const PAYMENT: [&str; 53] = [
    "annually",
    "annum",
    "apr",
    "balloon",
    "biweekly",
    "emi",
    "finance",
    "financed",
    "financing",
    "fortnight",
    "fortnightly",
    "hire",
    "installment",
    "installments",
    "instalment",
    "instalments",
    "lease",
    "leased",
    "leasing",
    "loan",
    "mensual",
    "mensualidad",
    "mensualité",
    "mensuel",
    "mensuelle",
    "mois",
    "mon",
    "monat",
    "monatlich",
    "month",
    "monthly",
    "months",
    "mth",
    "mthly",
    "mths",
    "payment",
    "payments",
    "pcm",
    "pcp",
    "quarterly",
    "quincenal",
    "rate",
    "rates",
    "rent",
    "rental",
    "semaine",
    "signing",
    "wee",
    "week",
    "weekly",
    "weeks",
    "woche",
    "yearly",
];
const PAYMENT_BESIDE: [&str; 5] = ["mo", "pm", "pw", "wk", "yr"];
const SAVINGS: [&str; 26] = [
    "allowance",
    "bonus",
    "cashback",
    "conquest",
    "coupon",
    "credit",
    "credits",
    "discount",
    "discounts",
    "gift",
    "incentive",
    "incentives",
    "loyalty",
    "rebate",
    "rebates",
    "reduction",
    "reward",
    "rewards",
    "save",
    "saved",
    "saving",
    "savings",
    "trade",
    "tradein",
    "voucher",
    "worth",
];
const SAVINGS_BESIDE: [&str; 6] = ["below", "drop", "dropped", "drops", "off", "under"];
const FEE: [&str; 24] = [
    "charge",
    "charges",
    "deliver",
    "delivery",
    "deposit",
    "destination",
    "documentation",
    "fee",
    "fees",
    "freight",
    "hold",
    "insurance",
    "invoice",
    "prep",
    "refundable",
    "registration",
    "reservation",
    "shipping",
    "surcharge",
    "tax",
    "taxes",
    "transport",
    "transportation",
    "warranty",
];
const FEE_BESIDE: [&str; 1] = ["down"];
const ACCESSORIES: [&str; 11] = [
    "accessories",
    "accessory",
    "addon",
    "addons",
    "coverage",
    "installed",
    "options",
    "package",
    "plan",
    "protection",
    "upgrades",
];
const BID: [&str; 6] = ["auction", "bid", "bidding", "bids", "reserve", "starting"];
const FORMER: [&str; 7] = ["before", "former", "old", "original", "previous", "regular", "was"];
const GUIDE: [&str; 13] = [
    "appraisal",
    "appraised",
    "average",
    "avg",
    "blackbook",
    "book",
    "edmunds",
    "guide",
    "kbb",
    "market",
    "nada",
    "retail",
    "valuation",
];
// Buyers who alone get a price.
const CONDITIONAL: [&str; 20] = [
    "affiliate",
    "college",
    "conditional",
    "costco",
    "eligible",
    "employee",
    "employees",
    "friends",
    "graduate",
    "member",
    "members",
    "military",
    "qualified",
    "qualifying",
    "responder",
    "responders",
    "student",
    "supplier",
    "veteran",
    "wholesale",
];
// Words that say it only together, in this order.
const PHRASES: [(&[&str], Code); 8] = [
    (&["as", "low", "as"], Code::MonthlyPayment),
    (&["due", "at"], Code::MonthlyPayment),
    (&["due", "on"], Code::MonthlyPayment),
    (&["cash", "back"], Code::Savings),
    (&["cash", "off"], Code::Savings),
    (&["add", "on"], Code::Accessories),
    (&["fair", "purchase"], Code::RetailEcho),
    (&["fair", "value"], Code::RetailEcho),
];
const MSRP: [&str; 7] = ["list", "msrp", "srp", "sticker", "strikethrough", "suggested", "tsrp"];

/// An amount on a page, classified by the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// The price asked for the car, in cents.
    Asking(u64),
    /// The manufacturer's price, in cents.
    Msrp(u64),
    /// An amount that is no price. The code tells what it is.
    Other(Code),
    /// Zero, which stands for a missing amount.
    Zero,
}

/// Parses an amount and classifies it by its labels and by the words beside it. `None` if the text
/// does not contain exactly one unambiguous number.
pub(crate) fn read(text: &str, labels: &str) -> Option<Amount> {
    let number = value::number(text)?;
    let cents = number.whole * 100 + number.hundredths;
    let beside = words(&number.around);
    let mut all = words(labels);
    all.extend_from_slice(&beside);
    let says =
        |said: &[String], meant: &[&str]| said.iter().any(|word| meant.contains(&word.as_str()));
    let phrase = PHRASES.iter().find(|(phrase, _)| {
        all.windows(phrase.len())
            .any(|said| said.iter().zip(*phrase).all(|(one, other)| one == other))
    });
    Some(if cents == 0 {
        Amount::Zero
    } else if says(&all, &PAYMENT)
        || says(&beside, &PAYMENT_BESIDE)
        || is_per_period(&number.around)
    {
        Amount::Other(Code::MonthlyPayment)
    } else if let Some((_, code)) = phrase {
        Amount::Other(*code)
    } else if says(&all, &SAVINGS) || says(&beside, &SAVINGS_BESIDE) {
        Amount::Other(Code::Savings)
    } else if says(&all, &FEE) || says(&beside, &FEE_BESIDE) {
        Amount::Other(Code::Fee)
    } else if says(&all, &ACCESSORIES) {
        Amount::Other(Code::Accessories)
    } else if says(&all, &BID) {
        Amount::Other(Code::Bid)
    } else if says(&all, &CONDITIONAL) {
        Amount::Other(Code::Conditional)
    } else if says(&all, &GUIDE) {
        Amount::Other(Code::RetailEcho)
    } else if says(&all, &FORMER) {
        Amount::Other(Code::FormerPrice)
    } else if says(&all, &MSRP) {
        Amount::Msrp(cents)
    } else {
        Amount::Asking(cents)
    })
}

/// Whether the text beside an amount names a period in an abbreviation: `/mo`, `p.w.`.
pub(crate) fn is_per_period(around: &str) -> bool {
    const PERIODS: [&str; 9] = ["/m", "p/m", "p.m", "/w", "p/w", "p.w", "p.a.", "/yr", "/year"];
    let around = around.to_lowercase().replace(' ', "");
    PERIODS.iter().any(|period| around.contains(period))
}

/// Whether a text alone names a period, as behind an amount: `/mo`, `pcm`, `per week`.
pub(crate) fn is_period(text: &str) -> bool {
    let is_said = |word: &String| {
        [&PAYMENT[..], &PAYMENT_BESIDE].iter().any(|words| words.contains(&word.as_str()))
    };
    is_per_period(text) || words(text).iter().any(is_said)
}

/// The words of a label in lower case. Camel case separates words: `ListPrice` is two.
fn words(label: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in label.chars().take(MAX_LABEL_CHARS) {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_classified_by_the_words_around_it() {
        let cases = [
            ("$25,995", "", Some(Amount::Asking(2_599_500))),
            ("25995.50", "Offer Internet Price", Some(Amount::Asking(2_599_550))),
            ("389", "UnitPriceSpecification MON", Some(Amount::Other(Code::MonthlyPayment))),
            ("$389/mo", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("$389 per month", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("389", "http://purl.example/v1#LeaseOut", Some(Amount::Other(Code::MonthlyPayment))),
            ("$2,000 off", "", Some(Amount::Other(Code::Savings))),
            ("2000", "YouSave", Some(Amount::Other(Code::Savings))),
            ("$1,995 down", "", Some(Amount::Other(Code::Fee))),
            ("9,489 due at signing", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("9199 p.w.", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("$3,995 p.a.", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("$389", "As low as", Some(Amount::Other(Code::MonthlyPayment))),
            ("$2,500", "cash back", Some(Amount::Other(Code::Savings))),
            ("$1,000", "Hold it now", Some(Amount::Other(Code::Fee))),
            ("9000", "DeliveryChargeSpecification", Some(Amount::Other(Code::Fee))),
            ("9000", "Offer Shipping", Some(Amount::Other(Code::Fee))),
            ("2495", "Installed options", Some(Amount::Other(Code::Accessories))),
            ("$12,000", "Fair purchase price", Some(Amount::Other(Code::RetailEcho))),
            ("$28,995", "Military Price", Some(Amount::Other(Code::Conditional))),
            ("$28,995", "Employee pricing", Some(Amount::Other(Code::Conditional))),
            ("$18,995", "Cash price", Some(Amount::Asking(1_899_500))),
            ("$18,995", "Price, back on our lot", Some(Amount::Asking(1_899_500))),
            ("$18,995", "Fair deal", Some(Amount::Asking(1_899_500))),
            ("18995", "Offer 2021 Mazda MX-5 Miata Club", Some(Amount::Asking(1_899_500))),
            ("$18,995 in Pittsburgh, PA", "", Some(Amount::Asking(1_899_500))),
            ("899", "Dealer doc fee", Some(Amount::Other(Code::Fee))),
            ("1295", "Accessories total", Some(Amount::Other(Code::Accessories))),
            ("27,000", "https://schema.org/ListPrice", Some(Amount::Msrp(2_700_000))),
            ("MSRP: $27,000", "", Some(Amount::Msrp(2_700_000))),
            // Names of towns and trims are not labels.
            ("25995", "St. Louis, MO", Some(Amount::Asking(2_599_500))),
            ("25995", "Tacoma TRD Off-Road", Some(Amount::Asking(2_599_500))),
            ("$0", "", Some(Amount::Zero)),
            ("0.00", "monthly", Some(Amount::Zero)),
            ("Contact Us", "", None),
            ("$21,995 - $24,995", "", None),
        ];
        for (text, labels, expected) in cases {
            assert_eq!(read(text, labels), expected, "{text} {labels}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_digits_is_no_amount(text in "[$0-9.,/a-z ]{0,40}", labels in ".{0,300}") {
            let amount = read(&text, &labels);
            prop_assert!(amount.is_none() || text.contains(|c: char| c.is_ascii_digit()));
        }
    }
}
