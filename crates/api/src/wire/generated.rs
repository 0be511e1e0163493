//! Generated tables, one module per service.

#[rustfmt::skip]
pub(crate) mod ec2;
#[rustfmt::skip]
pub(crate) mod elbv2;
#[rustfmt::skip]
pub(crate) mod sts;
