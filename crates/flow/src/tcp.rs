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
    #[inline]
    pub(crate) const fn after(self, from: Side, flags: TcpFlags) -> Option<Self> {
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
