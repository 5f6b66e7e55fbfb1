//! A pacer's tick neither allocates nor frees, with a thousand flows that do everything flows do.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cadenza_dave::{FrameSession, SenderKeys};
use cadenza_engine::frame_queue::FrameProducer;
use cadenza_engine::pacer::Command;
use cadenza_proto::dave::BaseKey;
use support::pacer::{Bench, MILLI, PERIOD, fill, push_end};

const FLOWS: u32 = 1_000;

#[test]
fn a_tick_with_a_thousand_flows_leaves_the_allocator_alone() {
    let mut bench = Bench::new(FLOWS as usize);
    bench.pacer.sink().counting_only.set(true);
    let mut producers: Vec<FrameProducer> = (0..FLOWS)
        .map(|_| {
            let flow = bench.flow();
            bench.play(flow, flow)
        })
        .collect();
    // What commands carry is made here and kept by the garbage ring; neither is the pacer's doing.
    let mut keep = Vec::new();
    let mut touched = 0;
    for round in 0..200_u32 {
        for (flow, producer) in producers.iter_mut().enumerate() {
            // Some sources run dry, some end, and the rest play on.
            match flow % 10 {
                0 if round % 50 > 10 => {}
                1 if round == 30 => push_end(producer),
                _ => {
                    fill(producer, &[1; 160], 0);
                }
            }
        }
        let flow = round % FLOWS;
        bench.pause(flow + 200, round % 3 == 0);
        bench.seek(flow + 400, 1_000);
        keep.push(bench.play(flow + 600, round));
        bench.connect(flow + 700);
        // Some calls are encrypted; their keys change, and some wait for one.
        for keys in [
            SenderKeys::Keyed(BaseKey::new([round as u8; 16])),
            SenderKeys::Hold,
        ] {
            let place = match keys {
                SenderKeys::Hold => flow + 300,
                _ => flow + 500,
            };
            let frames = FrameSession::new(keys);
            bench.command(Command::Frames { place, frames });
        }
        bench.command(Command::Clear { place: flow });
        bench.command(Command::Unlink { place: flow + 100 });
        if round % 7 == 0 {
            bench.command(Command::Remove { place: flow + 800 });
        }
        if round % 40 == 39 {
            bench.clock.advance_ns(500 * MILLI);
        }
        touched += touched_while(|| bench.run(PERIOD));
        if round % 20 == 0 {
            bench.notices();
        }
    }
    assert_eq!(touched, 0, "allocations and frees inside ticks");
    let sent = bench.pacer.sink().count.get();
    assert!(
        sent > 100_000,
        "only {sent} packets: the test would prove little"
    );
}

#[test]
fn flows_that_change_their_pacer_leave_the_allocator_alone() {
    let mut benches = [Bench::new(200), Bench::new(200)];
    for bench in &mut benches {
        bench.pacer.sink().counting_only.set(true);
    }
    let mut producers: Vec<FrameProducer> = (0..200)
        .map(|_| {
            let flow = benches[0].flow();
            benches[0].play(flow, flow)
        })
        .collect();
    // All of them have arrived before the first one leaves.
    benches[0].run(PERIOD);
    benches[1].run(PERIOD);
    let mut touched = 0;
    for round in 0..200_u32 {
        for producer in &mut producers {
            fill(producer, &[1; 160], 0);
        }
        let (from, to) = if round < 100 { (0, 1) } else { (1, 0) };
        for place in [round % 100, 100 + round % 100] {
            benches[from].command(Command::Leave { place });
            touched += touched_while(|| benches[from].run(0));
            benches[from].notices();
            for flow in benches[from].ports.reports.take_moved() {
                benches[to].command(Command::Insert { place, flow });
            }
        }
        for bench in &mut benches {
            touched += touched_while(|| bench.run(PERIOD));
        }
    }
    assert_eq!(touched, 0, "allocations and frees inside ticks");
    let sent: u64 = benches
        .iter()
        .map(|bench| bench.pacer.sink().count.get())
        .sum();
    assert!(sent > 39_000, "every flow sends in every period: {sent}");
}

#[test]
fn calls_that_move_together_leave_the_allocator_alone() {
    let mut bench = Bench::new(1_400);
    bench.pacer.sink().counting_only.set(true);
    let mut producers: Vec<FrameProducer> = (0..1_400)
        .map(|_| {
            let flow = bench.flow();
            bench.play(flow, flow)
        })
        .collect();
    let mut touched = 0;
    for round in 0..60 {
        for producer in &mut producers {
            fill(producer, &[1; 160], 0);
        }
        if round == 20 {
            for place in 0..1_392 {
                bench.command(Command::Clear { place });
            }
        }
        touched += touched_while(|| bench.run(PERIOD));
    }
    assert_eq!(touched, 0, "allocations and frees inside ticks");
    assert_eq!(bench.pacer.active_flows(), 8);
}

#[test]
fn the_counting_allocator_sees_what_it_should() {
    assert_eq!(
        touched_while(|| drop(std::hint::black_box(Box::new([1_u8; 100])))),
        2
    );
}

/// How often `work` allocated or freed on this thread.
fn touched_while<T>(work: impl FnOnce() -> T) -> u64 {
    let before = TOUCHED.get();
    COUNTING.set(true);
    work();
    COUNTING.set(false);
    TOUCHED.get() - before
}

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn count() {
    if COUNTING.get() {
        TOUCHED.set(TOUCHED.get() + 1);
    }
}

// SAFETY: every call is passed to the system's allocator unchanged; counting touches only thread
// locals that are const-initialised and have no destructor, so it never allocates.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the pointer came from `System` through `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}
