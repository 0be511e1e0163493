//! Wire tables of sts 2011-06-15. Do not edit.
//!
//! Written by `cargo run -p vpc-api --example generate` from `model`, which comes from botocore's service
//! models (Apache-2.0, Copyright Amazon.com, Inc. or its affiliates; see the NOTICE file there).

use crate::wire::table::{Operation, Protocol, Service, Shape, integer, list, member as m, operation, structure as s, text, timestamp};

/// The service.
pub(crate) static SERVICE: Service = Service {
    name: "sts",
    version: "2011-06-15",
    protocol: Protocol::Query,
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    operations: OPERATIONS,
    shapes: SHAPES,
};

static OPERATIONS: &[Operation] = &[
    operation("AssumeRole", "account", 1, Some(0), Some(1), Some("AssumeRoleResult"), &[]),
    operation("GetAccessKeyInfo", "account", 3, Some(4), Some(5), Some("GetAccessKeyInfoResult"), &[]),
    operation("GetCallerIdentity", "account", 1, Some(6), Some(7), Some("GetCallerIdentityResult"), &[]),
];

static SHAPES: &[Shape] = &[
    s("AssumeRoleRequest", &[m("RoleArn", "RoleArn", "RoleArn", 15, true, false), m("RoleSessionName", "RoleSessionName", "RoleSessionName", 24, true, false), m("PolicyArns", "PolicyArns", "PolicyArns", 22, false, false), m("Policy", "Policy", "Policy", 35, false, false), m("DurationSeconds", "DurationSeconds", "DurationSeconds", 23, false, false), m("Tags", "Tags", "Tags", 31, false, false), m("TransitiveTagKeys", "TransitiveTagKeys", "TransitiveTagKeys", 29, false, false), m("ExternalId", "ExternalId", "ExternalId", 19, false, false), m("SerialNumber", "SerialNumber", "SerialNumber", 25, false, false), m("TokenCode", "TokenCode", "TokenCode", 33, false, false), m("SourceIdentity", "SourceIdentity", "SourceIdentity", 28, false, false), m("ProvidedContexts", "ProvidedContexts", "ProvidedContexts", 10, false, false), m("MinimumSessionTokenSize", "MinimumSessionTokenSize", "MinimumSessionTokenSize", 20, false, false)]),
    s("AssumeRoleResponse", &[m("Credentials", "Credentials", "Credentials", 3, false, false), m("AssumedRoleUser", "AssumedRoleUser", "AssumedRoleUser", 2, false, false), m("PackedPolicySize", "PackedPolicySize", "PackedPolicySize", 21, false, false), m("SourceIdentity", "SourceIdentity", "SourceIdentity", 28, false, false), m("SessionTokenUtilization", "SessionTokenUtilization", "SessionTokenUtilization", 27, false, false), m("SessionTokenSize", "SessionTokenSize", "SessionTokenSize", 26, false, false)]),
    s("AssumedRoleUser", &[m("AssumedRoleId", "AssumedRoleId", "AssumedRoleId", 16, true, false), m("Arn", "Arn", "Arn", 15, true, false)]),
    s("Credentials", &[m("AccessKeyId", "AccessKeyId", "AccessKeyId", 12, true, false), m("SecretAccessKey", "SecretAccessKey", "SecretAccessKey", 13, true, false), m("SessionToken", "SessionToken", "SessionToken", 34, true, false), m("Expiration", "Expiration", "Expiration", 18, true, false)]),
    s("GetAccessKeyInfoRequest", &[m("AccessKeyId", "AccessKeyId", "AccessKeyId", 12, true, false)]),
    s("GetAccessKeyInfoResponse", &[m("Account", "Account", "Account", 14, false, false)]),
    s("GetCallerIdentityRequest", &[]),
    s("GetCallerIdentityResponse", &[m("UserId", "UserId", "UserId", 36, false, false), m("Account", "Account", "Account", 14, false, false), m("Arn", "Arn", "Arn", 15, false, false)]),
    s("PolicyDescriptorType", &[m("arn", "arn", "arn", 15, false, false)]),
    s("ProvidedContext", &[m("ProviderArn", "ProviderArn", "ProviderArn", 15, false, false), m("ContextAssertion", "ContextAssertion", "ContextAssertion", 17, false, false)]),
    list("ProvidedContextsListType", 9, "member", Some(1), Some(5)),
    s("Tag", &[m("Key", "Key", "Key", 30, true, false), m("Value", "Value", "Value", 32, true, false)]),
    text("accessKeyIdType", Some(16), Some(128)),
    text("accessKeySecretType", None, None),
    text("accountType", None, None),
    text("arnType", Some(20), Some(2048)),
    text("assumedRoleIdType", Some(2), Some(193)),
    text("contextAssertionType", Some(4), Some(2048)),
    timestamp("dateType"),
    text("externalIdType", Some(2), Some(1224)),
    integer("minimumSessionTokenSizeType", Some(0), Some(4096)),
    integer("nonNegativeIntegerType", Some(0), None),
    list("policyDescriptorListType", 8, "member", None, None),
    integer("roleDurationSecondsType", Some(900), Some(43200)),
    text("roleSessionNameType", Some(2), Some(64)),
    text("serialNumberType", Some(9), Some(256)),
    integer("sessionTokenSizeType", Some(0), None),
    integer("sessionTokenUtilizationType", Some(0), None),
    text("sourceIdentityType", Some(2), Some(64)),
    list("tagKeyListType", 30, "member", None, Some(50)),
    text("tagKeyType", Some(1), Some(128)),
    list("tagListType", 11, "member", None, Some(50)),
    text("tagValueType", Some(0), Some(256)),
    text("tokenCodeType", Some(6), Some(6)),
    text("tokenType", None, None),
    text("unrestrictedSessionPolicyDocumentType", Some(1), None),
    text("userIdType", None, None),
];
