//! Whose a request is.

use std::collections::BTreeMap;

use vpc_model::resource::{AccountId, Region};

use super::sigv4::{Credential, Signed};
use crate::wire::{Protocol, Service, Timestamp};
use crate::{ApiError, Caller, sts};

/// What the server is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// How much signatures matter.
    pub signatures: Signatures,
    /// Access keys and whose they are.
    pub keys: BTreeMap<String, Key>,
    /// The account of keys that nothing is known about.
    pub default_account: AccountId,
    /// Whether `/_lab/reset` and `/_lab/state` exist.
    pub lab: bool,
    /// Where ids begin; the same seed and calls give the same ids. `None` takes the system's randomness.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            signatures: Signatures::Off,
            keys: BTreeMap::new(),
            default_account: AccountId::DEFAULT,
            lab: false,
            seed: None,
        }
    }
}

/// An access key's other half.
#[derive(Clone, Debug)]
pub struct Key {
    /// What requests are signed with.
    pub secret: String,
    /// Whose it is.
    pub account: AccountId,
    /// The ARN of its user, if it is not the account's root.
    pub principal: Option<String>,
}

/// How much signatures matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signatures {
    /// Requests are signed correctly if their key is in the table; others pass, as the default account.
    Known,
    /// Nobody looks at them.
    #[default]
    Off,
    /// Every request is signed with a key of the table or of a session.
    Strict,
}

impl std::str::FromStr for Signatures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "known" => Ok(Self::Known),
            "off" => Ok(Self::Off),
            "strict" => Ok(Self::Strict),
            _ => Err(format!("'{text}' is not off, known or strict")),
        }
    }
}

impl Config {
    /// Whose a request is, after its signature was looked at as much as it matters.
    pub(super) fn caller(
        &self,
        service: &Service,
        credential: Option<&Credential>,
        signed: &Signed<'_>,
        secret_of: &dyn Fn(&str) -> String,
        now: Timestamp,
    ) -> Result<Caller, ApiError> {
        let Some(credential) = credential else {
            return match self.signatures {
                Signatures::Strict => {
                    Err(refused(service, "MissingAuthenticationToken", "Request is missing Authentication Token"))
                }
                Signatures::Known | Signatures::Off => {
                    Ok(self.of_account(self.default_account, Region::default(), None, "anonymous"))
                }
            };
        };
        let region: Region = credential.region.parse().map_err(|_| {
            refused(
                service,
                "SignatureDoesNotMatch",
                &format!("Credential should be scoped to a valid Region, not '{}'", credential.region),
            )
        })?;
        let key = self.keys.get(&credential.key);
        let session = sts::session_account(&credential.key);
        if self.signatures != Signatures::Off {
            let secret = key.map(|key| key.secret.clone()).or_else(|| session.map(|_| secret_of(&credential.key)));
            match (secret, self.signatures) {
                (Some(secret), _) => {
                    signed.verify(credential, &secret, now).map_err(|error| match service.protocol {
                        Protocol::Ec2 => refused(service, "SignatureDoesNotMatch", ""),
                        Protocol::Query => error,
                    })?
                }
                (None, Signatures::Strict) => {
                    return Err(refused(
                        service,
                        "InvalidClientTokenId",
                        "The security token included in the request is invalid.",
                    ));
                }
                (None, Signatures::Known | Signatures::Off) => {
                    return Ok(self.of_account(self.default_account, region, None, &credential.key));
                }
            }
        }
        let twelve_digits = || credential.key.parse::<AccountId>().ok();
        let account = key.map(|key| key.account).or(session).or_else(twelve_digits).unwrap_or(self.default_account);
        let token = signed.header("x-amz-security-token").filter(|_| session.is_some());
        let of_session = token.filter(|arn| arn.starts_with(&format!("arn:aws:sts::{account}:assumed-role/")));
        let principal = key.and_then(|key| key.principal.clone()).or_else(|| of_session.map(str::to_owned));
        Ok(self.of_account(account, region, principal, &credential.key))
    }

    fn of_account(&self, account: AccountId, region: Region, principal: Option<String>, user: &str) -> Caller {
        let principal = principal.unwrap_or_else(|| format!("arn:aws:iam::{account}:root"));
        Caller { account, region, principal, user: user.to_owned() }
    }
}

/// EC2 has one code for everything that is wrong with credentials; the Query services tell them apart.
fn refused(service: &Service, code: &'static str, message: &str) -> ApiError {
    match service.protocol {
        Protocol::Ec2 => ApiError::new("AuthFailure", "AWS was not able to validate the provided access credentials"),
        Protocol::Query => ApiError::new(code, message),
    }
}
