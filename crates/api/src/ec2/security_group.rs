//! Security groups.

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{Direction, Eni, Peer, SecurityGroup, SecurityGroupRule, Traffic, Vpc};
use vpc_model::{Change, Id, Record};

use super::permission::{Wanted, show_permissions, show_revoked, show_rule, traffic, wanted};
use super::{arn, cidr_of, owner, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe, list};
use crate::noun::place;
use crate::tags::specified;
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[
    ("egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"),
    ("egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"),
    ("egress.ip-permission.group-id", "IpPermissionsEgress.UserIdGroupPairs.GroupId"),
    ("egress.ip-permission.group-name", "IpPermissionsEgress.UserIdGroupPairs.GroupName"),
    ("egress.ip-permission.ipv6-cidr", "IpPermissionsEgress.Ipv6Ranges.CidrIpv6"),
    ("egress.ip-permission.prefix-list-id", "IpPermissionsEgress.PrefixListIds.PrefixListId"),
    ("egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"),
    ("egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"),
    ("egress.ip-permission.user-id", "IpPermissionsEgress.UserIdGroupPairs.UserId"),
    ("ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"),
    ("ip-permission.from-port", "IpPermissions.FromPort"),
    ("ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"),
    ("ip-permission.group-name", "IpPermissions.UserIdGroupPairs.GroupName"),
    ("ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"),
    ("ip-permission.prefix-list-id", "IpPermissions.PrefixListIds.PrefixListId"),
    ("ip-permission.protocol", "IpPermissions.IpProtocol"),
    ("ip-permission.to-port", "IpPermissions.ToPort"),
    ("ip-permission.user-id", "IpPermissions.UserIdGroupPairs.UserId"),
];

pub(crate) fn create_security_group(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = match input.text("VpcId") {
        Some(vpc) => cx.find::<Vpc>(vpc)?.id,
        None => default_vpc(cx)?,
    };
    let wanted_name = words(input, "GroupName")?;
    let description = words(input, "Description")?;
    if wanted_name == "default" || wanted_name.starts_with("sg-") {
        let message = format!("Cannot use reserved security group name: {wanted_name}");
        return Err(ApiError::invalid_value(message));
    }
    if cx.all::<SecurityGroup>().any(|group| group.vpc == vpc && name(cx, group) == wanted_name) {
        let message = format!("The security group '{wanted_name}' already exists for VPC '{vpc}'");
        return Err(ApiError::new("InvalidGroup.Duplicate", message));
    }
    let new =
        cx.create::<SecurityGroup>(input)?.fact("groupName", Some(wanted_name)).fact("description", Some(description));
    let everything = SecurityGroupRule {
        id: Id::new(cx.random()),
        direction: Direction::Egress,
        traffic: Traffic::All,
        peer: Peer::Prefix(Prefix::DEFAULT_V4),
    };
    let group = SecurityGroup { id: new.id, name: new.name.clone(), vpc, rules: vec![everything] };
    cx.apply([new.record(), Change::put(group)])?;
    let (account, region) = (cx.caller.account, &cx.caller.region);
    Ok(Structure::new()
        .with("GroupId", new.id.to_string())
        .with("Tags", cx.desired.get(new.id).map(|group| cx.tags(group)))
        .with("SecurityGroupArn", arn(region, account, "security-group", new.id)))
}

/// The account's default VPC, for requests that name none.
pub(crate) fn default_vpc(cx: &Cx<'_>) -> Result<Id<Vpc>, ApiError> {
    let found = cx.all::<Vpc>().find(|vpc| super::vpc::is_default(cx, vpc)).map(|vpc| vpc.id);
    found.ok_or_else(|| ApiError::new("VPCIdNotSpecified", "No default VPC for this user"))
}

/// A group's name or description: at most 255 of the characters EC2 allows.
fn words<'a>(input: &'a Structure, member: &'static str) -> Result<&'a str, ApiError> {
    let given = text(input, member)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    match !given.is_empty() && given.len() <= 255 && given.chars().all(allowed) {
        true => Ok(given),
        false => Err(ApiError::invalid_value(format!(
            "Value ({given}) for parameter {member} is invalid. Character sets beyond ASCII are not supported; 1 to 255 characters of a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{{}}!$*"
        ))),
    }
}

/// What the API calls a group; unique in its VPC, while a lab's name is unique in the lab.
pub(crate) fn name(cx: &Cx<'_>, group: &SecurityGroup) -> String {
    let is_default = || cx.desired.get(group.vpc).is_some_and(|vpc| vpc.default_group == group.id);
    match (cx.fact(group.id, "groupName"), &group.name) {
        (Some(name), _) => name.to_owned(),
        (None, _) if is_default() => "default".to_owned(),
        (None, Some(name)) => name.to_string(),
        (None, None) => group.id.to_string(),
    }
}

/// The group that a request names by id or, in the default VPC, by name.
fn group<'c>(cx: &'c Cx<'_>, input: &Structure) -> Result<&'c SecurityGroup, ApiError> {
    let by_name = cx.operation.takes(crate::wire::EC2, "GroupName").then(|| input.text("GroupName")).flatten();
    match (input.text("GroupId"), by_name) {
        (Some(id), _) => cx.find(id),
        (None, Some(wanted)) => {
            let vpc = default_vpc(cx).ok();
            let found = cx.all::<SecurityGroup>().find(|group| Some(group.vpc) == vpc && name(cx, group) == wanted);
            found.ok_or_else(|| {
                let vpc = vpc.map_or_else(|| "none".to_owned(), |vpc| vpc.to_string());
                let message = format!("The security group '{wanted}' does not exist in default VPC '{vpc}'");
                ApiError::new("InvalidGroup.NotFound", message)
            })
        }
        (None, None) => Err(ApiError::missing_parameter("groupId")),
    }
}

pub(crate) fn delete_security_group(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let group = group(cx, input)?.clone();
    let (id, vpc) = (group.id, group.vpc);
    if cx.desired.get(vpc).is_some_and(|vpc| vpc.default_group == id) {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(ApiError::new("CannotDelete", message));
    }
    let refers = |other: &&SecurityGroup| other.id != id && other.rules.iter().any(|rule| rule.peer == Peer::Group(id));
    let in_vpc = || cx.desired.dependents_of_kind::<SecurityGroup>(Vpc::to_ref(vpc));
    let referring = in_vpc().find(refers).map(|other| SecurityGroup::to_ref(other.id));
    if let Some(by) = cx.desired.dependents(SecurityGroup::to_ref(id)).next().or(referring) {
        let message = format!("resource {id} has a dependent object: {by}");
        return Err(ApiError::new("DependencyViolation", message));
    }
    let rules = group.rules.iter().map(|rule| forget(rule.id));
    cx.apply(rules.chain([Change::delete(id)]))?;
    Ok(Structure::new().with("Return", true).with("GroupId", id.to_string()))
}

/// Nothing is said about a rule any more.
fn forget(rule: Id<SecurityGroupRule>) -> Change {
    Change::Record { id: rule.to_string(), record: Record::default() }
}

pub(crate) fn describe_security_groups(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    if !input.has("GroupNames") {
        return describe::<SecurityGroup>(cx, input, "GroupIds", "SecurityGroups", PATHS, show);
    }
    let vpc = default_vpc(cx).ok();
    let mut items = Vec::new();
    for wanted in input.texts("GroupNames") {
        let found = cx.all::<SecurityGroup>().find(|group| Some(group.vpc) == vpc && name(cx, group) == wanted);
        let Some(group) = found else {
            let message = format!("The security group '{wanted}' does not exist");
            return Err(ApiError::new("InvalidGroup.NotFound", message));
        };
        items.push((group.id.to_string(), || show(cx, group)));
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    list(cx, input, Some("GroupNames"), "SecurityGroups", PATHS, items)
}

fn show(cx: &Cx<'_>, group: &SecurityGroup) -> Structure {
    let (account, region) = place(&cx.desired, SecurityGroup::to_ref(group.id));
    let of = |direction| group.rules.iter().filter(move |rule| rule.direction == direction);
    Structure::new()
        .with("Description", cx.fact(group.id, "description").map_or_else(|| name(cx, group), str::to_owned))
        .with("GroupId", group.id.to_string())
        .with("GroupName", name(cx, group))
        .with("IpPermissions", show_permissions(cx, of(Direction::Ingress)))
        .with("IpPermissionsEgress", show_permissions(cx, of(Direction::Egress)))
        .with("OwnerId", owner(cx, group.id))
        .with("SecurityGroupArn", arn(&region, account, "security-group", group.id))
        .with("Tags", cx.tags(group))
        .with("VpcId", group.vpc.to_string())
}

pub(crate) fn authorize_ingress(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    authorize(cx, input, Direction::Ingress)
}

pub(crate) fn authorize_egress(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    authorize(cx, input, Direction::Egress)
}

fn authorize(cx: &mut Cx<'_>, input: &Structure, direction: Direction) -> Result<Structure, ApiError> {
    let mut group = group(cx, input)?.clone();
    let wanted = wanted(cx, input, &group)?;
    if wanted.is_empty() {
        return Err(ApiError::missing_parameter("ipPermissions"));
    }
    let tags = specified(input, &["security-group-rule"])?.remove("security-group-rule").unwrap_or_default();
    let mut records = Vec::new();
    let first = group.rules.len();
    for Wanted { traffic, peer, description } in wanted {
        let rule = SecurityGroupRule { id: Id::new(cx.random()), direction, traffic, peer };
        if group.rules.iter().any(|other| (other.direction, other.traffic, other.peer) == (direction, traffic, peer)) {
            let message = format!("the specified rule \"peer: {peer}, {traffic}, ALLOW\" already exists");
            return Err(ApiError::new("InvalidPermission.Duplicate", message));
        }
        let mut record = Record { tags: tags.clone(), ..Record::default() };
        record.facts.extend(description.map(|text| ("description".to_owned(), text)));
        records.push(Change::Record { id: rule.id.to_string(), record });
        group.rules.push(rule);
    }
    cx.apply(records.into_iter().chain([Change::put(group.clone())]))?;
    let made: Vec<Structure> = group.rules[first..].iter().map(|rule| show_rule(cx, &group, rule)).collect();
    Ok(Structure::new().with("Return", true).with("SecurityGroupRules", made))
}

pub(crate) fn revoke_ingress(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    revoke(cx, input, Direction::Ingress)
}

pub(crate) fn revoke_egress(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    revoke(cx, input, Direction::Egress)
}

fn revoke(cx: &mut Cx<'_>, input: &Structure, direction: Direction) -> Result<Structure, ApiError> {
    let mut group = group(cx, input)?.clone();
    let mut gone = Vec::new();
    for id in input.texts("SecurityGroupRuleIds") {
        let at = group.rules.iter().position(|rule| rule.direction == direction && rule.id.to_string() == id);
        let Some(at) = at else { return Err(no_rule(id)) };
        gone.push(group.rules.remove(at));
    }
    let wanted = wanted(cx, input, &group)?;
    if wanted.is_empty() && gone.is_empty() {
        return Err(ApiError::missing_parameter("ipPermissions"));
    }
    for one in wanted {
        let at = group.rules.iter().position(|rule| rule.direction == direction && one.is(rule));
        let Some(at) = at else {
            let message =
                format!("The specified rule does not exist in this security group: {} {}", one.traffic, one.peer);
            return Err(ApiError::new("InvalidPermission.NotFound", message));
        };
        gone.push(group.rules.remove(at));
    }
    let shown: Vec<Structure> = gone.iter().map(|rule| show_revoked(cx, &group, rule)).collect();
    let forgotten = gone.iter().map(|rule| forget(rule.id));
    cx.apply(forgotten.chain([Change::put(group)]))?;
    Ok(Structure::new().with("Return", true).with("RevokedSecurityGroupRules", shown))
}

fn no_rule(id: &str) -> ApiError {
    match id.parse::<Id<SecurityGroupRule>>() {
        Ok(_) => ApiError::new(
            "InvalidSecurityGroupRuleId.NotFound",
            format!("The security group rule ID '{id}' does not exist"),
        ),
        Err(_) => ApiError::new(
            "InvalidSecurityGroupRuleId.Malformed",
            format!("The security group rule ID '{id}' is malformed"),
        ),
    }
}

pub(crate) const RULE_PATHS: Paths = &[];

pub(crate) fn describe_rules(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted: Vec<&str> = input.texts("SecurityGroupRuleIds").collect();
    let mut items: Vec<(String, _)> = Vec::new();
    for group in cx.all::<SecurityGroup>() {
        for rule in &group.rules {
            let id = rule.id.to_string();
            if wanted.is_empty() || wanted.contains(&id.as_str()) {
                let cx = &*cx;
                items.push((id, move || show_rule(cx, group, rule)));
            }
        }
    }
    if let Some(missing) = wanted.iter().find(|id| items.iter().all(|(have, _)| have != *id)) {
        return Err(no_rule(missing));
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    list(
        cx,
        input,
        input.has("SecurityGroupRuleIds").then_some("SecurityGroupRuleIds"),
        "SecurityGroupRules",
        RULE_PATHS,
        items,
    )
}

pub(crate) fn modify_rules(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut group = group(cx, input)?.clone();
    let mut records = Vec::new();
    for update in input.structures("SecurityGroupRules") {
        let id = update.text("SecurityGroupRuleId").unwrap_or("");
        let Some(at) = group.rules.iter().position(|rule| rule.id.to_string() == id) else {
            return Err(no_rule(id));
        };
        let Some(request) = update.structure("SecurityGroupRule") else {
            continue;
        };
        let peers = ["CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId"];
        if peers.iter().filter(|peer| request.has(peer)).count() != 1 {
            return Err(ApiError::combination(
                "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId is needed",
            ));
        }
        let peer = if let Some(cidr) = request.text("CidrIpv4") {
            Peer::Prefix(cidr_of(cidr, "cidrIpv4", true)?)
        } else if let Some(cidr) = request.text("CidrIpv6") {
            Peer::Prefix(cidr_of(cidr, "cidrIpv6", false)?)
        } else if let Some(list) = request.text("PrefixListId") {
            Peer::List(cx.find::<vpc_model::resource::PrefixList>(list)?.id)
        } else {
            Peer::Group(cx.named::<SecurityGroup>(request, "ReferencedGroupId")?.id)
        };
        group.rules[at].traffic = traffic(request)?;
        group.rules[at].peer = peer;
        let mut record = cx.record(id);
        match request.text("Description") {
            Some(text) => record.facts.insert("description".to_owned(), text.to_owned()),
            None => record.facts.remove("description"),
        };
        records.push(Change::Record { id: id.to_owned(), record });
    }
    cx.apply(records.into_iter().chain([Change::put(group)]))?;
    Ok(Structure::new().with("Return", true))
}

pub(crate) fn describe_ingress_rules(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe_again(cx, input, Direction::Ingress)
}

pub(crate) fn describe_egress_rules(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe_again(cx, input, Direction::Egress)
}

/// Gives rules another description.
fn describe_again(cx: &mut Cx<'_>, input: &Structure, direction: Direction) -> Result<Structure, ApiError> {
    let group = group(cx, input)?.clone();
    let mut described: Vec<(String, Option<String>)> = Vec::new();
    for one in input.structures("SecurityGroupRuleDescriptions") {
        let id = one.text("SecurityGroupRuleId").unwrap_or("");
        if group.rules.iter().all(|rule| rule.direction != direction || rule.id.to_string() != id) {
            return Err(no_rule(id));
        }
        described.push((id.to_owned(), one.text("Description").map(str::to_owned)));
    }
    for one in wanted(cx, input, &group)? {
        let Some(rule) = group.rules.iter().find(|rule| rule.direction == direction && one.is(rule)) else {
            let message =
                format!("The specified rule does not exist in this security group: {} {}", one.traffic, one.peer);
            return Err(ApiError::new("InvalidPermission.NotFound", message));
        };
        described.push((rule.id.to_string(), one.description));
    }
    if described.is_empty() {
        return Err(ApiError::missing_parameter("ipPermissions"));
    }
    for (id, description) in described {
        cx.set_facts(&id, [("description", description)])?;
    }
    Ok(Structure::new().with("Return", true))
}

pub(crate) const FOR_VPC_PATHS: Paths = &[("primary-vpc-id", "PrimaryVpcId")];

pub(crate) fn for_vpc(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    let cx = &*cx;
    let items = cx.all::<SecurityGroup>().filter(|group| group.vpc == vpc).map(|group| {
        let show = move || {
            let shown = show(cx, group)
                .without("IpPermissions")
                .without("IpPermissionsEgress")
                .without("SecurityGroupArn")
                .without("VpcId");
            shown.with("PrimaryVpcId", vpc.to_string())
        };
        (group.id.to_string(), show)
    });
    list(cx, input, None, "SecurityGroupForVpcs", FOR_VPC_PATHS, items)
}

/// The groups of an interface as replies show them.
pub(crate) fn show_of(cx: &Cx<'_>, eni: &Eni) -> Vec<Structure> {
    show_ids(cx, &eni.groups)
}

/// Groups by id and name.
pub(crate) fn show_ids(cx: &Cx<'_>, groups: &[Id<SecurityGroup>]) -> Vec<Structure> {
    let show = |&id: &Id<SecurityGroup>| {
        let name = cx.desired.get(id).map(|group| name(cx, group));
        Structure::new().with("GroupId", id.to_string()).with("GroupName", name)
    };
    groups.iter().map(show).collect()
}
