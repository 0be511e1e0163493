//! Regions, zones and the account.

use vpc_model::resource::{Az, Region};

use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, list};
use crate::wire::Structure;

/// Regions with the short name that their zone ids begin with, and their zones' letters.
///
/// Source: AWS, "Regions and Zones" and "AZ IDs"; the Regions that need no opt-in. Deviation: zone names and ids pair
/// in the order of the alphabet in every account, where AWS shuffles them per account.
const REGIONS: [(&str, &str, &str); 17] = [
    ("ap-northeast-1", "apne1", "acd"),
    ("ap-northeast-2", "apne2", "abcd"),
    ("ap-northeast-3", "apne3", "abc"),
    ("ap-south-1", "aps1", "abc"),
    ("ap-southeast-1", "apse1", "abc"),
    ("ap-southeast-2", "apse2", "abc"),
    ("ca-central-1", "cac1", "abd"),
    ("eu-central-1", "euc1", "abc"),
    ("eu-north-1", "eun1", "abc"),
    ("eu-west-1", "euw1", "abc"),
    ("eu-west-2", "euw2", "abc"),
    ("eu-west-3", "euw3", "abc"),
    ("sa-east-1", "sae1", "abc"),
    ("us-east-1", "use1", "abcdef"),
    ("us-east-2", "use2", "abc"),
    ("us-west-1", "usw1", "ac"),
    ("us-west-2", "usw2", "abcd"),
];

/// A Region's zones. One that is not in the table, a lab's own, has `a`, `b` and `c`.
pub(crate) fn zones(region: &Region) -> Vec<Az> {
    let known = REGIONS.iter().find(|(name, _, _)| *name == region.as_str());
    let letters = known.map_or("abc", |(_, _, letters)| letters);
    letters.chars().map(|letter| Az::new(region.clone(), letter)).collect()
}

/// A zone's id, the same zone for every account: `use1-az1`.
pub(crate) fn zone_id(az: &Az) -> String {
    let known = REGIONS.iter().find(|(name, _, _)| *name == az.region().as_str());
    let short = known.map_or_else(|| az.region().as_str().replace('-', ""), |(_, short, _)| (*short).to_owned());
    let letter = az.to_string().chars().next_back().unwrap_or('a');
    let letters = known.map_or("abcdefghijklmnopqrstuvwxyz", |(_, _, letters)| letters);
    let number = letters.find(letter).map_or(u32::from(letter) - u32::from('a'), |at| at as u32) + 1;
    format!("{short}-az{number}")
}

pub(crate) fn describe_regions(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted: Vec<&str> = input.texts("RegionNames").collect();
    if let Some(unknown) = wanted.iter().find(|name| REGIONS.iter().all(|(region, _, _)| region != *name)) {
        return Err(ApiError::invalid_value(format!("Invalid region provided: {unknown}")));
    }
    let shown = REGIONS.iter().filter(|(name, _, _)| wanted.is_empty() || wanted.contains(name));
    let items = shown.map(|(name, _, _)| {
        let show = move || {
            Structure::new()
                .with("Endpoint", format!("ec2.{name}.amazonaws.com"))
                .with("OptInStatus", "opt-in-not-required")
                .with("RegionName", *name)
        };
        ((*name).to_owned(), show)
    });
    list(cx, input, None, "Regions", &[], items)
}

const ZONE_PATHS: Paths = &[("message", "Messages.Message")];

pub(crate) fn describe_availability_zones(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let zones = zones(&cx.caller.region);
    for (member, names) in [
        ("ZoneNames", zones.iter().map(Az::to_string).collect::<Vec<_>>()),
        ("ZoneIds", zones.iter().map(zone_id).collect()),
    ] {
        if let Some(unknown) = input.texts(member).find(|wanted| names.iter().all(|name| name != wanted)) {
            return Err(ApiError::invalid_value(format!("Invalid availability zone: [{unknown}]")));
        }
    }
    let wanted = |az: &Az| {
        let given = |member, name: String| !input.has(member) || input.texts(member).any(|wanted| wanted == name);
        given("ZoneNames", az.to_string()) && given("ZoneIds", zone_id(az))
    };
    let region = cx.caller.region.to_string();
    let items = zones.into_iter().filter(wanted).map(|az| {
        let region = region.clone();
        let key = az.to_string();
        let show = move || {
            Structure::new()
                .with("GroupName", format!("{region}-zg-1"))
                .with("Messages", Vec::<Structure>::new())
                .with("NetworkBorderGroup", region.as_str())
                .with("OptInStatus", "opt-in-not-required")
                .with("RegionName", region.as_str())
                .with("State", "available")
                .with("ZoneId", zone_id(&az))
                .with("ZoneName", az.to_string())
                .with("ZoneType", "availability-zone")
        };
        (key, show)
    });
    list(cx, input, None, "AvailabilityZones", ZONE_PATHS, items)
}

pub(crate) fn describe_account_attributes(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let default = cx
        .all()
        .find(|vpc| super::vpc::is_default(cx, vpc))
        .map_or_else(|| "none".to_owned(), |vpc| vpc.id.to_string());
    let attributes = [
        ("default-vpc", default.as_str()),
        ("max-elastic-ips", "5"),
        ("max-instances", "20"),
        ("supported-platforms", "VPC"),
        ("vpc-max-elastic-ips", "5"),
        ("vpc-max-security-groups-per-interface", "5"),
    ];
    let wanted: Vec<&str> = input.texts("AttributeNames").collect();
    let shown =
        attributes.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).map(|(name, value)| {
            Structure::new()
                .with("AttributeName", *name)
                .with("AttributeValues", vec![Structure::new().with("AttributeValue", *value)])
        });
    Ok(Structure::new().with("AccountAttributes", shown.collect::<Vec<_>>()))
}
