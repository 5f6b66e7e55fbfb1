//! A key that is replaced while a flow sends: the stream's numbering goes on, a new link begins another.

mod support;

use cadenza_engine::flow::{Session, SessionSeed};
use cadenza_engine::pacer::Command;
use support::pacer::{Bench, KEY, MODE, PERIOD, fill};

#[test]
fn a_key_replaced_on_an_open_link_goes_on_in_the_numbering_a_new_link_begins_anew() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    fill(&mut producer, &[1; 60], 0);
    bench.run(10 * PERIOD);
    let before = bench.packets().pop().expect("packets were sent");
    // Under test the seed is always the same: without care the numbering would begin again at its start.
    let session = Session::new(MODE, &KEY, flow, SessionSeed::default());
    let session = Box::new(session);
    bench.command(Command::Session {
        place: flow,
        session,
    });
    bench.run(2 * PERIOD);
    let after = &bench.packets()[0];
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(960));
    bench.connect(flow);
    bench.run(2 * PERIOD);
    assert_eq!(bench.packets()[0].sequence, 0);
}
