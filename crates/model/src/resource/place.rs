//! Whose it is, where it is, and what people call it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An AWS account: twelve digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    /// The account of resources for which none is named.
    pub const DEFAULT: Self = Self(111_111_111_111);
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| digits)
            .map(Self)
            .ok_or_else(|| NameError::new(text, "account id", "twelve digits"))
    }
}

/// A Region such as `us-east-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// The Region's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Self("us-east-1".to_owned())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split('-').collect();
        let words = parts.len() >= 3
            && parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        let number = parts.last().is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
        if words && number {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(text, "Region", "a name such as us-east-1"))
        }
    }
}

/// An availability zone such as `us-east-1a`: a Region and a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Az {
    region: Region,
    letter: char,
}

impl Az {
    /// The Region the zone is in.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// The zone of a Region with this letter.
    #[must_use]
    pub const fn new(region: Region, letter: char) -> Self {
        Self { region, letter }
    }
}

impl Default for Az {
    fn default() -> Self {
        Self { region: Region::default(), letter: 'a' }
    }
}

impl fmt::Display for Az {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.region, self.letter)
    }
}

impl FromStr for Az {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError::new(text, "availability zone", "a Region and a letter, such as us-east-1a");
        let letter = text.chars().next_back().filter(char::is_ascii_lowercase).ok_or_else(error)?;
        let region = text[..text.len() - 1].parse().map_err(|_| error())?;
        Ok(Self { region, letter })
    }
}

/// What people call a resource: unique in its kind, and accepted wherever its id is.
///
/// Shape: 1 to 63 letters, digits, `-`, `_` or `.`; not starting with `-` or `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let good = (1..=63).contains(&text.len())
            && !text.starts_with(['-', '.'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(text, "name", "1 to 63 letters, digits, '-', '_' or '.', not starting with '-' or '.'"))
        }
    }
}

/// Why a text is not a name of its sort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {noun}; expected {expected}")]
pub struct NameError {
    /// What was given.
    pub text: String,
    /// What it should have been.
    pub noun: &'static str,
    /// The form expected.
    pub expected: &'static str,
}

impl NameError {
    fn new(text: &str, noun: &'static str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), noun, expected }
    }
}

/// Serialises a type as its text, of which a JSON Schema knows the pattern and an example.
macro_rules! as_text {
    ($($t:ident $type:tt $pattern:literal $example:literal;)*) => { $(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $t {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($t).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": $type, "pattern": $pattern, "examples": [$example] })
            }
        }
    )* };
}
as_text! {
    AccountId ["string", "integer"] "^[0-9]{12}$" "111111111111";
    Az "string" "^[a-z0-9]+(-[a-z0-9]+)+-[0-9]+[a-z]$" "us-east-1a";
    Name "string" "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$" "web-1";
    Region "string" "^[a-z0-9]+(-[a-z0-9]+)+-[0-9]+$" "us-east-1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_a_region_and_a_letter() {
        let az: Az = "eu-central-1b".parse().unwrap();
        assert_eq!((az.region().as_str(), az.to_string().as_str()), ("eu-central-1", "eu-central-1b"));
        for bad in ["", "a", "us-east-1", "us-east-1A", "useast1a", "us-east-a"] {
            assert!(bad.parse::<Az>().unwrap_err().to_string().contains("us-east-1a"), "{bad}");
        }
    }

    #[test]
    fn accounts_are_twelve_digits() {
        assert_eq!("012345678901".parse::<AccountId>().unwrap().to_string(), "012345678901");
        for bad in ["1234", "12345678901x", "+12345678901"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }
}
