//! The jitter buffer over simulated time and bad links: recordings keep time, nothing is invented,
//! nothing grows.

use std::collections::BTreeSet;

use cadenza_proto::jitter::{
    Arrival, JitterBuffer, JitterConfig, JitterStats, Placing, Playout, samples_in,
};
use cadenza_proto::rtp::{Sequence, Timestamp};
use cadenza_testkit::{LinkConfig, LossyLink};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const FRAME_NS: u64 = 20 * MS;
const FRAME: u64 = 960;

#[test]
fn ten_minutes_with_loss_and_jitter_keep_their_length() {
    for seed in 1..=5 {
        let mut run = Run::new(bad_link(), seed);
        run.speak(30_000);
        let heard = run.finish();
        let error_ms = heard.length as i64 / 48 - 600_000;
        assert!(error_ms.abs() <= 20, "seed {seed}: {error_ms} ms off");
        assert_eq!(heard.stats.late, 0, "seed {seed}");
        let lost = 30_000 - heard.packets.len() as u64;
        // The ends are not seen: what is lost there is lost to both counts.
        assert!(lost.abs_diff(heard.stats.lost) <= 4 && (450..750).contains(&lost));
        assert!(heard.is_in_order());
        // Of each loss all but the frame before the next packet is extrapolated.
        let frames = heard.concealed / FRAME + heard.recovered / FRAME;
        assert_eq!(frames, heard.stats.lost);
    }
}

#[test]
fn pauses_keep_their_length_whether_timestamps_follow_the_clock_or_stand_still() {
    for follows_clock in [true, false] {
        let mut run = Run::new(bad_link(), 11);
        for pause in 0..60 {
            run.speak(250);
            run.end_spurt();
            run.pause(50 + pause * 7, follows_clock);
        }
        run.speak(250);
        let sent_ms = run.now_ns / MS;
        let heard = run.finish();
        let error_ms = heard.length as i64 / 48 - sent_ms as i64;
        // Where only the clock can tell, the last pause is known to within the jitter.
        let allowed_ms = if follows_clock { 20 } else { 40 };
        assert!(
            error_ms.abs() <= allowed_ms,
            "follows clock: {follows_clock}, {error_ms} ms off"
        );
        assert!(heard.is_in_order());
    }
}

#[test]
fn a_clean_link_loses_and_adds_nothing() {
    let mut run = Run::new(LinkConfig::default(), 3);
    run.speak(70_000);
    let heard = run.finish();
    assert_eq!(heard.packets, (0..70_000).collect::<Vec<u32>>());
    assert_eq!(heard.length, 70_000 * FRAME);
    let clean = JitterStats {
        received: 70_000,
        ..JitterStats::default()
    };
    assert_eq!(heard.stats, clean);
}

#[test]
fn reordering_and_doubling_cost_nothing() {
    let link = LinkConfig {
        duplicate_permille: 100,
        reorder_permille: 100,
        reorder_ns: 30 * MS,
        delay_ns: 40 * MS,
        ..LinkConfig::default()
    };
    let mut run = Run::new(link, 7);
    run.speak(5_000);
    let heard = run.finish();
    assert_eq!(heard.packets, (0..5_000).collect::<Vec<u32>>());
    assert!(heard.stats.duplicates > 300);
}

#[test]
fn a_burst_of_loss_and_a_stalled_network_keep_time() {
    let mut run = Run::new(LinkConfig::default(), 1);
    run.speak(100);
    run.lose(100);
    run.speak(100);
    run.stall(100);
    run.speak(100);
    let heard = run.finish();
    assert_eq!(heard.length, 500 * FRAME);
    assert_eq!((heard.packets.len(), heard.stats.lost), (400, 100));
    assert_eq!(
        heard.concealed, 5_760,
        "no more than 120 ms are extrapolated"
    );
}

#[test]
fn an_ssrc_that_starts_again_goes_on_in_time() {
    let mut run = Run::new(LinkConfig::default(), 1);
    run.speak(100);
    run.end_spurt();
    run.pause(200, true);
    (run.sequence, run.timestamp) = (40_000, 123);
    run.speak(100);
    let heard = run.finish();
    let error_ms = heard.length as i64 / 48 - 405 * 20;
    assert!(error_ms.abs() <= 20, "{error_ms} ms off");
    assert_eq!((heard.packets.len(), heard.stats.restarts), (205, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever comes: pieces follow each other without a hole, packets come out once, the queue is bounded.
    #[test]
    fn any_arrivals_make_an_unbroken_line(arrivals in proptest::collection::vec(arrival(), 1..400)) {
        let config = JitterConfig { capacity: 16, ..JitterConfig::default() };
        let mut buffer = JitterBuffer::new(config);
        let (mut now_ns, mut end, mut queued, mut released) = (0, 0, 0_usize, 0_usize);
        for (n, offered) in arrivals.into_iter().enumerate() {
            now_ns += offered.after_ns;
            let placing = buffer.insert(Arrival {
                at_ns: now_ns,
                sequence: Sequence(offered.sequence),
                timestamp: Timestamp(offered.timestamp),
                samples: offered.samples,
                silence: offered.silence,
                payload: n,
            });
            queued += usize::from(matches!(placing, Placing::Queued | Placing::Restarted));
            while let Some(playout) = buffer.poll(now_ns) {
                let stretch = playout.stretch();
                prop_assert_eq!(stretch.position, end);
                prop_assert!(stretch.samples > 0);
                end += stretch.samples;
                released += usize::from(matches!(playout, Playout::Packet(_)));
            }
            prop_assert!(buffer.len() < 16);
            prop_assert_eq!(queued, released + buffer.len());
        }
        // The line is never much longer than the time that has passed and the sound that came.
        let sound = released as u64 * 5_760 * 2 + 400 * 48_000;
        prop_assert!(end <= samples_in(now_ns) + sound);
        while buffer.poll(u64::MAX).is_some() {}
        prop_assert!(buffer.is_empty());
    }

    /// Nothing lost and nothing later than the wait: every packet comes out, in order, at its place.
    #[test]
    fn shuffling_within_the_wait_is_undone(first: u16, base: u32, delays in proptest::collection::vec(0..30_u64, 2..200)) {
        let mut sent: Vec<(u64, u32)> = delays
            .iter()
            .enumerate()
            .map(|(n, delay_ms)| (n as u64 * FRAME_NS + delay_ms * MS, n as u32))
            .collect();
        sent.sort_unstable();
        let mut buffer = JitterBuffer::new(JitterConfig::default());
        let mut heard = Vec::new();
        for (at_ns, n) in sent {
            buffer.insert(Arrival {
                at_ns,
                sequence: Sequence(first.wrapping_add(n as u16)),
                timestamp: Timestamp(base.wrapping_add(n * 960)),
                samples: 960,
                silence: false,
                payload: n,
            });
            while let Some(playout) = buffer.poll(at_ns) {
                heard.push(playout);
            }
        }
        while let Some(playout) = buffer.poll(u64::MAX) {
            heard.push(playout);
        }
        prop_assert_eq!(heard.len(), delays.len());
        for (n, playout) in heard.into_iter().enumerate() {
            let Playout::Packet(placed) = playout else { panic!("a hole") };
            prop_assert_eq!(placed.payload as usize, n);
            prop_assert_eq!(placed.stretch.position, n as u64 * FRAME);
        }
    }
}

#[derive(Clone, Debug)]
struct Offered {
    after_ns: u64,
    sequence: u16,
    timestamp: u32,
    samples: u32,
    silence: bool,
}

/// Mostly plausible neighbours, sometimes anything at all.
fn arrival() -> impl Strategy<Value = Offered> {
    let near = (0_u64..60 * MS, 0_u16..200, 0_u32..200_000);
    let any_fields = (0_u64..20_000 * MS, any::<u16>(), any::<u32>());
    let fields = prop_oneof![4 => near, 1 => any_fields];
    (fields, 0_u32..6_000, any::<bool>()).prop_map(|(fields, samples, silence)| Offered {
        after_ns: fields.0,
        sequence: fields.1,
        timestamp: fields.2,
        samples,
        silence,
    })
}

/// 2 % loss and 30 ms of jitter.
fn bad_link() -> LinkConfig {
    LinkConfig {
        drop_permille: 20,
        delay_ns: 25 * MS,
        jitter_ns: 30 * MS,
        ..LinkConfig::default()
    }
}

/// A sender, a link and a buffer under one clock.
struct Run {
    link: LossyLink,
    buffer: JitterBuffer<u32>,
    now_ns: u64,
    sequence: u16,
    timestamp: u32,
    sent: u32,
    heard: Heard,
}

/// What came out.
#[derive(Default)]
struct Heard {
    packets: Vec<u32>,
    length: u64,
    concealed: u64,
    recovered: u64,
    stats: JitterStats,
}

impl Heard {
    fn is_in_order(&self) -> bool {
        let distinct: BTreeSet<u32> = self.packets.iter().copied().collect();
        self.packets.is_sorted() && distinct.len() == self.packets.len()
    }

    fn take(&mut self, playout: Playout<u32>) {
        let stretch = playout.stretch();
        assert_eq!(stretch.position, self.length, "the line is unbroken");
        self.length += stretch.samples;
        match playout {
            Playout::Packet(placed) => self.packets.push(placed.payload),
            Playout::Conceal(_) => self.concealed += stretch.samples,
            Playout::Recover(_) => self.recovered += stretch.samples,
            Playout::Silence(_) => {}
        }
    }
}

impl Run {
    fn new(link: LinkConfig, seed: u64) -> Run {
        Run {
            link: LossyLink::new(link, seed),
            buffer: JitterBuffer::new(JitterConfig::default()),
            now_ns: 0,
            sequence: 65_000,
            timestamp: u32::MAX - 48_000,
            sent: 0,
            heard: Heard::default(),
        }
    }

    fn speak(&mut self, frames: u32) {
        (0..frames).for_each(|_| self.send(false, true));
    }

    fn end_spurt(&mut self) {
        (0..5).for_each(|_| self.send(true, true));
    }

    fn lose(&mut self, frames: u32) {
        (0..frames).for_each(|_| self.send(false, false));
    }

    fn pause(&mut self, frames: u32, follows_clock: bool) {
        for _ in 0..frames {
            if follows_clock {
                self.timestamp = self.timestamp.wrapping_add(960);
            }
            self.tick();
        }
    }

    /// The network holds packets back and then delivers them all at once.
    fn stall(&mut self, frames: u32) {
        for _ in 0..frames {
            let datagram = self.datagram(false);
            self.link.send(self.now_ns, &datagram);
            self.now_ns += FRAME_NS;
        }
        self.deliver();
    }

    fn finish(mut self) -> Heard {
        (0..50).for_each(|_| self.tick());
        while let Some(playout) = self.buffer.poll(u64::MAX) {
            self.heard.take(playout);
        }
        self.heard.stats = self.buffer.stats();
        self.heard
    }

    fn send(&mut self, silence: bool, arrives: bool) {
        let datagram = self.datagram(silence);
        if arrives {
            self.link.send(self.now_ns, &datagram);
        }
        self.tick();
    }

    fn datagram(&mut self, silence: bool) -> Vec<u8> {
        let mut datagram = vec![u8::from(silence)];
        datagram.extend(self.sequence.to_be_bytes());
        datagram.extend(self.timestamp.to_be_bytes());
        datagram.extend(self.sent.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
        self.sent += 1;
        datagram
    }

    /// One frame's time passes, in steps of a millisecond.
    fn tick(&mut self) {
        for _ in 0..20 {
            self.deliver();
            self.now_ns += MS;
        }
    }

    fn deliver(&mut self) {
        for datagram in self.link.receive(self.now_ns) {
            let number = |at: usize| u32::from_be_bytes(datagram[at..at + 4].try_into().unwrap());
            self.buffer.insert(Arrival {
                at_ns: self.now_ns,
                sequence: Sequence(u16::from_be_bytes([datagram[1], datagram[2]])),
                timestamp: Timestamp(number(3)),
                samples: 960,
                silence: datagram[0] != 0,
                payload: number(7),
            });
        }
        while let Some(playout) = self.buffer.poll(self.now_ns) {
            self.heard.take(playout);
        }
    }
}
