//! One flow as a worker knows it: its streams, and where their sound goes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cadenza_audio::opus::PcmFormat;

use super::batch::{Batch, GroupKey, PieceKind};
use super::recording::Recording;
use super::stats::ListenShared;
use super::stream::{Heard, Stream};
use super::worker::Packet;
use super::{OutputFormat, OutputRequest, ReceiveEvent, ReceiveRequest, RecordRequest};
use crate::FlowId;

/// Streams of one flow; beyond that the one quiet for longest makes room.
const MAX_STREAMS: usize = 512;
/// How often recordings and idle decoders are looked at. 250 ms.
const TEND_NS: u64 = 250_000_000;

type Tell<'a> = &'a mut dyn FnMut(FlowId, ReceiveEvent);

/// Where sound goes.
struct Takers {
    outputs: Vec<OutputRequest>,
    recordings: Vec<Recording>,
    batch: Batch,
}

/// One flow.
pub(super) struct HeardFlow {
    flow: FlowId,
    shared: Arc<ListenShared>,
    streams: HashMap<u32, Stream>,
    /// Streams with packets that wait for an earlier one.
    waiting: HashSet<u32>,
    takers: Takers,
    batch_ns: u64,
    batch_due_ns: Option<u64>,
    tend_due_ns: Option<u64>,
    /// Kept for the worker's queue of due times.
    pub(super) scheduled_ns: Option<u64>,
}

impl HeardFlow {
    pub(super) fn new(flow: FlowId, shared: Arc<ListenShared>) -> HeardFlow {
        HeardFlow {
            flow,
            shared,
            streams: HashMap::new(),
            waiting: HashSet::new(),
            takers: Takers {
                outputs: Vec::new(),
                recordings: Vec::new(),
                batch: Batch::default(),
            },
            batch_ns: 0,
            batch_due_ns: None,
            tend_due_ns: None,
            scheduled_ns: None,
        }
    }

    /// Whether nobody wants anything of it.
    pub(super) fn is_idle(&self) -> bool {
        self.takers.outputs.is_empty() && self.takers.recordings.is_empty()
    }

    /// When something will be due.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        let waiting = self.waiting.iter();
        let streams = waiting.filter_map(|ssrc| self.streams.get(ssrc)?.deadline_ns());
        let others = self.batch_due_ns.into_iter().chain(self.tend_due_ns);
        streams.chain(others).min()
    }

    /// Hands over what was gathered for the former request, then follows the new one.
    pub(super) fn set_request(
        &mut self,
        request: Option<ReceiveRequest>,
        now_ns: u64,
        tell: Tell<'_>,
    ) {
        self.hand_over(tell);
        let request = request.unwrap_or_default();
        self.batch_ns = u64::from(request.batch_ms.clamp(10, 1_000)) * 1_000_000;
        self.takers.outputs = request.outputs;
        self.renew_formats(now_ns);
    }

    /// Begins a recording.
    pub(super) fn record(&mut self, id: u32, request: RecordRequest, now_ns: u64, tell: Tell<'_>) {
        match Recording::start(id, request, now_ns) {
            Ok(recording) => self.takers.recordings.push(recording),
            Err(failed) => tell(self.flow, failed),
        }
        self.renew_formats(now_ns);
    }

    /// Ends a recording with what has come by now.
    pub(super) fn stop_recording(&mut self, id: u32, now_ns: u64, tell: Tell<'_>) {
        // What waits for a lost packet belongs to it still.
        self.play_all(u64::MAX, now_ns, tell);
        let recordings = &mut self.takers.recordings;
        if let Some(at) = recordings.iter().position(|one| one.id() == id) {
            tell(self.flow, recordings.swap_remove(at).finish(now_ns));
        }
        self.renew_formats(now_ns);
    }

    /// Takes a packet in.
    pub(super) fn packet(&mut self, packet: Packet, now_ns: u64, tell: Tell<'_>) {
        let (ssrc, user) = (packet.ssrc, packet.user);
        if self.streams.get(&ssrc).is_none_or(|one| one.user() != user) {
            self.gone(ssrc, now_ns, tell);
            self.make_room(now_ns, tell);
            self.add_stream(ssrc, user);
        }
        let Some(stream) = self.streams.get_mut(&ssrc) else {
            return;
        };
        if !stream.insert(packet) {
            self.shared.count_malformed_opus();
            return;
        }
        self.play(ssrc, now_ns, now_ns, tell);
        if self.tend_due_ns.is_none() {
            self.tend_due_ns = Some(now_ns.saturating_add(TEND_NS));
        }
    }

    /// A stream is complete.
    pub(super) fn gone(&mut self, ssrc: u32, now_ns: u64, tell: Tell<'_>) {
        self.play(ssrc, u64::MAX, now_ns, tell);
        let Some(stream) = self.streams.remove(&ssrc) else {
            return;
        };
        self.waiting.remove(&ssrc);
        let user = stream.user();
        for output in self
            .takers
            .outputs
            .iter()
            .filter(|one| one.users.includes(user))
        {
            let key = GroupKey {
                output: output.id,
                ssrc,
                user,
            };
            self.takers.batch.add(key, stream.end_head(), |_| {});
        }
        for recording in &mut self.takers.recordings {
            recording.gone(user, ssrc);
        }
        self.watch_batch(now_ns, tell);
    }

    /// Every stream is complete.
    pub(super) fn all_gone(&mut self, now_ns: u64, tell: Tell<'_>) {
        let all: Vec<u32> = self.streams.keys().copied().collect();
        for ssrc in all {
            self.gone(ssrc, now_ns, tell);
        }
    }

    /// Does what is due by now.
    pub(super) fn tick(&mut self, now_ns: u64, tell: Tell<'_>) {
        self.play_all(now_ns, now_ns, tell);
        if self.batch_due_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            self.hand_over(tell);
        }
        if self.tend_due_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            self.tend(now_ns, tell);
        }
    }

    /// Ends it: everything that waits is handed over, recordings are complete.
    pub(super) fn end(mut self, now_ns: u64, tell: Tell<'_>) {
        self.all_gone(now_ns, tell);
        self.hand_over(tell);
        for recording in self.takers.recordings.drain(..) {
            tell(self.flow, recording.finish(now_ns));
        }
    }

    /// Ends it without touching what may be broken.
    pub(super) fn abandon(self, tell: Tell<'_>) {
        for recording in self.takers.recordings {
            let message = "the recorder had to give this call up";
            tell(self.flow, recording.fail("internal_error", message));
        }
    }

    fn play_all(&mut self, until_ns: u64, now_ns: u64, tell: Tell<'_>) {
        let waiting: Vec<u32> = self.waiting.iter().copied().collect();
        for ssrc in waiting {
            self.play(ssrc, until_ns, now_ns, tell);
        }
    }

    /// Hands on what a stream yields by `until_ns`.
    fn play(&mut self, ssrc: u32, until_ns: u64, now_ns: u64, tell: Tell<'_>) {
        let Some(stream) = self.streams.get_mut(&ssrc) else {
            return;
        };
        let takers = &mut self.takers;
        stream.play(until_ns, |heard| takers.take(heard));
        if stream.deadline_ns().is_some() {
            self.waiting.insert(ssrc);
        } else {
            self.waiting.remove(&ssrc);
        }
        self.watch_batch(now_ns, tell);
    }

    /// Recordings that failed are given up, those that run write what has settled.
    fn tend(&mut self, now_ns: u64, tell: Tell<'_>) {
        let recordings = &mut self.takers.recordings;
        for recording in recordings.iter_mut() {
            recording.tend(now_ns);
        }
        for at in (0..recordings.len()).rev() {
            if let Some(failure) = recordings[at].failure() {
                let failed = recordings.swap_remove(at);
                tell(self.flow, failed.fail(failure.code, &failure.message));
            }
        }
        let mut busy = !recordings.is_empty();
        for stream in self.streams.values_mut() {
            busy |= !stream.rest(now_ns);
        }
        self.tend_due_ns = busy.then(|| now_ns.saturating_add(TEND_NS));
    }

    fn add_stream(&mut self, ssrc: u32, user: u64) {
        let recorded = self.takers.outputs.is_empty();
        let shared = self.shared.add_stream(user, ssrc, recorded);
        let mut stream = Stream::new(user, ssrc, shared);
        stream.set_formats(&self.takers.formats(user));
        self.streams.insert(ssrc, stream);
    }

    fn make_room(&mut self, now_ns: u64, tell: Tell<'_>) {
        if self.streams.len() < MAX_STREAMS {
            return;
        }
        let quietest = self.streams.iter().min_by_key(|(_, one)| one.last_ns());
        if let Some(ssrc) = quietest.map(|(ssrc, _)| *ssrc) {
            self.gone(ssrc, now_ns, tell);
        }
    }

    fn renew_formats(&mut self, now_ns: u64) {
        for stream in self.streams.values_mut() {
            stream.set_formats(&self.takers.formats(stream.user()));
        }
        if !self.takers.recordings.is_empty() {
            self.tend_due_ns
                .get_or_insert(now_ns.saturating_add(TEND_NS));
        }
    }

    /// Batches of all flows end on one grid, so that one wake-up serves many.
    fn watch_batch(&mut self, now_ns: u64, tell: Tell<'_>) {
        if self.takers.batch.is_full() {
            self.hand_over(tell);
        } else if !self.takers.batch.is_empty() && self.batch_due_ns.is_none() {
            self.batch_due_ns = Some((now_ns + 1).next_multiple_of(self.batch_ns.max(1)));
        }
    }

    fn hand_over(&mut self, tell: Tell<'_>) {
        self.batch_due_ns = None;
        if self.takers.batch.is_empty() {
            return;
        }
        if self.shared.audio.push(self.takers.batch.take()) {
            tell(self.flow, ReceiveEvent::AudioReady);
        }
    }
}

impl Takers {
    fn take(&mut self, heard: &Heard<'_>) {
        for output in self
            .outputs
            .iter()
            .filter(|one| one.users.includes(heard.user))
        {
            let key = GroupKey {
                output: output.id,
                ssrc: heard.ssrc,
                user: heard.user,
            };
            match output.format {
                OutputFormat::Opus => {
                    self.batch
                        .add(key, heard.head, |out| out.extend_from_slice(heard.opus));
                }
                OutputFormat::Pcm(format) => {
                    let head = heard.pcm_head();
                    self.batch.add(key, head, |out| {
                        if head.kind == PieceKind::Sound {
                            let samples = heard.pcm(format).iter();
                            out.extend(samples.flat_map(|sample| sample.to_le_bytes()));
                        }
                    });
                }
            }
        }
        for recording in &mut self.recordings {
            recording.take(heard);
        }
    }

    /// The forms in which a user's sound is wanted.
    fn formats(&self, user: u64) -> Vec<PcmFormat> {
        let outputs = self.outputs.iter().filter_map(|one| match one.format {
            OutputFormat::Pcm(format) if one.users.includes(user) => Some(format),
            _ => None,
        });
        let recordings = self.recordings.iter();
        outputs
            .chain(recordings.filter_map(|one| one.format(user)))
            .collect()
    }
}
