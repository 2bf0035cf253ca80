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

/// Adapts a reqwest client to the SDK. The SDK applies its own time-outs to each call.
#[derive(Clone, Debug)]
pub(crate) struct SharedClient(reqwest::Client);

impl SharedClient {
    pub(crate) const fn new(client: reqwest::Client) -> Self {
        Self(client)
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
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let response = client.execute(outgoing(request)?).await.map_err(classify)?;
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
