//! What the packet crate costs per packet: parse, translate, verify nothing.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use vpc_packet::{FiveTuple, PacketBuf, PacketSpec, Rewrite, parse};

fn packet(line: &str) -> PacketBuf {
    match line.parse::<PacketSpec>() {
        Ok(spec) => spec.to_buf(),
        Err(error) => unreachable!("{line}: {error}"),
    }
}

fn benches(c: &mut Criterion) {
    for (name, line) in [
        ("tcp4", "tcp 10.0.2.10:40000 > 198.18.0.9:443 . opts=0x0101080a0000000100000002 len=1500"),
        ("tcp4-gso", "tcp 10.0.2.10:40000 > 198.18.0.9:443 . opts=0x0101080a0000000100000002 gso=1448 len=65000"),
        ("udp4", "udp 10.0.2.10:40000 > 198.18.0.9:53 len=64"),
        ("tcp6", "tcp [2001:db8::1]:40000 > [2001:db8::2]:443 . len=1500"),
        ("icmp4-error", "icmp 10.0.0.9 > 10.0.0.1 frag-needed mtu=1500 (udp 10.0.0.1:1 > 10.0.0.2:2)"),
    ] {
        let buf = packet(line);
        c.bench_function(&format!("parse/{name}"), |b| b.iter(|| parse(black_box(&buf))));
    }
    for (name, gso) in [("complete", ""), ("partial", " gso=1448")] {
        let mut buf = packet(&format!("tcp 10.0.2.10:40000 > 198.18.0.9:443 . len=60000{gso}"));
        let Ok(parsed) = parse(&buf) else { unreachable!("the packet was built here") };
        let after = FiveTuple { src: [203, 0, 113, 7].into(), src_port: 61_000, ..parsed.tuple };
        let rewrite = Rewrite::between(parsed.tuple, after);
        c.bench_function(&format!("rewrite/{name}"), |b| {
            b.iter(|| black_box(&rewrite).apply(black_box(&mut buf), black_box(&parsed)));
        });
    }
    let bytes = vec![0x5a; 65_000];
    c.bench_function("checksum/65000", |b| b.iter(|| vpc_packet::checksum::checksum(black_box(&bytes))));
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(500));
    targets = benches
}
criterion_main!(all);
