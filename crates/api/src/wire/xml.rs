//! Replies: values to XML.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Kind, Member, Operation, Protocol, Service, Structure, Value};
use crate::ApiError;

/// A reply that does not fit its operation: a mistake of a handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It has a member that its shape lacks.
    #[error("{shape} has no member {member}")]
    UnknownMember {
        /// The shape.
        shape: &'static str,
        /// The member.
        member: &'static str,
    },
    /// A member's value is of another type.
    #[error("{shape} cannot be {value}")]
    WrongType {
        /// The shape.
        shape: &'static str,
        /// The value.
        value: String,
    },
    /// The writer failed, which writing to memory does not.
    #[error("writing: {0}")]
    Write(String),
}

impl From<std::io::Error> for EncodeError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error.to_string())
    }
}

/// The body of a reply to a request that succeeded.
///
/// Shape: members in the model's order; an empty list is an empty element, an absent one is absent.
///
/// # Errors
/// [`EncodeError`] if the output does not fit the operation.
pub fn reply(
    service: &Service,
    operation: &Operation,
    output: &Structure,
    request: &str,
) -> Result<String, EncodeError> {
    let mut xml = Xml::new(service)?;
    let root = format!("{}Response", operation.name);
    let mut start = BytesStart::new(root.as_str());
    start.push_attribute(("xmlns", service.namespace));
    xml.writer.write_event(Event::Start(start))?;
    match service.protocol {
        Protocol::Ec2 => {
            xml.text("requestId", request)?;
            match service.output(operation) {
                Some(members) => xml.members(operation.name, members, output)?,
                None => xml.text("return", "true")?,
            }
        }
        Protocol::Query => {
            if let Some(wrapper) = operation.wrapper {
                let members = service.output(operation).unwrap_or(&[]);
                xml.element(wrapper, |xml| xml.members(operation.name, members, output))?;
            }
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", request))?;
        }
    }
    xml.writer.write_event(Event::End(BytesEnd::new(root.as_str())))?;
    Ok(xml.finish())
}

/// The body of a reply to a request that failed.
#[must_use]
pub fn error(service: &Service, error: &ApiError, request: &str) -> String {
    let body = || -> Result<String, EncodeError> {
        let mut xml = Xml::new(service)?;
        match service.protocol {
            Protocol::Ec2 => xml.element("Response", |xml| {
                xml.element("Errors", |xml| {
                    xml.element("Error", |xml| {
                        xml.text("Code", &error.code)?;
                        xml.text("Message", &error.message)
                    })
                })?;
                xml.text("RequestID", request)
            })?,
            Protocol::Query => {
                let mut start = BytesStart::new("ErrorResponse");
                start.push_attribute(("xmlns", service.namespace));
                xml.writer.write_event(Event::Start(start))?;
                xml.element("Error", |xml| {
                    xml.text("Type", if error.status() < 500 { "Sender" } else { "Receiver" })?;
                    xml.text("Code", &error.code)?;
                    xml.text("Message", &error.message)
                })?;
                xml.text("RequestId", request)?;
                xml.writer.write_event(Event::End(BytesEnd::new("ErrorResponse")))?;
            }
        }
        Ok(xml.finish())
    };
    body().unwrap_or_default()
}

struct Xml<'a> {
    service: &'a Service,
    writer: Writer<Vec<u8>>,
}

impl<'a> Xml<'a> {
    fn new(service: &'a Service) -> Result<Self, EncodeError> {
        let mut writer = Writer::new(Vec::new());
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self { service, writer })
    }

    fn finish(self) -> String {
        String::from_utf8(self.writer.into_inner()).unwrap_or_default()
    }

    fn element(
        &mut self,
        name: &str,
        inside: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.writer.write_event(Event::Start(BytesStart::new(name)))?;
        inside(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))?;
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), EncodeError> {
        self.element(name, |xml| {
            let clean: String = text.chars().filter(|&c| c >= ' ' || matches!(c, '\t' | '\n' | '\r')).collect();
            xml.writer.write_event(Event::Text(BytesText::new(&clean)))?;
            Ok(())
        })
    }

    fn members(
        &mut self,
        shape: &'static str,
        members: &'static [Member],
        structure: &Structure,
    ) -> Result<(), EncodeError> {
        let unknown = structure.iter().find(|(name, _)| members.iter().all(|member| member.name != *name));
        if let Some((member, _)) = unknown {
            return Err(EncodeError::UnknownMember { shape, member });
        }
        for member in members {
            if let Some(value) = structure.member(member.name) {
                self.value(member.element, member.shape, value)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, name: &str, shape: u16, value: &Value) -> Result<(), EncodeError> {
        let shape = self.service.shape(shape);
        match (&shape.kind, value) {
            (Kind::Structure(members), Value::Structure(structure)) => {
                self.element(name, |xml| xml.members(shape.name, members, structure))
            }
            (&Kind::List { .. }, Value::List(list)) if list.is_empty() => {
                self.writer.write_event(Event::Empty(BytesStart::new(name)))?;
                Ok(())
            }
            (&Kind::List { member, element, .. }, Value::List(list)) => {
                self.element(name, |xml| list.iter().try_for_each(|value| xml.value(element, member, value)))
            }
            (&Kind::Map { value: shape, .. }, Value::Map(map)) => self.element(name, |xml| {
                map.iter().try_for_each(|(key, value)| {
                    xml.element("entry", |xml| {
                        xml.text("key", key)?;
                        xml.value("value", shape, value)
                    })
                })
            }),
            (Kind::Blob, Value::Blob(bytes)) => self.text(name, &BASE64.encode(bytes)),
            (Kind::Boolean, Value::Boolean(flag)) => self.text(name, if *flag { "true" } else { "false" }),
            (Kind::Double, Value::Double(number)) => self.text(name, &number.to_string()),
            (Kind::Integer { .. }, Value::Integer(number)) => self.text(name, &number.to_string()),
            // AWS sends states that its own enumerations lack.
            (Kind::Enumeration(_) | Kind::Text { .. }, Value::Text(text)) => self.text(name, text),
            (Kind::Timestamp, Value::Timestamp(time)) => self.text(name, &time.to_string()),
            (_, value) => Err(EncodeError::WrongType { shape: shape.name, value: format!("{value:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EC2, ELBV2};

    #[test]
    fn a_reply_looks_as_awss() {
        let endpoint = Structure::new()
            .with("VpcEndpointId", "vpce-1")
            .with("RouteTableIds", vec!["rtb-1"])
            .with("Tags", Vec::<Structure>::new())
            .with("PrivateDnsEnabled", false)
            .with("ServiceName", "a<b>&\u{1}");
        let output = Structure::new().with("VpcEndpoint", endpoint);
        let xml = reply(EC2, EC2.operation("CreateVpcEndpoint").unwrap(), &output, "r-1").unwrap();
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <CreateVpcEndpointResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId>\
             <vpcEndpoint><vpcEndpointId>vpce-1</vpcEndpointId><serviceName>a&lt;b&gt;&amp;</serviceName>\
             <routeTableIdSet><item>rtb-1</item></routeTableIdSet><privateDnsEnabled>false</privateDnsEnabled>\
             <tagSet/></vpcEndpoint></CreateVpcEndpointResponse>"
        );
    }

    #[test]
    fn an_action_without_output_returns_true() {
        let xml = reply(EC2, EC2.operation("DeleteVpc").unwrap(), &Structure::new(), "r").unwrap();
        assert!(xml.contains("<requestId>r</requestId><return>true</return>"), "{xml}");
    }

    #[test]
    fn a_member_that_the_shape_lacks_is_refused() {
        let wrong = Structure::new().with("Vpcs", "x");
        assert_eq!(
            reply(EC2, EC2.operation("CreateVpc").unwrap(), &wrong, "r"),
            Err(EncodeError::UnknownMember { shape: "CreateVpc", member: "Vpcs" })
        );
        let wrong = Structure::new().with("Vpc", "x");
        assert!(matches!(
            reply(EC2, EC2.operation("CreateVpc").unwrap(), &wrong, "r"),
            Err(EncodeError::WrongType { shape: "Vpc", .. })
        ));
    }

    #[test]
    fn errors_have_the_form_of_their_protocol() {
        let gone = ApiError::new("InvalidVpcID.NotFound", "The vpc ID '<x>' does not exist");
        assert_eq!(
            error(EC2, &gone, "r"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>\
             <Message>The vpc ID &apos;&lt;x&gt;&apos; does not exist</Message></Error></Errors><RequestID>r</RequestID></Response>"
        );
        let query = error(ELBV2, &gone, "r");
        assert!(query.contains("<Error><Type>Sender</Type><Code>InvalidVpcID.NotFound</Code>"), "{query}");
        assert!(query.ends_with("<RequestId>r</RequestId></ErrorResponse>"), "{query}");
    }
}
