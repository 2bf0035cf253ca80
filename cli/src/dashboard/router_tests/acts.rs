//! Forms that change something, through the operators' function.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_form_acts_through_the_operators_function_and_leads_to_its_entry() {
    let ports = whole("/act");
    let form = with_token("do=close&dependency=d&for=30m&as_of=7&reason=it+is+back");
    let (status, headers, _) =
        answer(&ports, sent("POST", "/act", &form, &[HOST, OWN_SITE, ORIGIN])).await;
    assert_eq!(
        (status.as_u16(), &headers["location"]),
        (303, &"/operation?id=9-a".parse().unwrap())
    );
    let (function, request) = ports.invoked().pop().unwrap();
    let until = (NOW + Duration::from_mins(30)).as_millis();
    let act = json!({ "do": "breaker", "dependency": "d", "set": "close", "until": until });
    assert_eq!((function.as_str(), &request["act"]), ("s-operator", &act));
    assert_eq!(request["reason"], "it is back");
    let shown = page(&ports, "/operation?id=9-a").await;
    assert!(shown.contains("retry") && shown.contains(">done<"), "{shown}");
    let log = page(&ports, "/operations").await;
    assert!(log.contains("/operation?id=9-a"), "{log}");
}

#[tokio::test]
async fn a_cluster_is_retried_after_its_preview_and_as_of_it() {
    let dead = DueItem {
        key: "a#g:1".into(),
        partition: "dead#a#3".into(),
        due_at: NOW.before(Duration::from_mins(5)),
        state: "dead".into(),
        kind: "a".into(),
        fingerprint: Some("f00d".into()),
        ..DueItem::default()
    };
    let ask = "/confirm?do=retry_cluster&#38;type=a&#38;state=dead&#38;fingerprint=f00d";
    let clusters = page(&ports().with_due([dead]), "/errors").await;
    assert!(clusters.contains(ask) && clusters.contains("data-key=\"R\""), "{clusters}");
    let ports_asked = whole("/confirm");
    let shown = page(&ports_asked, &ask.replace("&#38;", "&")).await;
    for part in ["name=\"as_of\" value=\"7\"", "a#g:1", "method=\"post\"", TOKEN, "data-still"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(ports_asked.invoked()[0].1["dry_run"], true);
    let ports = whole("/act");
    let form = "do=retry_cluster&type=a&state=dead&fingerprint=f00d&as_of=7&reason=mended";
    let request = sent("POST", "/act", &with_token(form), &[HOST, OWN_SITE, ORIGIN]);
    assert_eq!(answer(&ports, request).await.0, StatusCode::SEE_OTHER);
    let on = &ports.invoked()[0].1["act"]["on"];
    assert_eq!((&on["as_of"], &on["filter"]["fingerprint"]), (&json!(7), &json!("f00d")));
    assert_eq!(on["filter"]["states"], json!(["dead"]));
}

#[tokio::test]
async fn what_may_do_harm_is_not_done_before_it_was_shown() {
    for act in [
        "do=cancel&id=1",
        "do=retry_cluster&type=a&state=dead&fingerprint=f",
        "do=open&dependency=d&for=30m",
        "do=pause&type=a&priority=both&for=30m",
    ] {
        let ports = whole("/act");
        let form = with_token(&format!("{act}&reason=x"));
        let request = sent("POST", "/act", &form, &[HOST, OWN_SITE, ORIGIN]);
        let (status, _, text) = answer(&ports, request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{act}");
        assert!(text.contains("as_of: missing") && ports.invoked().is_empty(), "{act}: {text}");
    }
}

#[tokio::test]
async fn what_the_operators_function_refuses_is_shown_and_not_sent_again() {
    let why = Called::Failed("reason: missing; expected why".into());
    let ports = ports().answering([why]);
    let form = with_token("do=auto&dependency=d");
    let (status, _, text) =
        answer(&ports, sent("POST", "/act", &form, &[HOST, OWN_SITE, ORIGIN])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("reason: missing") && text.contains("data-still"), "{text}");
}
