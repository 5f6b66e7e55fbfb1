//! What the queue promises to its two ends.

use super::*;

#[test]
fn frames_come_out_whole_in_order_with_their_meta() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    assert!(producer.try_push(&[1, 2, 3], meta(1, 20)));
    assert!(producer.try_push(&[7; MAX_FRAME_LEN], meta(1, 40)));
    assert!(producer.try_push(
        &[],
        FrameMeta {
            last: true,
            ..meta(2, 40)
        }
    ));

    let mut out = [0; MAX_FRAME_LEN];
    assert_eq!(consumer.pop(&mut out), Some((3, meta(1, 20))));
    assert_eq!(out[..3], [1, 2, 3]);
    assert_eq!(consumer.pop(&mut out), Some((MAX_FRAME_LEN, meta(1, 40))));
    assert_eq!(out, [7; MAX_FRAME_LEN]);
    let end = consumer.pop(&mut out).expect("the end marker was pushed");
    assert_eq!((end.0, end.1.last, end.1.epoch), (0, true, 2));
    assert_eq!(consumer.pop(&mut out), None);
}

#[test]
fn a_full_queue_refuses_and_takes_again_after_a_pop() {
    let (mut producer, mut consumer) = frame_queue(0);
    assert!(producer.try_push(&[1; 1000], meta(0, 0)));
    assert!(!producer.has_room());
    assert!(!producer.try_push(&[2; 1000], meta(0, 0)));
    assert_eq!(producer.len(), 1);
    assert!(consumer.pop(&mut [0; MAX_FRAME_LEN]).is_some());
    assert!(producer.try_push(&[2; 1000], meta(0, 0)));
}

#[test]
fn small_frames_are_limited_by_number() {
    let (mut producer, _consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    let taken = (0..1000)
        .filter(|_| producer.try_push(&[0; 3], meta(0, 0)))
        .count();
    assert_eq!(taken, MAX_QUEUED_FRAMES);
}

#[test]
fn an_oversized_frame_is_refused() {
    let (mut producer, _consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    assert!(!producer.try_push(&[0; MAX_FRAME_LEN + 1], meta(0, 0)));
    assert!(producer.is_empty());
}

#[test]
fn discarding_keeps_the_epoch_asked_for() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    for epoch in [1, 1, 2, 2] {
        assert!(producer.try_push(&[epoch as u8; 5], meta(epoch, 0)));
    }
    assert_eq!(consumer.discard_older_than(2), 2);
    assert_eq!(consumer.len(), 2);
    let mut out = [0; MAX_FRAME_LEN];
    assert_eq!(consumer.pop(&mut out), Some((5, meta(2, 0))));
    assert_eq!(consumer.discard_older_than(3), 1);
    assert!(consumer.is_empty());
}

#[test]
fn frames_of_a_newer_epoch_stay_also_around_the_wrap() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    assert!(producer.try_push(&[1], meta(0, 0)));
    assert_eq!(consumer.discard_older_than(u16::MAX), 0);
    assert_eq!(consumer.discard_older_than(1), 1);
}

#[test]
fn each_end_notices_that_the_other_is_gone() {
    let (producer, consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    assert!(!producer.is_abandoned() && !consumer.is_abandoned());
    drop(consumer);
    assert!(producer.is_abandoned());
}

#[test]
fn two_threads_pass_every_frame_once() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    let feed = std::thread::spawn(move || {
        for n in 0..20_000_u32 {
            let frame = vec![n as u8; (n as usize * 37) % 400];
            while !producer.try_push(&frame, meta(0, n)) {
                std::thread::yield_now();
            }
        }
    });
    let mut out = [0; MAX_FRAME_LEN];
    for n in 0..20_000_u32 {
        let (len, got) = loop {
            match consumer.pop(&mut out) {
                Some(frame) => break frame,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!((len, got.position_ms), ((n as usize * 37) % 400, n));
        assert!(out[..len].iter().all(|byte| *byte == n as u8));
    }
    feed.join().expect("the feed thread ends");
}

/// Frames of one byte, their numbers, in epoch 1.
fn push_numbers(producer: &mut FrameProducer, numbers: std::ops::Range<u8>) {
    for number in numbers {
        assert!(producer.try_push(&[number], meta(1, 0)), "{number}");
    }
}

fn pop_byte(consumer: &mut FrameConsumer) -> Option<u8> {
    let mut out = [0; MAX_FRAME_LEN];
    consumer.pop(&mut out).map(|_| out[0])
}

#[test]
fn a_revision_takes_over_two_frames_ahead() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    push_numbers(&mut producer, 0..10);
    assert_eq!(pop_byte(&mut consumer), Some(0));
    let asked_at = consumer.depth().next();
    let frames = producer.replaceable(asked_at).expect("no revision yet");
    assert_eq!(frames, 7);
    producer.revise(frames);
    push_numbers(&mut producer, 103..106);
    assert_eq!(producer.unpublished(), Some(3));
    assert_eq!(pop_byte(&mut consumer), Some(1));
    producer.publish();
    assert!(producer.is_revising());
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [2, 103, 104, 105]);
    assert!(!producer.is_revising() && consumer.is_empty());
}

#[test]
fn a_revision_that_comes_late_keeps_the_time() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    push_numbers(&mut producer, 0..10);
    pop_byte(&mut consumer);
    let frames = producer
        .replaceable(consumer.depth().next())
        .expect("none yet");
    producer.revise(frames);
    push_numbers(&mut producer, 103..110);
    for number in 1..6 {
        assert_eq!(pop_byte(&mut consumer), Some(number));
    }
    producer.publish();
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [106, 107, 108, 109]);
}

#[test]
fn a_revision_that_is_never_published_is_not_heard() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    push_numbers(&mut producer, 0..6);
    producer.revise(3);
    push_numbers(&mut producer, 103..108);
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [0, 1, 2, 3, 4, 5, 106, 107]);
}

#[test]
fn a_revision_of_a_revision_begins_where_that_did() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    push_numbers(&mut producer, 0..10);
    pop_byte(&mut consumer);
    producer.revise(7);
    push_numbers(&mut producer, 103..107);
    producer.publish();
    pop_byte(&mut consumer);
    let frames = producer.replaceable(consumer.depth().next());
    assert_eq!(frames, Some(4));
    producer.revise(4);
    push_numbers(&mut producer, 203..206);
    producer.publish();
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [2, 203, 204, 205]);
}

#[test]
fn a_full_queue_has_room_for_a_revision_but_not_for_any_number() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    while producer.try_push(&[0; 400], meta(1, 0)) {}
    pop_byte(&mut consumer);
    let mut revised = 0;
    for _ in 0..20 {
        let Some(frames) = producer.replaceable(consumer.depth().next()) else {
            break;
        };
        producer.revise(frames);
        assert!(producer.try_push(&[1; 400], meta(1, 0)));
        producer.publish();
        revised += 1;
    }
    assert!((2..10).contains(&revised), "{revised}");
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [0, 0, 1]);
    assert!(producer.replaceable(consumer.depth().next()).is_some());
}

#[test]
fn a_seek_ends_a_revision() {
    let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
    push_numbers(&mut producer, 0..10);
    pop_byte(&mut consumer);
    producer.revise(5);
    push_numbers(&mut producer, 105..107);
    producer.publish();
    for number in 200..205 {
        assert!(producer.try_push(&[number], meta(2, 0)));
    }
    assert_eq!(producer.replaceable(consumer.depth().next()), Some(5));
    consumer.discard_older_than(2);
    let heard: Vec<u8> = std::iter::from_fn(|| pop_byte(&mut consumer)).collect();
    assert_eq!(heard, [200, 201, 202, 203, 204]);
}

fn meta(epoch: u16, position_ms: u32) -> FrameMeta {
    FrameMeta {
        epoch,
        position_ms,
        last: false,
    }
}
