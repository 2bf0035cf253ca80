//! An HTTP client for the SDK that uses the one reqwest client of the process.

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::{Response, StatusCode},
};
use aws_smithy_types::body::SdkBody;
use reqwest::header::DATE;

use crate::base::time::{SKEW, Skew, SystemClock, Time};

/// Adapts a reqwest client to the SDK. The SDK applies its own time-outs to each call.
#[derive(Clone, Debug)]
pub(crate) struct SharedClient {
    client: reqwest::Client,
    /// Told the `Date` of each answer.
    skew: &'static Skew,
}

impl SharedClient {
    pub(crate) const fn new(client: reqwest::Client) -> Self {
        Self { client, skew: &SKEW }
    }
}

impl HttpClient for SharedClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SharedClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { client, skew } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = outgoing(request)?;
            let sent = SystemClock::machine();
            let response = client.execute(request).await.map_err(classify)?;
            let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
            if let Some(date) = date.and_then(Time::parse_http_date) {
                skew.see(sent, SystemClock::machine(), date);
            }
            let status = StatusCode::from(response.status());
            let headers = response.headers().clone();
            let body = response.bytes().await.map_err(classify)?;
            let mut answer = Response::new(status, SdkBody::from(body));
            for (name, value) in &headers {
                // The SDK reads no header whose value is not ASCII.
                if let Ok(value) = value.to_str() {
                    answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(answer)
        })
    }
}

/// Converts a request. For the services used here, its body is always in memory.
fn outgoing(request: HttpRequest) -> Result<reqwest::Request, ConnectorError> {
    let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
    let url = parts.uri.to_string().parse().map_err(|e| ConnectorError::user(Box::new(e)))?;
    let mut request = reqwest::Request::new(parts.method, url);
    *request.headers_mut() = parts.headers;
    *request.body_mut() = Some(body.into());
    Ok(request)
}

/// Classifies an error, so that the SDK's retries can tell a time-out from a broken connection.
fn classify(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_smithy_runtime_api::http::Request;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn over_a_socket_the_date_of_an_answer_corrects_the_clock() {
        static OF_TEST: Skew = Skew::new();
        const ANSWER: &str = "HTTP/1.1 200 OK\r\nDate: Sat, 06 Nov 2094 08:49:37 GMT\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let request = Request::get(format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1_024]).await.unwrap();
            socket.write_all(ANSWER.as_bytes()).await.unwrap();
        };
        let client = crate::http::transport::client().unwrap();
        let client = SharedClient { client, skew: &OF_TEST };
        let (answer, ()) = tokio::join!(client.call(request), serve);
        assert!(answer.unwrap().status().is_success());
        let date = Time::parse_rfc3339("2094-11-06T08:49:37Z").unwrap();
        let now = OF_TEST.correct(SystemClock::machine());
        assert!(now >= date && now.since(date) < Duration::from_mins(1), "{now}");
    }
}
