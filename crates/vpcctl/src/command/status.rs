//! `vpcctl status`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use vpc_model::control::{LinkStatus, Reply, Request, Status, Table};

use crate::client::{ask, unexpected};
use crate::render::{aligned, print, print_json};

pub(crate) fn run(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let reply = ask(socket, &Request::Status {})?;
    let Reply::Status(status) = &reply else {
        return Err(unexpected(&reply));
    };
    if json {
        print_json(status)?;
    } else {
        print(&text(status))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let packets = &status.packets;
    let mut text = format!(
        "vpcd {}, pid {}, generation {}, {} flows, TUN back end {}\n",
        status.release, status.pid, status.generation, status.flows, status.tun
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "packets: {} received, {} forwarded ({} bytes), {} originated, {} walks",
        packets.received, packets.forwarded, packets.forwarded_bytes, packets.originated, packets.walks
    );
    let _ = writeln!(text, "dropped: {}", counts(&status.drops));
    if !status.links.is_empty() {
        let _ = write!(text, "\n{}", aligned(&links(&status.links)));
    }
    text
}

fn links(links: &[LinkStatus]) -> Table {
    let columns = [
        "OWNER",
        "NAMESPACE",
        "DEVICE",
        "RX-PACKETS",
        "RX-BYTES",
        "TX-PACKETS",
        "TX-BYTES",
        "COALESCED",
        "OFFLOADS",
        "DROPS",
        "STATE",
    ];
    let row = |link: &LinkStatus| {
        vec![
            link.owner.clone(),
            link.namespace.clone(),
            link.interface.clone(),
            link.rx.segments.to_string(),
            link.rx.bytes.to_string(),
            link.tx.segments.to_string(),
            link.tx.bytes.to_string(),
            link.coalesced.to_string(),
            link.offloads.clone(),
            counts(&link.drops),
            link.lost.as_ref().map_or_else(|| "up".to_owned(), |why| format!("lost: {why}")),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: links.iter().map(row).collect() }
}

/// `no_route 3, too_big 1`, or `none`.
fn counts(drops: &BTreeMap<String, u64>) -> String {
    if drops.is_empty() {
        return "none".to_owned();
    }
    let counts: Vec<String> = drops.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vpc_model::control::{LinkTraffic, Packets};

    #[test]
    fn a_lost_link_and_every_drop_are_seen_at_a_glance() {
        let status = Status {
            release: "1.2.3".to_owned(),
            pid: 42,
            generation: 7,
            flows: 3,
            tun: "vnet".to_owned(),
            packets: Packets { received: 12, forwarded: 8, forwarded_bytes: 800, originated: 1, walks: 4 },
            drops: BTreeMap::from([("no_route".to_owned(), 3), ("too_big".to_owned(), 1)]),
            links: vec![LinkStatus {
                owner: "h1".to_owned(),
                namespace: "h1".to_owned(),
                interface: "eth0".to_owned(),
                lost: Some("the device is gone".to_owned()),
                rx: LinkTraffic { packets: 1, segments: 45, bytes: 64000 },
                ..LinkStatus::default()
            }],
        };
        let text = text(&status);
        assert!(text.starts_with("vpcd 1.2.3, pid 42, generation 7, 3 flows, TUN back end vnet\n"), "{text}");
        assert!(text.contains("\ndropped: no_route 3, too_big 1\n"), "{text}");
        assert!(text.contains("45") && text.ends_with("lost: the device is gone\n"), "{text}");
    }
}
