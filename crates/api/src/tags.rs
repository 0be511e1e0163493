//! Tags: on creation, afterwards, and listed.

use std::collections::BTreeMap;

use vpc_model::resource::{Name, SecurityGroup, SecurityGroupRule};
use vpc_model::{Change, Desired, Id, Record, ResourceRef};

use crate::ApiError;
use crate::call::{Cx, New};
use crate::describe::{Paths, list};
use crate::noun::{ApiNoun, type_of};
use crate::wire::Structure;

/// The tag that pins the id of what is created: `vpc-0abcdef1234567890`.
const CUSTOM_ID: &str = "_custom_id_";
/// The tag that names a resource, in the console and in a lab.
const NAME: &str = "Name";

impl Cx<'_> {
    /// The id, name and record of what a create call makes, from its `TagSpecifications`.
    pub(crate) fn create<K: ApiNoun>(&mut self, input: &Structure) -> Result<New<K>, ApiError> {
        self.create_tagged(specified(input, &[K::TYPE])?.remove(K::TYPE).unwrap_or_default())
    }

    /// The same with tags that were read before.
    pub(crate) fn create_tagged<K: ApiNoun>(&mut self, tags: BTreeMap<String, String>) -> Result<New<K>, ApiError> {
        let id = match tags.get(CUSTOM_ID) {
            None => self.fresh(),
            Some(text) => {
                let id: Id<K> = text.parse().map_err(|_| K::malformed(text))?;
                if self.desired.get(id).is_some() {
                    let code = format!(
                        "{}.DuplicateCustomId",
                        K::NOT_FOUND.split('.').next().unwrap_or(K::NOT_FOUND).trim_end_matches("ID")
                    );
                    return Err(ApiError::new(code, format!("The {} '{text}' exists already", K::WORDS)));
                }
                id
            }
        };
        let name = tags.get(NAME).and_then(|name| free_name(&self.desired, K::to_ref(id), name));
        Ok(New { id, name, record: Record { tags, ..Record::default() } })
    }

    /// The same for what belongs to no VPC: its record says whose it is.
    pub(crate) fn create_owned<K: ApiNoun>(&mut self, input: &Structure) -> Result<New<K>, ApiError> {
        let mut new = self.create(input)?;
        new.record.account = Some(self.caller.account);
        new.record.region = Some(self.caller.region.clone());
        Ok(new)
    }

    /// A resource's tags as replies show them.
    pub(crate) fn tags<K: ApiNoun>(&self, resource: &K) -> Vec<Structure> {
        show(tags_of(&self.desired, &resource.id().to_string(), resource.name()))
    }
}

/// The name as a lab's name: if it can be one and nothing else of the kind has it.
fn free_name(desired: &Desired, id: ResourceRef, name: &str) -> Option<Name> {
    let name: Name = name.parse().ok()?;
    desired.named(id.noun(), &name).is_none_or(|other| other == id).then_some(name)
}

/// The tags of an id; a resource that a lab file named is tagged with that name.
fn tags_of(desired: &Desired, id: &str, name: Option<&Name>) -> BTreeMap<String, String> {
    let mut tags = desired.record(id).map(|record| record.tags.clone()).unwrap_or_default();
    if let Some(name) = name {
        tags.entry(NAME.to_owned()).or_insert_with(|| name.to_string());
    }
    tags
}

/// Tags as replies show them.
pub(crate) fn show(tags: BTreeMap<String, String>) -> Vec<Structure> {
    let tag = |(key, value)| Structure::new().with("Key", key).with("Value", value);
    tags.into_iter().map(tag).collect()
}

/// `TagSpecifications` by resource type, of which only these are possible.
pub(crate) fn specified(
    input: &Structure,
    types: &[&'static str],
) -> Result<BTreeMap<&'static str, BTreeMap<String, String>>, ApiError> {
    let mut specified = BTreeMap::new();
    for specification in input.structures("TagSpecifications") {
        let wanted = specification.text("ResourceType").unwrap_or("");
        let Some(known) = types.iter().find(|known| **known == wanted) else {
            let message = format!("'{wanted}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::invalid_value(message));
        };
        let tags = read(specification.structures("Tags"))?;
        if tags.is_empty() {
            return Err(ApiError::invalid_value("Tag specification must have at least one tag"));
        }
        if specified.insert(*known, tags).is_some() {
            let message = format!("The same resource type '{wanted}' is specified more than once");
            return Err(ApiError::invalid_value(message));
        }
    }
    Ok(specified)
}

/// Reads tags, which have rules of their own.
fn read<'a>(tags: impl Iterator<Item = &'a Structure>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut read = BTreeMap::new();
    for tag in tags {
        let key = tag.text("Key").unwrap_or("");
        let value = tag.text("Value").unwrap_or("");
        if key.is_empty() || key.chars().count() > 128 {
            return Err(ApiError::invalid_value(format!("Tag key '{key}' must have 1 to 128 characters")));
        }
        if value.chars().count() > 256 {
            return Err(ApiError::invalid_value(format!(
                "Tag value of '{key}' exceeds the maximum length of 256 characters"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("Tag keys starting with 'aws:' are reserved for internal use: '{key}'");
            return Err(ApiError::invalid_value(message));
        }
        if read.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::invalid_value(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    at_most_fifty(&read)?;
    Ok(read)
}

fn at_most_fifty(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        more => Err(ApiError::new("TagLimitExceeded", format!("A resource cannot have {more} tags; 50 is the limit"))),
    }
}

/// Something that can have tags.
struct Taggable {
    id: String,
    resource: Option<ResourceRef>,
}

fn taggable(cx: &Cx<'_>, id: &str) -> Result<Taggable, ApiError> {
    if let Some(resource) = ResourceRef::parse(id) {
        let gone = || ApiError::new(not_found(resource), format!("The ID '{id}' does not exist"));
        if cx.desired.resource(resource).is_none() || !cx.sees(resource) {
            return Err(gone());
        }
        return Ok(Taggable { id: id.to_owned(), resource: Some(resource) });
    }
    match id.parse::<Id<SecurityGroupRule>>() {
        Err(_) => Err(ApiError::new("InvalidID", format!("The ID '{id}' is not valid"))),
        Ok(rule) if cx.all::<SecurityGroup>().any(|group| group.rules.iter().any(|r| r.id == rule)) => {
            Ok(Taggable { id: id.to_owned(), resource: None })
        }
        Ok(_) => Err(ApiError::new(
            "InvalidSecurityGroupRuleId.NotFound",
            format!("The security group rule ID '{id}' does not exist"),
        )),
    }
}

fn not_found(resource: ResourceRef) -> String {
    let problem = vpc_model::desired::Problem::NotFound { what: resource };
    problem.aws_code()
}

pub(crate) fn create_tags(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let tags = read(input.structures("Tags"))?;
    if let Some(pinned) = tags.get(CUSTOM_ID) {
        let message = format!("the id '{pinned}' can only be pinned when the resource is created");
        return Err(ApiError::invalid_value(message));
    }
    let resources: Vec<Taggable> = input.texts("Resources").map(|id| taggable(cx, id)).collect::<Result<_, _>>()?;
    for Taggable { id, resource } in resources {
        let mut record = cx.record(&id);
        record.tags.extend(tags.clone());
        at_most_fifty(&record.tags)?;
        tagged(cx, id, record, resource, tags.contains_key(NAME))?;
    }
    Ok(Structure::new())
}

pub(crate) fn delete_tags(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let resources: Vec<Taggable> = input.texts("Resources").map(|id| taggable(cx, id)).collect::<Result<_, _>>()?;
    for Taggable { id, resource } in resources {
        let mut record = cx.record(&id);
        let name = resource.and_then(|r| cx.desired.resource(r)).and_then(|r| r.name().cloned());
        let mut tags = tags_of(&cx.desired, &id, name.as_ref());
        let before = tags.contains_key(NAME);
        match input.has("Tags") {
            false => tags.clear(),
            true => {
                for tag in input.structures("Tags") {
                    let key = tag.text("Key").unwrap_or("");
                    // With a value, only a tag that has it goes.
                    if tags.get(key).is_some_and(|have| tag.text("Value").is_none_or(|value| value == have)) {
                        tags.remove(key);
                    }
                }
            }
        }
        let renamed = before && !tags.contains_key(NAME);
        record.tags = tags;
        tagged(cx, id, record, resource, renamed)?;
    }
    Ok(Structure::new())
}

/// Keeps a record, and the lab's name in step with the `Name` tag.
fn tagged(
    cx: &mut Cx<'_>,
    id: String,
    record: Record,
    resource: Option<ResourceRef>,
    renamed: bool,
) -> Result<(), ApiError> {
    let mut changes = Vec::new();
    if let Some(resource) = resource.filter(|_| renamed).and_then(|id| cx.desired.resource(id)) {
        let name = record.tags.get(NAME).and_then(|name| free_name(&cx.desired, resource.id(), name));
        changes.push(Change::Put(resource.named(name)));
    }
    changes.push(Change::Record { id, record });
    cx.apply(changes)
}

const TAG_PATHS: Paths = &[("tag", "Value")];

pub(crate) fn describe_tags(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut items: Vec<(String, Structure)> = Vec::new();
    let mut add = |id: String, kind: &'static str, tags: BTreeMap<String, String>| {
        for (key, value) in tags {
            let item = Structure::new()
                .with("Key", key.as_str())
                .with("ResourceId", id.as_str())
                .with("ResourceType", kind)
                .with("Value", value.as_str())
                // So that `tag:KEY` can compare; taken out below.
                .with("Tags", vec![Structure::new().with("Key", key.as_str()).with("Value", value)]);
            items.push((format!("{id} {key}"), item));
        }
    };
    for (id, record) in cx.desired.records() {
        match ResourceRef::parse(id) {
            Some(resource) if cx.sees(resource) => {
                let name = cx.desired.resource(resource).and_then(|r| r.name().cloned());
                add(id.to_owned(), type_of(resource), tags_of(&cx.desired, id, name.as_ref()));
            }
            Some(_) => {}
            None if taggable(cx, id).is_ok() => add(id.to_owned(), "security-group-rule", record.tags.clone()),
            None => {}
        }
    }
    for resource in cx.desired.resources() {
        let id = resource.id().to_string();
        if let Some(name) = resource.name().filter(|_| cx.desired.record(&id).is_none() && cx.sees(resource.id())) {
            let kind = type_of(resource.id());
            add(id, kind, BTreeMap::from([(NAME.to_owned(), name.to_string())]));
        }
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let items = items.into_iter().map(|(key, item)| (key, || item));
    let output = list(cx, input, None, "Tags", TAG_PATHS, items)?;
    let clean = output.structures("Tags").map(|item| item.clone().without("Tags")).collect::<Vec<_>>();
    Ok(output.with("Tags", clean))
}
