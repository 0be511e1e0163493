use std::time::Duration;

use vpc_model::resource::{Eni, NatGateway, PortRange};
use vpc_model::{Id, LinkId, ResourceRef, Time};
use vpc_packet::{FiveTuple, Fragment, PerPacket, Protocol, TcpFlags};

use crate::{
    Agreement, Binding, CommitError, EndReason, FlowKey, FlowRef, Flows, FlowsConfig, Side, TcpState, Timeouts,
};

mod model;

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const SYN_ACK: TcpFlags = TcpFlags::SYN.with(TcpFlags::ACK);
const FIN: TcpFlags = TcpFlags::FIN.with(TcpFlags::ACK);
const RST: TcpFlags = TcpFlags::RST;
const NONE: TcpFlags = TcpFlags(0);

const INSIDE: LinkId = LinkId(1);
const UPLINK: LinkId = LinkId(2);

#[test]
fn a_connection_is_found_from_both_sides() {
    let mut t = Table::new(100);
    let at = t.open(tcp(40_000));
    let back = t.admit(reply(tcp(40_000)), SYN_ACK).unwrap();
    assert_eq!((at.side(), back.side()), (Side::Initiator, Side::Responder));
    assert_eq!((back.other_side(), at.other_side()), (at, back));
    let connection = t.flows.connection(at).unwrap();
    assert_eq!(connection.initiator(), tcp(40_000));
    assert_eq!(connection.responder(), Some(reply(tcp(40_000))));
    assert_eq!(t.flows.find(&tcp(40_001)), None);
    assert_eq!(t.flows.find(&FlowKey { link: UPLINK, ..tcp(40_000) }), None);
}

#[test]
fn each_side_has_its_own_memo_and_counts() {
    let mut t = Table::new(100);
    let at = t.open(tcp(40_000));
    *t.flows.memo_mut(at) = 7;
    *t.flows.memo_mut(at.other_side()) = 8;
    let big = PerPacket { segments: 3, len: 3_040, ..packet(ACK) };
    t.flows.admit(&reply(tcp(40_000)), &big, t.now).unwrap();
    assert_eq!((*t.flows.memo(at), *t.flows.memo(at.other_side())), (7, 8));
    let counts = t.flows.counts(at.other_side());
    assert_eq!((counts.packets, counts.segments, counts.bytes), (1, 3, 3_040 + 2 * 40));
    assert_eq!(t.flows.counts(at).packets, 1);
    let sides: Vec<_> = t.flows.sides_mut().map(|(at, memo, counts)| (at, *memo, counts.packets)).collect();
    assert_eq!(sides, [(at, 7, 1), (at.other_side(), 8, 1)]);
}

#[test]
fn a_half_open_connection_is_forgotten_after_thirty_seconds_of_silence() {
    let mut t = Table::new(100);
    t.open(tcp(40_000));
    t.wait(29.999);
    assert!(t.admit(tcp(40_000), SYN).is_some());
    t.wait(29.999);
    assert!(t.flows.find(&tcp(40_000)).is_some());
    t.wait(0.001);
    assert_eq!(t.admit(reply(tcp(40_000)), SYN_ACK), None);
}

#[test]
fn an_established_connection_is_remembered_for_five_days() {
    let mut t = Table::new(100);
    t.establish(tcp(40_000));
    t.wait(431_999.0);
    assert!(t.admit(reply(tcp(40_000)), ACK).is_some());
    t.wait(432_000.0);
    assert_eq!(t.admit(tcp(40_000), ACK), None);
    assert_eq!(t.expire(), [(tcp(40_000), EndReason::TimedOut)]);
}

#[test]
fn a_half_closed_connection_may_stay_silent_longer_than_a_closing_one() {
    let mut t = Table::new(100);
    t.establish(tcp(40_000));
    t.admit(tcp(40_000), FIN).unwrap();
    t.wait(3_600.0);
    let at = t.admit(reply(tcp(40_000)), ACK).unwrap();
    assert_eq!(t.flows.connection(at).unwrap().tcp(), TcpState::HalfClosed(Side::Initiator));
    t.admit(reply(tcp(40_000)), FIN).unwrap();
    t.wait(60.0);
    assert_eq!(t.admit(tcp(40_000), ACK), None);
}

#[test]
fn a_reset_shortens_a_wait_of_five_days_for_the_collector_too() {
    let mut t = Table::new(100);
    t.establish(tcp(40_000));
    t.wait(31.0);
    assert_eq!(t.expire(), []);
    t.admit(reply(tcp(40_000)), RST).unwrap();
    t.wait(60.2);
    assert_eq!(t.expire(), [(tcp(40_000), EndReason::TimedOut)]);
}

#[test]
fn a_syn_after_the_end_begins_a_connection_of_its_own() {
    let mut t = Table::new(100);
    let first = t.establish(tcp(40_000));
    *t.flows.memo_mut(first) = 7;
    let salt = t.flows.connection(first).unwrap().salt();
    t.admit(tcp(40_000), RST).unwrap();
    assert_eq!(t.admit(tcp(40_000), SYN), None);
    assert!(t.flows.connection(first).is_none());
    let second = t.open(tcp(40_000));
    assert_eq!((*t.flows.memo(second), t.flows.counts(second).packets), (0, 1));
    assert_ne!(t.flows.connection(second).unwrap().salt(), salt);
    assert_eq!(t.expire(), [(tcp(40_000), EndReason::Reopened)]);
    assert_eq!(t.admit(tcp(40_000), SYN), Some(second));
}

#[test]
fn a_stray_packet_does_not_let_the_other_side_open_a_connection() {
    let mut t = Table::new(100);
    for stray in [ACK, RST, FIN] {
        t.admit(tcp(40_000), stray);
        t.agree(tcp(40_000), agreement(tcp(40_000)), stray);
        assert_eq!(t.admit(reply(tcp(40_000)), SYN), None, "{stray:?}");
    }
}

#[test]
fn udp_becomes_a_stream_with_the_second_exchange() {
    for (exchanges, lives) in
        [("i", 30), ("iii", 30), ("ir", 30), ("irr", 30), ("iir", 30), ("irir", 180), ("iirr", 180)]
    {
        let mut t = Table::new(100);
        t.agree(udp(53), agreement(udp(53)), NONE);
        for side in exchanges[1..].chars() {
            let key = if side == 'i' { udp(53) } else { reply(udp(53)) };
            t.admit(key, NONE).unwrap();
        }
        t.wait(f64::from(lives) - 0.001);
        assert!(t.flows.find(&udp(53)).is_some(), "{exchanges}");
        t.wait(0.001);
        assert!(t.flows.find(&udp(53)).is_none(), "{exchanges}");
    }
}

#[test]
fn other_protocols_are_remembered_for_ten_minutes_and_icmp_for_half_a_one() {
    for (protocol, port, lives) in
        [(Protocol(47), 0, 600), (Protocol::ICMP, 8 << 8, 30), (Protocol::ICMPV6, 128 << 8, 30)]
    {
        let mut t = Table::new(100);
        let key = FlowKey { link: INSIDE, tuple: FiveTuple { protocol, src_port: 0, dst_port: port, ..tcp(0).tuple } };
        t.agree(key, agreement(key), NONE);
        t.wait(f64::from(lives) - 0.001);
        assert_eq!(t.admit(reply(key), NONE).unwrap().side(), Side::Responder);
        t.wait(f64::from(lives));
        assert_eq!(t.admit(reply(key), NONE), None);
    }
}

#[test]
fn a_refused_flow_is_remembered_for_ten_seconds_however_many_packets_it_sends() {
    let mut t = Table::new(100);
    let at = t.flows.refuse(None, tcp(40_000), t.now).unwrap();
    t.flows.count(at, &packet(SYN));
    t.wait(9.999);
    assert_eq!(t.admit(tcp(40_000), SYN), Some(at));
    assert!(t.flows.connection(at).is_none());
    assert_eq!(t.flows.counts(at).packets, 2);
    t.wait(0.001);
    assert_eq!(t.admit(tcp(40_000), SYN), None);
    assert_eq!((t.flows.len(), t.flows.refused()), (0, 0));
}

#[test]
fn a_refused_flow_becomes_a_connection_when_it_is_let_through() {
    let mut t = Table::new(100);
    let refused = t.flows.refuse(None, tcp(40_000), t.now).unwrap();
    t.wait(5.0);
    t.admit(tcp(40_000), SYN).unwrap();
    let at = t.commit(Some(refused), tcp(40_000), agreement(tcp(40_000)), SYN).unwrap();
    assert_eq!(at, refused);
    assert_eq!(t.flows.connection(at).unwrap().tcp(), TcpState::SynSent);
    assert_eq!((t.flows.len(), t.flows.refused(), t.flows.counts(at).packets), (1, 0, 1));
    t.wait(29.0);
    assert_eq!(t.expire(), []);
    assert!(t.admit(reply(tcp(40_000)), SYN_ACK).is_some());
}

#[test]
fn a_connection_that_is_refused_stays_a_connection() {
    let mut t = Table::new(100);
    let at = t.establish(tcp(40_000));
    assert_eq!(t.flows.refuse(Some(at), tcp(40_000), t.now), Some(at));
    assert_eq!(t.flows.refuse(None, reply(tcp(40_000)), t.now), Some(at.other_side()));
    assert!(t.flows.connection(at).is_some());
}

#[test]
fn a_refused_flow_makes_way_for_the_answers_to_a_connection() {
    let mut t = Table::new(100);
    let unsolicited = t.flows.refuse(None, reply(tcp(40_000)), t.now).unwrap();
    let at = t.open(tcp(40_000));
    assert_eq!(t.admit(reply(tcp(40_000)), SYN_ACK), Some(at.other_side()));
    assert_eq!(t.flows.connection(unsolicited).map(|c| c.initiator()), None);
    assert_eq!(t.expire(), [(reply(tcp(40_000)), EndReason::Displaced)]);
}

#[test]
fn refused_flows_leave_room_for_connections() {
    let mut t = Table::new(8);
    let remembered = (0..8).filter_map(|port| t.flows.refuse(None, tcp(port), t.now)).count();
    assert_eq!((remembered, t.flows.refused()), (2, 2));
    for port in 100..106 {
        t.open(tcp(port));
    }
    assert_eq!(t.commit(None, tcp(106), agreement(tcp(106)), SYN), Err(CommitError::Full));
    assert_eq!(t.flows.find(&tcp(106)), None);
    t.wait(11.0);
    t.expire();
    assert!(t.commit(None, tcp(106), agreement(tcp(106)), SYN).is_ok());
}

#[test]
fn a_key_belongs_to_one_connection() {
    let mut t = Table::new(100);
    t.open(tcp(40_000));
    let thief = Agreement { responder: Some(reply(tcp(40_000))), ..Agreement::default() };
    assert_eq!(t.commit(None, tcp(50_000), thief, SYN), Err(CommitError::Collision));
    let thief = Agreement { responder: Some(tcp(40_000)), ..Agreement::default() };
    assert_eq!(t.commit(None, tcp(50_000), thief, SYN), Err(CommitError::Collision));
    assert_eq!((t.flows.find(&tcp(50_000)), t.flows.len()), (None, 1));
}

#[test]
fn a_flow_to_itself_has_one_key() {
    let mut t = Table::new(100);
    let own = Agreement { responder: Some(tcp(40_000)), ..Agreement::default() };
    let at = t.commit(None, tcp(40_000), own, SYN).unwrap();
    assert_eq!(t.admit(tcp(40_000), SYN_ACK), Some(at));
    t.flows.end(at);
    assert_eq!(t.flows.find(&tcp(40_000)), None);
    assert_eq!(t.expire().len(), 1);
}

#[test]
fn a_lease_belongs_to_one_connection() {
    let mut t = Table::new(100);
    let first = t.commit(None, tcp(1), natted(tcp(1), 1_024, 350), SYN).unwrap();
    assert!(!t.flows.is_free(nat(), outside(tcp(1), 1_024)));
    let clash = Agreement { responder: None, ..natted(tcp(2), 1_024, 350) };
    assert_eq!(t.commit(None, tcp(2), clash, SYN), Err(CommitError::Collision));
    t.flows.end(first);
    assert!(t.flows.is_free(nat(), outside(tcp(1), 1_024)));
    assert!(t.commit(None, tcp(2), natted(tcp(2), 1_024, 350), SYN).is_ok());
}

#[test]
fn ports_of_one_destination_run_out_at_the_limit_and_others_do_not() {
    let mut t = Table::new(100);
    let mut leased = Vec::new();
    for n in 0..20 {
        let after = outside(tcp(n), 0);
        let salt = t.flows.salt(&tcp(n));
        let port = t.flows.peek_port(nat(), after, 1_024..=65_535, 20, salt).unwrap();
        t.commit(None, tcp(n), natted(tcp(n), port, 350), SYN).unwrap();
        leased.push(port);
    }
    leased.sort_unstable();
    leased.dedup();
    assert_eq!(leased.len(), 20);
    let after = outside(tcp(20), 0);
    assert_eq!(t.flows.peek_port(nat(), after, 1_024..=65_535, 20, 1), None);
    assert!(t.flows.peek_port(nat(), FiveTuple { dst_port: 80, ..after }, 1_024..=65_535, 20, 1).is_some());
    assert!(t.flows.peek_port(nat(), FiveTuple { src: addr(99), ..after }, 1_024..=65_535, 20, 1).is_some());
    assert!(t.flows.peek_port(other_nat(), after, 1_024..=65_535, 20, 1).is_some());
    t.wait(30.2);
    t.expire();
    assert!(t.flows.peek_port(nat(), after, 1_024..=65_535, 20, 1).is_some());
}

#[test]
fn every_port_of_a_range_is_found_and_none_outside_it() {
    for salt in [0, 1 << 63, u64::MAX] {
        let mut t = Table::with_ports(100, PortRange::new(2_000, 2_009).unwrap());
        let mut found = Vec::new();
        while let Some(port) = t.flows.peek_port(nat(), outside(tcp(0), 0), 1_024..=2_004, 55_000, salt) {
            let n = found.len() as u16;
            t.commit(None, tcp(n), natted(tcp(n), port, 350), SYN).unwrap();
            found.push(port);
        }
        found.sort_unstable();
        assert_eq!(found, [2_000, 2_001, 2_002, 2_003, 2_004]);
        assert_eq!(t.flows.peek_port(nat(), outside(tcp(0), 0), 3_000..=4_000, 55_000, salt), None);
    }
}

#[test]
fn an_idle_translation_lapses_and_the_initiator_learns_of_it() {
    let mut t = Table::new(100);
    let at = t.establish_natted(tcp(1), 1_024);
    let revision = t.flows.connection(at).unwrap().revision();
    t.wait(349.999);
    assert_eq!(t.admit(tcp(1), ACK), Some(at));
    assert!(!t.flows.connection(at).unwrap().lapsed());
    t.wait(350.0);
    assert!(t.flows.is_free(nat(), outside(tcp(1), 1_024)));
    assert_eq!(t.admit(tcp(1), ACK), Some(at));
    let connection = t.flows.connection(at).unwrap();
    assert!(connection.lapsed() && connection.is_tracked_at(eni(1)));
    assert_ne!(connection.revision(), revision);
    // It stays lapsed whatever comes, until it is agreed anew or opened anew.
    t.admit(tcp(1), ACK).unwrap();
    assert!(t.flows.connection(at).unwrap().lapsed());
    assert_eq!(t.admit(tcp(1), SYN), None);
}

#[test]
fn a_lapsed_connection_can_be_agreed_anew() {
    let mut t = Table::new(100);
    let at = t.establish_natted(tcp(1), 1_024);
    t.wait(351.0);
    t.admit(tcp(1), ACK).unwrap();
    t.commit(Some(at), tcp(1), natted(tcp(1), 1_025, 350), ACK).unwrap();
    let connection = t.flows.connection(at).unwrap();
    assert!(!connection.lapsed() && connection.tcp() == TcpState::Established);
    assert!(t.flows.is_free(nat(), outside(tcp(1), 1_024)) && !t.flows.is_free(nat(), outside(tcp(1), 1_025)));
    assert_eq!(t.admit(answer(tcp(1), 1_024), ACK), None);
    assert_eq!(t.admit(answer(tcp(1), 1_025), ACK), Some(at.other_side()));
}

#[test]
fn the_port_of_a_lapsed_connection_goes_to_the_next_with_its_answers() {
    let mut t = Table::new(100);
    let old = t.establish_natted(tcp(1), 1_024);
    t.wait(351.0);
    let young = t.commit(None, tcp(2), natted(tcp(2), 1_024, 350), SYN).unwrap();
    assert_eq!(t.admit(answer(tcp(2), 1_024), SYN_ACK), Some(young.other_side()));
    assert_eq!(t.flows.connection(old).unwrap().responder(), None);
    assert_eq!(t.admit(tcp(1), ACK), Some(old));
    assert!(t.flows.connection(old).unwrap().lapsed());
    let again = natted(tcp(1), 1_024, 350);
    assert_eq!(t.commit(Some(old), tcp(1), again, ACK), Err(CommitError::Collision));
    t.flows.end(old);
    t.expire();
    assert!(!t.flows.is_free(nat(), outside(tcp(2), 1_024)));
}

#[test]
fn a_translation_outlives_the_memory_of_the_security_groups() {
    let mut t = Table::new(100);
    let agreed = Agreement { tracked: [eni(1)].into_iter().collect(), ..natted(udp(53), 1_024, 120) };
    let at = t.agree(udp(53), agreed.clone(), NONE);
    let revision = t.flows.connection(at).unwrap().revision();
    t.wait(29.0);
    t.admit(udp(53), NONE).unwrap();
    assert!(t.flows.connection(at).unwrap().is_tracked_at(eni(1)));
    t.wait(31.0);
    t.expire();
    // Nothing more happens until the translation ends: the last look before that is where the wheel's levels meet.
    assert!(t.flows.next_timeout().unwrap() > t.now + Duration::from_secs(60));
    assert_eq!(t.admit(answer(udp(53), 1_024), NONE), Some(at.other_side()));
    let connection = t.flows.connection(at).unwrap();
    assert!(!connection.is_tracked_at(eni(1)) && !connection.lapsed());
    assert_ne!(connection.revision(), revision);
    t.wait(119.0);
    t.admit(udp(53), NONE).unwrap();
    t.commit(Some(at), udp(53), agreed, NONE).unwrap();
    assert!(t.flows.connection(at).unwrap().is_tracked_at(eni(1)));
    t.wait(120.0);
    assert_eq!(t.admit(udp(53), NONE), None);
}

#[test]
fn a_translation_does_not_keep_a_closed_tcp_connection() {
    let mut t = Table::new(100);
    t.establish_natted(tcp(1), 1_024);
    t.admit(tcp(1), RST).unwrap();
    t.wait(60.2);
    assert!(t.flows.is_free(nat(), outside(tcp(1), 1_024)));
    assert_eq!(t.expire().len(), 1);
}

#[test]
fn tables_that_change_move_bindings_and_unite_tracking() {
    let mut t = Table::new(100);
    let at = t.establish_natted(tcp(1), 1_024);
    let old = t.flows.connection(at).unwrap().revision();
    let same = Agreement { tracked: [eni(1)].into_iter().collect(), ..natted(tcp(1), 1_024, 350) };
    t.commit(Some(at), tcp(1), same, ACK).unwrap();
    assert_eq!(t.flows.connection(at).unwrap().revision(), old);

    let plain = Agreement { tracked: [eni(2)].into_iter().collect(), ..agreement(tcp(1)) };
    t.commit(Some(at), tcp(1), plain, ACK).unwrap();
    let connection = t.flows.connection(at).unwrap();
    assert!(connection.bindings().is_empty() && connection.binding(nat()).is_none());
    assert!(connection.is_tracked_at(eni(1)) && connection.is_tracked_at(eni(2)));
    assert_ne!(connection.revision(), old);
    assert!(t.flows.is_free(nat(), outside(tcp(1), 1_024)));
    assert_eq!(t.flows.find(&answer(tcp(1), 1_024)), None);
    assert_eq!(t.flows.find(&reply(tcp(1))), Some(at.other_side()));
}

#[test]
fn an_answer_adds_tracking_and_changes_nothing_else() {
    let mut t = Table::new(100);
    let at = t.establish_natted(tcp(1), 1_024);
    let seen = Agreement { tracked: [eni(5)].into_iter().collect(), ..Agreement::default() };
    let back = t.commit(Some(at.other_side()), answer(tcp(1), 1_024), seen, ACK).unwrap();
    assert_eq!(back, at.other_side());
    let connection = t.flows.connection(at).unwrap();
    assert!(connection.is_tracked_at(eni(1)) && connection.is_tracked_at(eni(5)));
    assert_eq!(connection.bindings().len(), 1);
    assert_eq!(connection.responder(), Some(answer(tcp(1), 1_024)));
}

#[test]
fn with_too_many_interfaces_the_latest_track() {
    let mut t = Table::new(100);
    let tracked = |ids: [u64; 3]| Agreement { tracked: ids.map(eni).into_iter().collect(), ..agreement(tcp(1)) };
    let at = t.agree(tcp(1), tracked([1, 2, 3]), SYN);
    t.commit(Some(at), tcp(1), tracked([3, 4, 5]), SYN).unwrap();
    let connection = t.flows.connection(at).unwrap();
    let known: Vec<_> = (1..6).filter(|id| connection.is_tracked_at(eni(*id))).collect();
    assert_eq!(known, [1, 3, 4, 5]);
}

#[test]
fn a_reference_leads_nowhere_after_the_end_even_when_its_place_is_taken() {
    let mut t = Table::new(100);
    let old = t.open(tcp(1));
    *t.flows.memo_mut(old) = 7;
    t.flows.end(old);
    t.expire();
    let young = t.open(tcp(2));
    assert_ne!(old, young);
    *t.flows.memo_mut(old) = 9;
    t.flows.end(old);
    assert_eq!((*t.flows.memo(old), *t.flows.memo(young), t.flows.counts(old).packets), (0, 0, 0));
    assert!(t.flows.connection(old).is_none() && t.flows.connection(young).is_some());
    let again = t.commit(Some(old), tcp(1), agreement(tcp(1)), SYN).unwrap();
    assert_ne!((again, again), (old, young));
}

#[test]
fn an_end_is_reported_once_with_what_was_attached() {
    let mut t = Table::new(100);
    let at = t.open(tcp(1));
    *t.flows.memo_mut(at.other_side()) = 7;
    t.flows.end(at);
    assert_eq!(t.flows.next_timeout(), Some(Time::ZERO));
    let mut reports = Vec::new();
    for _ in 0..2 {
        t.flows.expire(t.now, 10, |ended| {
            let responder = ended.connection.and_then(|connection| connection.responder());
            reports.push((ended.key, responder, ended.memos, ended.counts[0].packets, ended.reason));
        });
    }
    assert_eq!(reports, [(tcp(1), Some(reply(tcp(1))), [0, 7], 1, EndReason::Asked)]);
    assert_eq!(t.flows.next_timeout(), None);
}

#[test]
fn the_collector_stops_at_its_budget_and_says_that_more_is_left() {
    let mut t = Table::new(100);
    for port in 0..10 {
        t.open(tcp(port));
    }
    t.wait(31.0);
    let mut ended = 0;
    t.flows.expire(t.now, 4, |_| ended += 1);
    assert_eq!((ended, t.flows.len()), (4, 6));
    assert!(t.flows.next_timeout().unwrap() <= t.now);
    t.flows.expire(t.now, 100, |_| ended += 1);
    assert_eq!((ended, t.flows.next_timeout()), (10, None));
}

#[test]
fn live_connections_are_listed_and_others_are_not() {
    let mut t = Table::new(100);
    t.open(tcp(1));
    t.wait(20.0);
    let at = t.open(tcp(2));
    t.flows.refuse(None, tcp(3), t.now);
    t.wait(15.0);
    let listed: Vec<_> = t.flows.iter().map(|(at, connection)| (at, connection.initiator())).collect();
    assert_eq!(listed, [(at, tcp(2))]);
}

#[test]
fn the_same_seed_gives_the_same_salts_and_another_does_not() {
    let salt = |seed| {
        let mut flows = Flows::<u32>::new(FlowsConfig { capacity: 10, seed, ..FlowsConfig::default() });
        let expected = flows.salt(&tcp(1));
        let at = flows.commit(None, tcp(1), agreement(tcp(1)), &packet(SYN), Time::ZERO).unwrap();
        assert_eq!(flows.connection(at).unwrap().salt(), expected);
        expected
    };
    assert_eq!(salt(1), salt(1));
    assert_ne!(salt(1), salt(2));
}

#[test]
fn what_is_over_is_not_in_the_way_before_it_is_collected() {
    let mut t = Table::new(100);
    t.establish_natted(tcp(1), 1_024);
    t.flows.refuse(None, tcp(3), t.now);
    t.wait(432_000.0);
    let young = t.agree(tcp(1), natted(tcp(1), 1_024, 350), SYN);
    assert!(t.flows.refuse(None, tcp(3), t.now).is_some());
    assert_eq!(t.expire(), [(tcp(3), EndReason::TimedOut), (tcp(1), EndReason::TimedOut)]);
    assert_eq!(t.admit(answer(tcp(1), 1_024), SYN_ACK), Some(young.other_side()));
    assert!(!t.flows.is_free(nat(), outside(tcp(1), 1_024)));
}

#[test]
fn a_binding_without_an_idle_time_ends_with_its_connection() {
    let mut t = Table::new(100);
    let mut agreed = natted(udp(53), 1_024, 0);
    agreed.bindings[0].idle = Duration::MAX;
    t.agree(udp(53), agreed, NONE);
    t.wait(29.999);
    assert!(t.admit(udp(53), NONE).is_some());
    t.wait(30.0);
    assert_eq!(t.admit(udp(53), NONE), None);
}

#[test]
fn a_clock_that_steps_back_does_not_revive_anything() {
    let mut t = Table::new(100);
    t.open(tcp(1));
    t.wait(30.0);
    assert_eq!(t.admit(tcp(1), ACK), None);
    t.now = Time::ZERO;
    assert_eq!(t.admit(tcp(1), ACK), None);
}

struct Table {
    flows: Flows<u32>,
    now: Time,
}

impl Table {
    fn new(capacity: usize) -> Self {
        Self::with_ports(capacity, PortRange::ALL)
    }

    fn with_ports(capacity: usize, ports: PortRange) -> Self {
        let config = FlowsConfig { capacity, ports, seed: 42, ..FlowsConfig::default() };
        Self { flows: Flows::new(config), now: Time(5_000_000_000) }
    }

    fn wait(&mut self, seconds: f64) {
        self.now = self.now + Duration::from_millis((seconds * 1_000.0).round() as u64);
        // Any call that has a time tells it.
        let nobody = FlowKey { link: LinkId(99), ..tcp(0) };
        assert_eq!(self.admit(nobody, ACK), None);
    }

    fn admit(&mut self, key: FlowKey, flags: TcpFlags) -> Option<FlowRef> {
        self.flows.admit(&key, &packet(flags), self.now)
    }

    fn commit(
        &mut self,
        at: Option<FlowRef>,
        key: FlowKey,
        agreement: Agreement,
        flags: TcpFlags,
    ) -> Result<FlowRef, CommitError> {
        self.flows.commit(at, key, agreement, &packet(flags), self.now)
    }

    fn agree(&mut self, key: FlowKey, agreement: Agreement, flags: TcpFlags) -> FlowRef {
        self.commit(None, key, agreement, flags).unwrap()
    }

    fn open(&mut self, key: FlowKey) -> FlowRef {
        self.agree(key, agreement(key), SYN)
    }

    fn establish(&mut self, key: FlowKey) -> FlowRef {
        let at = self.open(key);
        self.admit(reply(key), SYN_ACK).unwrap();
        self.admit(key, ACK).unwrap();
        at
    }

    fn establish_natted(&mut self, key: FlowKey, port: u16) -> FlowRef {
        let tracked = [eni(1)].into_iter().collect();
        let at = self.agree(key, Agreement { tracked, ..natted(key, port, 350) }, SYN);
        self.admit(answer(key, port), SYN_ACK).unwrap();
        self.admit(key, ACK).unwrap();
        at
    }

    fn expire(&mut self) -> Vec<(FlowKey, EndReason)> {
        let mut all = Vec::new();
        self.flows.expire(self.now, usize::MAX, |ended| all.push((ended.key, ended.reason)));
        all
    }
}

fn addr(last: u8) -> std::net::IpAddr {
    [10, 0, 0, last].into()
}

fn tcp(port: u16) -> FlowKey {
    let tuple = FiveTuple { src: addr(1), dst: addr(9), protocol: Protocol::TCP, src_port: port, dst_port: 443 };
    FlowKey { link: INSIDE, tuple }
}

fn udp(port: u16) -> FlowKey {
    let key = tcp(port);
    FlowKey { tuple: FiveTuple { protocol: Protocol::UDP, ..key.tuple }, ..key }
}

fn reply(key: FlowKey) -> FlowKey {
    FlowKey { link: UPLINK, tuple: key.tuple.reversed() }
}

/// The key's tuple as it leaves the NAT gateway.
fn outside(key: FlowKey, port: u16) -> FiveTuple {
    FiveTuple { src: addr(200), src_port: port, ..key.tuple }
}

fn answer(key: FlowKey, port: u16) -> FlowKey {
    FlowKey { link: UPLINK, tuple: outside(key, port).reversed() }
}

fn agreement(key: FlowKey) -> Agreement {
    Agreement { responder: Some(reply(key)), timeouts: Timeouts::default(), ..Agreement::default() }
}

fn natted(key: FlowKey, port: u16, idle: u64) -> Agreement {
    let after = outside(key, port);
    let binding = Binding { owner: nat(), before: key.tuple, after, idle: Duration::from_secs(idle) };
    let bindings = [binding].into_iter().collect();
    Agreement { bindings, responder: Some(answer(key, port)), ..Agreement::default() }
}

fn nat() -> ResourceRef {
    ResourceRef::NatGateway(Id::<NatGateway>::new(1))
}

fn other_nat() -> ResourceRef {
    ResourceRef::NatGateway(Id::<NatGateway>::new(2))
}

fn eni(low: u64) -> Id<Eni> {
    Id::new(low)
}

fn packet(tcp_flags: TcpFlags) -> PerPacket {
    PerPacket {
        l4: 20,
        l4_len: 20,
        len: 40,
        segments: 1,
        segment_len: 40,
        ttl: 64,
        dont_fragment: true,
        fragment: Fragment::Whole,
        tcp_flags,
    }
}
