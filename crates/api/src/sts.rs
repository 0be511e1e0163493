//! The Security Token Service actions.
//!
//! A session's key carries its account, so that no table of sessions is needed: `ASIA`, the twelve digits, and 40 random
//! bits; its token is the ARN of the session. Deviation: AWS's keys are opaque, and expire; these do not.

use vpc_model::resource::AccountId;

use crate::ApiError;
use crate::call::Cx;
use crate::wire::{Structure, Timestamp};

/// What every session key begins with.
const SESSION: &str = "ASIA";

/// The account that a session key was issued for.
#[must_use]
pub fn session_account(key: &str) -> Option<AccountId> {
    key.strip_prefix(SESSION)?.get(..12)?.parse().ok()
}

pub(crate) fn get_caller_identity(cx: &mut Cx<'_>, _: &Structure) -> Result<Structure, ApiError> {
    Ok(Structure::new()
        .with("Account", cx.caller.account.to_string())
        .with("Arn", cx.caller.principal.as_str())
        .with("UserId", cx.caller.user.as_str()))
}

pub(crate) fn assume_role(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let role = input.text("RoleArn").unwrap_or("");
    let session = input.text("RoleSessionName").unwrap_or("");
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let known = match parts[..] {
        ["arn", _, "iam", "", account, resource] => {
            account.parse::<AccountId>().ok().zip(resource.strip_prefix("role/").filter(|name| !name.is_empty()))
        }
        _ => None,
    };
    let Some((account, name)) = known else {
        return Err(ApiError::new(
            "ValidationError",
            format!("{role} is invalid; expected arn:aws:iam::ACCOUNT:role/NAME"),
        ));
    };
    let name = name.rsplit('/').next().unwrap_or(name);
    let random = cx.random();
    let key = format!("{SESSION}{account}{:010X}", random & 0xff_ffff_ffff);
    let seconds = input.integer("DurationSeconds").unwrap_or(3_600);
    let credentials = Structure::new()
        .with("AccessKeyId", key.as_str())
        .with("Expiration", Timestamp(cx.now.0 + seconds * 1_000))
        .with("SecretAccessKey", (cx.secret_of)(&key))
        .with("SessionToken", format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"));
    let user = Structure::new()
        .with("Arn", format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"))
        .with("AssumedRoleId", format!("AROA{:016X}:{session}", random));
    Ok(Structure::new().with("Credentials", credentials).with("AssumedRoleUser", user).with("PackedPolicySize", 0))
}

pub(crate) fn get_access_key_info(_: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let key = input.text("AccessKeyId").unwrap_or("");
    let account = session_account(key).or_else(|| key.parse().ok()).unwrap_or(AccountId::DEFAULT);
    Ok(Structure::new().with("Account", account.to_string()))
}
