//! Filters that change while frames wait: which frame is the first with them, by the clock of whoever
//! takes the frames.

mod feed_support;

use std::f64::consts::TAU;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cadenza_audio::filters::{FilterSettings, Timescale, volume_gain};
use cadenza_audio::opus::{Decoder, MAX_PACKET_SAMPLES};
use cadenza_engine::feed::{AudioTracks, SourceSpec};
use cadenza_engine::frame_queue::FrameMeta;

use feed_support::{Bench, Listener, config, until};

const FRAME: usize = 960;
const TONE: f64 = 403.7;

/// Removed at the end of the test.
struct Wav(PathBuf);

impl Wav {
    fn new(name: &str, seconds: f64) -> Wav {
        let path =
            std::env::temp_dir().join(format!("cadenza-filters-{name}-{}.wav", std::process::id()));
        let samples = (0..(seconds * 48_000.0) as usize).flat_map(|n| {
            let value = 0.4 * (TAU * TONE * n as f64 / 48_000.0).sin();
            [(value * 32_767.0) as i16; 2]
        });
        let pcm: Vec<i16> = samples.collect();
        std::fs::write(&path, cadenza_testkit::signal::wav(&pcm, 48_000, 2)).expect("writes");
        Wav(path)
    }

    fn source(&self) -> SourceSpec {
        SourceSpec::File(self.0.clone())
    }
}

impl Drop for Wav {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A track and everything that was taken from its queue.
struct Played {
    bench: Bench,
    listener: Listener,
    packets: Vec<Vec<u8>>,
    metas: Vec<FrameMeta>,
    _file: Wav,
}

impl Played {
    fn start(name: &str, seconds: f64) -> Played {
        let file = Wav::new(name, seconds);
        let alive = Arc::new(AtomicUsize::new(0));
        let bench = Bench::with_opener(config(), Arc::new(AudioTracks), alive);
        let listener = bench.load(1, file.source());
        Played {
            bench,
            listener,
            packets: Vec::new(),
            metas: Vec::new(),
            _file: file,
        }
    }

    fn take(&mut self, frames: usize) {
        for _ in 0..frames {
            let (packet, meta) = self.listener.next();
            if meta.last {
                return;
            }
            self.packets.push(packet);
            self.metas.push(meta);
        }
    }

    /// Waits until the queue holds all it takes.
    fn fill(&mut self) {
        let mut before = 0;
        until("a full queue", || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let now = self.listener.0.len();
            std::mem::replace(&mut before, now) == now && now > 5
        });
    }

    /// Changes the filters, and waits until frames with them are in the queue.
    fn change(&mut self, filters: &FilterSettings) {
        let queued = self.listener.0.len();
        let asked_at = self.listener.0.depth().next();
        self.bench.host.set_filters(1, 1, filters, asked_at);
        until("new frames", || self.listener.0.len() >= queued + 3);
    }

    /// The level of the left side over one frame.
    fn level(&self, frame: usize) -> f64 {
        let mut decoder = Decoder::new(0).expect("a decoder");
        let mut pcm = [0.0; MAX_PACKET_SAMPLES * 2];
        for packet in &self.packets[..frame] {
            decoder.decode(packet, &mut pcm).expect("a packet");
        }
        decoder
            .decode(&self.packets[frame], &mut pcm)
            .expect("a packet");
        let sum: f64 = (0..FRAME).map(|n| f64::from(pcm[2 * n]).powi(2)).sum();
        (2.0 * sum / FRAME as f64).sqrt()
    }
}

fn volume(volume: f64) -> FilterSettings {
    FilterSettings {
        player_volume: volume,
        ..FilterSettings::default()
    }
}

#[test]
fn the_third_frame_from_now_is_the_first_with_new_filters() {
    let mut played = Played::start("third", 4.0);
    played.take(10);
    for (round, wanted) in [0.5, 1.0, 0.25, 1.0].into_iter().enumerate() {
        played.fill();
        let before = played.level(played.packets.len() - 1) / 0.4;
        played.change(&volume(wanted));
        let first = played.packets.len();
        played.take(10);
        let level = |n: usize| played.level(first + n) / 0.4;
        assert!(
            (level(1) - before).abs() < 0.03,
            "round {round}: {:.3}",
            level(1)
        );
        // The glide of 10 ms lies in this frame.
        let moved = (level(2) - before).abs();
        assert!(
            moved > 0.2 * (volume_gain(wanted) - before).abs(),
            "round {round}: {moved:.3}"
        );
        let after = level(4);
        assert!(
            (after - volume_gain(wanted)).abs() < 0.03,
            "round {round}: {after:.3}"
        );
    }
    let steps = played
        .metas
        .windows(2)
        .map(|pair| pair[1].position_ms - pair[0].position_ms);
    assert!(
        steps.clone().all(|step| step == 20),
        "{:?}",
        steps.collect::<Vec<_>>()
    );
}

#[test]
fn positions_follow_the_source_from_the_frame_on() {
    let mut played = Played::start("speed", 6.0);
    played.take(10);
    played.fill();
    let double = FilterSettings {
        timescale: Some(Timescale {
            speed: 2.0,
            ..Timescale::default()
        }),
        ..FilterSettings::default()
    };
    played.change(&double);
    played.take(62);
    let (from, to) = (played.metas[12].position_ms, played.metas[71].position_ms);
    let travelled = f64::from(to - from) / (59.0 * 20.0);
    assert!((travelled - 2.0).abs() < 0.05, "{travelled:.3}");
}

#[test]
fn a_change_after_the_last_frame_was_queued_is_heard() {
    let mut played = Played::start("end", 0.4);
    played.take(2);
    played.bench.ended(1);
    played.change(&volume(0.5));
    played.take(100);
    played.bench.ended(1);
    let count = played.packets.len();
    assert!((20..=21).contains(&count), "{count} frames");
    let after = played.level(15) / 0.4;
    assert!((after - volume_gain(0.5)).abs() < 0.03, "{after:.3}");
}

#[test]
fn filters_hold_over_a_seek_and_change_with_it() {
    let mut played = Played::start("seek", 6.0);
    played.take(10);
    played.fill();
    played.change(&volume(0.5));
    let asked_at = played.listener.0.depth().next();
    played.bench.host.seek(1, 1, 3_000, 8);
    played.bench.host.set_filters(1, 1, &volume(0.3), asked_at);
    let (packet, meta) = played.listener.first_of(8);
    assert!((3_000..=3_040).contains(&meta.position_ms), "{meta:?}");
    played.packets = vec![packet];
    played.take(20);
    let level = played.level(10) / 0.4;
    assert!((level - volume_gain(0.3)).abs() < 0.03, "{level:.3}");
}

#[test]
fn a_thousand_changes_leave_a_queue_as_long_as_before() {
    let mut played = Played::start("thousand", 30.0);
    played.take(5);
    played.fill();
    let full = played.listener.0.len();
    for n in 0..1_000_u32 {
        let asked_at = played.listener.0.depth().next();
        let filters = volume(0.3 + f64::from(n % 7) * 0.1);
        played.bench.host.set_filters(1, 1, &filters, asked_at);
        if n % 3 == 0 {
            played.take(1);
        }
        assert!(played.listener.0.len() <= 100);
    }
    played.take(5);
    played.fill();
    assert!(played.listener.0.len().abs_diff(full) <= full / 2, "{full}");
    let steps = played
        .metas
        .windows(2)
        .map(|pair| pair[1].position_ms - pair[0].position_ms);
    assert!(
        steps.clone().all(|step| step == 20),
        "{:?}",
        steps.collect::<Vec<_>>()
    );
}
