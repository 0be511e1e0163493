//! Requests in, replies out.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use vpc_model::{Change, Desired, Record, Violation};

use super::accounts::{Config, Signatures};
use super::replay::{Replays, Token};
use super::sigv4::{Credential, Signed, hex, hmac};
use crate::wire::{EC2, Protocol, Service, Timestamp, form, xml};
use crate::{ApiError, Caller, Reply, Request, Surroundings, handle};

/// The longest body that is read.
const MAX_BODY: usize = 1 << 20;

/// The running network, as the server needs it.
pub trait Control: Send + Sync + 'static {
    /// The network that was asked for last.
    fn desired(&self) -> Desired;

    /// Applies changes, and returns when packets follow them: the number of the tables then in force.
    ///
    /// Errors: [`ApplyError`]; the network is as it was.
    fn apply(&self, changes: Vec<Change>) -> impl Future<Output = Result<u64, ApplyError>> + Send;
}

/// Why changes were not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The machine cannot make it so.
    #[error("{0}")]
    Failed(String),
    /// They do not fit the network any more, which somebody else changed meanwhile.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Violation>),
}

impl From<Vec<Violation>> for ApplyError {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Refused(violations)
    }
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Failed(why) => Self::internal(why),
            ApplyError::Refused(violations) => violations.into(),
        }
    }
}

/// The server's state.
#[derive(Debug)]
pub struct Front<C> {
    control: C,
    config: Config,
    ids: AtomicU64,
    session_secret: [u8; 32],
    writer: Mutex<Replays>,
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address can be reached from elsewhere and nobody would look at signatures.
    #[error(
        "{address} is not a loopback address, and without signatures everybody who reaches it owns the network; use --sigv4 strict"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// The system refused.
    #[error("listening on {address}: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Listens, unless the address is reachable from elsewhere while signatures do not matter.
///
/// # Errors
/// [`BindError`].
pub async fn listen(address: SocketAddr, signatures: Signatures) -> Result<TcpListener, BindError> {
    if !address.ip().is_loopback() && signatures != Signatures::Strict {
        return Err(BindError::Open { address });
    }
    TcpListener::bind(address).await.map_err(|source| BindError::Refused { address, source })
}

/// Serves until that is no longer possible.
///
/// # Errors
/// Why it is not.
pub async fn serve<C: Control>(listener: TcpListener, front: Front<C>) -> std::io::Result<()> {
    axum::serve(listener, router(Arc::new(front))).await
}

fn router<C: Control>(front: Arc<Front<C>>) -> Router {
    let mut router = Router::new().route("/", any(call::<C>));
    if front.config.lab {
        router = router.route("/_lab/reset", post(reset::<C>)).route("/_lab/state", get(state::<C>));
    }
    router.with_state(front)
}

impl<C: Control> Front<C> {
    /// A server in front of a network.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new(control: C, config: Config) -> Result<Self, std::io::Error> {
        let mut session_secret = [0; 32];
        getrandom::fill(&mut session_secret).map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| std::io::Error::other(error.to_string()))?;
        let seed = config.seed.unwrap_or_else(|| u64::from_ne_bytes(seed));
        Ok(Self { control, config, ids: AtomicU64::new(seed), session_secret, writer: Mutex::default() })
    }

    /// 64 bits that this server never gave before.
    ///
    /// Source: SplitMix64, whose outputs for 2⁶⁴ states are all different.
    fn random(&self) -> u64 {
        let mut z = self.ids.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn request_id(&self) -> String {
        let (high, low) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    fn secret_of(&self, key: &str) -> String {
        hex(&hmac(&self.session_secret, key.as_bytes()))
    }

    /// Answers a call: the service it is for, and the reply or the error.
    async fn answer(&self, request: axum::extract::Request, id: &str) -> (&'static Service, Result<String, ApiError>) {
        let (parts, body) = request.into_parts();
        let body = match to_bytes(body, MAX_BODY).await {
            Ok(body) => body,
            Err(error) => {
                return (EC2, Err(ApiError::new("InvalidRequest", format!("The body cannot be read: {error}"))));
            }
        };
        let query = form::parse(parts.uri.query().unwrap_or("").as_bytes());
        let mut pairs = query.clone();
        if parts.method == Method::POST {
            pairs.extend(form::parse(&body));
        }
        let credential = Credential::of(&parts, &query);
        let (action, version) = take_head(&mut pairs);
        let scoped = credential
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .and_then(|credential| Service::of_name(&credential.service));
        let service = scoped.or_else(|| Service::of_version(version.as_deref()?)).unwrap_or(EC2);
        let call = async {
            let credential = credential?;
            let now = now();
            let signed = Signed { parts: &parts, query: &query, body: &body };
            let secret_of = |key: &str| self.secret_of(key);
            let caller = self.config.caller(service, credential.as_ref(), &signed, &secret_of, now)?;
            let request = read(service, action, version, &pairs)?;
            self.call(caller, request, &pairs, id, now).await
        };
        (service, call.await)
    }

    async fn call(
        &self,
        caller: Caller,
        request: Request,
        pairs: &[(String, String)],
        id: &str,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        let run = |desired: &Desired| {
            let mut ids = || self.random();
            let secret_of = |key: &str| self.secret_of(key);
            let mut surroundings = Surroundings { ids: &mut ids, now, secret_of: &secret_of };
            let Reply { changes, output } = handle(desired, &caller, &request, &mut surroundings)?;
            // Encoded before anything is changed, so that a reply that cannot be sent changes nothing.
            let body = xml::reply(request.service, request.operation, &output, id)
                .map_err(|error| ApiError::internal(error.to_string()))?;
            Ok::<_, ApiError>((changes, body))
        };
        if is_read(request.operation.name) {
            return run(&self.control.desired()).map(|(_, body)| body);
        }
        let mut replays = self.writer.lock().await;
        let token = Token::of(&caller, &request);
        if let Some(token) = &token
            && let Some(body) = replays.find(token, pairs)?
        {
            return Ok(body.to_owned());
        }
        let (changes, body) = run(&self.control.desired())?;
        if !changes.is_empty() {
            self.control.apply(changes).await?;
        }
        if let Some(token) = token {
            replays.keep(token, pairs, body.clone(), now);
        }
        Ok(body)
    }
}

/// Whether an action changes nothing, whatever its parameters are.
fn is_read(action: &str) -> bool {
    ["Describe", "Get", "Search"].iter().any(|verb| action.starts_with(verb))
}

/// Takes out what is not an action's parameter: its name and version, and a presigned URL's parameters.
fn take_head(pairs: &mut Vec<(String, String)>) -> (Option<String>, Option<String>) {
    let (mut action, mut version) = (None, None);
    pairs.retain_mut(|(key, value)| match key.as_str() {
        "Action" => {
            action = Some(std::mem::take(value));
            false
        }
        "Version" => {
            version = Some(std::mem::take(value));
            false
        }
        key => !key.starts_with("X-Amz-"),
    });
    (action, version)
}

fn read(
    service: &'static Service,
    action: Option<String>,
    version: Option<String>,
    pairs: &[(String, String)],
) -> Result<Request, ApiError> {
    let action = action.ok_or_else(|| ApiError::new("MissingAction", "The request is missing an action"))?;
    if let Some(version) = version.filter(|version| version != service.version) {
        let message = format!("The requested version ({version}) is not valid; {} is", service.version);
        return Err(ApiError::new("NoSuchVersion", message));
    }
    let Some(operation) = service.operation(&action) else {
        let message = format!("The action {action} is not valid for this web service.");
        return Err(ApiError::new("InvalidAction", message));
    };
    let input =
        form::decode(service, operation, pairs).map_err(|error| match (service.protocol, error.code.as_ref()) {
            (Protocol::Query, "MissingParameter" | "InvalidParameterValue") => {
                ApiError { code: "ValidationError".into(), ..error }
            }
            (Protocol::Ec2 | Protocol::Query, _) => error,
        })?;
    Ok(Request { service, operation, input })
}

#[expect(clippy::disallowed_methods, reason = "the server tells the handlers the time; it is not part of the core")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

async fn call<C: Control>(State(front): State<Arc<Front<C>>>, request: axum::extract::Request) -> Response {
    let id = front.request_id();
    let (service, answer) = front.answer(request, &id).await;
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            tracing::debug!(code = %error.code, message = %error.message, request = %id, "refused");
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, xml::error(service, &error, &id))
        }
    };
    let headers = [(header::CONTENT_TYPE.as_str(), "text/xml;charset=UTF-8"), ("x-amzn-requestid", id.as_str())];
    (status, headers, Body::from(body)).into_response()
}

/// Empties the network at once.
async fn reset<C: Control>(State(front): State<Arc<Front<C>>>) -> Response {
    let mut replays = front.writer.lock().await;
    let desired = front.control.desired();
    let resources = desired.resources().map(|resource| Change::Delete(resource.id()));
    let records = desired.records().map(|(id, _)| Change::Record { id: id.to_owned(), record: Record::default() });
    let changes: Vec<Change> = resources.chain(records).collect();
    let status = match front.control.apply(changes).await {
        Ok(generation) => (StatusCode::OK, json!({ "generation": generation })),
        Err(error) => (StatusCode::CONFLICT, json!({ "error": error.to_string() })),
    };
    *replays = Replays::default();
    reply_json(status.0, &status.1)
}

/// Shows the network: resources by id, and what is said about them.
async fn state<C: Control>(State(front): State<Arc<Front<C>>>) -> Response {
    let desired = front.control.desired();
    let resources: Map<String, serde_json::Value> =
        desired.resources().map(|resource| (resource.id().to_string(), json!(resource))).collect();
    let records: Map<String, serde_json::Value> =
        desired.records().map(|(id, record)| (id.to_owned(), json!(record))).collect();
    reply_json(StatusCode::OK, &json!({ "resources": resources, "records": records }))
}

fn reply_json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_strict_signatures() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listen = |address: [u8; 4], signatures| runtime.block_on(listen((address, 0).into(), signatures));
        for signatures in [Signatures::Off, Signatures::Known] {
            let refused = listen([0, 0, 0, 0], signatures).unwrap_err();
            assert!(refused.to_string().contains("--sigv4 strict"), "{refused}");
        }
        assert!(listen([127, 0, 0, 1], Signatures::Off).is_ok());
    }
}
