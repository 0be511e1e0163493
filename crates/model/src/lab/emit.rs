//! Prints YAML the way people write labs: sections in lines, what describes one thing on one line.

/// A value to print.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    /// Things by name, on one line if they fit.
    Inline(Vec<(String, Self)>),
    /// Values, on one line if they fit.
    List(Vec<Self>),
    /// Fields, on one line if they fit.
    Map(Vec<(&'static str, Self)>),
    /// A number or a truth value.
    Plain(String),
    /// Things by name, each on a line of its own.
    Section(Vec<(String, Self)>),
    /// Text, in quotes where it would mean something else without.
    Text(String),
}

/// How long a line may get before its value is spread over several.
const WIDTH: usize = 120;

impl Yaml {
    /// Text of anything.
    pub(super) fn text(value: &impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// A number or truth value.
    pub(super) fn plain(value: &impl ToString) -> Self {
        Self::Plain(value.to_string())
    }

    /// One value as it is, several as a list.
    pub(super) fn one_or_many(mut values: Vec<Self>) -> Self {
        match (values.pop(), values.is_empty()) {
            (Some(value @ (Self::Plain(_) | Self::Text(_))), true) => value,
            (last, _) => {
                values.extend(last);
                Self::List(values)
            }
        }
    }

    /// The whole document.
    pub(super) fn document(&self) -> String {
        let mut text = String::new();
        self.block(0, &mut text);
        text
    }

    fn block(&self, indent: usize, text: &mut String) {
        let pad = " ".repeat(indent);
        match self {
            Self::Inline(entries) | Self::Section(entries) => {
                for (key, value) in entries {
                    entry(&quoted(key), value, indent, text);
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    entry(key, value, indent, text);
                }
            }
            Self::List(values) => {
                for value in values {
                    text.push_str(&format!("{pad}- {}\n", value.flow()));
                }
            }
            Self::Plain(_) | Self::Text(_) => text.push_str(&format!("{pad}{}\n", self.flow())),
        }
    }

    /// The value on one line.
    fn flow(&self) -> String {
        let map = |entries: Vec<String>| match entries.as_slice() {
            [] => "{}".to_owned(),
            entries => format!("{{ {} }}", entries.join(", ")),
        };
        match self {
            Self::List(values) if values.is_empty() => "[]".to_owned(),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(Self::flow).collect();
                format!("[ {} ]", values.join(", "))
            }
            Self::Map(entries) => map(entries.iter().map(|(key, value)| format!("{key}: {}", value.flow())).collect()),
            Self::Inline(entries) | Self::Section(entries) => {
                map(entries.iter().map(|(key, value)| format!("{}: {}", quoted(key), value.flow())).collect())
            }
            Self::Plain(value) => value.clone(),
            Self::Text(value) => quoted(value),
        }
    }

    /// Whether it holds things by name that hold more than one value.
    fn has_sections(&self) -> bool {
        match self {
            Self::Section(entries) => !entries.is_empty(),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.has_sections()),
            Self::Inline(_) | Self::List(_) | Self::Plain(_) | Self::Text(_) => false,
        }
    }
}

fn entry(key: &str, value: &Yaml, indent: usize, text: &mut String) {
    let pad = " ".repeat(indent);
    let line = format!("{pad}{key}: {}\n", value.flow());
    let one_line = match value {
        Yaml::List(values) => values.is_empty() || line.len() <= WIDTH,
        Yaml::Inline(_) => line.len() <= WIDTH,
        Yaml::Map(_) => !value.has_sections() && line.len() <= WIDTH,
        Yaml::Section(entries) => entries.is_empty(),
        Yaml::Plain(_) | Yaml::Text(_) => true,
    };
    if one_line {
        text.push_str(&line);
    } else {
        text.push_str(&format!("{pad}{key}:\n"));
        value.block(indent + 2, text);
    }
}

/// A text as a YAML scalar that every reader takes for text.
fn quoted(text: &str) -> String {
    let plain_char = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/');
    if starts_well && text.chars().all(plain_char) && !means_something(text) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether some YAML reader takes a plain text for a number, a truth value or nothing.
fn means_something(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let number = lower.parse::<f64>().is_ok()
        || lower.starts_with("0x")
        || lower.starts_with("0o")
        || text.chars().all(|c| c.is_ascii_digit() || c == '_');
    number || matches!(lower.as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_only_where_it_would_mean_something_else() {
        for text in ["h1", "10.0.0.0/16", "us-east-1a", "10.0.1.10", "com.amazonaws.us-east-1.s3", "h1.1"] {
            assert_eq!(quoted(text), text);
        }
        for (text, expected) in [
            ("", "\"\""),
            ("443", "\"443\""),
            ("111111111111", "\"111111111111\""),
            ("null", "\"null\""),
            ("No", "\"No\""),
            ("1e3", "\"1e3\""),
            ("::/0", "\"::/0\""),
            ("-a", "\"-a\""),
            ("a b", "\"a b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\nb", "\"a\\U0000000ab\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn what_fits_is_on_one_line() {
        let subnet = Yaml::Map(vec![("cidr", Yaml::text(&"10.0.1.0/24"))]);
        let long = Yaml::List(vec![Yaml::text(&"a".repeat(60)), Yaml::text(&"b".repeat(60))]);
        let yaml = Yaml::Section(vec![
            ("subnets".to_owned(), Yaml::Section(vec![("a1".to_owned(), subnet)])),
            ("long".to_owned(), long),
            ("none".to_owned(), Yaml::Section(Vec::new())),
        ]);
        let (a, b) = ("a".repeat(60), "b".repeat(60));
        let expected = format!("subnets:\n  a1: {{ cidr: 10.0.1.0/24 }}\nlong:\n  - {a}\n  - {b}\nnone: {{}}\n");
        assert_eq!(yaml.document(), expected);
    }
}
