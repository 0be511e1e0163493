//! Addresses, routes and rules inside a namespace, through netlink sockets opened there.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::{AddressFlags, AddressHeaderFlags};
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::packet_route::rule::{RuleAction, RuleMessage};
use rtnetlink::{Handle, IpVersion, LinkUnspec, RouteMessageBuilder};
use rustix::io::Errno;
use vpc_io::{InterfaceName, NetNs};

use crate::layout::{RouteKey, Rule, Settings};

/// The loopback interface is the first of every namespace.
const LOOPBACK: u32 = 1;
/// Rules are asked before the one that leads to the main table (32766), in any order among themselves.
const RULE_PRIORITY: u32 = 1000;
/// How often and how long the kernel's work queue is waited for: five seconds in all, mostly less than one try.
const MOST_TRIES: u32 = 5000;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// Prepares a namespace that was just made: IPv6 addresses are usable at once, nothing announces itself, loopback
/// is up and has `alias` for a mark.
pub(crate) fn prepare(ns: &NetNs, alias: &str) -> anyhow::Result<()> {
    ns.run_in(|| {
        // The defaults of interfaces still to be made. Without IPv6 in the kernel there is nothing to set.
        let defaults = std::path::Path::new("/proc/sys/net/ipv6/conf/default");
        for (setting, value) in [("accept_dad", "0"), ("accept_ra", "0"), ("addr_gen_mode", "1")] {
            if defaults.exists() {
                std::fs::write(defaults.join(setting), value)
                    .with_context(|| format!("cannot set {setting} in namespace {ns}"))?;
            }
        }
        anyhow::Ok(())
    })??;
    run(ns, async |handle| {
        let loopback = LinkUnspec::new_with_index(LOOPBACK).alias(alias).up().build();
        let request = handle.link().set(loopback);
        request.execute().await.context("cannot bring lo up")
    })
}

/// The mark that [`prepare`] left, if any.
pub(crate) fn alias(ns: &NetNs) -> anyhow::Result<Option<String>> {
    run(ns, async |handle| {
        let mut links = handle.link().get().match_index(LOOPBACK).execute();
        let Some(message) = links.try_next().await.context("cannot look at lo")? else {
            return Ok(None);
        };
        #[allow(clippy::wildcard_enum_match_arm, reason = "a foreign enum of some sixty attributes")]
        Ok(message.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::IfAlias(alias) => Some(alias),
            _ => None,
        }))
    })
}

/// The first half of a change: whatever `to` has and `from` has not is added. Nothing that works stops working.
///
/// A device that was just opened has `Settings::default()`.
pub(crate) fn extend(ns: &NetNs, device: InterfaceName, from: &Settings, to: &Settings) -> anyhow::Result<()> {
    run(ns, async |handle| {
        let index = index(&handle, device).await?;
        if from.mtu != to.mtu {
            let link = LinkUnspec::new_with_index(index).mtu(to.mtu).up().build();
            let request = handle.link().set(link);
            request.execute().await.with_context(|| format!("cannot bring {device} up"))?;
        }
        for &address in to.addresses.difference(&from.addresses) {
            let mut request = handle.address().add(index, address, host_length(address)).replace();
            request.message_mut().header.flags = AddressHeaderFlags::Nodad;
            let flags = rtnetlink::packet_route::address::AddressAttribute::Flags(AddressFlags::Nodad);
            request.message_mut().attributes.push(flags);
            request.execute().await.with_context(|| format!("cannot give {device} the address {address}"))?;
        }
        for &address in to.addresses.difference(&from.addresses).filter(|address| address.is_ipv6()) {
            delivered(&handle, address).await?;
        }
        for (&key, &source) in &to.routes {
            if from.routes.get(&key) != Some(&source) {
                let request = handle.route().add(route(index, key, source)?).replace();
                request.execute().await.with_context(|| format!("cannot route {} through {device}", key.to))?;
            }
        }
        for rule in to.rules.difference(&from.rules) {
            add_rule(&handle, rule).await.with_context(|| format!("cannot add a rule for {}", rule.from))?;
        }
        Ok(())
    })
    .with_context(|| format!("namespace {ns}"))
}

/// The second half: whatever `from` has and `to` has not is taken away.
pub(crate) fn reduce(ns: &NetNs, device: InterfaceName, from: &Settings, to: &Settings) -> anyhow::Result<()> {
    run(ns, async |handle| {
        let index = index(&handle, device).await?;
        for rule in from.rules.difference(&to.rules) {
            gone_is_fine(delete_rule(&handle, rule).await)?;
        }
        for (&key, &source) in &from.routes {
            if !to.routes.contains_key(&key) {
                let request = handle.route().del(route(index, key, source)?);
                gone_is_fine(request.execute().await)
                    .with_context(|| format!("cannot remove the route to {}", key.to))?;
            }
        }
        for &address in from.addresses.difference(&to.addresses) {
            let message = handle.address().add(index, address, host_length(address)).message_mut().clone();
            gone_is_fine(handle.address().del(message).execute().await)
                .with_context(|| format!("cannot take the address {address} from {device}"))?;
        }
        Ok(())
    })
    .with_context(|| format!("namespace {ns}"))
}

/// Runs `work` inside a namespace with a netlink socket of that namespace.
fn run<T: Send>(ns: &NetNs, work: impl AsyncFnOnce(Handle) -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    ns.run_in(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
            let connection = tokio::spawn(connection);
            let result = work(handle).await;
            connection.abort();
            result
        })
    })?
}

async fn index(handle: &Handle, device: InterfaceName) -> anyhow::Result<u32> {
    let mut links = handle.link().get().match_name(device.to_string()).execute();
    let found = links.try_next().await.with_context(|| format!("cannot look for {device}"))?;
    found.map(|link| link.header.index).ok_or_else(|| anyhow!("interface {device} has disappeared"))
}

/// Waits until packets to an IPv6 address just given are taken for our own: the kernel leaves the route for that to a
/// work queue.
async fn delivered(handle: &Handle, address: IpAddr) -> anyhow::Result<()> {
    let question = RouteMessageBuilder::<IpAddr>::new().destination_prefix(address, 128)?.build();
    let mut tries = 0;
    loop {
        // Until then, the answer is another route or that there is none.
        let answer = handle.route().get(question.clone()).execute().try_next().await;
        if answer.is_ok_and(|route| route.is_some_and(|route| route.header.kind == RouteType::Local)) {
            return Ok(());
        }
        tries += 1;
        if tries == MOST_TRIES {
            bail!("the kernel does not take {address} for an address of its own");
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

fn route(index: u32, key: RouteKey, source: IpAddr) -> anyhow::Result<RouteMessage> {
    let builder = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(key.to.addr(), key.to.len())?
        .pref_source(source)?
        .output_interface(index)
        .priority(key.metric)
        .table_id(key.table);
    // A gateway there is none; to IPv4 everything behind the device is on the link.
    let scope = if source.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    Ok(builder.scope(scope).build())
}

async fn add_rule(handle: &Handle, rule: &Rule) -> Result<(), rtnetlink::Error> {
    let request = handle.rule().add().priority(RULE_PRIORITY).table_id(rule.table).action(RuleAction::ToTable);
    match rule.from {
        IpAddr::V4(from) => request.v4().source_prefix(from, 32).replace().execute().await,
        IpAddr::V6(from) => request.v6().source_prefix(from, 128).replace().execute().await,
    }
}

async fn delete_rule(handle: &Handle, rule: &Rule) -> Result<(), rtnetlink::Error> {
    let version = if rule.from.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 };
    let found: Vec<RuleMessage> = handle.rule().get(version).execute().try_collect().await?;
    let ours = |message: &RuleMessage| {
        use rtnetlink::packet_route::rule::RuleAttribute as A;
        message.attributes.contains(&A::Source(rule.from)) && message.attributes.contains(&A::Table(rule.table))
    };
    for message in found.into_iter().filter(ours) {
        handle.rule().del(message).execute().await?;
    }
    Ok(())
}

/// What is to be removed may have gone by itself: with its address, with its device, by somebody's hand.
fn gone_is_fine(result: Result<(), rtnetlink::Error>) -> Result<(), rtnetlink::Error> {
    let Err(rtnetlink::Error::NetlinkError(message)) = &result else {
        return result;
    };
    let gone = [Errno::SRCH, Errno::NOENT, Errno::ADDRNOTAVAIL, Errno::NODEV];
    if gone.iter().any(|errno| message.raw_code() == -errno.raw_os_error()) {
        return Ok(());
    }
    result
}

const fn host_length(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
