//! How far a TCP connection has come, as seen by somebody in the middle.

use vpc_packet::TcpFlags;

use crate::Side;

/// The state of a connection's TCP, of both sides together.
///
/// Shape: moved by flags only; sequence numbers are not watched, so a forged reset closes the record early (for
/// [`Timeouts::tcp_closing`](crate::Timeouts)) but never refuses a packet.
/// Source: RFC 9293 §3.3.2 (the ends' states, two of which make one of these); RFC 5382 §5 (a half-closed
/// connection still carries data and counts as established); R8.14, R8.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// Reset by one side.
    Closed,
    /// Both sides have sent FIN.
    Closing,
    /// Both sides have been heard in a connection that is open.
    Established,
    /// This side has sent FIN, the other may go on sending.
    HalfClosed(Side),
    /// Met in the middle, without SYN, and not yet answered.
    Joined,
    /// Another protocol.
    NotTcp,
    /// Both sides have sent SYN.
    SynReceived,
    /// The initiator has sent SYN.
    SynSent,
}

/// What matters of a packet's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Ack,
    Fin,
    Nothing,
    Reset,
    Syn,
    SynAck,
}

impl TcpState {
    /// The state after the first packet of a flow.
    pub(crate) const fn first(flags: TcpFlags) -> Self {
        match Sign::of(flags) {
            Sign::Reset => Self::Closed,
            Sign::Syn => Self::SynSent,
            Sign::Ack | Sign::Fin | Sign::Nothing | Sign::SynAck => Self::Joined,
        }
    }

    /// The state after one more packet, or `None` when it opens another connection with the same tuple.
    ///
    /// A SYN reopens what is over (RFC 9293 §3.6.1, RFC 6191) and, coming from the other side, what was only ever a stray
    /// packet: its sender has to be judged as an initiator.
    #[inline(always)]
    pub(crate) const fn after(self, from: Side, flags: TcpFlags) -> Option<Self> {
        const SIGNALS: u8 = TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0;
        // Nearly every packet.
        if matches!(self, Self::Established | Self::NotTcp) && flags.0 & SIGNALS == 0 {
            return Some(self);
        }
        self.after_rare(from, flags)
    }

    const fn after_rare(self, from: Side, flags: TcpFlags) -> Option<Self> {
        let sign = Sign::of(flags);
        Some(match (self, sign) {
            (Self::NotTcp, _) => Self::NotTcp,
            (_, Sign::Reset) => Self::Closed,
            (Self::Closed | Self::Closing, Sign::Syn) => return None,
            (Self::Closed | Self::Closing, _) => self,
            (Self::Established, Sign::Fin) => Self::HalfClosed(from),
            (Self::Established, _) => self,
            (Self::HalfClosed(by), Sign::Fin) if by.index() != from.index() => Self::Closing,
            (Self::HalfClosed(_), _) => self,
            (Self::Joined, _) => match (from, sign) {
                (Side::Initiator, Sign::Syn) => Self::SynSent,
                (Side::Initiator, _) => self,
                (Side::Responder, Sign::Syn) => return None,
                (Side::Responder, Sign::SynAck) => Self::SynReceived,
                (Side::Responder, Sign::Fin) => Self::HalfClosed(Side::Responder),
                (Side::Responder, _) => Self::Established,
            },
            (Self::SynReceived, _) => match (from, sign) {
                (_, Sign::Fin) => Self::HalfClosed(from),
                (Side::Initiator, Sign::Ack) => Self::Established,
                (_, _) => self,
            },
            (Self::SynSent, _) => match (from, sign) {
                // A bare SYN is the other half of a simultaneous open (RFC 9293 §3.5, figure 7).
                (Side::Responder, Sign::Syn | Sign::SynAck) => Self::SynReceived,
                (_, _) => self,
            },
        })
    }

    /// Whether a SYN is one that may open a connection.
    pub(crate) const fn opens(flags: TcpFlags) -> bool {
        matches!(Sign::of(flags), Sign::Syn)
    }
}

impl Sign {
    const fn of(flags: TcpFlags) -> Self {
        if flags.contains(TcpFlags::RST) {
            Self::Reset
        } else if flags.contains(TcpFlags::SYN.with(TcpFlags::FIN)) {
            // No stack sends both; what an end does with it is not known.
            Self::Nothing
        } else if flags.contains(TcpFlags::SYN.with(TcpFlags::ACK)) {
            Self::SynAck
        } else if flags.contains(TcpFlags::SYN) {
            Self::Syn
        } else if flags.contains(TcpFlags::FIN) {
            Self::Fin
        } else if flags.contains(TcpFlags::ACK) {
            Self::Ack
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state, and what each packet makes of it; `new` is another connection.
    ///
    /// Columns: the packet's sender and flags (`SA` for SYN and ACK, `0` for none of these).
    const TABLE: &str = "
        state   i:S  i:SA i:A  i:F  i:R  i:0  r:S  r:SA r:A  r:F  r:R  r:0
        not     not  not  not  not  not  not  not  not  not  not  not  not
        sent    sent sent sent sent shut sent rcvd rcvd sent sent shut sent
        rcvd    rcvd rcvd est  hc-i shut rcvd rcvd rcvd rcvd hc-r shut rcvd
        join    sent join join join shut join new  rcvd est  hc-r shut est
        est     est  est  est  hc-i shut est  est  est  est  hc-r shut est
        hc-i    hc-i hc-i hc-i hc-i shut hc-i hc-i hc-i hc-i clo  shut hc-i
        hc-r    hc-r hc-r hc-r clo  shut hc-r hc-r hc-r hc-r hc-r shut hc-r
        clo     new  clo  clo  clo  shut clo  new  clo  clo  clo  shut clo
        shut    new  shut shut shut shut shut new  shut shut shut shut shut
    ";

    fn state(name: &str) -> Option<TcpState> {
        Some(match name {
            "not" => TcpState::NotTcp,
            "sent" => TcpState::SynSent,
            "rcvd" => TcpState::SynReceived,
            "join" => TcpState::Joined,
            "est" => TcpState::Established,
            "hc-i" => TcpState::HalfClosed(Side::Initiator),
            "hc-r" => TcpState::HalfClosed(Side::Responder),
            "clo" => TcpState::Closing,
            "shut" => TcpState::Closed,
            "new" => return None,
            other => panic!("no state {other}"),
        })
    }

    /// The column of a flag byte, by bits as on the wire.
    fn column(flags: u8) -> &'static str {
        let (fin, syn, rst, ack) = (flags & 1 > 0, flags & 2 > 0, flags & 4 > 0, flags & 16 > 0);
        match (rst, syn, fin, ack) {
            (true, _, _, _) => "R",
            (_, true, true, _) => "0",
            (_, true, _, true) => "SA",
            (_, true, _, _) => "S",
            (_, _, true, _) => "F",
            (_, _, _, true) => "A",
            _ => "0",
        }
    }

    #[test]
    fn every_state_takes_every_flag_byte_from_every_side() {
        let mut rows = TABLE.lines().map(str::trim).filter(|line| !line.is_empty());
        let header: Vec<_> = rows.next().unwrap().split_whitespace().skip(1).collect();
        let mut seen = 0;
        for row in rows {
            let cells: Vec<_> = row.split_whitespace().collect();
            let before = state(cells[0]).unwrap();
            for (side, letter) in [(Side::Initiator, "i"), (Side::Responder, "r")] {
                for flags in 0..=u8::MAX {
                    let column = format!("{letter}:{}", column(flags));
                    let at = header.iter().position(|name| *name == column).unwrap();
                    let after = before.after(side, TcpFlags(flags));
                    assert_eq!(after, state(cells[at + 1]), "{before:?} {column} {flags:#04x}");
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 9 * 2 * 256);
    }

    #[test]
    fn the_first_packet_says_whether_the_start_was_seen() {
        for flags in 0..=u8::MAX {
            let expected = match column(flags) {
                "S" => TcpState::SynSent,
                "R" => TcpState::Closed,
                _ => TcpState::Joined,
            };
            assert_eq!(TcpState::first(TcpFlags(flags)), expected, "{flags:#04x}");
            assert_eq!(TcpState::opens(TcpFlags(flags)), column(flags) == "S");
        }
    }

    /// Runs `i:S r:SA …` from the first packet on.
    fn run(packets: &str) -> Option<TcpState> {
        let parse = |packet: &str| {
            let (side, flags) = packet.split_once(':').unwrap();
            let bits = flags.chars().map(|flag| match flag {
                'F' => 1,
                'S' => 2,
                'R' => 4,
                'A' => 16,
                other => panic!("no flag {other}"),
            });
            let side = if side == "i" { Side::Initiator } else { Side::Responder };
            (side, TcpFlags(bits.sum()))
        };
        let mut packets = packets.split_whitespace().map(parse);
        let first = TcpState::first(packets.next().unwrap().1);
        packets.try_fold(first, |state, (side, flags)| state.after(side, flags))
    }

    #[test]
    fn the_usual_lives_of_a_connection() {
        for (packets, end) in [
            ("i:S r:SA i:A", "est"),
            ("i:S r:S i:SA r:SA i:A", "est"),
            ("i:S r:SA i:A i:FA r:A", "hc-i"),
            ("i:S r:SA i:A i:FA r:A r:A i:A r:FA i:A", "clo"),
            ("i:S r:SA i:A r:FA i:FA r:A", "clo"),
            ("i:S r:RA", "shut"),
            ("i:S r:SA i:A r:R i:S", "new"),
            ("i:A r:A", "est"),
            ("i:A i:A i:A", "join"),
            ("i:S i:S i:A", "sent"),
        ] {
            assert_eq!(run(packets), state(end), "{packets}");
        }
    }
}
