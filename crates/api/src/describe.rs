//! Lists: ids, filters, pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::ApiError;
use crate::call::Cx;
use crate::noun::ApiNoun;
use crate::wire::{EC2, Kind, Operation, Shape, Structure, Value};

/// Where a filter looks: its name and the path of members it compares. Lists on the way are gone through.
pub(crate) type Paths = &'static [(&'static str, &'static str)];

/// Answers a Describe call about one kind of noun.
///
/// Shape: `ids` is the input member with explicit ids, all of which must exist; `into` the output member. Filters not
/// in `paths` compare the member whose name is the filter's in camel case.
pub(crate) fn describe<K: ApiNoun>(
    cx: &Cx<'_>,
    input: &Structure,
    ids: &'static str,
    into: &'static str,
    paths: Paths,
    show: impl Fn(&Cx<'_>, &K) -> Structure,
) -> Result<Structure, ApiError> {
    let mut found: Vec<&K> = match input.has(ids) {
        true => input.texts(ids).map(|id| cx.find(id)).collect::<Result<_, _>>()?,
        false => cx.all().collect(),
    };
    found.sort_by_key(|resource| resource.id().to_string());
    found.dedup_by_key(|resource| resource.id());
    let items = found.into_iter().map(|resource| (resource.id().to_string(), || show(cx, resource)));
    list(cx, input, input.has(ids).then_some(ids), into, paths, items)
}

/// Filters and pages things that have a sortable key each, and are shown only if needed.
pub(crate) fn list<S: FnOnce() -> Structure>(
    cx: &Cx<'_>,
    input: &Structure,
    explicit: Option<&'static str>,
    into: &'static str,
    paths: Paths,
    items: impl IntoIterator<Item = (String, S)>,
) -> Result<Structure, ApiError> {
    let filters = filters(cx, input)?;
    if let Some(filter) = filters.iter().find(|filter| !filter.is_answered(cx, into, paths)) {
        return Err(ApiError::unsupported(format!("The filter '{}' is not supported", filter.name)));
    }
    let paged = cx.operation.takes(EC2, "MaxResults");
    let most = if paged { input.integer("MaxResults") } else { None };
    if let (Some(ids), Some(_)) = (explicit, most) {
        let message = format!("The parameter {ids} cannot be used with the parameter maxResults");
        return Err(ApiError::combination(message));
    }
    let after = match if paged { input.text("NextToken") } else { None } {
        Some(token) if !token.is_empty() => Some(read_token(cx.operation.name, token)?),
        Some(_) | None => None,
    };
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut shown: Vec<Structure> = Vec::new();
    let mut last = String::new();
    let mut more = false;
    for (key, show) in items {
        if after.as_ref().is_some_and(|after| key <= *after) {
            continue;
        }
        let item = show();
        if !filters.iter().all(|filter| filter.matches(&item, paths)) {
            continue;
        }
        if shown.len() == most {
            more = true;
            break;
        }
        shown.push(item);
        last = key;
    }
    let mut output = Structure::new().with(into, shown);
    if more {
        output.set("NextToken", write_token(cx.operation.name, &last));
    }
    Ok(output)
}

/// One filter of a request: any of the values has to match.
struct Filter {
    name: String,
    patterns: Vec<String>,
}

fn filters(cx: &Cx<'_>, input: &Structure) -> Result<Vec<Filter>, ApiError> {
    // Two actions call their filters `Filter`.
    let member = ["Filters", "Filter"].into_iter().find(|m| cx.operation.takes(EC2, m));
    let mut filters = Vec::new();
    for filter in member.into_iter().flat_map(|member| input.structures(member)) {
        let name = filter.text("Name").ok_or_else(|| ApiError::missing_parameter("Filter.Name"))?;
        let known = match name.split_once(':') {
            Some(("tag", key)) => !key.is_empty() && cx.operation.filters.contains(&"tag"),
            _ => name != "tag" && cx.operation.filters.contains(&name),
        };
        if !known {
            return Err(ApiError::invalid_value(format!("The filter '{name}' is invalid")));
        }
        let patterns: Vec<String> = filter.texts("Values").map(str::to_owned).collect();
        if patterns.is_empty() {
            return Err(ApiError::invalid_value(format!("The filter '{name}' has no values")));
        }
        filters.push(Filter { name: name.to_owned(), patterns });
    }
    Ok(filters)
}

/// Whether the items of an output's list have the member at the end of a path.
pub(crate) fn has_path(operation: &Operation, into: &str, path: &str) -> bool {
    let list = EC2.output(operation).and_then(|members| members.iter().find(|member| member.name == into));
    let mut shape = list.map(|list| EC2.entry_of(EC2.shape_of(list)));
    // Instances are filtered one by one and shown by the reservation that made them.
    let nested = (into == "Reservations").then_some("Instances");
    for part in nested.into_iter().chain(path.split('.')) {
        let Some(Shape { kind: Kind::Structure(members), .. }) = shape else { return false };
        shape = members.iter().find(|member| member.name == part).map(|member| EC2.shape_of(member));
        while let Some(list @ Shape { kind: Kind::List { .. }, .. }) = shape {
            shape = Some(EC2.entry_of(list));
        }
    }
    shape.is_some()
}

impl Filter {
    /// Whether there is something to compare with; a filter that could never match is better refused.
    fn is_answered(&self, cx: &Cx<'_>, into: &str, paths: Paths) -> bool {
        let of_tags = self.name.starts_with("tag:") || matches!(self.name.as_str(), "tag-key" | "tag-value");
        of_tags || has_path(cx.operation, into, &path_of(&self.name, paths))
    }

    fn matches(&self, item: &Structure, paths: Paths) -> bool {
        let any = |value: &str| self.patterns.iter().any(|pattern| wildcard(pattern, value));
        let tags = || item.structures("Tags").chain(item.structures("TagSet"));
        let tag = |key: &'static str| tags().filter_map(move |tag| tag.text(key));
        if let Some(wanted) = self.name.strip_prefix("tag:") {
            let mut tags = tags().filter(|tag| tag.text("Key") == Some(wanted));
            return tags.any(|tag| any(tag.text("Value").unwrap_or("")));
        }
        match self.name.as_str() {
            "tag-key" => return tag("Key").any(any),
            "tag-value" => return tag("Value").any(any),
            _ => {}
        }
        let mut found = false;
        let path = path_of(&self.name, paths);
        visit(&Value::Structure(item.clone()), &path, &mut |text| found |= any(text));
        found
    }
}

/// The member path that a filter compares.
pub(crate) fn path_of(name: &str, paths: Paths) -> String {
    match paths.iter().find(|(filter, _)| *filter == name) {
        Some((_, path)) => (*path).to_owned(),
        None => name.split('.').map(camel).collect::<Vec<_>>().join("."),
    }
}

/// `vpc-id` as a member name: `VpcId`.
fn camel(kebab: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect::<String>())
    };
    kebab.split('-').map(word).collect()
}

/// Calls back for each scalar at the end of a path.
fn visit(value: &Value, path: &str, found: &mut dyn FnMut(&str)) {
    match value {
        Value::List(list) => list.iter().for_each(|value| visit(value, path, found)),
        Value::Structure(structure) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(value) = structure.iter().find_map(|(name, value)| (name == first).then_some(value)) {
                visit(value, rest, found);
            }
        }
        Value::Text(text) => found(text),
        Value::Boolean(flag) => found(if *flag { "true" } else { "false" }),
        Value::Integer(number) => found(&number.to_string()),
        Value::Double(number) => found(&number.to_string()),
        Value::Timestamp(time) => found(&time.to_string()),
        Value::Blob(_) | Value::Map(_) => {}
    }
}

/// Whether a text matches a pattern of `*` and `?`, which `\` makes literal.
///
/// Shape: linear in text × stars; never recurses.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Token {
        Any,
        Many,
        One(char),
    }
    let mut tokens = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Many,
            '?' => Token::Any,
            '\\' => Token::One(chars.next().unwrap_or('\\')),
            c => Token::One(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut t, mut p, mut retry) = (0, 0, None);
    while t < text.len() {
        match tokens.get(p) {
            Some(Token::Many) => {
                p += 1;
                retry = Some((p, t));
            }
            Some(&token) if token == Token::Any || token == Token::One(text[t]) => {
                t += 1;
                p += 1;
            }
            Some(_) | None => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    tokens[p..].iter().all(|token| *token == Token::Many)
}

/// A token names the last thing shown, so that a page does not shift when something is deleted.
fn write_token(operation: &str, last: &str) -> String {
    BASE64.encode(format!("{operation} {last}"))
}

fn read_token(operation: &str, token: &str) -> Result<String, ApiError> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.strip_prefix(operation)?.strip_prefix(' '))
        .map(str::to_owned)
        .ok_or_else(|| ApiError::new("InvalidNextToken", format!("The token '{token}' is invalid")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_match_as_in_the_console() {
        for (pattern, text, matches) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("?", "é", true),
            ("??", "a", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*ab", "aab", true),
            ("a", "A", false),
            ("**a**", "bab", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_escaped_and_any_hole_in_it(text in "[a-c*?\\\\]{0,8}", at in any::<prop::sample::Index>()) {
            let escaped = |text: &str| text.chars().map(|c| if "*?\\".contains(c) { format!("\\{c}") } else { c.to_string() }).collect::<String>();
            prop_assert!(wildcard(&escaped(&text), &text));
            let (head, tail) = text.split_at(at.index(text.len() + 1));
            let with_hole = format!("{}*{}", escaped(head), escaped(tail));
            prop_assert!(wildcard(&with_hole, &text));
            let filled = format!("{}xyz{}", head, tail);
            prop_assert!(wildcard(&with_hole, &filled));
            let longer = format!("{}x", text);
            prop_assert!(!wildcard(&escaped(&text), &longer));
        }
    }
}
