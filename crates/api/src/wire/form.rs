//! Requests: form-encoded pairs to values and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Kind, Member, Operation, Protocol, Service, Structure, Timestamp, Value};
use crate::ApiError;

/// How deep a key may nest; AWS's own models reach 12.
const MAX_DEPTH: usize = 24;

/// A form's pairs, in their order, decoded.
#[must_use]
pub fn parse(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// The members that an operation's input gets from a form.
///
/// Shape: `Action`, `Version` and signature parameters must be taken out before. Enumerations come out as the model
/// spells them, whatever their case was. A required member that is absent is the handler's to miss, except inside
/// of lists and structures.
///
/// # Errors
/// `UnknownParameter` for a key the model does not know, `MissingParameter` for what the model requires,
/// `InvalidParameterValue` for what cannot be read or is out of range, naming the key.
pub fn decode(service: &Service, operation: &Operation, pairs: &[(String, String)]) -> Result<Structure, ApiError> {
    let mut root = Node::default();
    for (key, text) in pairs {
        if let Some(bad) = text.chars().chain(key.chars()).find(|&c| is_forbidden(c)) {
            let message = format!(
                "The parameter {} contains the character U+{:04X}, which XML cannot carry",
                key.escape_default(),
                u32::from(bad)
            );
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        root.insert(key, text)?;
    }
    Decoder { service }.structure(service.input(operation), root, &Path::Root)
}

/// The pairs that a value is spelt as: what [`decode`] reads back.
#[must_use]
pub fn encode(service: &Service, operation: &Operation, input: &Structure) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    encode_structure(service, service.input(operation), input, "", &mut pairs);
    pairs
}

/// Whether XML 1.0 cannot carry a character.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Keys split at their dots.
#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Self>,
}

impl Node {
    fn insert(&mut self, key: &str, text: &str) -> Result<(), ApiError> {
        let mut node = self;
        for (depth, part) in key.split('.').enumerate() {
            if depth >= MAX_DEPTH || part.is_empty() {
                return Err(ApiError::unknown_parameter(key));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        if node.text.replace(text.to_owned()).is_some() {
            let message = format!("The parameter {key} is given more than once");
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        Ok(())
    }

    /// The first key below, for messages.
    fn first_key(&self, path: &Path<'_>) -> String {
        match self.children.first_key_value() {
            Some((key, child)) if self.text.is_none() => child.first_key(&Path::Part(path, key)),
            _ => path.to_string(),
        }
    }

    /// Its children, if they are numbered, in the order of the numbers; gaps are fine.
    fn numbered(self, path: &Path<'_>) -> Result<BTreeMap<u32, Self>, ApiError> {
        if let (Some(_), None) = (&self.text, self.children.first_key_value()) {
            return Err(ApiError::unknown_parameter(&path.to_string()));
        }
        let number = |(key, node): (String, Self)| {
            let digits = key.bytes().all(|b| b.is_ascii_digit());
            match key.parse::<u32>() {
                Ok(number) if number > 0 && digits => Ok((number, node)),
                _ => Err(ApiError::unknown_parameter(&node.first_key(&Path::Part(path, &key)))),
            }
        };
        self.children.into_iter().map(number).collect()
    }
}

/// Where in the form something stands.
enum Path<'a> {
    Root,
    Part(&'a Self, &'a str),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root | Self::Part(Self::Root, "") => Ok(()),
            Self::Part(Self::Root, part) => f.write_str(part),
            Self::Part(outer, part) => write!(f, "{outer}.{part}"),
        }
    }
}

struct Decoder<'a> {
    service: &'a Service,
}

impl Decoder<'_> {
    fn structure(&self, members: &'static [Member], mut node: Node, path: &Path<'_>) -> Result<Structure, ApiError> {
        if node.text.is_some() {
            return Err(ApiError::unknown_parameter(&path.to_string()));
        }
        let mut structure = Structure::of(members);
        let mut missing = None;
        for member in members {
            let path = Path::Part(path, member.key);
            match node.children.remove(member.key) {
                Some(child) => structure.set(member.name, self.value(member.shape, child, &path)?),
                None if member.required && missing.is_none() => missing = Some(path.to_string()),
                None => {}
            }
        }
        if !node.children.is_empty() {
            return Err(ApiError::unknown_parameter(&node.first_key(path)));
        }
        match missing {
            Some(path) => Err(ApiError::missing_parameter(&path)),
            None => Ok(structure),
        }
    }

    fn value(&self, shape: u16, node: Node, path: &Path<'_>) -> Result<Value, ApiError> {
        match &self.service.shape(shape).kind {
            Kind::Structure(members) => self.structure(members, node, path).map(Value::Structure),
            &Kind::List { member, min, max, .. } => self.list(member, min, max, node, path),
            &Kind::Map { value, .. } => self.map(value, node, path),
            Kind::Blob => scalar(node, path, |text| {
                BASE64.decode(text).ok().map(Value::Blob).ok_or_else(|| "is not base64".into())
            }),
            Kind::Boolean => scalar(node, path, |text| match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err("is not true or false".into()),
            }),
            Kind::Double => scalar(node, path, |text| {
                text.parse()
                    .ok()
                    .filter(|n: &f64| n.is_finite())
                    .map(Value::Double)
                    .ok_or_else(|| "is not a number".into())
            }),
            Kind::Enumeration(values) => scalar(node, path, |text| {
                let known = values.iter().find(|value| value.eq_ignore_ascii_case(text));
                known.map(|&value| Value::Text(value.to_owned())).ok_or_else(|| {
                    let some: Vec<&str> = values.iter().copied().take(12).collect();
                    format!("is not one of {}", some.join(", ")).into()
                })
            }),
            &Kind::Integer { min, max } => scalar(node, path, |text| {
                let number: i64 = text.parse().map_err(|_| "is not a whole number")?;
                within(number, min, max)?;
                Ok(Value::Integer(number))
            }),
            &Kind::Text { min, max } => scalar(node, path, |text| {
                within(text.chars().count() as i64, min, max).map_err(|range| format!("has a length that {range}"))?;
                Ok(Value::Text(text.to_owned()))
            }),
            Kind::Timestamp => scalar(node, path, |text| {
                text.parse::<Timestamp>()
                    .map(Value::Timestamp)
                    .map_err(|_| "is not a time such as 2026-01-01T00:00:00Z".into())
            }),
        }
    }

    fn list(
        &self,
        member: u16,
        min: Option<i64>,
        max: Option<i64>,
        mut node: Node,
        path: &Path<'_>,
    ) -> Result<Value, ApiError> {
        let empty = node.text.as_deref() == Some("") && node.children.is_empty();
        let entries = match self.service.protocol {
            Protocol::Ec2 => node.numbered(path)?,
            Protocol::Query if empty => BTreeMap::new(),
            Protocol::Query => {
                let entries = node.children.remove("member");
                match entries.filter(|_| node.text.is_none() && node.children.is_empty()) {
                    Some(entries) => entries.numbered(&Path::Part(path, "member"))?,
                    None => return Err(ApiError::unknown_parameter(&node.first_key(path))),
                }
            }
        };
        let decode = |(number, node): (u32, Node)| self.value(member, node, &Path::Part(path, &number.to_string()));
        let list: Vec<Value> = entries.into_iter().map(decode).collect::<Result<_, _>>()?;
        within(list.len() as i64, min, max).map_err(|range| {
            ApiError::new("InvalidParameterValue", format!("The parameter {path} has a number of entries that {range}"))
        })?;
        Ok(Value::List(list))
    }

    fn map(&self, value: u16, mut node: Node, path: &Path<'_>) -> Result<Value, ApiError> {
        let entries = node.children.remove("entry");
        let Some(entries) = entries.filter(|_| node.text.is_none() && node.children.is_empty()) else {
            return Err(ApiError::unknown_parameter(&node.first_key(path)));
        };
        let path = Path::Part(path, "entry");
        let mut map = BTreeMap::new();
        for (number, mut entry) in entries.numbered(&path)? {
            let number = number.to_string();
            let path = Path::Part(&path, &number);
            let part = |node: Option<Node>, name| {
                node.ok_or_else(|| ApiError::missing_parameter(&Path::Part(&path, name).to_string()))
            };
            let key = part(entry.children.remove("key"), "key")?.text.unwrap_or_default();
            let child = part(entry.children.remove("value"), "value")?;
            if !entry.children.is_empty() || entry.text.is_some() {
                return Err(ApiError::unknown_parameter(&entry.first_key(&path)));
            }
            map.insert(key, self.value(value, child, &Path::Part(&path, "value"))?);
        }
        Ok(Value::Map(map))
    }
}

/// Reads a text; the reader says what is wrong with it.
fn scalar(
    node: Node,
    path: &Path<'_>,
    read: impl FnOnce(&str) -> Result<Value, Cow<'static, str>>,
) -> Result<Value, ApiError> {
    match node.text {
        Some(text) if node.children.is_empty() => read(&text).map_err(|wrong| {
            ApiError::new(
                "InvalidParameterValue",
                format!("Value ({text}) for parameter {path} is invalid. It {wrong}"),
            )
        }),
        _ => Err(ApiError::unknown_parameter(&node.first_key(path))),
    }
}

fn within(number: i64, min: Option<i64>, max: Option<i64>) -> Result<(), String> {
    match (min, max) {
        (Some(min), _) if number < min => Err(format!("is less than {min}")),
        (_, Some(max)) if number > max => Err(format!("is more than {max}")),
        _ => Ok(()),
    }
}

fn encode_structure(
    service: &Service,
    members: &'static [Member],
    input: &Structure,
    prefix: &str,
    pairs: &mut Vec<(String, String)>,
) {
    for (name, value) in input.iter() {
        if let Some(member) = members.iter().find(|member| member.name == name) {
            let dot = if prefix.is_empty() { "" } else { "." };
            encode_value(service, member.shape, value, &format!("{prefix}{dot}{}", member.key), pairs);
        }
    }
}

fn encode_value(service: &Service, shape: u16, value: &Value, key: &str, pairs: &mut Vec<(String, String)>) {
    let kind = &service.shape(shape).kind;
    let mut pair = |text: String| pairs.push((key.to_owned(), text));
    match (value, kind) {
        (Value::Text(text), _) => pair(text.clone()),
        (Value::Boolean(flag), _) => pair(flag.to_string()),
        (Value::Integer(number), _) => pair(number.to_string()),
        (Value::Double(number), _) => pair(number.to_string()),
        (Value::Timestamp(time), _) => pair(time.to_string()),
        (Value::Blob(bytes), _) => pair(BASE64.encode(bytes)),
        (Value::Structure(structure), Kind::Structure(members)) => {
            encode_structure(service, members, structure, key, pairs);
        }
        (Value::List(list), Kind::List { .. }) if list.is_empty() => {
            if service.protocol == Protocol::Query {
                pair(String::new());
            }
        }
        (Value::List(list), &Kind::List { member, .. }) => {
            let infix = if service.protocol == Protocol::Query { "member." } else { "" };
            for (i, value) in list.iter().enumerate() {
                encode_value(service, member, value, &format!("{key}.{infix}{}", i + 1), pairs);
            }
        }
        (Value::Map(map), &Kind::Map { value: shape, .. }) => {
            for (i, (name, value)) in map.iter().enumerate() {
                let key = format!("{key}.entry.{}", i + 1);
                pairs.push((format!("{key}.key"), name.clone()));
                encode_value(service, shape, value, &format!("{key}.value"), pairs);
            }
        }
        // A value of another type than its shape has no spelling.
        (Value::Structure(_) | Value::List(_) | Value::Map(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EC2, ELBV2};

    fn ec2(action: &str, form: &str) -> Result<Structure, ApiError> {
        decode(EC2, EC2.operation(action).unwrap(), &parse(form.as_bytes()))
    }

    #[test]
    fn the_literal_command_decodes() {
        let input = ec2(
            "CreateVpcEndpoint",
            "VpcEndpointType=Gateway&VpcId=vpc-0abcdef1234567890&ServiceName=com.amazonaws.us-east-1.s3\
             &RouteTableId.10=rtb-b&RouteTableId.2=rtb-a&TagSpecification.1.ResourceType=vpc-endpoint\
             &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b+c%2A",
        )
        .unwrap();
        assert_eq!(input.text("VpcId"), Some("vpc-0abcdef1234567890"));
        assert_eq!(input.texts("RouteTableIds").collect::<Vec<_>>(), ["rtb-a", "rtb-b"]);
        let tags = input.structures("TagSpecifications").next().unwrap();
        assert_eq!(tags.structures("Tags").next().unwrap().text("Value"), Some("b c*"));
    }

    #[test]
    fn what_the_model_does_not_know_is_an_error_with_the_whole_key() {
        for (form, code, names) in [
            ("VpcId=v&SecurityGroupIds.1=sg", "UnknownParameter", "SecurityGroupIds.1"),
            ("VpcId=v&DnsOptions.Nope.X=1", "UnknownParameter", "DnsOptions.Nope.X"),
            ("VpcId=v&SubnetId=s", "UnknownParameter", "SubnetId"),
            ("VpcId=v&SubnetId.0=s", "UnknownParameter", "SubnetId.0"),
            ("VpcId=v&SubnetId.+1=s", "UnknownParameter", "SubnetId. 1"),
            ("VpcId=v&SubnetId.1.x=s", "UnknownParameter", "SubnetId.1.x"),
            ("VpcId.1=v", "UnknownParameter", "VpcId.1"),
            ("VpcId..1=v", "UnknownParameter", "VpcId..1"),
            ("ServiceName=s", "MissingParameter", "VpcId"),
            ("VpcId=v&VpcId=w", "InvalidParameterCombination", "VpcId"),
            ("VpcId=v&DryRun=yes", "InvalidParameterValue", "DryRun"),
            ("VpcId=v&VpcEndpointType=Bridge", "InvalidParameterValue", "Gateway"),
            ("VpcId=a%01b", "InvalidParameterValue", "U+0001"),
        ] {
            let error = ec2("CreateVpcEndpoint", form).unwrap_err();
            assert_eq!(error.code, code, "{form}");
            assert!(error.message.contains(names), "{form}: {}", error.message);
        }
        assert_eq!(ec2("DescribeVpcs", "MaxResults=4").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(ec2("DescribeVpcs", "MaxResults=many").unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn enumerations_are_read_in_any_case() {
        let input = ec2("CreateVpcEndpoint", "VpcId=v&VpcEndpointType=gateway").unwrap();
        assert_eq!(input.text("VpcEndpointType"), Some("Gateway"));
    }

    #[test]
    fn query_lists_have_members_and_can_be_empty() {
        let decode = |form: &str| decode(ELBV2, ELBV2.operation("SetSubnets").unwrap(), &parse(form.as_bytes()));
        let input = decode("LoadBalancerArn=a&Subnets.member.2=y&Subnets.member.1=x").unwrap();
        assert_eq!(input.texts("Subnets").collect::<Vec<_>>(), ["x", "y"]);
        let input = decode("LoadBalancerArn=a&Subnets=").unwrap();
        assert!(input.has("Subnets") && input.list("Subnets").is_empty());
        assert_eq!(decode("LoadBalancerArn=a&Subnets.1=x").unwrap_err().code, "UnknownParameter");
    }
}
