//! The wire format against itself and against botocore's own serialiser and parser.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::{python, sample};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use vpc_api::wire::{Operation, SERVICES, Service, Structure, Value, form, xml};

fn operations() -> impl Iterator<Item = (&'static Service, &'static Operation)> {
    SERVICES.into_iter().flat_map(|service| service.operations.iter().map(move |operation| (service, operation)))
}

fn any_request() -> BoxedStrategy<(&'static Service, &'static Operation, Structure)> {
    prop::sample::select(operations().collect::<Vec<_>>())
        .prop_flat_map(|(service, operation)| {
            sample::structure(service, service.input(operation), 3).prop_map(move |input| (service, operation, input))
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_decodes_to_the_same((service, operation, input) in any_request()) {
        let pairs = form::encode(service, operation, &input);
        let body = pairs.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect::<Vec<_>>().join("&");
        prop_assert_eq!(&form::parse(body.as_bytes()), &pairs);
        let decoded = form::decode(service, operation, &pairs);
        prop_assert_eq!(decoded, Ok(input), "{} {:?}", operation.name, pairs);
    }

    #[test]
    fn one_unknown_key_refuses_the_request((service, operation, input) in any_request(), at in any::<prop::sample::Index>()) {
        let mut pairs = form::encode(service, operation, &input);
        let key = match pairs.is_empty() {
            true => "Zzz".to_owned(),
            false => format!("{}.Zzz", pairs[at.index(pairs.len())].0),
        };
        pairs.push((key, "1".to_owned()));
        let error = form::decode(service, operation, &pairs).unwrap_err();
        prop_assert_eq!(&error.code, "UnknownParameter");
    }

    #[test]
    fn no_form_makes_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..200), (service, operation, _) in any_request()) {
        let _ = form::decode(service, operation, &form::parse(&body));
    }
}

/// botocore serialises inputs that we made and we decode them; we encode outputs that we made and botocore parses them.
#[test]
fn botocore_agrees_about_every_operation() {
    let Some(python) = python::boto3() else { return };
    let mut runner = TestRunner::deterministic();
    let mut cases = Vec::new();
    let mut inputs = Vec::new();
    for (service, operation) in operations() {
        for _ in 0..3 {
            let make = |members, runner: &mut TestRunner| {
                sample::structure(service, members, 3).new_tree(runner).unwrap().current()
            };
            let input = make(service.input(operation), &mut runner);
            let output = make(service.output(operation).unwrap_or(&[]), &mut runner);
            cases.push(json!({
                "service": service.name,
                "operation": operation.name,
                "input": to_json(&Value::Structure(input.clone())),
                "output": to_json(&Value::Structure(output.clone())),
                "xml": xml::reply(service, operation, &output, "00000000-0000-4000-8000-000000000000").unwrap(),
            }));
            inputs.push((service, operation, input));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let (given, answered) = (directory.path().join("cases.json"), directory.path().join("forms.json"));
    fs::write(&given, Json::Array(cases).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/oracle.py");
    let status = Command::new(python).arg(script).args([&given, &answered]).status().unwrap();
    assert!(status.success(), "botocore parsed something else; see above");
    let forms: Vec<Vec<(String, String)>> = serde_json::from_slice(&fs::read(&answered).unwrap()).unwrap();
    assert_eq!(forms.len(), inputs.len());
    for (pairs, (service, operation, input)) in forms.into_iter().zip(inputs) {
        assert_eq!(form::decode(service, operation, &pairs), Ok(input), "{} {pairs:?}", operation.name);
    }
}

fn escape(text: &str) -> String {
    let byte = |b: u8| {
        if b == b' ' { "+".to_owned() } else { format!("%{b:02X}") }
    };
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { byte(b) }).collect()
}

/// As the Python side reads it: times and bytes are marked.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Blob(bytes) => json!({ "$blob": bytes }),
        Value::Boolean(flag) => json!(flag),
        Value::Double(number) => json!(number),
        Value::Integer(number) => json!(number),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(map) => json!(map.iter().map(|(k, v)| (k.clone(), to_json(v))).collect::<BTreeMap<_, _>>()),
        Value::Structure(structure) => {
            json!(structure.iter().map(|(k, v)| (k, to_json(v))).collect::<BTreeMap<_, _>>())
        }
        Value::Text(text) => json!(text),
        Value::Timestamp(time) => json!({ "$time": time.to_string() }),
    }
}
