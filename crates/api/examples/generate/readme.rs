//! The README's table of actions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use vpc_api::is_supported;
use vpc_api::wire::SERVICES;

const BEGIN: &str = "<!-- actions -->\n";
const END: &str = "<!-- end of actions -->";

/// The README with its table as it should be.
pub(crate) fn with_table(readme: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", table()))
}

fn table() -> String {
    let mut groups: BTreeMap<(&str, &str), [Vec<&str>; 2]> = BTreeMap::new();
    let (mut yes, mut all) = ([0; 4], [0; 4]);
    for service in SERVICES {
        for operation in service.operations {
            let supported = is_supported(service, operation.name);
            let tier = usize::from(operation.tier.min(3));
            all[tier] += 1;
            yes[tier] += usize::from(supported);
            groups.entry((service.name, operation.group)).or_default()[usize::from(!supported)].push(operation.name);
        }
    }
    let mut out = format!(
        "{} of {} actions of tier 1 answer, {} of {} of tier 2, {} of {} of tier 3.\n\n",
        yes[1], all[1], yes[2], all[2], yes[3], all[3]
    );
    out.push_str("| service / group | answered | `UnsupportedOperation` |\n|---|---|---|\n");
    for ((service, group), [answered, refused]) in groups {
        let _ = writeln!(out, "| {service} / {group} | {} | {} |", answered.join(", "), refused.join(", "));
    }
    out
}
