//! Turns a pruned service model into Rust tables.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The services, by the name of their model.
pub(crate) const SERVICES: [&str; 3] = ["ec2", "elbv2", "sts"];

/// The Rust source of a service's tables.
pub(crate) fn emit(service: &str, model: &Value) -> Result<String, String> {
    let metadata = &model["metadata"];
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("expected a text");
    let ec2 = metadata["protocol"] == "ec2";
    let namespace = text(&metadata["xmlNamespace"])?;
    // AWS's EC2 answers with the slash that its model lacks.
    let namespace = if namespace.ends_with('/') { namespace } else { format!("{namespace}/") };
    let shapes = model["shapes"].as_object().ok_or("no shapes")?;
    let index = |name: &Value| -> Result<usize, String> {
        let name = name.as_str().ok_or("expected a shape")?;
        shapes.keys().position(|key| key == name).ok_or_else(|| format!("no shape {name}"))
    };
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("//! Wire tables of {service} {}. Do not edit.", text(&metadata["apiVersion"])?));
    line("//!".into());
    line(
        "//! Written by `cargo run -p vpc-api --example generate` from `model`, which comes from botocore's service"
            .into(),
    );
    line("//! models (Apache-2.0, Copyright Amazon.com, Inc. or its affiliates; see the NOTICE file there).".into());
    line(String::new());
    line("use crate::wire::table::{Operation, Protocol, Service, Shape, blob, boolean, double, enumeration, integer, list, map, member as m, operation, structure as s, text, timestamp};".into());
    line(String::new());
    line("/// The service.".into());
    line("pub(crate) static SERVICE: Service = Service {".into());
    line(format!("    name: {:?},", text(&metadata["endpointPrefix"])?));
    line(format!("    version: {:?},", text(&metadata["apiVersion"])?));
    line(format!("    protocol: Protocol::{},", if ec2 { "Ec2" } else { "Query" }));
    line(format!("    namespace: {namespace:?},"));
    line("    operations: OPERATIONS,".into());
    line("    shapes: SHAPES,".into());
    line("};".into());
    line(String::new());
    line("static OPERATIONS: &[Operation] = &[".into());
    for (name, operation) in model["operations"].as_object().ok_or("no operations")? {
        let side = |side: &str| match operation.get(side) {
            None => Ok("None".to_owned()),
            Some(shape) => index(shape).map(|i| format!("Some({i})")),
        };
        let wrapper = match operation["resultWrapper"].as_str() {
            Some(wrapper) => format!("Some({wrapper:?})"),
            None => "None".to_owned(),
        };
        let filters = operation["filters"]
            .as_array()
            .map_or_else(String::new, |names| names.iter().map(Value::to_string).collect::<Vec<_>>().join(", "));
        line(format!(
            "    operation({name:?}, {}, {}, {}, {}, {wrapper}, &[{filters}]),",
            operation["group"],
            operation["tier"],
            side("input")?,
            side("output")?
        ));
    }
    line("];".into());
    line(String::new());
    line("static SHAPES: &[Shape] = &[".into());
    for (name, shape) in shapes {
        line(format!("    {},", emit_shape(name, shape, ec2, &index)?));
    }
    line("];".into());
    Ok(unused(&out))
}

/// The source without the imports it does not use.
fn unused(out: &str) -> String {
    let mut result = out.to_owned();
    for name in ["blob", "boolean", "double", "enumeration", "list", "map", "text", "timestamp"] {
        if !out.contains(&format!("    {name}(")) {
            result = result.replace(&format!(" {name},"), "").replace(&format!("{{{name}, "), "{");
            result = result.replace(&format!(", {name}}}"), "}");
        }
    }
    result
}

fn emit_shape(
    name: &str,
    shape: &Value,
    ec2: bool,
    index: &dyn Fn(&Value) -> Result<usize, String>,
) -> Result<String, String> {
    let bound = |key: &str| match shape[key].as_i64() {
        Some(number) => format!("Some({number})"),
        None => "None".to_owned(),
    };
    let kind = shape["type"].as_str().ok_or("a shape without a type")?;
    Ok(match kind {
        "structure" => {
            let required: Vec<&str> =
                shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut members = String::new();
            for (name, member) in shape["members"].as_object().unwrap_or(&Map::new()) {
                let location = member["locationName"].as_str();
                let key = match (member["queryName"].as_str(), location) {
                    (Some(query), _) if ec2 => query.to_owned(),
                    (_, Some(location)) if ec2 => capitalised(location),
                    (_, Some(location)) => location.to_owned(),
                    (_, None) => name.clone(),
                };
                let element = location.unwrap_or(name);
                let required = required.contains(&name.as_str());
                let token = member["idempotencyToken"] == Value::Bool(true);
                write!(
                    members,
                    "m({name:?}, {key:?}, {element:?}, {}, {required}, {token}), ",
                    index(&member["shape"])?
                )
                .map_err(|e| e.to_string())?;
            }
            format!("s({name:?}, &[{}])", members.trim_end_matches(", "))
        }
        "list" => {
            let element = shape["member"]["locationName"].as_str().unwrap_or(if ec2 { "item" } else { "member" });
            format!(
                "list({name:?}, {}, {element:?}, {}, {})",
                index(&shape["member"]["shape"])?,
                bound("min"),
                bound("max")
            )
        }
        "map" => format!("map({name:?}, {}, {})", index(&shape["key"]["shape"])?, index(&shape["value"]["shape"])?),
        "string" => match shape["enum"].as_array() {
            Some(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                format!("enumeration({name:?}, &[{}])", values.join(", "))
            }
            None => format!("text({name:?}, {}, {})", bound("min"), bound("max")),
        },
        "integer" | "long" => format!("integer({name:?}, {}, {})", bound("min"), bound("max")),
        "boolean" | "timestamp" | "blob" => format!("{kind}({name:?})"),
        "double" | "float" => format!("double({name:?})"),
        other => return Err(format!("{name} is of the unknown type {other}")),
    })
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
