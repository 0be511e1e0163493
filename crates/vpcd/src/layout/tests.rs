use super::*;
use vpc_model::lab;

/// A VPC with these instances, a service and an internet host.
fn desired(instances: &str) -> Desired {
    let text = format!(
        "
vpcs:
  v:
    cidr: 10.0.0.0/16
    ipv6_cidr: 2001:db8:a::/56
    subnets:
      s1: {{ cidr: 10.0.1.0/24, ipv6_cidr: '2001:db8:a:1::/64' }}
      s2: {{ cidr: 10.0.2.0/24 }}
    instances:
{instances}
services:
  store: {{ addresses: [ 198.51.100.10, '2001:db8:5::10' ] }}
internet:
  web: {{ addresses: 203.0.113.80, prefixes: 203.0.113.0/24 }}
"
    );
    lab::read(&text, "lab.yaml").unwrap_or_else(|errors| panic!("{}", errors.render())).to_desired()
}

fn layout(instances: &str) -> Layout {
    Layout::of(&desired(instances)).unwrap()
}

fn ns(name: &str) -> NetNsName {
    NetNsName::new(name).unwrap()
}

fn eth(number: u8) -> InterfaceName {
    InterfaceName::new(&format!("eth{number}")).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The routes of one table as people write them.
fn routes(settings: &Settings, table: u32) -> Vec<String> {
    let of_table = settings.routes.iter().filter(|(key, _)| key.table == table);
    of_table.map(|(key, source)| format!("{} src {source}", key.to)).collect()
}

const H1: &str = "      h1: { subnet: s1, address: 10.0.1.10, ipv6_address: '2001:db8:a:1::10' }";
const TWO: &str = "      h1: { interfaces: [ { subnet: s1, address: [ 10.0.1.10, 10.0.1.11 ] }, { subnet: s2, address: 10.0.2.10 } ] }";

#[test]
fn an_instance_reaches_its_subnet_and_everything_else_through_its_interface() {
    let layout = layout(H1);
    let interface = &layout.namespaces[&ns("h1")].interfaces[&eth(0)];
    let settings = &interface.settings;
    assert_eq!((interface.owner.as_str(), settings.mtu), ("h1", 9001));
    assert_eq!(settings.addresses, [address("10.0.1.10"), address("2001:db8:a:1::10")].into());
    let mut main = routes(settings, MAIN_TABLE);
    main.sort();
    assert_eq!(
        main,
        [
            "0.0.0.0/0 src 10.0.1.10",
            "10.0.1.0/24 src 10.0.1.10",
            "2001:db8:a:1::/64 src 2001:db8:a:1::10",
            "::/0 src 2001:db8:a:1::10"
        ]
    );
    assert!(settings.rules.is_empty(), "one interface needs no rule");
}

#[test]
fn services_and_internet_hosts_have_one_interface_that_leads_everywhere() {
    let layout = layout(H1);
    let store = &layout.namespaces[&ns("store")].interfaces[&eth(0)].settings;
    assert_eq!(store.mtu, 9001);
    assert_eq!(routes(store, MAIN_TABLE).len(), 2);
    let web = &layout.namespaces[&ns("web")].interfaces[&eth(0)].settings;
    assert_eq!(web.mtu, 1500);
    assert_eq!(routes(web, MAIN_TABLE), ["0.0.0.0/0 src 203.0.113.80"]);
}

#[test]
fn of_two_interfaces_the_first_leads_everywhere_and_each_has_a_table_of_its_own() {
    let layout = layout(TWO);
    let interfaces = &layout.namespaces[&ns("h1")].interfaces;
    let (first, second) = (&interfaces[&eth(0)].settings, &interfaces[&eth(1)].settings);
    assert_eq!(routes(first, MAIN_TABLE), ["0.0.0.0/0 src 10.0.1.10", "10.0.1.0/24 src 10.0.1.10"]);
    assert_eq!(routes(second, MAIN_TABLE), ["10.0.2.0/24 src 10.0.2.10"]);
    assert_eq!(routes(first, 1000), ["0.0.0.0/0 src 10.0.1.10"]);
    assert_eq!(routes(second, 1001), ["0.0.0.0/0 src 10.0.2.10"]);
    let from = |settings: &Settings| settings.rules.iter().map(|rule| rule.from).collect::<Vec<_>>();
    assert_eq!(from(first), [address("10.0.1.10"), address("10.0.1.11")]);
    assert_eq!(from(second), [address("10.0.2.10")]);
}

#[test]
fn from_nothing_everything_is_made() {
    let new = layout(H1);
    let plan = Plan::between(&Layout::default(), &new);
    assert_eq!(plan.namespaces.len(), 3);
    assert!(plan.namespaces.values().all(|work| work.make && work.open.len() == 1 && work.change.is_empty()));
    assert_eq!((plan.delete.len(), plan.close, plan.remove.len(), plan.renumber.len()), (0, 0, 0, 0));
}

#[test]
fn to_nothing_everything_is_removed() {
    let old = layout(H1);
    let plan = Plan::between(&old, &Layout::default());
    assert!(plan.namespaces.is_empty());
    assert_eq!((plan.delete.len(), plan.close, plan.remove.len()), (3, 3, 3));
}

#[test]
fn what_stays_is_not_touched() {
    let before = desired(H1);
    let old = Layout::of(&before).unwrap();
    let more = format!("{H1}\n      h2: {{ subnet: s2, address: 10.0.2.10 }}");
    let new = Layout::of(&desired(&more).keeping_links_of(&before)).unwrap();
    let plan = Plan::between(&old, &new);
    assert_eq!(plan.namespaces.keys().map(NetNsName::as_str).collect::<Vec<_>>(), ["h2"]);
    assert_eq!((plan.delete.len(), plan.remove.len(), plan.renumber.len()), (0, 0, 0));
    assert_eq!(Plan::between(&new, &new), Plan::default());
}

#[test]
fn another_address_changes_the_interface_and_keeps_it_open() {
    let before = desired(H1);
    let old = Layout::of(&before).unwrap();
    let moved = H1.replace("10.0.1.10", "10.0.1.20");
    let new = Layout::of(&desired(&moved).keeping_links_of(&before)).unwrap();
    let plan = Plan::between(&old, &new);
    let work = &plan.namespaces[&ns("h1")];
    assert!(!work.make && work.open.is_empty());
    let [(device, from, to)] = work.change.as_slice() else { panic!("{work:?}") };
    assert_eq!(*device, eth(0));
    assert!(from.addresses.contains(&address("10.0.1.10")) && to.addresses.contains(&address("10.0.1.20")));
}

#[test]
fn another_namespace_is_another_device_on_the_same_link() {
    let before = desired(H1);
    let old = Layout::of(&before).unwrap();
    let moved = H1.replace("subnet: s1", "subnet: s1, namespace: elsewhere");
    let new = Layout::of(&desired(&moved).keeping_links_of(&before)).unwrap();
    let plan = Plan::between(&old, &new);
    assert_eq!(plan.delete, [ns("h1")]);
    assert_eq!((plan.close, plan.remove.len()), (1, 0), "the link goes on");
    let opened = &plan.namespaces[&ns("elsewhere")].open[0].1;
    assert_eq!(opened.link, old.namespaces[&ns("h1")].interfaces[&eth(0)].link);
}

#[test]
fn interfaces_that_swap_places_swap_numbers_and_stay_open() {
    let before =
        desired(&TWO.replace("{ subnet: s1", "{ name: a, subnet: s1").replace("{ subnet: s2", "{ name: b, subnet: s2"));
    let swapped = "      h1: { interfaces: [ { name: b, subnet: s2, address: 10.0.2.10 }, { name: a, subnet: s1, address: [ 10.0.1.10, 10.0.1.11 ] } ] }";
    let old = Layout::of(&before).unwrap();
    let new = Layout::of(&desired(swapped).keeping_links_of(&before)).unwrap();
    let plan = Plan::between(&old, &new);
    assert_eq!((plan.close, plan.remove.len(), plan.renumber.len()), (0, 0, 2), "{plan:?}");
    let [(a, b), (c, d)] = [plan.renumber[0], plan.renumber[1]];
    assert!(a == d && b == c && a != b);
    assert_eq!(plan.namespaces[&ns("h1")].change.len(), 2);
}
