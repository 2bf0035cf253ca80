//! A page of a car as long as real ones: one of a platform's, with the menus, lists and scripts around it that real
//! pages have.

use std::fmt::Write as _;

/// A page of the tests.
const PAGE: &str = include_str!("../../platforms/dealer-com-new.html");

/// How much is around it, in entries of menus and lists.
const ENTRIES: usize = 900;

/// The car's VIN, and the address of its page.
pub(crate) const VIN: &str = "3FTTTW8H9SRA12345";
pub(crate) const ADDRESS: &str = "https://www.dealer.example/new/Ford/car.htm";

/// The page, about 320 KB.
pub(crate) fn of_a_car() -> String {
    let mut around = String::new();
    for number in 0..ENTRIES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            around,
            "<li class=\"menu-item menu-item-{number} d-flex\" data-index=\"{number}\">\
             <a class=\"menu-link text-truncate\" href=\"/inventory/model-{number}.htm?from=menu&amp;place=top\">\
             <span class=\"label\">Model {number} &amp; more</span> <i class='icon icon-chevron'></i></a>\
             <!-- entry {number} --></li>"
        );
        if number % 30 == 0 {
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
