//! Walls that answer 200: pages without a car and without a dealer, but with what a challenge is made of.

use serde_json::json;

use super::assert_read;

#[test]
fn walls_are_told_from_pages_without_a_car() {
    let links = "<a href=/privacy>Privacy</a>".repeat(7);
    let refused = "<h1>Pardon</h1><p>Request blocked. Incident Number: 18.0.0.0</p>";
    let walls = [
        r#"<script src="https://js.hcaptcha.example/1/api.js"></script><p>One more step</p>"#.to_owned(),
        format!("<title>Site</title>{refused}{links}"),
        "<title>Loading</title><script>window._cf_chl={};setTimeout(function(){document.cookie='x';\
         location.reload()},1000)</script><noscript>Please enable JavaScript and cookies to \
         continue</noscript>"
            .to_owned(),
        r#"<meta http-equiv="refresh" content="2; url=/?__jsch=1"><title></title>
           <p>Checking your browser before accessing the site.</p>"#
            .to_owned(),
        "<p>The requested URL was rejected. Your support ID is: 123456789</p>".to_owned(),
        "<body><script>window.KPSDK={};</script><script src=/1/2/ips.js?x=1></script></body>".to_owned(),
        "<title>Access to this page has been denied.</title><div>Press &amp; Hold to confirm you are \
         a human</div>"
            .to_owned(),
        "<title>Security Check</title><p>Please turn JavaScript on and reload the page.</p>".to_owned(),
        "<h1>403 ERROR</h1><p>Request blocked.</p><pre>Request ID: aBcD-xY9==</pre>".to_owned(),
    ];
    assert_read(walls.map(|html| (html, json!({"error": "challenge"}))).into());
    let menu = "<a href=/used>Used</a>".repeat(7);
    let pages = [
        "<div id=root></div><script src=/app.js></script>".to_owned(),
        format!("<nav>{menu}</nav><p>Request ID: 4711</p>"),
        format!("{menu}<script src=/recaptcha/api.js></script><p>Contact us</p>"),
        "<a href=tel:555>Call</a><p>Are you human? So are we.</p>".to_owned(),
        "<meta http-equiv=refresh content='0; url=/used'><p>We have moved</p>".to_owned(),
        "<script>document.cookie='a=1'</script><h1>Welcome</h1>".to_owned(),
        String::new(),
    ];
    assert_read(pages.map(|html| (html, json!({"error": "no_vin"}))).into());
}
