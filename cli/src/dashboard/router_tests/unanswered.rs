//! Acts whose answer does not come, or says nothing: whoever has asked is not led to ask again.

use super::*;

/// What the browser shows once this form was sent.
async fn shown(ports: &MemoryPorts, form: &str) -> (StatusCode, String) {
    let request = sent("POST", "/act", &with_token(form), &[HOST, OWN_SITE, ORIGIN]);
    let (status, _, text) = answer(ports, request).await;
    (status, text)
}

#[tokio::test(start_paused = true)]
async fn an_act_that_is_not_answered_leads_to_the_log_and_not_to_another_try() {
    let forms = [
        ("do=open&dependency=d&for=30m&as_of=7&reason=broken", "/dependencies"),
        ("do=pause&type=a&priority=both&for=30m&as_of=7&reason=flood", "/queues"),
        ("do=release&id=q%23f00d&reason=mended", "/job?id=q%23f00d"),
    ];
    for (form, effect) in forms {
        let crashed =
            Called::Failed("RequestId: 1 Error: Task timed out after 20.00 seconds".into());
        for (ports, status) in [
            (ports().with_hanging_functions(), StatusCode::GATEWAY_TIMEOUT),
            (ports().answering([crashed]), StatusCode::BAD_GATEWAY),
            (ports().answering([Called::Answer(json!({}))]), StatusCode::BAD_GATEWAY),
        ] {
            let (found, text) = shown(&ports, form).await;
            assert_eq!((found, ports.invoked().len()), (status, 1), "{form}: {text}");
            let links = ["href=\"/operations\"".to_owned(), format!("href=\"{effect}\"")];
            for part in ["This may have been done", "data-still", &links[0], &links[1]] {
                assert!(text.contains(part), "{part}: {text}");
            }
            let main = text.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
            for part in ["<form", "reload", "try again", TOKEN] {
                assert!(!main.contains(part), "{form} has {part}: {main}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_preview_that_is_not_answered_says_that_nothing_was_done() {
    let ports = ports().with_hanging_functions();
    let request = sent("GET", "/confirm", "do=open&dependency=d&for=30m", &[HOST, OWN_SITE]);
    let (status, _, text) = answer(&ports, request).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert!(text.contains("within 20000 ms") && text.contains("nothing was done"), "{text}");
}
