//! Signature version 4, verified.
//!
//! Source: AWS, "Authenticating Requests (AWS Signature Version 4)".

use std::fmt::Write as _;

use axum::http::request::Parts;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::ApiError;
use crate::wire::Timestamp;

/// How far a request's time may be off.
const SKEW_MS: i64 = 15 * 60 * 1_000;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a request says about its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) key: String,
    date: String,
    pub(super) region: String,
    pub(super) service: String,
    signed_headers: String,
    signature: String,
    /// When it was signed, and for how many seconds it holds if it is a presigned URL.
    time: String,
    expires: Option<String>,
}

impl Credential {
    /// What the `Authorization` header or a presigned URL says; `None` if the request is not signed.
    pub(super) fn of(parts: &Parts, query: &[(String, String)]) -> Result<Option<Self>, ApiError> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let from_query = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let malformed = || {
            ApiError::new(
                "IncompleteSignature",
                "The Authorization header or the signature's query parameters are incomplete",
            )
        };
        let authorization = header("authorization");
        let (scope, signed_headers, signature, time, expires) = match authorization.strip_prefix(ALGORITHM) {
            Some(fields) => {
                let field = |name: &str| {
                    let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
                    fields.find_map(|(key, value)| (key == name).then_some(value))
                };
                (field("Credential"), field("SignedHeaders"), field("Signature"), header("x-amz-date"), None)
            }
            None if from_query("X-Amz-Algorithm") == Some(ALGORITHM) => (
                from_query("X-Amz-Credential"),
                from_query("X-Amz-SignedHeaders"),
                from_query("X-Amz-Signature"),
                from_query("X-Amz-Date").unwrap_or(""),
                Some(from_query("X-Amz-Expires").unwrap_or("").to_owned()),
            ),
            None if authorization.is_empty() => return Ok(None),
            None => return Err(malformed()),
        };
        let (Some(scope), Some(signed_headers), Some(signature)) = (scope, signed_headers, signature) else {
            return Err(malformed());
        };
        // A key may contain slashes, the rest of the scope cannot.
        let mut scope = scope.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(key)) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(malformed());
        };
        Ok(Some(Self {
            key: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.to_owned(),
            signature: signature.to_owned(),
            time: time.to_owned(),
            expires,
        }))
    }
}

/// A request as it was signed.
pub(super) struct Signed<'a> {
    pub(super) parts: &'a Parts,
    pub(super) query: &'a [(String, String)],
    pub(super) body: &'a [u8],
}

impl Signed<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the request was signed with this secret, recently.
    pub(super) fn verify(&self, credential: &Credential, secret: &str, now: Timestamp) -> Result<(), ApiError> {
        let wrong = |why: &str| {
            Err(ApiError::new(
                "SignatureDoesNotMatch",
                format!("The request signature we calculated does not match the signature you provided: {why}"),
            ))
        };
        let Some(time) = Timestamp::parse_basic(&credential.time) else {
            return wrong("X-Amz-Date is missing or malformed");
        };
        if !credential.time.starts_with(&credential.date) {
            return wrong("the date of the credential scope is not that of X-Amz-Date");
        }
        let lifetime = match &credential.expires {
            None => SKEW_MS,
            Some(seconds) => match seconds.parse::<i64>() {
                Ok(seconds @ 1..=604_800) => seconds * 1_000,
                Ok(_) | Err(_) => return wrong("X-Amz-Expires is not between 1 and 604800"),
            },
        };
        if now.0 - time.0 > lifetime || time.0 - now.0 > SKEW_MS {
            return Err(ApiError::new(
                "RequestExpired",
                format!("Request has expired: it was signed at {time}, and it is {now}"),
            ));
        }
        if !credential.signed_headers.split(';').any(|name| name == "host") {
            return wrong("the Host header is not signed");
        }
        let Some(canonical) = self.canonical(credential) else {
            return wrong("a signed header is missing");
        };
        let scope = format!("{}/{}/{}/aws4_request", credential.date, credential.region, credential.service);
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", credential.time, hex(&Sha256::digest(canonical)));
        let key = [&credential.date, &credential.region, &credential.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
        let expected = hex(&hmac(&key, to_sign.as_bytes()));
        match expected.as_bytes().ct_eq(credential.signature.as_bytes()).into() {
            true => Ok(()),
            false => wrong("check your secret access key and signing method"),
        }
    }

    fn canonical(&self, credential: &Credential) -> Option<String> {
        let mut pairs: Vec<(String, String)> = self
            .query
            .iter()
            .filter(|(key, _)| key != "X-Amz-Signature")
            .map(|(key, value)| (escape(key), escape(value)))
            .collect();
        pairs.sort();
        let query = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
        let path = self.parts.uri.path();
        let mut canonical = format!("{}\n{path}\n{query}\n", self.parts.method);
        for name in credential.signed_headers.split(';') {
            let mut values = Vec::new();
            for value in self.parts.headers.get_all(name) {
                values.push(value.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            if values.is_empty() {
                return None;
            }
            writeln!(canonical, "{name}:{}", values.join(",")).ok()?;
        }
        write!(canonical, "\n{}\n{}", credential.signed_headers, hex(&Sha256::digest(self.body))).ok()?;
        Some(canonical)
    }
}

/// The HMAC-SHA-256 of a message.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length is a key.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent-encoding with RFC 3986's unreserved characters.
fn escape(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    /// AWS's own example: "get-vanilla-query" and "post-x-www-form-urlencoded" of its test suite share key and date.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn vanilla(signature: &str) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let request = Request::get("/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization);
        request.body(()).unwrap().into_parts().0
    }

    fn verify(signature: &str, secret: &str, now: &str) -> Result<(), ApiError> {
        let parts = vanilla(signature);
        let credential = Credential::of(&parts, &[]).unwrap().unwrap();
        assert_eq!((credential.key.as_str(), credential.service.as_str()), ("AKIDEXAMPLE", "service"));
        Signed { parts: &parts, query: &[], body: b"" }.verify(
            &credential,
            secret,
            Timestamp::parse_basic(now).unwrap(),
        )
    }

    /// The signature of AWS's test suite for `get-vanilla`.
    const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    #[test]
    fn the_signature_of_awss_own_example_verifies() {
        assert_eq!(verify(VANILLA, SECRET, "20150830T123700Z"), Ok(()));
    }

    #[test]
    fn another_secret_signature_or_time_is_refused() {
        assert_eq!(verify(VANILLA, "other", "20150830T123700Z").unwrap_err().code, "SignatureDoesNotMatch");
        let other = VANILLA.replace('5', "6");
        assert_eq!(verify(&other, SECRET, "20150830T123700Z").unwrap_err().code, "SignatureDoesNotMatch");
        assert_eq!(verify(VANILLA, SECRET, "20150830T130000Z").unwrap_err().code, "RequestExpired");
        assert_eq!(verify(VANILLA, SECRET, "20150830T120000Z").unwrap_err().code, "RequestExpired");
    }

    #[test]
    fn half_a_signature_is_incomplete_and_none_is_none() {
        let parts = |authorization: &str| {
            Request::post("/").header("authorization", authorization).body(()).unwrap().into_parts().0
        };
        let code = |authorization: &str| Credential::of(&parts(authorization), &[]).unwrap_err().code;
        assert_eq!(code("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=x"), "IncompleteSignature");
        assert_eq!(code("Basic dXNlcg=="), "IncompleteSignature");
        assert_eq!(code("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x"), "IncompleteSignature");
        assert_eq!(Credential::of(&parts(""), &[]), Ok(None));
    }
}
