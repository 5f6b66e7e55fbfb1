//! Decoded tracks, on WAV files made here: quality, position, seeking, ends.

mod support;

use cadenza_audio::OpenOptions;
use support::{best_snr, decode, listen, music, music_at, open, play, snr_at, wav};

/// By how much libopus delays the sound, in samples.
const LOOKAHEAD: usize = 312;

#[test]
fn every_rate_is_heard_as_it_was() {
    for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 96_000] {
        let bytes = wav(rate, 2, &music(rate, 2.0));
        let heard = play(&bytes, &OpenOptions::default()).expect("plays");
        let (snr, lag) = best_snr(&music(48_000, 1.9), &decode(&heard.packets), 700);
        assert_eq!(lag, LOOKAHEAD, "{rate} Hz");
        let least = if rate < 16_000 { 10.0 } else { 20.0 };
        assert!(snr >= least, "{rate} Hz: {snr:.1} dB");
    }
}

#[test]
fn mono_is_heard_on_both_sides() {
    let heard = play(
        &wav(44_100, 1, &music(44_100, 1.0)),
        &OpenOptions::default(),
    )
    .expect("plays");
    let wanted: Vec<[f32; 2]> = music(48_000, 0.9)
        .iter()
        .map(|frame| [frame[0]; 2])
        .collect();
    let snr = snr_at(&wanted, &decode(&heard.packets), LOOKAHEAD);
    assert!(snr >= 20.0, "{snr:.1} dB");
}

#[test]
fn positions_count_source_time_and_the_tail_is_not_cut() {
    let heard = play(
        &wav(44_100, 2, &music(44_100, 1.0)),
        &OpenOptions::default(),
    )
    .expect("plays");
    // 48,000 samples and 312 of delay need 51 frames.
    assert_eq!(heard.packets.len(), 51);
    assert_eq!(heard.positions[0], 13);
    assert_eq!(heard.positions.last(), Some(&1000));
    assert!(heard.positions.is_sorted());
    let pcm = decode(&heard.packets);
    let tail = &music(48_000, 1.0)[47_000..];
    let snr = snr_at(tail, &pcm[2 * 47_000..], LOOKAHEAD);
    assert!(snr >= 15.0, "the last 20 ms: {snr:.1} dB");
}

#[test]
fn start_and_end_are_exact() {
    let bytes = wav(44_100, 2, &music(44_100, 2.0));
    let options = OpenOptions {
        start_ms: 700,
        end_ms: Some(1_300),
        ..OpenOptions::default()
    };
    let heard = play(&bytes, &options).expect("plays");
    assert_eq!(
        heard.packets.len(),
        (600_usize * 48 + LOOKAHEAD).div_ceil(960)
    );
    assert_eq!(heard.positions.last(), Some(&1_300));
    let wanted: Vec<_> = (0..28_000)
        .map(|n| music_at(0.7 + f64::from(n) / 48_000.0))
        .collect();
    let (snr, lag) = best_snr(&wanted, &decode(&heard.packets), 700);
    assert_eq!(lag, LOOKAHEAD);
    assert!(snr >= 18.0, "{snr:.1} dB");
}

#[test]
fn seeking_goes_forth_and_back_to_the_sample() {
    let mut track = open(
        &wav(44_100, 2, &music(44_100, 2.0)),
        &OpenOptions::default(),
    )
    .expect("opens");
    for place in [1_500, 250, 1_000, 0, 1_990] {
        assert_eq!(track.seek(place).expect("seeks"), place);
        let heard = listen(&mut track).expect("plays");
        assert_eq!(heard.positions.last(), Some(&2_000));
        let from = place as f64 / 1000.0;
        let count = ((2.0 - from) * 48_000.0) as usize;
        let wanted: Vec<_> = (0..count)
            .map(|n| music_at(from + n as f64 / 48_000.0))
            .collect();
        let snr = snr_at(&wanted, &decode(&heard.packets), LOOKAHEAD);
        assert!(snr >= 15.0, "from {place} ms: {snr:.1} dB");
    }
    assert_eq!(track.seek(5_000).expect("seeks beyond the end"), 5_000);
    assert!(listen(&mut track).expect("is over").packets.is_empty());
    track.seek(0).expect("seeks back");
    assert_eq!(listen(&mut track).expect("plays").packets.len(), 101);
}

#[test]
fn less_than_a_frame_is_one_padded_frame() {
    let heard = play(
        &wav(48_000, 2, &music(48_000, 0.005)),
        &OpenOptions::default(),
    );
    let heard = heard.expect("plays");
    assert_eq!(heard.packets.len(), 1);
    assert_eq!(heard.positions, [5]);
}
