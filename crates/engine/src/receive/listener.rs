//! The receive thread's side of listening: which packets are opened, for whom, and who gets them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::datagram::{DatagramKind, classify};
use cadenza_proto::rtcp::{Compound, RtcpPacket};
use cadenza_proto::rtp::{OPUS_PAYLOAD_TYPE, ParsedHeader, Ssrc};
use cadenza_proto::transport::{Opener, TransportMode};

use super::held::Held;
use super::speaking::{Speaking, SpeakingChange};
use super::stats::ListenShared;
use super::worker::{Order, Packet, WorkerPort};
use super::{MediaOpener, PassThrough, Users};
use crate::FlowId;

/// SSRCs that one flow keeps in mind; more than any channel has members.
const MAX_SSRCS: usize = 4_096;
/// How often speakers and held packets are looked at.
const TEND_NS: u64 = 50_000_000;

/// What a listener is told from elsewhere.
pub(crate) enum ListenCommand {
    /// The keys of the present transport.
    Session { mode: TransportMode, key: [u8; 32] },
    /// How payloads are opened from now on.
    Media(Box<dyn MediaOpener>),
    /// Whom to hear, and who gets it; `None` stops all listening.
    Ways(Option<Ways>),
    /// An SSRC belongs to a user.
    Map { ssrc: u32, user: u64 },
    /// A user has left, with all SSRCs.
    Unmap { user: u64 },
    /// The flow is gone.
    End,
}

/// Who gets a flow's packets.
pub(crate) struct Ways {
    pub(crate) shared: Arc<ListenShared>,
    pub(crate) ways: Vec<Way>,
}

/// One worker and whom it wants to hear.
pub(crate) struct Way {
    pub(crate) users: Users,
    pub(crate) port: WorkerPort,
}

/// One flow's listener.
pub(crate) struct Listener {
    flow: FlowId,
    own_ssrc: Ssrc,
    keys: Option<(TransportMode, [u8; 32])>,
    opener: Option<Opener>,
    media: Box<dyn MediaOpener>,
    users: HashMap<u32, u64>,
    ways: Option<Ways>,
    held: Held,
    speaking: Speaking,
    /// The present, as far as it was told; packets that waited are older.
    now_ns: u64,
    /// When to look after speakers and held packets.
    next_tend_ns: Option<u64>,
    /// Whether the owner knows of that.
    due_told: bool,
}

impl Listener {
    /// A listener that hears nobody.
    pub(crate) fn new(flow: FlowId) -> Listener {
        Listener {
            flow,
            own_ssrc: Ssrc(0),
            keys: None,
            opener: None,
            media: Box::new(PassThrough),
            users: HashMap::new(),
            ways: None,
            held: Held::default(),
            speaking: Speaking::default(),
            now_ns: 0,
            next_tend_ns: None,
            due_told: false,
        }
    }

    /// A new voice session has begun: other keys, other SSRCs.
    pub(crate) fn new_transport(&mut self, own_ssrc: u32) {
        self.own_ssrc = Ssrc(own_ssrc);
        self.keys = None;
        self.opener = None;
        self.forget_everybody();
    }

    /// Carries out a command. [`ListenCommand::End`] is the owner's business.
    pub(crate) fn command(&mut self, command: ListenCommand) {
        match command {
            ListenCommand::Session { mode, key } => {
                self.keys = Some((mode, key));
                self.renew_opener();
            }
            ListenCommand::Media(media) => self.media = media,
            ListenCommand::Ways(ways) => {
                self.ways = ways;
                self.renew_opener();
                if self.ways.is_none() {
                    self.held.clear();
                    self.speaking.clear();
                }
            }
            ListenCommand::Map { ssrc, user } => self.map(ssrc, user),
            ListenCommand::Unmap { user } => self.unmap(user),
            // The workers are told of that by whoever ended it.
            ListenCommand::End => self.ways = None,
        }
    }

    /// Takes in a datagram that is neither discovery nor a pong. Its bytes are used up.
    pub(crate) fn hear(&mut self, now_ns: u64, datagram: &mut [u8]) {
        self.now_ns = now_ns;
        let Some(ways) = &self.ways else { return };
        match classify(datagram) {
            DatagramKind::Rtp => self.hear_rtp(now_ns, datagram),
            DatagramKind::Rtcp => self.hear_rtcp(datagram),
            DatagramKind::Unknown => ways.shared.garbage.add(1),
            DatagramKind::Discovery | DatagramKind::Pong | DatagramKind::Echo => {}
        }
    }

    /// Looks after speakers and held packets.
    pub(crate) fn tend(&mut self, now_ns: u64) {
        if self.next_tend_ns.is_none_or(|due_ns| due_ns > now_ns) {
            return;
        }
        self.now_ns = now_ns;
        self.next_tend_ns = None;
        self.due_told = false;
        self.speaking.tend(now_ns);
        let dropped = self.held.expire(now_ns);
        if let Some(ways) = &self.ways {
            ways.shared.unknown_ssrc.add(dropped as u64);
        }
        self.watch(now_ns);
    }

    /// When to call [`tend`](Self::tend), told once.
    pub(crate) fn take_due(&mut self) -> Option<u64> {
        let due_ns = self.next_tend_ns.filter(|_| !self.due_told);
        self.due_told |= due_ns.is_some();
        due_ns
    }

    /// Who began or stopped speaking since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<SpeakingChange> {
        self.speaking.take_changes()
    }

    fn hear_rtp(&mut self, now_ns: u64, datagram: &mut [u8]) {
        let (Some(ways), Ok(header)) = (&self.ways, ParsedHeader::parse(datagram)) else {
            return;
        };
        if header.payload_type != OPUS_PAYLOAD_TYPE {
            ways.shared.foreign_payload.add(1);
            return;
        }
        ways.shared.packets.add(1);
        match self.users.get(&header.ssrc.0).copied() {
            Some(user) => self.take(now_ns, user, &header, datagram),
            None => {
                if !self.held.keep(header.ssrc.0, now_ns, datagram) {
                    ways.shared.unknown_ssrc.add(1);
                }
            }
        }
        self.watch(now_ns);
    }

    /// A packet of a known user.
    fn take(&mut self, now_ns: u64, user: u64, header: &ParsedHeader, datagram: &mut [u8]) {
        let (Some(ways), Some(opener), Some((mode, _))) = (&self.ways, &self.opener, self.keys)
        else {
            return;
        };
        if !ways.ways.iter().any(|way| way.users.includes(user)) {
            ways.shared.filtered.add(1);
            let silent = looks_silent(mode, header, datagram.len());
            self.speaking.note(user, self.now_ns, silent);
            return;
        }
        let payload = match opener.open_in_place(datagram) {
            Ok((_, payload)) => payload,
            Err(error) => return ways.shared.count_transport_failure(error),
        };
        let opus = match open_media(&mut *self.media, user, &mut datagram[payload.clone()]) {
            Ok(len) => {
                &datagram[Range {
                    start: payload.start,
                    end: payload.end.min(payload.start + len),
                }]
            }
            Err(failure) => return ways.shared.count_media_failure(failure),
        };
        if opus.is_empty() {
            ways.shared.empty.add(1);
            return;
        }
        self.speaking.note(user, self.now_ns, opus == SILENCE_FRAME);
        for way in ways.ways.iter().filter(|way| way.users.includes(user)) {
            let sent = way.port.send(Packet {
                flow: self.flow,
                user,
                ssrc: header.ssrc.0,
                sequence: header.sequence,
                timestamp: header.timestamp,
                at_ns: now_ns,
                opus: opus.into(),
            });
            if !sent {
                ways.shared.queue_dropped.add(1);
            }
        }
    }

    fn hear_rtcp(&mut self, datagram: &mut [u8]) {
        let (Some(ways), Some(opener)) = (&self.ways, &self.opener) else {
            return;
        };
        let Ok(rest) = opener.open_rtcp(datagram).map(|rest| rest.len()) else {
            ways.shared.rtcp_unreadable.add(1);
            return;
        };
        ways.shared.rtcp.add(1);
        // The clear header and the decrypted rest follow each other in the modes that carry RTCP.
        for packet in Compound::new(&datagram[..datagram.len().min(8 + rest)]) {
            if let RtcpPacket::ReceiverReport { reports, .. }
            | RtcpPacket::SenderReport { reports, .. } = packet
            {
                let mut own = reports.filter(|block| block.ssrc == self.own_ssrc);
                if let Some(block) = own.next() {
                    ways.shared.note_report(&block);
                }
            }
        }
    }

    fn map(&mut self, ssrc: u32, user: u64) {
        if self.users.len() >= MAX_SSRCS && !self.users.contains_key(&ssrc) {
            return;
        }
        let former = self.users.insert(ssrc, user);
        if former.is_some_and(|former| former != user) {
            self.tell_gone(ssrc);
        }
        for mut packet in self.held.take(ssrc) {
            let Ok(header) = ParsedHeader::parse(&packet.datagram) else {
                continue;
            };
            self.take(packet.at_ns, user, &header, &mut packet.datagram);
            self.watch(packet.at_ns);
        }
    }

    fn unmap(&mut self, user: u64) {
        let gone: Vec<u32> = self.ssrcs_of(user);
        for ssrc in gone {
            self.users.remove(&ssrc);
            self.tell_gone(ssrc);
        }
        self.speaking.forget(user);
    }

    fn forget_everybody(&mut self) {
        if !self.users.is_empty() {
            let flow = self.flow;
            self.order(|| Order::AllGone { flow });
        }
        self.users.clear();
        self.held.clear();
        self.speaking.clear();
    }

    fn ssrcs_of(&self, user: u64) -> Vec<u32> {
        let of_user = self.users.iter().filter(|(_, owner)| **owner == user);
        of_user.map(|(ssrc, _)| *ssrc).collect()
    }

    fn tell_gone(&self, ssrc: u32) {
        let flow = self.flow;
        self.order(|| Order::Gone { flow, ssrc });
    }

    fn order(&self, order: impl Fn() -> Order) {
        for way in self.ways.iter().flat_map(|ways| &ways.ways) {
            way.port.order(order());
        }
    }

    /// Keys are only expanded where somebody listens.
    fn renew_opener(&mut self) {
        let keys = self.keys.filter(|_| self.ways.is_some());
        self.opener = keys.map(|(mode, key)| Opener::new(mode, &key));
    }

    fn watch(&mut self, now_ns: u64) {
        if self.next_tend_ns.is_none() && !(self.speaking.is_empty() && self.held.is_empty()) {
            self.next_tend_ns = Some(now_ns.saturating_add(TEND_NS));
        }
    }
}

/// The voice server's own silence frames are clear even where frames are encrypted end to end.
fn open_media(
    media: &mut dyn MediaOpener,
    user: u64,
    payload: &mut [u8],
) -> Result<usize, super::OpenFailure> {
    if payload.is_empty() || payload == SILENCE_FRAME {
        return Ok(payload.len());
    }
    media.open(user, payload)
}

/// Whether a sealed packet is as short as a silence frame with one word of extension at most.
fn looks_silent(mode: TransportMode, header: &ParsedHeader, len: usize) -> bool {
    let sealed = header.clear_len() + mode.overhead();
    let extension = if header.extension { 8 } else { 0 };
    !header.padding && len <= sealed + extension + SILENCE_FRAME.len()
}
