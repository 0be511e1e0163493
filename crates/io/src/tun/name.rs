//! The name of a network interface.

use std::fmt;
use std::str::FromStr;

/// The longest name; the kernel's field has one byte more for the end.
const MAX: usize = 15;

/// A name the kernel takes as it is: 1–15 bytes, no slash, colon, white space, `%` or control character.
///
/// The kernel would cut a longer name silently and put a number in place of `%d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    bytes: [u8; MAX + 1],
    length: u8,
}

/// Why a text cannot name an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot name an interface: {why}")]
pub struct InterfaceNameError {
    /// What was asked for.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl InterfaceName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, InterfaceNameError> {
        let refuse = |why| Err(InterfaceNameError { name: name.to_owned(), why });
        if name.is_empty() {
            return refuse("it is empty");
        }
        if name.len() > MAX {
            return refuse("it is longer than 15 bytes");
        }
        if name == "." || name == ".." {
            return refuse("it means a directory");
        }
        let forbidden = |c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control();
        if name.contains(forbidden) {
            return refuse("it has a slash, colon, percent sign, white space or control character in it");
        }
        let mut bytes = [0; MAX + 1];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        // At most 15, checked above.
        Ok(Self { bytes, length: u8::try_from(name.len()).unwrap_or(0) })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The name as the kernel takes it, zero-terminated.
    pub(crate) const fn to_kernel(self) -> [u8; MAX + 1] {
        self.bytes
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_the_kernel_takes_as_it_is_comes_back_as_it_was() {
        for good in ["e", "eth0", "vpcd-uplink", "fifteen-bytes--", "tün0"] {
            assert_eq!(InterfaceName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(&InterfaceName::new("eth0").unwrap().to_kernel(), b"eth0\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_name_the_kernel_would_cut_expand_or_refuse_is_an_error() {
        for bad in ["", "sixteen-bytes---", "tun%d", "a/b", "a:1", "a b", ".", "..", "a\0", "a\u{7f}"] {
            assert!(InterfaceName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            InterfaceName::new("tun%d").unwrap_err().to_string(),
            "\"tun%d\" cannot name an interface: it has a slash, colon, percent sign, white space or control character in it"
        );
    }
}
