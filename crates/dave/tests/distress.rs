//! Frames of others that cannot be opened, and proposals that come in a row.

mod support;

use cadenza_dave::{DaveFailure, Reply, ServerMessage, Undecryptable};
use support::call::{A, B, C, Call, D};
use support::client::SECOND;
use support::gateway::append;
use support::mls::{parse_commit, welcomed};

#[test]
fn who_cannot_open_what_others_say_is_added_anew() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let transition = call.change(&[&add], A);
    call.execute(transition);
    let speaks_with = call.client(B).keys;
    call.client(B).complain(10);
    let client = call.client(B);
    assert_eq!(client.keys, speaks_with, "it goes on speaking meanwhile");
    client.wait(SECOND);
    call.recover(&[A, B, C], B, transition);
}

#[test]
fn nothing_is_done_where_it_will_pass_or_cannot_be_helped() {
    let mut call = Call::established(&[A, B]);
    call.client(B).take_replies();
    // The keys have changed since.
    let stale = Undecryptable { keys: 0, opened: 0 };
    let client = call.client(B);
    client.dave.undecryptable(stale, client.now);
    assert!(client.dave.poll_output().is_none());
    // A transition is under way.
    call.connect(C);
    let add = call.gateway.add(C);
    let transition = call.change(&[&add], A);
    call.client(B).complain(0);
    call.execute(transition);
    // Alone, or before a session: nobody is there to fail.
    let mut alone = Call::of(&[D]);
    alone.client(D).complain(0);
    assert_eq!(alone.client(D).take_replies(), []);
    alone.client(D).close();
    alone.client(D).complain(0);
    assert_eq!(alone.client(D).take_replies(), []);
}

#[test]
fn rubbish_without_end_costs_two_recoveries_and_one_session() {
    let mut call = Call::established(&[A, B]);
    let mut answers = Vec::new();
    for _ in 0..40 {
        let Some(package) = complained(&mut call, 0) else {
            continue;
        };
        answers.push(call.client(B).now / SECOND);
        readd(&mut call, package);
    }
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1] - answers[0], 15);
    assert_eq!(
        call.client(B).failed.take(),
        Some(DaveFailure::Undecryptable)
    );
    // The new session is not ended again by the same rubbish.
    let sender = call.gateway.external_sender();
    let client = call.client(B);
    client.close();
    client.hear_gateway(ServerMessage::ExternalSender(sender));
    client.members(&[A], &[]);
    client.open(1);
    let package = client.take_key_package();
    readd(&mut call, package);
    for _ in 0..60 {
        assert_eq!(complained(&mut call, 0), None);
    }
    assert_eq!(call.client(B).failed, None);
    assert!(
        complained(&mut call, 1).is_some(),
        "something was opened since"
    );
}

#[test]
fn batches_that_wait_together_are_committed_once() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    call.connect(D);
    let (first, second) = (call.gateway.add(C), call.gateway.add(D));
    let client = call.client(A);
    let batches = [append(&[&first]), append(&[&second])];
    let merged = client.dave.merge_proposals(&batches[0], &batches[1]);
    let merged = merged.expect("both are for this epoch");
    assert_eq!(
        merged,
        append(&[&first, &second]),
        "as if it had come as one"
    );
    client.hear_gateway(ServerMessage::Proposals(merged));
    let replies = client.take_replies();
    let [Reply::Commit(op28)] = replies.as_slice() else {
        panic!("one commit for both: {replies:?}");
    };
    let commit = parse_commit(op28);
    assert_eq!(commit.refs, [first.reference, second.reference]);
    assert_eq!(welcomed(&commit.welcome), 2);
}

#[test]
fn batches_that_differ_are_taken_one_by_one() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    call.connect(D);
    let (first, second) = (call.gateway.add(C), call.gateway.add(D));
    let revoke = call.gateway.revoke(&[&first]);
    call.gateway.epoch += 1;
    let later = call.gateway.add(D);
    let (first, second) = (append(&[&first]), append(&[&second]));
    let client = call.client(A);
    let merge = |client: &support::client::Client, second: &[u8]| {
        client.dave.merge_proposals(&first, second).is_some()
    };
    assert!(merge(client, &second));
    assert!(!merge(client, &revoke), "what is taken back");
    assert!(!merge(client, &append(&[&later])), "another epoch");
    assert!(!merge(client, &[0, 5, 1]), "no proposals at all");
    client.members(&[], &[D]);
    assert!(!merge(client, &second), "a user who is not announced");
}

/// A second of rubbish at B: the key package that B answers it with.
fn complained(call: &mut Call, opened: u64) -> Option<Vec<u8>> {
    let client = call.client(B);
    client.wait(SECOND);
    client.complain(opened);
    let replies = client.take_replies();
    match replies.as_slice() {
        [] => None,
        [Reply::Invalid { .. }, Reply::KeyPackage(package)] => Some(package.clone()),
        _ => panic!("{replies:?}"),
    }
}

/// The gateway replaces B's leaf, as often as it is asked to.
fn readd(call: &mut Call, package: Vec<u8>) {
    let remove = call.gateway.remove(B);
    call.gateway.take_key_package(B, package);
    let add = call.gateway.add(B);
    let client = call.client(A);
    client.propose(&[&remove, &add]);
    let op28 = client.take_commit();
    let accepted = call.gateway.accept(A, &op28);
    let transition = call.transition();
    call.deliver(A, &accepted, transition);
    call.execute(transition);
}
