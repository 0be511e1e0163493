//! Keeps of a service model what the chosen actions need.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The pruned model, one operation or shape per line.
///
/// Kept: metadata, the operations in `actions`, the shapes they reach. Dropped: documentation, after the filter
/// names that exist nowhere else were read out of it; error shapes; HTTP bindings.
pub(crate) fn prune(service: &str, model: &Value, actions: &str) -> Result<String, String> {
    let mut operations = Map::new();
    let mut shapes = Map::new();
    let mut chosen: Vec<[&str; 3]> = actions
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [of, group, tier, action] if of == service => Some([action, group, tier]),
                _ => None,
            }
        })
        .collect();
    chosen.sort_unstable();
    let mut wanted = BTreeSet::new();
    for [action, group, tier] in chosen {
        let operation = &model["operations"][action];
        if operation.is_null() {
            return Err(format!("{service} has no action {action}"));
        }
        let mut kept = json!({ "group": group, "tier": tier.parse::<u8>().map_err(|e| e.to_string())? });
        for side in ["input", "output"] {
            if let Some(shape) = operation[side]["shape"].as_str() {
                kept[side] = json!(shape);
                wanted.insert(shape.to_owned());
            }
        }
        if let Some(wrapper) = operation["output"].get("resultWrapper") {
            kept["resultWrapper"] = wrapper.clone();
        }
        let members = &model["shapes"][operation["input"]["shape"].as_str().unwrap_or("")]["members"];
        // Two actions call theirs `Filter`.
        let filters = ["Filters", "Filter"].iter().find_map(|name| members[name]["documentation"].as_str());
        if let Some(text) = filters {
            kept["filters"] = json!(filter_names(text));
        }
        operations.insert(action.to_owned(), kept);
    }
    while let Some(name) = wanted.pop_first() {
        if shapes.contains_key(&name) {
            continue;
        }
        let shape = without_documentation(&model["shapes"][&name]);
        let members = shape["members"].as_object().into_iter().flat_map(Map::values);
        let parts = ["member", "key", "value"].iter().map(|&part| &shape[part]);
        wanted.extend(members.chain(parts).filter_map(|part| Some(part["shape"].as_str()?.to_owned())));
        shapes.insert(name, shape);
    }
    shapes.sort_keys();
    let lines = |map: &Map<String, Value>| {
        let lines: Vec<String> = map.iter().map(|(name, value)| format!("  {}: {value}", json!(name))).collect();
        lines.join(",\n")
    };
    Ok(format!(
        "{{\n\"metadata\": {},\n\"operations\": {{\n{}\n}},\n\"shapes\": {{\n{}\n}}\n}}\n",
        model["metadata"],
        lines(&operations),
        lines(&shapes)
    ))
}

fn without_documentation(shape: &Value) -> Value {
    let Value::Object(map) = shape else {
        return shape.clone();
    };
    let kept = map.iter().filter(|(key, value)| {
        let words = matches!(key.as_str(), "documentation" | "deprecatedMessage" | "deprecatedSince");
        !(words && value.is_string())
    });
    Value::Object(kept.map(|(key, value)| (key.clone(), without_documentation(value))).collect())
}

/// The names in a filter parameter's documentation: the first `<code>` of each list item.
fn filter_names(documentation: &str) -> Vec<String> {
    let mut names = Vec::new();
    for item in documentation.split("<li>").skip(1) {
        let Some((before, rest)) = item.split_once("<code>") else {
            continue;
        };
        let Some((name, after)) = rest.split_once("</code>") else {
            continue;
        };
        let first = before.replace("<p>", "").trim().is_empty() && after.trim_start().starts_with(['-', ':', '–']);
        // `tag:<key>` is written in several ways.
        let name = name.split(':').next().unwrap_or(name).trim().to_owned();
        if first && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
