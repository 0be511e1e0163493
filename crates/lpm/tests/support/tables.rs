//! Tables to look up in: real ones where they are at hand, and some of the same shape that always are.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use vpc_lpm::{Builder, Prefix};

use crate::random::Random;

/// The text of a file of the developers' data, which a clone does not have; says so if it is absent.
pub(crate) fn shared(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|dir| {
        let path = dir.join("shared/data").join(name);
        path.exists().then_some(path)
    });
    let Some(path) = path else {
        eprintln!("{name}: not at hand, skipped");
        return None;
    };
    match Command::new("xz").arg("-dc").arg(&path).output() {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).ok(),
        Ok(output) => {
            eprintln!("{name}: xz: {}, skipped", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            eprintln!("{name}: xz: {error}, skipped");
            None
        }
    }
}

/// The prefixes of a real table, each with one of 64 next hops.
pub(crate) fn real(name: &str) -> Option<Vec<(Prefix, u32)>> {
    let text = shared(name)?;
    let mut random = Random(64);
    let prefixes = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok());
    let routes: Vec<_> = prefixes.map(|prefix| (prefix, random.below(64) as u32 + 1)).collect();
    Some(routes)
}

/// About `len` IPv4 routes with lengths as in the full table: mostly /24, half of them inside another route.
pub(crate) fn generated_v4(len: usize, seed: u64) -> Vec<(Prefix, u32)> {
    let mut random = Random(seed);
    let mut routes = Builder::new();
    let mut cover = 0;
    while routes.len() < len {
        let bits = match random.below(100) {
            0..60 => 24,
            60..82 => 20 + random.below(4) as u8,
            82..97 => 16 + random.below(4) as u8,
            97..99 => 8 + random.below(8) as u8,
            _ => 25 + random.below(8) as u8,
        };
        // Unicast space is clumped: half the routes lie in the /14 of the one before.
        let addr = match random.below(2) {
            0 => cover & 0xfffc_0000 | random.next() as u32 & 0x0003_ffff,
            _ => random.next() as u32 % (223 << 24),
        };
        cover = addr;
        if let Ok(prefix) = Prefix::truncating(Ipv4Addr::from_bits(addr).into(), bits) {
            routes.insert(prefix, random.below(64) as u32 + 1);
        }
    }
    routes.into_iter().collect()
}

/// About `len` IPv6 routes with lengths as in the full table: mostly /48, few beyond /64.
pub(crate) fn generated_v6(len: usize, seed: u64) -> Vec<(Prefix, u32)> {
    let mut random = Random(seed);
    let mut routes = Builder::new();
    let mut cover = 0;
    while routes.len() < len {
        let bits = match random.below(100) {
            0..50 => 48,
            50..75 => 29 + random.below(12) as u8,
            75..98 => 40 + random.below(9) as u8,
            98 => 64,
            _ => 65 + random.below(64) as u8,
        };
        let inside = random.wide();
        let addr = match random.below(2) {
            0 => cover >> 98 << 98 | inside & ((1 << 98) - 1),
            _ => 1 << 125 | inside >> 112 << 108 | inside & ((1 << 96) - 1),
        };
        cover = addr;
        if let Ok(prefix) = Prefix::truncating(Ipv6Addr::from_bits(addr).into(), bits) {
            routes.insert(prefix, random.below(64) as u32 + 1);
        }
    }
    routes.into_iter().collect()
}
