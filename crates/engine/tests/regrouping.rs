//! Slots of the wheel follow the number of live calls downwards, too, and nobody hears it.

mod support;

use cadenza_engine::pacer::Command;
use support::pacer::{Bench, PERIOD, Packet, fill};

#[test]
fn calls_that_stay_move_together_when_the_others_leave() {
    let mut bench = Bench::new(1_400);
    let flows: Vec<u32> = (0..1_400).map(|_| bench.flow()).collect();
    let mut producers: Vec<_> = flows.iter().map(|flow| bench.play(*flow, 1)).collect();
    let stays = 1_392;
    let mut ticks = 0;
    for period in 0..120 {
        for producer in &mut producers {
            fill(producer, &[1; 50], 0);
        }
        if period == 40 {
            for place in 0..stays {
                bench.command(Command::Clear { place });
            }
        }
        let ran = bench.run(PERIOD);
        ticks = if period < 80 { 0 } else { ticks + ran };
    }
    assert!(
        ticks <= 4 * 40,
        "{ticks} wake-ups for 8 flows in 40 periods"
    );
    let packets = bench.packets();
    for flow in stays..1_400 {
        let own: Vec<&Packet> = packets
            .iter()
            .filter(|packet| packet.from == flow)
            .collect();
        assert!((119..=121).contains(&own.len()), "{} packets", own.len());
        for pair in own.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
            let gap = pair[1].at_ns - pair[0].at_ns;
            assert!(gap > 0 && gap < 2 * PERIOD, "{gap} ns");
        }
        let stats = bench.shared[flow as usize].stats();
        assert_eq!((stats.frames_skipped, stats.packets_late), (0, 0));
    }
}
