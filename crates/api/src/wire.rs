//! The wire format: forms in, XML out, both read off tables.
//!
//! The tables ([`Service`], [`Operation`], [`Shape`]) are generated from botocore's service models; everything here
//! interprets them, so a parameter is spelt on the wire as AWS's own clients spell it, and nowhere by hand.
//!
//! ```text
//!  body ──[form::parse]──▶ pairs ──[form::decode]──▶ Structure ──▶ handler ──▶ Structure ──[xml::reply]──▶ body
//! ```

mod generated;

pub mod form;
pub mod table;
pub mod time;
pub mod value;
pub mod xml;

pub use table::{Kind, Member, Operation, Protocol, Service, Shape};
pub use time::Timestamp;
pub use value::{Field, Structure, Value};

/// Amazon EC2, 2016-11-15.
pub static EC2: &Service = &generated::ec2::SERVICE;
/// Elastic Load Balancing, 2015-12-01.
pub static ELBV2: &Service = &generated::elbv2::SERVICE;
/// Security Token Service, 2011-06-15.
pub static STS: &Service = &generated::sts::SERVICE;

/// Every service, in the order of their names.
pub static SERVICES: [&Service; 3] = [EC2, ELBV2, STS];
