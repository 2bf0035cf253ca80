//! One request: send it, follow its redirects, read the answer.

use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
};

use super::{
    Outbound, Request,
    content::{Content, Fetched, Validators},
    failure::{FetchError, MAX_REDIRECTS},
    target::Target,
    transport::{HttpRequest, HttpResponse, Transport},
};
use crate::base::time::Clock;

/// One step along the redirects of a request.
struct Hop<'a> {
    target: Target,
    /// The JSON to POST; `None` for a GET.
    body: Option<&'a str>,
    /// Whether no redirect has left the origin for which the caller's headers are meant.
    at_home: bool,
    /// Redirects so far.
    redirects: usize,
}

impl Hop<'_> {
    /// The next step, as browsers take it (Fetch standard, "HTTP-redirect fetch"): 307 and 308
    /// repeat the request, other redirects turn it into a GET.
    fn redirected(self, status: StatusCode, target: Target) -> Self {
        let repeats =
            matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        Self {
            body: self.body.filter(|_| repeats),
            at_home: self.at_home && target.has_origin_of(&self.target),
            redirects: self.redirects + 1,
            target,
        }
    }

    /// The validators to send: those that this very URL gave.
    fn known<'b>(&self, request: &Request<'b>) -> Option<&'b Validators> {
        request.known.filter(|known| self.body.is_none() && known.are_of(self.target.url()))
    }
}

impl<C: Clock, T: Transport> Outbound<C, T> {
    /// Fetches without a time limit, which the caller sets for all steps together.
    pub(super) async fn follow(&self, request: &Request<'_>) -> Result<Fetched, FetchError> {
        let refused = |redirects| {
            let field = request.field.to_owned();
            move |refusal| FetchError::Refused { field, redirects, refusal }
        };
        let target = self.rules.check(request.address).map_err(refused(0))?;
        let body = request.body.as_deref();
        let mut hop = Hop { target, body, at_home: true, redirects: 0 };
        while hop.redirects <= MAX_REDIRECTS {
            let response = self.send(request, &hop).await?;
            let Some(location) = location(&response) else {
                return self.read(request, &hop, response);
            };
            let target = self
                .rules
                .check_redirect(&hop.target, &location)
                .map_err(refused(hop.redirects + 1))?;
            hop = hop.redirected(response.status, target);
        }
        Err(FetchError::TooManyRedirects { field: request.field.to_owned() })
    }

    async fn send(&self, request: &Request<'_>, hop: &Hop<'_>) -> Result<HttpResponse, FetchError> {
        let mut headers = if hop.at_home { request.headers.clone() } else { HeaderMap::new() };
        if let Some(known) = hop.known(request) {
            headers.extend(known.conditions());
        }
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        if hop.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let call = HttpRequest {
            method: if hop.body.is_some() { Method::POST } else { Method::GET },
            url: hop.target.url().clone(),
            headers,
            body: hop.body.map(|json| json.as_bytes().to_vec()),
            max_bytes: request.max_bytes,
            reads_errors: false,
        };
        let (host, limit) = (hop.target.host(), request.max_bytes);
        let failed =
            |error| FetchError::of_transport(error, request.field, hop.redirects, host, limit);
        self.transport.send(call).await.map_err(failed)
    }

    fn read(
        &self,
        request: &Request<'_>,
        hop: &Hop<'_>,
        response: HttpResponse,
    ) -> Result<Fetched, FetchError> {
        let HttpResponse { status, headers, body } = response;
        let host = hop.target.host();
        if status == StatusCode::NOT_MODIFIED && hop.known(request).is_some() {
            return Ok(Fetched::NotModified);
        }
        if !status.is_success() {
            return Err(FetchError::of_status(status, &headers, host, self.clock.now()));
        }
        // The client decompresses gzip, the only encoding that it accepts, and removes the header.
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let message = format!("{host} packed its answer as {encoding:?}, expected gzip");
            return Err(FetchError::trouble("content_encoding", message));
        }
        Ok(Fetched::Content(Box::new(Content::new(hop.target.url(), &headers, body))))
    }
}

/// Where the answer redirects to; `None` if it is not a redirect or has no location.
fn location(response: &HttpResponse) -> Option<String> {
    let redirects = matches!(
        response.status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers.get(LOCATION).filter(|_| redirects)?;
    // Some sites send raw UTF-8 in this header, where HTTP permits only ASCII.
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}
