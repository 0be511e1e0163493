//! What the generated tables consist of.

/// One of AWS's services.
#[derive(Debug)]
pub struct Service {
    /// What a credential scope calls it: `ec2`, `elasticloadbalancing`, `sts`.
    pub name: &'static str,
    /// The `Version` of its requests.
    pub version: &'static str,
    /// How it spells requests and replies.
    pub protocol: Protocol,
    /// The XML namespace of its replies.
    pub namespace: &'static str,
    /// Its operations, in the order of their names.
    pub operations: &'static [Operation],
    pub(crate) shapes: &'static [Shape],
}

/// How a service spells requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// EC2's own: flat lists, capitalised keys, no result wrapper.
    Ec2,
    /// AWS Query: `.member.N` lists, a result wrapper.
    Query,
}

/// An action.
#[derive(Debug)]
pub struct Operation {
    /// Its name: `CreateVpc`.
    pub name: &'static str,
    /// The group of actions it belongs to: `vpc`, `route-table`.
    pub group: &'static str,
    /// How much it matters to this project, 1 to 3.
    pub tier: u8,
    /// The filter names it knows; `tag` stands for `tag:KEY`.
    pub filters: &'static [&'static str],
    pub(crate) input: Option<u16>,
    pub(crate) output: Option<u16>,
    pub(crate) wrapper: Option<&'static str>,
}

/// A type.
#[derive(Debug)]
pub struct Shape {
    /// What the model calls it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What a type is.
#[derive(Debug)]
#[allow(missing_docs, reason = "fields are the model's own constraints")]
pub enum Kind {
    /// Bytes, in base64.
    Blob,
    /// `true` or `false`.
    Boolean,
    /// A floating-point number.
    Double,
    /// One of these texts.
    Enumeration(&'static [&'static str]),
    /// A whole number.
    Integer { min: Option<i64>, max: Option<i64> },
    /// A sequence, with the name of an entry's element.
    List { member: u16, element: &'static str, min: Option<i64>, max: Option<i64> },
    /// Texts to values.
    Map { key: u16, value: u16 },
    /// Named members.
    Structure(&'static [Member]),
    /// Any text.
    Text { min: Option<i64>, max: Option<i64> },
    /// A point in time.
    Timestamp,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// What the model and SDKs call it: `RouteTableIds`.
    pub name: &'static str,
    /// Its key in forms: `RouteTableId`.
    pub key: &'static str,
    /// Its element in XML: `routeTableIdSet`.
    pub element: &'static str,
    /// Whether a request must have it.
    pub required: bool,
    /// Whether SDKs make up a value if the caller gives none.
    pub token: bool,
    pub(crate) shape: u16,
}

impl Service {
    /// The service of this version.
    #[must_use]
    pub fn of_version(version: &str) -> Option<&'static Self> {
        super::SERVICES.into_iter().find(|service| service.version == version)
    }

    /// The service of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<&'static Self> {
        super::SERVICES.into_iter().find(|service| service.name == name)
    }

    /// The operation of this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        let index = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        self.operations.get(index)
    }

    /// The members of an operation's input.
    #[must_use]
    pub fn input(&self, operation: &Operation) -> &'static [Member] {
        operation.input.map_or(&[], |shape| self.members(shape))
    }

    /// The members of an operation's output; `None` if it has none at all.
    #[must_use]
    pub fn output(&self, operation: &Operation) -> Option<&'static [Member]> {
        operation.output.map(|shape| self.members(shape))
    }

    /// The type of a member.
    #[must_use]
    pub fn shape_of(&self, member: &Member) -> &'static Shape {
        self.shape(member.shape)
    }

    /// The type of a list's entries or a map's values; for another type, the type itself.
    #[must_use]
    pub fn entry_of<'a>(&self, shape: &'a Shape) -> &'a Shape {
        match shape.kind {
            Kind::List { member, .. } => self.shape(member),
            Kind::Map { value, .. } => self.shape(value),
            Kind::Blob
            | Kind::Boolean
            | Kind::Double
            | Kind::Enumeration(_)
            | Kind::Integer { .. }
            | Kind::Structure(_)
            | Kind::Text { .. }
            | Kind::Timestamp => shape,
        }
    }

    pub(crate) fn shape(&self, index: u16) -> &'static Shape {
        &self.shapes[usize::from(index)]
    }

    fn members(&self, index: u16) -> &'static [Member] {
        match self.shape(index).kind {
            Kind::Structure(members) => members,
            Kind::Blob
            | Kind::Boolean
            | Kind::Double
            | Kind::Enumeration(_)
            | Kind::Integer { .. }
            | Kind::List { .. }
            | Kind::Map { .. }
            | Kind::Text { .. }
            | Kind::Timestamp => &[],
        }
    }
}

impl Operation {
    /// Whether requests may say `DryRun`, may carry a `ClientToken`, or have any other member of this name.
    #[must_use]
    pub fn takes(&self, service: &Service, member: &str) -> bool {
        service.input(self).iter().any(|m| m.name == member)
    }
}

// Constructors with short names keep the generated tables readable, one line per entry.

pub(crate) const fn operation(
    name: &'static str,
    group: &'static str,
    tier: u8,
    input: Option<u16>,
    output: Option<u16>,
    wrapper: Option<&'static str>,
    filters: &'static [&'static str],
) -> Operation {
    Operation { name, group, tier, filters, input, output, wrapper }
}

pub(crate) const fn member(
    name: &'static str,
    key: &'static str,
    element: &'static str,
    shape: u16,
    required: bool,
    token: bool,
) -> Member {
    Member { name, key, element, required, token, shape }
}

pub(crate) const fn structure(name: &'static str, members: &'static [Member]) -> Shape {
    Shape { name, kind: Kind::Structure(members) }
}

pub(crate) const fn list(
    name: &'static str,
    member: u16,
    element: &'static str,
    min: Option<i64>,
    max: Option<i64>,
) -> Shape {
    Shape { name, kind: Kind::List { member, element, min, max } }
}

pub(crate) const fn map(name: &'static str, key: u16, value: u16) -> Shape {
    Shape { name, kind: Kind::Map { key, value } }
}

pub(crate) const fn enumeration(name: &'static str, values: &'static [&'static str]) -> Shape {
    Shape { name, kind: Kind::Enumeration(values) }
}

pub(crate) const fn text(name: &'static str, min: Option<i64>, max: Option<i64>) -> Shape {
    Shape { name, kind: Kind::Text { min, max } }
}

pub(crate) const fn integer(name: &'static str, min: Option<i64>, max: Option<i64>) -> Shape {
    Shape { name, kind: Kind::Integer { min, max } }
}

pub(crate) const fn boolean(name: &'static str) -> Shape {
    Shape { name, kind: Kind::Boolean }
}

pub(crate) const fn double(name: &'static str) -> Shape {
    Shape { name, kind: Kind::Double }
}

pub(crate) const fn timestamp(name: &'static str) -> Shape {
    Shape { name, kind: Kind::Timestamp }
}

pub(crate) const fn blob(name: &'static str) -> Shape {
    Shape { name, kind: Kind::Blob }
}
