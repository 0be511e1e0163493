//! Managed prefix lists and their versions.

use std::collections::BTreeMap;

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{Destination, Family, Peer, PrefixList, RouteTable, SecurityGroup, Service};
use vpc_model::{Change, ResourceRef};

use super::{arn, cidr_of, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe, list};
use crate::noun::place;
use crate::wire::Structure;

/// A version's entries and their descriptions.
///
/// The model knows the newest version's entries. Descriptions and older versions are facts of the list's record,
/// `version.N`, one line per entry: the prefix, and after a space what was said about it.
type Entries = BTreeMap<Prefix, String>;

fn write(entries: &Entries) -> String {
    entries.iter().map(|(prefix, description)| format!("{prefix} {description}\n")).collect()
}

fn read(text: &str) -> Entries {
    let line = |line: &str| {
        let (prefix, description) = line.split_once(' ').unwrap_or((line, ""));
        Some((prefix.parse().ok()?, description.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The number of a list's newest version; one that a lab file made has one.
fn version(cx: &Cx<'_>, list: &PrefixList) -> i64 {
    cx.fact(list.id, "version").and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A version's entries, if there is such a version.
fn entries(cx: &Cx<'_>, list: &PrefixList, wanted: i64) -> Option<Entries> {
    match cx.fact(list.id, &format!("version.{wanted}")) {
        Some(text) => Some(read(text)),
        None if wanted == version(cx, list) => Some(list.entries.iter().map(|&entry| (entry, String::new())).collect()),
        None => None,
    }
}

/// What people call a list.
pub(crate) fn name(cx: &Cx<'_>, list: &PrefixList) -> String {
    let own = list.name.as_ref().map_or_else(|| list.id.to_string(), ToString::to_string);
    cx.fact(list.id, "prefixListName").map_or(own, str::to_owned)
}

fn max_entries(number: i64) -> Result<u16, ApiError> {
    u16::try_from(number).ok().filter(|n| (1..=1_000).contains(n)).ok_or_else(|| {
        ApiError::invalid_value(format!("Value ({number}) for parameter MaxEntries is invalid. It is 1 to 1000"))
    })
}

fn good_name(name: &str) -> Result<&str, ApiError> {
    match name.is_empty() || name.len() > 255 || name.starts_with("com.amazonaws") {
        true => Err(ApiError::invalid_value(format!(
            "Value ({name}) for parameter PrefixListName is invalid. A name has 1 to 255 characters and does not start with com.amazonaws"
        ))),
        false => Ok(name),
    }
}

fn add(entries: &mut Entries, input: &Structure, member: &'static str, family: Family) -> Result<(), ApiError> {
    for entry in input.structures(member) {
        let prefix = cidr_of(text(entry, "Cidr")?, "Cidr", family == Family::V4)?;
        let description = entry.text("Description").unwrap_or("");
        if description.contains('\n') || description.chars().count() > 255 {
            return Err(ApiError::invalid_value(format!(
                "The description of {prefix} has a line break or more than 255 characters"
            )));
        }
        entries.insert(prefix, description.to_owned());
    }
    Ok(())
}

pub(crate) fn create_managed_prefix_list(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let name = good_name(text(input, "PrefixListName")?)?;
    let family = match text(input, "AddressFamily")? {
        "IPv4" => Family::V4,
        "IPv6" => Family::V6,
        other => {
            return Err(ApiError::invalid_value(format!(
                "Value ({other}) for parameter AddressFamily is invalid. It is IPv4 or IPv6"
            )));
        }
    };
    let max_entries =
        max_entries(input.integer("MaxEntries").ok_or_else(|| ApiError::missing_parameter("MaxEntries"))?)?;
    let mut entries = Entries::new();
    add(&mut entries, input, "Entries", family)?;
    let new = cx
        .create_owned::<PrefixList>(input)?
        .fact("prefixListName", Some(name))
        .fact("version.1", Some(write(&entries)));
    let list = PrefixList {
        id: new.id,
        name: new.name.clone(),
        family,
        entries: entries.into_keys().collect(),
        max_entries,
        aws_managed: false,
    };
    cx.apply([new.record(), Change::put(list)])?;
    Ok(Structure::new().with("PrefixList", cx.desired.get(new.id).map(|list| show(cx, list))))
}

/// A list that its owner may change.
fn own<'c>(cx: &'c Cx<'_>, input: &Structure) -> Result<&'c PrefixList, ApiError> {
    match cx.named::<PrefixList>(input, "PrefixListId")? {
        list if list.aws_managed => {
            let message = format!("The prefix list '{}' is managed by AWS and cannot be changed", list.id);
            Err(ApiError::new("OperationNotPermitted", message))
        }
        list => Ok(list),
    }
}

pub(crate) fn delete_managed_prefix_list(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let list = own(cx, input)?.clone();
    if let Some(by) = users(cx, &list).first() {
        let message = format!("The prefix list '{}' is referenced by {by}; remove the reference first", list.id);
        return Err(ApiError::new("IncorrectState", message));
    }
    let shown = show(cx, &list).with("State", "delete-in-progress");
    cx.apply([Change::delete(list.id)])?;
    Ok(Structure::new().with("PrefixList", shown))
}

/// What refers to a list.
fn users(cx: &Cx<'_>, list: &PrefixList) -> Vec<ResourceRef> {
    let tables = cx.desired.iter::<RouteTable>().filter(|table| table.routes.contains_key(&Destination::List(list.id)));
    let groups = cx
        .desired
        .iter::<SecurityGroup>()
        .filter(|group| group.rules.iter().any(|rule| rule.peer == Peer::List(list.id)));
    let services = cx.desired.iter::<Service>().filter(|service| service.prefix_list == Some(list.id));
    tables
        .map(|table| RouteTable::to_ref(table.id))
        .chain(groups.map(|group| SecurityGroup::to_ref(group.id)))
        .chain(services.map(|service| Service::to_ref(service.id)))
        .collect()
}

pub(crate) fn describe_managed_prefix_lists(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<PrefixList>(cx, input, "PrefixListIds", "PrefixLists", PATHS, show)
}

pub(crate) const PATHS: Paths = &[];

pub(crate) fn modify_managed_prefix_list(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    super::refuse(input, &["IpamPrefixListResolverSyncEnabled"])?;
    let mut list = own(cx, input)?.clone();
    let id = list.id.to_string();
    let entries_change = input.has("AddEntries") || input.has("RemoveEntries");
    if let Some(name) = input.text("PrefixListName") {
        let name = good_name(name)?.to_owned();
        cx.set_facts(&id, [("prefixListName", Some(name))])?;
    }
    if let Some(number) = input.integer("MaxEntries") {
        if entries_change {
            return Err(ApiError::combination("MaxEntries and entries cannot be changed in one request"));
        }
        list.max_entries = max_entries(number)?;
        cx.apply([Change::put(list.clone())])?;
    }
    if entries_change {
        let newest = check_version(cx, input, &list)?;
        let mut changed = entries(cx, &list, newest).unwrap_or_default();
        for entry in input.structures("RemoveEntries") {
            let prefix = cidr_of(text(entry, "Cidr")?, "Cidr", list.family == Family::V4)?;
            if changed.remove(&prefix).is_none() {
                let message = format!("The prefix list {id} does not contain the entry {prefix}");
                return Err(ApiError::invalid_value(message));
            }
        }
        add(&mut changed, input, "AddEntries", list.family)?;
        put_version(cx, &mut list, newest + 1, changed)?;
    }
    Ok(Structure::new().with("PrefixList", cx.desired.get(list.id).map(|list| show(cx, list))))
}

/// The newest version, which the request must know (R2.31).
fn check_version(cx: &Cx<'_>, input: &Structure, list: &PrefixList) -> Result<i64, ApiError> {
    let newest = version(cx, list);
    match input.integer("CurrentVersion") {
        None => Err(ApiError::missing_parameter("CurrentVersion")),
        Some(given) if given == newest => Ok(newest),
        Some(given) => {
            let message = format!("The prefix list '{}' is at version {newest}, not {given}", list.id);
            Err(ApiError::new("PrefixListVersionMismatch", message))
        }
    }
}

fn put_version(cx: &mut Cx<'_>, list: &mut PrefixList, number: i64, entries: Entries) -> Result<(), ApiError> {
    let text = write(&entries);
    list.entries = entries.into_keys().collect();
    let id = list.id.to_string();
    cx.apply([Change::put(list.clone())])?;
    // A list from a lab file has only now something that is older.
    let key = format!("version.{number}");
    cx.set_facts(&id, [("version", Some(number.to_string())), (key.as_str(), Some(text))])
}

pub(crate) fn restore_version(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut list = own(cx, input)?.clone();
    let newest = check_version(cx, input, &list)?;
    let wanted = input.integer("PreviousVersion").ok_or_else(|| ApiError::missing_parameter("PreviousVersion"))?;
    let restored = entries(cx, &list, wanted).ok_or_else(|| no_version(&list, wanted))?;
    put_version(cx, &mut list, newest + 1, restored)?;
    Ok(Structure::new()
        .with("PrefixList", cx.desired.get(list.id).map(|list| show(cx, list).with("State", "restore-complete"))))
}

fn no_version(list: &PrefixList, wanted: i64) -> ApiError {
    ApiError::invalid_value(format!("The prefix list '{}' has no version {wanted}", list.id))
}

pub(crate) fn entries_of(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let found = cx.named::<PrefixList>(input, "PrefixListId")?;
    let wanted = input.integer("TargetVersion").unwrap_or_else(|| version(cx, found));
    let entries = entries(cx, found, wanted).ok_or_else(|| no_version(found, wanted))?;
    let items = entries.into_iter().enumerate().map(|(i, (prefix, description))| {
        let show = move || {
            let description = (!description.is_empty()).then_some(description);
            Structure::new().with("Cidr", prefix.to_string()).with("Description", description)
        };
        (format!("{i:05}"), show)
    });
    list(cx, input, None, "Entries", &[], items)
}

pub(crate) fn associations(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let found = cx.named::<PrefixList>(input, "PrefixListId")?;
    let mut users: Vec<ResourceRef> = users(cx, found).into_iter().filter(|&user| cx.sees(user)).collect();
    users.sort_by_key(ToString::to_string);
    let items = users.into_iter().map(|user| {
        let owner = place(&cx.desired, user).0.to_string();
        let show = move || Structure::new().with("ResourceId", user.to_string()).with("ResourceOwner", owner);
        (user.to_string(), show)
    });
    list(cx, input, None, "PrefixListAssociations", &[], items)
}

fn show(cx: &Cx<'_>, list: &PrefixList) -> Structure {
    let (account, region) = place(&cx.desired, PrefixList::to_ref(list.id));
    let number = version(cx, list);
    let (owner, arn) = match list.aws_managed {
        true => ("AWS".to_owned(), format!("arn:aws:ec2:{region}:aws:prefix-list/{}", list.id)),
        false => (account.to_string(), arn(&region, account, "prefix-list", list.id)),
    };
    Structure::new()
        .with("AddressFamily", if list.family == Family::V4 { "IPv4" } else { "IPv6" })
        .with("MaxEntries", (!list.aws_managed).then_some(list.max_entries))
        .with("OwnerId", owner)
        .with("PrefixListArn", arn)
        .with("PrefixListId", list.id.to_string())
        .with("PrefixListName", name(cx, list))
        .with("State", if number == 1 { "create-complete" } else { "modify-complete" })
        .with("Tags", cx.tags(list))
        .with("Version", (!list.aws_managed).then_some(number))
}
