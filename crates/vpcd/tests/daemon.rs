//! A real daemon, real TUN devices, real sockets. Needs root; says so and passes without.

// The helpers fail as the tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use support::{PATIENCE, Place, is_delivered, ping, tcp, udp, within};
use vpc_io::NetNs;
use vpc_model::control::FailureKind;

/// Two subnets with an instance each, and a third beside the first.
const TWO_SUBNETS: &str = r#"
vpcs:
  vpc-a:
    cidr: 10.0.0.0/16
    ipv6_cidr: 2001:db8:a::/56
    subnets:
      a1: { cidr: 10.0.1.0/24, ipv6_cidr: "2001:db8:a:1::/64" }
      a2: { cidr: 10.0.2.0/24, ipv6_cidr: "2001:db8:a:2::/64" }
    security_groups:
      open: &open
        ingress: [ { protocol: all, from: 0.0.0.0/0 }, { protocol: all, from: "::/0" } ]
        egress: [ { protocol: all, to: 0.0.0.0/0 }, { protocol: all, to: "::/0" } ]
    instances:
      h1: { subnet: a1, address: 10.0.1.10, ipv6_address: "2001:db8:a:1::10", security_groups: open, namespace: @h1 }
      h2: { subnet: a2, address: 10.0.2.10, ipv6_address: "2001:db8:a:2::10", security_groups: open, namespace: @h2 }
      h3: { subnet: a1, address: 10.0.1.11, security_groups: open, namespace: @h3 }
"#;

#[test]
fn ping_and_tcp_cross_two_subnets() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    assert!(place.inside("h1", || ping("2001:db8:a:1::10", "2001:db8:a:2::10")));
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.1.11")), "same subnet");
    tcp(&place, "h1", "h2", "10.0.2.10:7000", 8 << 20);
    tcp(&place, "h2", "h1", "[2001:db8:a:1::10]:7000", 8 << 20);
    let status = daemon.status();
    assert_eq!(status.links.len(), 3);
    assert!(status.links.iter().all(|link| link.lost.is_none() && link.drops.is_empty()), "{status:?}");
    assert!(status.packets.forwarded > 0 && status.flows > 0, "{status:?}");
    // Bulk TCP crosses as super-packets: far fewer writes than segments.
    let h2 = status.links.iter().find(|link| link.owner == "h2").unwrap();
    assert!(h2.tx.packets * 2 < h2.tx.segments, "{h2:?}");
}

#[test]
fn every_back_end_carries_tcp() {
    for arguments in [["--tun", "plain"], ["--offloads", "off"], ["--offloads", "checksum"]] {
        let Some(place) = Place::new() else { return };
        let daemon = place.start(TWO_SUBNETS, &arguments);
        tcp(&place, "h1", "h2", "10.0.2.10:7000", 1 << 20);
        let status = daemon.status();
        let h2 = status.links.iter().find(|link| link.owner == "h2").unwrap();
        assert_eq!(h2.tx.packets, h2.tx.segments, "{arguments:?}");
    }
}

#[test]
fn a_bad_lab_file_is_exit_code_2_with_every_error_and_its_place() {
    let Some(place) = Place::new() else { return };
    let file = place
        .lab("vpcs:\n  v:\n    cidr: 10.0.0.0/16\n    colour: red\n    subnets:\n      s: { cidr: 10.1.0.0/24 }\n");
    let (code, message) = place.run_to_end(&["--lab", file.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("lab.yaml:4:") && message.contains("lab.yaml:6:"), "{message}");
    assert!(!place.path("socket").exists());
    let (code, message) = place.run_to_end(&["--lab", "/nonexistent/lab.yaml"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("cannot read /nonexistent/lab.yaml"), "{message}");
    let (code, _) = place.run_to_end(&["--colour"]);
    assert_eq!(code, Some(2));
}

#[test]
fn a_bad_lab_file_changes_nothing_that_runs() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let before = daemon.status().generation;
    let failure =
        daemon.apply("vpcs: { v: { cidr: 10.0.0.0/16, colour: red, subnets: { s: { cidr: 10.1.0.0/24 } } } }\n");
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidLab);
    assert!(failure.message.contains("next.yaml:1:") && failure.message.contains("colour"), "{failure}");
    assert_eq!(daemon.status().generation, before);
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    assert_eq!(place.namespaces(), ["h1", "h2", "h3"]);
}

#[test]
fn signals_end_it_and_nothing_is_left() {
    for signal in [Signal::TERM, Signal::INT] {
        let Some(place) = Place::new() else { return };
        let daemon = place.start(TWO_SUBNETS, &[]);
        assert_eq!(place.namespaces(), ["h1", "h2", "h3"]);
        assert_eq!(daemon.end(signal).code(), Some(0), "{}", place.log());
        assert!(place.namespaces().is_empty());
        assert!(!place.path("socket").exists() && !place.path("socket.lock").exists());
    }
}

#[test]
fn a_taken_namespace_is_one_sentence_and_stays() {
    let Some(place) = Place::new() else { return };
    NetNs::create(&place.netns("h2")).unwrap();
    let file = place.lab(TWO_SUBNETS);
    let (code, message) = place.run_to_end(&["--lab", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{message}");
    let sentence = format!("namespace '{}' is taken; delete it with `ip netns delete", place.name("h2"));
    assert!(message.contains(&sentence), "{message}");
    assert_eq!(place.namespaces(), ["h2"], "what was made is taken back, what was there stays");
}

#[test]
fn a_change_that_the_machine_refuses_is_taken_back() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let before = daemon.status().generation;
    NetNs::create(&place.netns("h5")).unwrap();
    let more = "
      h4: { subnet: a1, address: 10.0.1.12, security_groups: open, namespace: @h4 }
      h5: { subnet: a1, address: 10.0.1.13, security_groups: open, namespace: @h5 }
";
    let changed = TWO_SUBNETS.replace("address: 10.0.1.11", "address: 10.0.1.99") + more;
    let failure = daemon.apply(&changed).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Failed);
    assert!(failure.message.contains("is taken"), "{failure}");
    assert_eq!(place.namespaces(), ["h1", "h2", "h3", "h5"]);
    assert_eq!(daemon.status().generation, before);
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.1.11")), "the old address is back");
    NetNs::delete(&place.netns("h5")).unwrap();
    daemon.apply(&changed).unwrap();
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.1.13")));
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.1.99")));
}

#[test]
fn namespaces_of_a_killed_daemon_do_not_block_the_next() {
    let Some(place) = Place::new() else { return };
    let stranger = place.netns("stranger");
    NetNs::create(&stranger).unwrap();
    let daemon = place.start(TWO_SUBNETS, &[]);
    daemon.end(Signal::KILL);
    assert_eq!(place.namespaces(), ["h1", "h2", "h3", "stranger"], "left by the killed daemon");
    assert!(place.path("socket").exists());
    let daemon = place.start(TWO_SUBNETS, &[]);
    assert!(place.log().contains("deleted the namespaces of a vpcd that did not end properly"), "{}", place.log());
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    assert_eq!(daemon.end(Signal::TERM).code(), Some(0));
    assert_eq!(place.namespaces(), ["stranger"]);
}

#[test]
fn a_second_daemon_on_the_socket_is_refused_and_the_first_goes_on() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let file = place.lab(TWO_SUBNETS);
    let (code, message) = place.run_to_end(&["--lab", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("another vpcd listens on"), "{message}");
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    assert_eq!(daemon.status().links.len(), 3);
}

#[test]
fn the_vpcd_that_has_a_namespace_is_named() {
    let Some(place) = Place::new() else { return };
    let _daemon = place.start(TWO_SUBNETS, &[]);
    let file = place.lab(TWO_SUBNETS);
    let other = place.path("other");
    let arguments = ["--socket", other.to_str().unwrap(), "--lab", file.to_str().unwrap()];
    // Twice --socket would be wrong usage, so not by way of `vpcd`.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vpcd")).args(arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    let owner = format!("it belongs to the vpcd of {}", place.path("socket").display());
    assert!(message.contains(&owner), "{message}");
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")), "the other's leftovers are not ours to clean");
}

#[test]
fn a_lost_device_leaves_the_others_alone_and_comes_back_when_applied_again() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let delete = place.inside("h2", || std::process::Command::new("ip").args(["link", "delete", "eth0"]).status());
    assert!(delete.unwrap().success());
    let lost = within(PATIENCE, || {
        let status = daemon.status();
        status.links.into_iter().find(|link| link.lost.is_some())
    });
    assert_eq!(lost.expect("the loss is noticed").owner, "h2");
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.1.11")));
    let applied = daemon.apply(TWO_SUBNETS).unwrap();
    assert_eq!((applied.interfaces_made, applied.namespaces_made), (1, 0));
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    // The whole namespace, and a network that does without it.
    NetNs::delete(&place.netns("h2")).unwrap();
    let applied = daemon.apply(TWO_SUBNETS).unwrap();
    assert_eq!((applied.interfaces_made, applied.namespaces_made), (1, 1));
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.10")));
    NetNs::delete(&place.netns("h2")).unwrap();
    let without: String =
        TWO_SUBNETS.lines().filter(|line| !line.contains("@h2")).flat_map(|line| [line, "\n"]).collect();
    daemon.apply(&without).unwrap();
    assert_eq!(daemon.status().links.len(), 2);
    assert_eq!(place.namespaces(), ["h1", "h3"]);
}

#[test]
fn what_was_applied_twice_is_applied_once() {
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let before = daemon.status().generation;
    let applied = daemon.apply(TWO_SUBNETS).unwrap();
    assert!(!applied.changed);
    assert_eq!(applied.generation, before);
}

#[test]
fn malformed_requests_are_answered_and_the_daemon_goes_on() {
    let Some(place) = Place::new() else { return };
    let mut daemon = place.start(TWO_SUBNETS, &[]);
    for (line, part) in [
        (&b"hello"[..], "not JSON"),
        (b"{\"version\":2,\"request\":\"status\"}", "of version 2"),
        (b"{\"version\":1,\"request\":\"dance\"}", "unknown variant `dance`"),
        (b"\xff\xfe", "not UTF-8"),
        (
            b"{\"version\":1,\"request\":\"explain\",\"sender\":\"h9\",\"packet\":\"tcp 10.0.1.10:1 > 10.0.2.10:2\"}",
            "h1, h2, h3",
        ),
        (b"{\"version\":1,\"request\":\"explain\",\"sender\":\"h1\",\"packet\":\"tcp\"}", "bad-request"),
    ] {
        let answer = daemon.ask_raw(line);
        assert!(answer.contains("\"reply\":\"error\"") && answer.contains(part), "{answer}");
    }
    assert!(daemon.is_running());
    assert!(is_delivered(&daemon.explain("h1", "tcp 10.0.1.10:40000 > 10.0.2.10:80")));
    assert!(!is_delivered(&daemon.explain("h1", "tcp 10.0.1.10:40000 > 192.0.2.1:80")));
}

/// What a route of the next test leads to.
fn with_appliance(appliance: &str, more: &str) -> String {
    let routes = format!("    route_tables:\n      vpc-a-main: {{ 192.0.2.0/24: {appliance} }}\n");
    TWO_SUBNETS.replace("    security_groups:\n", &format!("{routes}    security_groups:\n")) + more
}

#[test]
fn moving_a_route_loses_no_packet_of_another_flow() {
    const PACKETS: u32 = 20_000;
    const MOVES: u32 = 20;
    let Some(place) = Place::new() else { return };
    let daemon = place.start(&with_appliance("h2", ""), &[]);
    let receiver = udp(&place, "h2", "10.0.2.10:7000");
    rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 8 << 20).unwrap();
    let sender = udp(&place, "h1", "10.0.1.10:7001");
    sender.connect("10.0.2.10:7000").unwrap();
    let counter = std::thread::spawn(move || {
        let mut seen = vec![0_u8; PACKETS as usize];
        let (mut buffer, mut missing) = ([0; 4], PACKETS);
        while missing > 0 && receiver.recv(&mut buffer).is_ok() {
            let count = &mut seen[u32::from_be_bytes(buffer) as usize];
            missing -= u32::from(*count == 0);
            *count += 1;
        }
        seen
    });
    std::thread::scope(|scope| {
        let flow = scope.spawn(|| {
            for n in 0..PACKETS {
                sender.send(&n.to_be_bytes()).unwrap();
                // Some ten thousand a second, well under capacity.
                if n % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let extra = "\n      h4: { subnet: a1, address: 10.0.1.12, security_groups: open, namespace: @h4 }\n";
        let mut moves = 0;
        while moves < MOVES || !flow.is_finished() {
            let (appliance, more) = if moves % 2 == 0 { ("h3", extra) } else { ("h2", "") };
            let applied = daemon.apply(&with_appliance(appliance, more)).unwrap();
            assert!(applied.changed);
            moves += 1;
        }
        println!("{moves} changes applied under load");
    });
    let seen = counter.join().unwrap();
    let lost = seen.iter().filter(|&&count| count == 0).count();
    let twice = seen.iter().filter(|&&count| count > 1).count();
    assert_eq!((lost, twice), (0, 0), "of {PACKETS}: {:?}", daemon.status());
}

#[test]
fn a_second_interface_answers_through_itself() {
    let Some(place) = Place::new() else { return };
    let interfaces = "{ namespace: @h2, interfaces: [ { subnet: a2, address: 10.0.2.10, security_groups: open }, { subnet: a1, address: 10.0.1.20, security_groups: open } ] }";
    let lab: String = TWO_SUBNETS
        .lines()
        .flat_map(|line| if line.contains("@h2") { ["      h2: ", interfaces, "\n"] } else { [line, "\n", ""] })
        .collect();
    let daemon = place.start(&lab, &[]);
    assert!(place.inside("h3", || ping("10.0.1.11", "10.0.2.10")));
    assert!(place.inside("h3", || ping("10.0.1.11", "10.0.1.20")), "{:?}", daemon.status());
    // Without the first interface, the second becomes the way to everything.
    let only = lab
        .replace("{ subnet: a2, address: 10.0.2.10, security_groups: open }, { subnet: a1", "{ device: 1, subnet: a1");
    let applied = daemon.apply(&only).unwrap();
    assert_eq!((applied.interfaces_removed, applied.interfaces_changed), (1, 1), "{applied:?}");
    assert!(place.inside("h2", || ping("10.0.1.20", "10.0.1.11")));
}

#[test]
fn a_hundred_instances_are_there_within_seconds() {
    let Some(place) = Place::new() else { return };
    let more: String = (0..100)
        .map(|n| {
            format!(
                "\n      n{n}: {{ subnet: a2, address: 10.0.2.{}, security_groups: open, namespace: @n{n} }}",
                n + 20
            )
        })
        .collect();
    #[allow(clippy::disallowed_methods)] // The point is how long it takes.
    let start = std::time::Instant::now();
    let daemon = place.start(&(TWO_SUBNETS.to_owned() + &more + "\n"), &[]);
    let started = start.elapsed();
    assert!(place.inside("h1", || ping("10.0.1.10", "10.0.2.119")));
    assert_eq!(daemon.end(Signal::TERM).code(), Some(0));
    println!(
        "103 interfaces: ready after {started:?}, gone after another {:?}",
        start.elapsed().saturating_sub(started)
    );
    assert!(place.namespaces().is_empty());
    assert!(started < PATIENCE);
}

/// Calls the EC2 API as curl would, and returns the reply's body.
fn call(address: &str, query: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /?Version=2016-11-15&{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn a_call_of_the_api_is_in_force_when_it_is_answered() {
    let Some(place) = Place::new() else { return };
    let _daemon = place.start(TWO_SUBNETS, &["--api", "127.0.0.1:0"]);
    let log = place.log();
    let address = log.lines().find_map(|line| {
        let (_, rest) = line.split_once("127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        line.contains("EC2 API").then(|| format!("127.0.0.1:{port}"))
    });
    let address = address.unwrap_or_else(|| panic!("no address in {log}"));
    let reachable = || place.inside("h1", || ping("10.0.1.10", "10.0.2.10"));
    assert!(reachable());
    let acls = call(&address, "Action=DescribeNetworkAcls");
    let (_, rest) = acls.split_once("<networkAclId>").unwrap_or_else(|| panic!("{acls}"));
    let acl = &rest[..rest.find('<').unwrap()];
    let entry = format!("NetworkAclId={acl}&RuleNumber=1&Egress=false");
    let deny = format!("Action=CreateNetworkAclEntry&{entry}&Protocol=-1&RuleAction=deny&CidrBlock=0.0.0.0/0");
    assert!(call(&address, &deny).contains("<return>true</return>"));
    assert!(!reachable());
    assert!(call(&address, &deny).contains("NetworkAclEntryAlreadyExists"));
    assert!(call(&address, &format!("Action=DeleteNetworkAclEntry&{entry}")).contains("<return>true</return>"));
    assert!(reachable());
}

#[test]
fn the_service_manager_is_told() {
    let Some(place) = Place::new() else { return };
    let manager = std::os::unix::net::UnixDatagram::bind(place.path("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut child = place.vpcd(&[]).env("NOTIFY_SOCKET", place.path("notify")).spawn().unwrap();
    let mut buffer = [0; 100];
    let mut next = || {
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(next(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn without_privileges_it_says_what_is_missing() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let Some(place) = Place::new() else { return };
    let mut command = place.vpcd(&[]);
    let output = match command.uid(NOBODY).gid(NOBODY).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: nobody may not run the binary: {error}");
            return;
        }
    };
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("CAP_NET_ADMIN") && message.contains("run as root"), "{message}");
}

#[test]
fn show_yaml_is_a_lab_file_of_the_same_network() {
    use vpc_model::control::{Reply, Request};
    let Some(place) = Place::new() else { return };
    let daemon = place.start(TWO_SUBNETS, &[]);
    let reply = daemon.ask(&Request::Lab {}).unwrap();
    let Reply::Lab { text } = reply else { panic!("{reply:?}") };
    assert!(!daemon.apply(&text).unwrap().changed, "{text}");
}
