//! One request: send it, follow its redirects, read the answer.

use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
};

use super::{
    Outbound, Request,
    content::{Content, Fetched, Validators},
    failure::{FetchError, MAX_REDIRECTS},
    target::Target,
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

impl<C: Clock> Outbound<C> {
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
                return self.read(request, &hop, response).await;
            };
            let target = self
                .rules
                .check_redirect(&hop.target, &location)
                .map_err(refused(hop.redirects + 1))?;
            hop = hop.redirected(response.status(), target);
        }
        Err(FetchError::TooManyRedirects { field: request.field.to_owned() })
    }

    async fn send(&self, request: &Request<'_>, hop: &Hop<'_>) -> Result<Response, FetchError> {
        let url = hop.target.url().clone();
        let mut call = match hop.body {
            Some(body) => {
                let call = self.client.post(url).header(CONTENT_TYPE, "application/json");
                call.body(body.to_owned())
            }
            None => self.client.get(url),
        };
        if hop.at_home {
            call = call.headers(request.headers.clone());
        }
        if let Some(known) = hop.known(request) {
            call = call.headers(known.conditions());
        }
        let call = call.header(ACCEPT, request.accept).send();
        call.await.map_err(|error| broken(error, request, hop))
    }

    async fn read(
        &self,
        request: &Request<'_>,
        hop: &Hop<'_>,
        response: Response,
    ) -> Result<Fetched, FetchError> {
        let (status, host) = (response.status(), hop.target.host());
        if status == StatusCode::NOT_MODIFIED && hop.known(request).is_some() {
            return Ok(Fetched::NotModified);
        }
        if !status.is_success() {
            let now = self.clock.now();
            return Err(FetchError::of_status(status, response.headers(), host, now));
        }
        let headers = response.headers().clone();
        // The client decompresses gzip, the only encoding that it accepts, and removes the header.
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let message = format!("{host} packed its answer as {encoding:?}, expected gzip");
            return Err(FetchError::trouble("content_encoding", message));
        }
        let body = read_body(request, hop, response).await?;
        Ok(Fetched::Content(Box::new(Content::new(hop.target.url(), &headers, body))))
    }
}

/// Where the answer redirects to; `None` if it is not a redirect or has no location.
fn location(response: &Response) -> Option<String> {
    let redirects = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| redirects)?;
    // Some sites send raw UTF-8 in this header, where HTTP permits only ASCII.
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// The body, decompressed. The limit applies to the decompressed bytes, chunk by chunk, so a small
/// answer that decompresses to a huge one stops at the limit.
async fn read_body(
    request: &Request<'_>,
    hop: &Hop<'_>,
    mut response: Response,
) -> Result<Vec<u8>, FetchError> {
    let limit = request.max_bytes;
    let too_large = || FetchError::TooLarge { host: hop.target.host().to_owned(), limit };
    let declared = response.content_length().unwrap_or_default();
    if declared > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(error, request, hop))? {
        if chunk.len() > limit - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn broken(error: reqwest::Error, request: &Request<'_>, hop: &Hop<'_>) -> FetchError {
    FetchError::of_transport(error, request.field, hop.redirects, hop.target.host())
}
