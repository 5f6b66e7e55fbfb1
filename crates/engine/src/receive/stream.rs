//! One SSRC's packets on a worker: put in order, and decoded into every form that somebody wants.

use std::sync::Arc;

use cadenza_audio::opus::{PcmFormat, VoiceDecoder, has_fec, packet_samples};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::jitter::{
    Arrival, JitterBuffer, JitterConfig, Placed, Playout, Stretch, nanos_of,
};

use super::batch::{CONCEALED, PieceHead, PieceKind, RECOVERED, SILENT};
use super::stats::StreamShared;
use super::worker::Packet;

/// Decoders of a stream that was quiet for so long are freed; the next packet makes new ones. 10 s.
const IDLE_NS: u64 = 10_000_000_000;

/// A piece of a stream's line.
pub(super) struct Heard<'a> {
    pub(super) user: u64,
    pub(super) ssrc: u32,
    /// What it is for those who take Opus; decoded, only silence is without samples.
    pub(super) head: PieceHead,
    /// The packet; empty unless it is one.
    pub(super) opus: &'a [u8],
    /// When position 0 was sent, by the clock of this machine.
    pub(super) origin_ns: u64,
    forms: &'a [Form],
}

impl Heard<'_> {
    /// When the piece was sent, by the clock of this machine.
    pub(super) fn at_ns(&self) -> u64 {
        self.origin_ns.saturating_add(nanos_of(self.head.position))
    }

    /// The piece decoded; empty for silence, or when the format was never asked for.
    pub(super) fn pcm(&self, format: PcmFormat) -> &[i16] {
        let form = self.forms.iter().find(|form| form.format == format);
        form.map_or(&[], |form| &form.pcm)
    }

    /// The piece as those see it who take samples.
    pub(super) fn pcm_head(&self) -> PieceHead {
        let mut head = self.head;
        if head.kind == PieceKind::Lost {
            head.kind = PieceKind::Sound;
        }
        head
    }
}

/// One form of decoded sound, and the piece decoded last.
struct Form {
    format: PcmFormat,
    decoder: Option<VoiceDecoder>,
    pcm: Vec<i16>,
}

impl Form {
    fn new(format: PcmFormat) -> Form {
        Form {
            format,
            decoder: None,
            pcm: Vec::new(),
        }
    }

    /// The decoder, and where its sound goes.
    fn ready(&mut self) -> Option<(&mut VoiceDecoder, &mut Vec<i16>)> {
        self.pcm.clear();
        if self.decoder.is_none() {
            self.decoder = VoiceDecoder::new(self.format).ok();
        }
        self.decoder.as_mut().map(|one| (one, &mut self.pcm))
    }

    /// Makes the piece as long as its stretch, whatever the decoder said.
    fn fit(&mut self, samples: u64) {
        let len = samples as usize / self.format.ratio() * self.format.channels();
        self.pcm.resize(len, 0);
    }
}

/// One SSRC of one user.
pub(super) struct Stream {
    user: u64,
    ssrc: u32,
    buffer: JitterBuffer<Box<[u8]>>,
    forms: Vec<Form>,
    shared: Arc<StreamShared>,
    /// A lost stretch that the next packet may bring back.
    to_recover: Option<Stretch>,
    /// Lost, hoped for and not brought back, in samples.
    unrecovered: u64,
    last_ns: u64,
}

impl Stream {
    pub(super) fn new(user: u64, ssrc: u32, shared: Arc<StreamShared>) -> Stream {
        Stream {
            user,
            ssrc,
            buffer: JitterBuffer::new(JitterConfig::default()),
            forms: Vec::new(),
            shared,
            to_recover: None,
            unrecovered: 0,
            last_ns: 0,
        }
    }

    pub(super) fn user(&self) -> u64 {
        self.user
    }

    /// When the last packet came.
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Decodes into these forms from now on.
    pub(super) fn set_formats(&mut self, formats: &[PcmFormat]) {
        self.forms.retain(|form| formats.contains(&form.format));
        for format in formats {
            if !self.forms.iter().any(|form| form.format == *format) {
                self.forms.push(Form::new(*format));
            }
        }
    }

    /// Takes a packet in; `false` when it is no Opus packet.
    pub(super) fn insert(&mut self, packet: Packet) -> bool {
        let Ok(samples) = packet_samples(&packet.opus) else {
            return false;
        };
        self.last_ns = self.last_ns.max(packet.at_ns);
        self.shared.bytes.add(packet.opus.len() as u64);
        self.buffer.insert(Arrival {
            at_ns: packet.at_ns,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            samples: samples as u32,
            silence: *packet.opus == SILENCE_FRAME,
            payload: packet.opus,
        });
        true
    }

    /// Hands on what is due by now.
    pub(super) fn play(&mut self, now_ns: u64, mut sink: impl FnMut(&Heard<'_>)) {
        while let Some(playout) = self.buffer.poll(now_ns) {
            match playout {
                Playout::Recover(stretch) => self.to_recover = Some(stretch),
                Playout::Packet(placed) => {
                    if let Some(stretch) = self.to_recover.take() {
                        self.recover(stretch, &placed, &mut sink);
                    }
                    self.packet(&placed, &mut sink);
                }
                Playout::Conceal(stretch) => self.conceal(stretch, &mut sink),
                Playout::Silence(stretch) => self.silence(stretch, &mut sink),
            }
        }
        self.publish();
    }

    /// When something will be due; `None` while nothing waits.
    pub(super) fn deadline_ns(&self) -> Option<u64> {
        self.buffer.deadline()
    }

    /// Where the line ends so far.
    pub(super) fn end_head(&self) -> PieceHead {
        PieceHead {
            kind: PieceKind::End,
            flags: 0,
            sequence: 0,
            timestamp: 0,
            position: 0,
            samples: 0,
        }
    }

    /// Lets go of decoders that have nothing to do; `false` while they have.
    pub(super) fn rest(&mut self, now_ns: u64) -> bool {
        if self.last_ns.saturating_add(IDLE_NS) > now_ns {
            return false;
        }
        for form in &mut self.forms {
            form.decoder = None;
            form.pcm = Vec::new();
        }
        true
    }

    fn packet(&mut self, placed: &Placed<Box<[u8]>>, sink: &mut impl FnMut(&Heard<'_>)) {
        let samples = placed.stretch.samples;
        for form in &mut self.forms {
            if let Some((decoder, pcm)) = form.ready()
                && decoder.decode(&placed.payload, pcm).is_err()
            {
                decoder.conceal(samples as usize, pcm);
            }
            form.fit(samples);
        }
        let head = PieceHead {
            kind: PieceKind::Sound,
            flags: if placed.silence { SILENT } else { 0 },
            sequence: placed.sequence.0,
            timestamp: placed.timestamp.0,
            position: placed.stretch.position,
            samples,
        };
        self.hand_on(head, &placed.payload, sink);
    }

    fn recover(
        &mut self,
        stretch: Stretch,
        next: &Placed<Box<[u8]>>,
        sink: &mut impl FnMut(&Heard<'_>),
    ) {
        let recovered = has_fec(&next.payload);
        if recovered {
            self.shared.fec_recovered.add(1);
        } else {
            self.unrecovered += stretch.samples;
        }
        for form in &mut self.forms {
            if let Some((decoder, pcm)) = form.ready() {
                decoder.recover(&next.payload, stretch.samples as usize, pcm);
            }
            form.fit(stretch.samples);
        }
        let flags = if recovered { RECOVERED } else { CONCEALED };
        self.hand_on(gap(PieceKind::Lost, flags, stretch), &[], sink);
    }

    fn conceal(&mut self, stretch: Stretch, sink: &mut impl FnMut(&Heard<'_>)) {
        for form in &mut self.forms {
            if let Some((decoder, pcm)) = form.ready() {
                decoder.conceal(stretch.samples as usize, pcm);
            }
            form.fit(stretch.samples);
        }
        self.hand_on(gap(PieceKind::Lost, CONCEALED, stretch), &[], sink);
    }

    fn silence(&mut self, stretch: Stretch, sink: &mut impl FnMut(&Heard<'_>)) {
        for form in &mut self.forms {
            form.pcm.clear();
        }
        self.hand_on(gap(PieceKind::Silence, 0, stretch), &[], sink);
    }

    fn hand_on(&self, head: PieceHead, opus: &[u8], sink: &mut impl FnMut(&Heard<'_>)) {
        sink(&Heard {
            user: self.user,
            ssrc: self.ssrc,
            head,
            opus,
            origin_ns: self.buffer.origin_ns().unwrap_or(0),
            forms: &self.forms,
        });
    }

    fn publish(&self) {
        let mut stats = self.buffer.stats();
        stats.concealed_samples += self.unrecovered;
        self.shared
            .publish(&stats, self.buffer.jitter_ns(), self.buffer.wait_ns());
    }
}

fn gap(kind: PieceKind, flags: u8, stretch: Stretch) -> PieceHead {
    PieceHead {
        kind,
        flags,
        sequence: 0,
        timestamp: 0,
        position: stretch.position,
        samples: stretch.samples,
    }
}
