use proptest::prelude::*;

use super::*;
use crate::explain::{Step, Verdict};

fn requests() -> Vec<Request> {
    let mut requests = vec![
        Request::Apply { file: "lab.yaml".to_owned(), text: "vpcs:\n  a: {cidr: 10.0.0.0/16}\n".to_owned() },
        Request::Explain { sender: "h1".to_owned(), packet: "tcp 10.0.1.10:1 > 10.0.2.10:2".to_owned() },
        Request::Lab {},
        Request::Namespace { of: "h1".to_owned() },
        Request::Resources { kind: None },
        Request::Status {},
        Request::Table { kind: None },
        Request::Wait { generation: Some(7) },
        Request::Wait { generation: None },
    ];
    for &kind in ResourceKind::ALL {
        requests.push(Request::Table { kind: Some(kind) });
        requests.push(Request::Resources { kind: Some(kind) });
    }
    requests
}

fn replies() -> Vec<Reply> {
    vec![
        Reply::Applied(Applied { generation: u64::MAX, changed: true, ..Applied::default() }),
        Reply::Error(Failure::new(FailureKind::InvalidLab, "lab.yaml:1:1: no\nlab.yaml:2:1: no")),
        Reply::Explained(Explanation {
            question: "h1 > tcp".to_owned(),
            steps: vec![Step::Hop { place: "eni h1".to_owned(), packet: "tcp".to_owned() }],
            verdict: Verdict::Send { to: "h2".to_owned(), packet: "tcp".to_owned(), mtu: 9001 },
            generation: 3,
        }),
        Reply::Lab { text: "vpcs: {}\n".to_owned() },
        Reply::Namespace { namespace: "h1".to_owned() },
        Reply::Ready { generation: 1 },
        Reply::Resources { resources: serde_json::json!([{"id": "vpc-1"}]) },
        Reply::Status(Status {
            release: "0.1.0".to_owned(),
            pid: 7,
            generation: 3,
            flows: 2,
            tun: "vnet".to_owned(),
            packets: Packets::default(),
            drops: BTreeMap::from([("no_route".to_owned(), 3)]),
            links: vec![LinkStatus {
                link: LinkId(0),
                owner: "h1".to_owned(),
                namespace: "h1".to_owned(),
                interface: "eth0".to_owned(),
                lost: None,
                offloads: "none".to_owned(),
                rx: LinkTraffic::default(),
                tx: LinkTraffic::default(),
                coalesced: 0,
                drops: BTreeMap::new(),
            }],
        }),
        Reply::Table(Table { columns: vec!["NAME".to_owned()], rows: vec![vec!["a".to_owned()]] }),
    ]
}

#[test]
fn every_message_is_one_line_and_comes_back_as_it_was() {
    for request in requests() {
        let line = encode(&request).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert!(line.starts_with(r#"{"version":1,"request":""#), "{line}");
        assert_eq!(decode::<Request>(&line).unwrap(), request, "{line}");
    }
    for reply in replies() {
        let line = encode(&reply).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert!(line.starts_with(r#"{"version":1,"reply":""#), "{line}");
        assert_eq!(decode::<Reply>(&line).unwrap(), reply, "{line}");
    }
}

#[test]
fn the_form_on_the_wire_stays_what_it_is() {
    let line = encode(&Request::Table { kind: Some(ResourceKind::RouteTables) }).unwrap();
    assert_eq!(line, r#"{"version":1,"request":"table","kind":"route-tables"}"#);
    let line = encode(&Reply::Error(Failure::new(FailureKind::NotFound, "no 'h9'"))).unwrap();
    assert_eq!(line, r#"{"version":1,"reply":"error","kind":"not-found","message":"no 'h9'"}"#);
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    for (line, part) in [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "not a JSON object: an array"),
        ("null", "not a JSON object: null"),
        (r#"{"request":"status"}"#, "no field \"version\""),
        (r#"{"version":"1","request":"status"}"#, "no field \"version\""),
        (r#"{"version":-1,"request":"status"}"#, "no field \"version\""),
        (r#"{"version":2,"request":"status"}"#, "of version 2 of the protocol and this is version 1"),
        (r#"{"version":1}"#, "request"),
        (r#"{"version":1,"request":"dance"}"#, "unknown variant `dance`, expected one of `apply`, `explain`"),
        (r#"{"version":1,"request":7}"#, "expected"),
        (r#"{"version":1,"request":"apply","file":"x"}"#, "missing field `text`"),
        (r#"{"version":1,"request":"status","verbose":true}"#, "unknown field `verbose`"),
        (r#"{"version":1,"request":"wait","generation":"soon"}"#, "invalid type"),
        (
            r#"{"version":1,"request":"table","kind":"vpcz"}"#,
            "'vpcz' is not a kind of resource; there is egress-only-gateways",
        ),
    ] {
        let error = decode::<Request>(line).unwrap_err().to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn kinds_are_found_by_name_alias_and_with_underscores() {
    for &kind in ResourceKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(kind.name().replace('-', "_").parse(), Ok(kind));
        for alias in kind.aliases() {
            assert_eq!(alias.parse(), Ok(kind), "{alias}");
        }
    }
    assert!("".parse::<ResourceKind>().is_err());
}

proptest! {
    #[test]
    fn no_line_makes_the_decoder_panic(line in any::<String>()) {
        let _ = decode::<Request>(&line);
        let _ = decode::<Reply>(&line);
    }

    #[test]
    fn no_text_breaks_out_of_its_line(file in any::<String>(), text in any::<String>()) {
        let request = Request::Apply { file, text };
        let line = encode(&request).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(decode::<Request>(&line).unwrap(), request);
    }
}
