//! A page of a car as long as real ones: one of a platform's, with the menus, lists and scripts around it that real
//! pages have.

use std::fmt::Write as _;

/// A page of the tests.
const PAGE: &str = include_str!("../../platforms/dealer-com-new.html");

/// Length of the page of most comparisons, in bytes: that of a usual page.
pub const USUAL_BYTES: usize = 300_000;

/// Entries of a menu to a script of its own.
const ENTRIES_TO_A_SCRIPT: usize = 30;

/// The car's VIN, and the address of its page.
pub const VIN: &str = "3FTTTW8H9SRA12345";
#[allow(missing_docs, reason = "the constant above says it")]
pub const ADDRESS: &str = "https://www.dealer.example/new/Ford/car.htm";

/// The page with so many bytes around it, or a few hundred more.
#[must_use]
pub fn of_a_car(bytes: usize) -> String {
    let mut around = String::new();
    let numbers = 0_usize..;
    for number in numbers {
        if around.len() >= bytes {
            break;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            around,
            "<li class=\"menu-item menu-item-{number} d-flex\" data-index=\"{number}\">\
             <a class=\"menu-link text-truncate\" href=\"/inventory/model-{number}.htm?from=menu&amp;place=top\">\
             <span class=\"label\">Model {number} &amp; more</span> <i class='icon icon-chevron'></i></a>\
             <!-- entry {number} --></li>"
        );
        if number % ENTRIES_TO_A_SCRIPT == 0 {
            let _ = writeln!(
                around,
                "<script>(function(w){{w.analytics=w.analytics||[];for(var i=0;i<{number};i++)\
                 {{if(w.analytics.length<10&&i>2)w.analytics.push({{event:'view',index:i}});}}}})(window);</script>\
                 <style>.menu-item-{number} > a {{ color: #333; }}</style>"
            );
        }
    }
    PAGE.replacen("</body>", &format!("<ul>{around}</ul></body>"), 1)
}

/// The page with so many bytes around it that keep a parser busy: items that refer to each other, unfinished scripts
/// and tags without an end.
#[must_use]
pub fn hostile(bytes: usize) -> String {
    const PARTS: [&str; 4] = [
        "<p id=p itemprop='a b c d'>x</p><div itemscope itemref='p p p'>",
        "<script>dataLayer['vehicles']=[{\"vin\":\"</script>",
        "<a b=\">\" c=''",
        "<b class='price was-price'>$1",
    ];
    let part = |part: &str| part.repeat(bytes / PARTS.len() / part.len());
    let around: String = PARTS.iter().map(|text| part(text)).collect();
    PAGE.replacen("</body>", &format!("{around}</body>"), 1)
}
