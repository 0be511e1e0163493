//! One call: who makes it, what it changes, what it answers.

use vpc_model::resource::{AccountId, Name, Region};
use vpc_model::{Change, Desired, Id, Record, ResourceRef};

use crate::ApiError;
use crate::noun::ApiNoun;
use crate::wire::{Operation, Service, Structure, Timestamp};

/// Who makes a call, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The Region the request is for.
    pub region: Region,
    /// The ARN of the user or role.
    pub principal: String,
    /// The access key's own id, as STS shows it.
    pub user: String,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which service.
    pub service: &'static Service,
    /// Which action.
    pub operation: &'static Operation,
    /// Its parameters.
    pub input: Structure,
}

/// What a handler makes of a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What has to be applied before the output may be sent.
    pub changes: Vec<Change>,
    /// The output.
    pub output: Structure,
}

/// What a handler cannot know by itself.
pub struct Surroundings<'a> {
    /// Where new ids come from: 64 bits that nobody had before.
    pub ids: &'a mut dyn FnMut() -> u64,
    /// The time.
    pub now: Timestamp,
    /// The secret that goes with a session key.
    pub secret_of: &'a dyn Fn(&str) -> String,
}

/// A call under way: the network as it will be after the changes made so far.
pub(crate) struct Cx<'a> {
    pub(crate) desired: Desired,
    pub(crate) caller: &'a Caller,
    pub(crate) operation: &'static Operation,
    pub(crate) now: Timestamp,
    pub(crate) secret_of: &'a dyn Fn(&str) -> String,
    ids: &'a mut dyn FnMut() -> u64,
    changes: Vec<Change>,
}

/// What a handler is: it reads its input, changes the call's network, and makes an output.
pub(crate) type Handler = fn(&mut Cx<'_>, &Structure) -> Result<Structure, ApiError>;

/// What a create call decides about a resource before it exists.
pub(crate) struct New<K> {
    pub(crate) id: Id<K>,
    pub(crate) name: Option<Name>,
    pub(crate) record: Record,
}

impl<K: ApiNoun> New<K> {
    /// The same with an attribute, if it is not the one everybody has.
    pub(crate) fn fact(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.record.facts.insert(name.to_owned(), value.to_string());
        }
        self
    }

    /// The change that makes the record.
    pub(crate) fn record(&self) -> Change {
        Change::Record { id: self.id.to_string(), record: self.record.clone() }
    }
}

impl<'a> Cx<'a> {
    pub(crate) fn new(
        desired: &Desired,
        caller: &'a Caller,
        request: &Request,
        surroundings: &'a mut Surroundings<'_>,
    ) -> Self {
        Self {
            desired: desired.clone(),
            caller,
            operation: request.operation,
            now: surroundings.now,
            secret_of: surroundings.secret_of,
            ids: &mut *surroundings.ids,
            changes: Vec::new(),
        }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Makes changes, all of them or none.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), ApiError> {
        let changes: Vec<Change> = changes.into_iter().collect();
        self.desired = self.desired.apply(changes.iter().cloned())?;
        self.changes.extend(changes);
        Ok(())
    }

    /// 64 bits that nobody had before.
    pub(crate) fn random(&mut self) -> u64 {
        (self.ids)()
    }

    /// An id that no resource has.
    pub(crate) fn fresh<K: ApiNoun>(&mut self) -> Id<K> {
        loop {
            let id = Id::new(self.random());
            if self.desired.get::<K>(id).is_none() {
                return id;
            }
        }
    }

    /// Whether the caller sees a resource: its account's, in its Region.
    pub(crate) fn sees(&self, resource: ResourceRef) -> bool {
        let (account, region) = crate::noun::place(&self.desired, resource);
        account == self.caller.account && region == self.caller.region
    }

    /// The caller's resource with this id.
    pub(crate) fn find<K: ApiNoun>(&self, text: &str) -> Result<&K, ApiError> {
        let id: Id<K> = text.parse().map_err(|_| K::malformed(text))?;
        let visible = |resource: &&K| K::is_public(resource) || self.sees(K::to_ref(resource.id()));
        self.desired.get(id).filter(visible).ok_or_else(|| K::not_found(text))
    }

    /// The caller's resource that a required parameter names.
    pub(crate) fn named<K: ApiNoun>(&self, input: &Structure, member: &'static str) -> Result<&K, ApiError> {
        match input.text(member) {
            Some(text) => self.find(text),
            None => Err(ApiError::missing_parameter(member)),
        }
    }

    /// Every resource of a kind that the caller sees.
    pub(crate) fn all<K: ApiNoun>(&self) -> impl Iterator<Item = &K> {
        self.desired.iter::<K>().filter(|r| K::is_public(r) || self.sees(K::to_ref(r.id())))
    }

    /// A copy of what is said about an id.
    pub(crate) fn record(&self, id: &str) -> Record {
        self.desired.record(id).cloned().unwrap_or_default()
    }

    /// An attribute of a resource.
    pub(crate) fn fact<K: ApiNoun>(&self, id: Id<K>, name: &str) -> Option<&str> {
        self.desired.record(&id.to_string())?.fact(name)
    }

    /// Sets or removes attributes of anything that has an id.
    pub(crate) fn set_facts<'f>(
        &mut self,
        id: &str,
        facts: impl IntoIterator<Item = (&'f str, Option<String>)>,
    ) -> Result<(), ApiError> {
        let mut record = self.record(id);
        for (name, value) in facts {
            match value {
                Some(value) => record.facts.insert(name.to_owned(), value),
                None => record.facts.remove(name),
            };
        }
        self.apply([Change::Record { id: id.to_owned(), record }])
    }
}
