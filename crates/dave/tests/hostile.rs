//! Gateways that break the rules: nothing they say may do more than end the session.

mod support;

use cadenza_dave::{DaveFailure, Reply, SenderKeys, ServerMessage};
use support::call::{A, B, C, Call};
use support::client::{Client, SECOND};
use support::gateway::{What, append, with_transition};

#[test]
fn proposals_that_nobody_may_make_are_not_committed() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let package = call.gateway.packages[&C].clone();
    let add = [&[0, 1][..], &package].concat();
    let epoch = call.gateway.epoch;
    let add_c = What::Add(C);
    let mut forged = call.gateway.craft(epoch, 2, &add, add_c);
    *forged.message.last_mut().expect("it has bytes") ^= 1;
    let cases = [
        (
            "another epoch",
            call.gateway.craft(epoch + 1, 2, &add, add_c),
        ),
        ("a member's", call.gateway.craft(epoch, 1, &add, add_c)),
        ("a new member's", call.gateway.craft(epoch, 3, &add, add_c)),
        ("a wrong signature", forged),
        (
            "an update",
            call.gateway
                .craft(epoch, 2, &[&[0, 2][..], &package[71..]].concat(), add_c),
        ),
        (
            "a re-init",
            call.gateway
                .craft(epoch, 2, &[0, 5, 0, 0, 1, 0, 2, 0], add_c),
        ),
        (
            "a leaf that is empty",
            call.gateway.craft(epoch, 2, &[0, 3, 0, 0, 0, 9], add_c),
        ),
    ];
    let client = call.client(A);
    for (what, proposal) in &cases {
        client.propose(&[proposal]);
        client.wait(SECOND);
        assert_eq!(client.take_replies(), [], "{what}");
    }
    for payload in [
        &[][..],
        &[0],
        &[1],
        &[2, 0],
        &[0, 0x40, 1, 5],
        &[1, 0x21, 0x20, 7],
        &[0; 300],
    ] {
        client.hear_gateway(ServerMessage::Proposals(payload.to_vec()));
        assert_eq!(client.take_replies(), []);
    }
    let add = call.gateway.add(C);
    let transition = call.change(&[&add], A);
    call.execute(transition);
    call.assert_all_hear_each_other();
}

#[test]
fn a_user_is_not_added_twice() {
    let mut call = Call::established(&[A, B]);
    let add = call.gateway.add(B);
    let client = call.client(A);
    client.propose(&[&add]);
    assert_eq!(client.take_replies(), []);
}

#[test]
fn commits_and_welcomes_out_of_place_are_ignored() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    call.client(A).propose(&[&add]);
    call.client(B).propose(&[&add]);
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    // Not for its group yet: the one about to be welcomed.
    call.client(C).announce(3, &accepted.commit);
    assert_eq!(call.client(C).take_replies(), []);
    // Nobody has proposed anything here.
    let mut quiet = Call::established(&[A, B]);
    quiet.client(A).announce(3, &accepted.commit);
    assert_eq!(quiet.client(A).take_replies(), []);
    // A welcome for somebody who is a member.
    quiet.client(A).welcome(3, &accepted.welcomes[&C]);
    assert_eq!(quiet.client(A).take_replies(), []);
    quiet.assert_all_hear_each_other();
    // Too short to name a transition.
    quiet.client(A).hear_gateway(ServerMessage::Commit(vec![1]));
    quiet
        .client(A)
        .hear_gateway(ServerMessage::Welcome(Vec::new()));
    assert_eq!(quiet.client(A).take_replies(), []);
}

#[test]
fn a_commit_that_carries_a_proposal_itself_is_not_taken() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    call.client(A).propose(&[&add]);
    call.client(B).propose(&[&add]);
    let op28 = call.client(A).take_commit();
    let mut commit = call.gateway.accept(A, &op28).commit;
    // Version, wire format, group, epoch, sender, no data, kind, the length of the list: its first entry.
    let kind = &mut commit[2 + 2 + 9 + 8 + 5 + 1 + 1 + 1];
    assert_eq!(*kind, 2, "by reference");
    *kind = 1;
    call.client(B).take_replies();
    call.client(B).announce(8, &commit);
    let replies = call.client(B).take_replies();
    assert!(
        matches!(
            replies.as_slice(),
            [Reply::Invalid { transition: 8 }, Reply::KeyPackage(_)]
        ),
        "{replies:?}"
    );
}

#[test]
fn nothing_but_the_external_sender_counts_before_a_session() {
    let mut call = Call::of(&[A, B]);
    let add = call.gateway.add(B);
    let mut client = Client::new(A, &[B]);
    client.propose(&[&add]);
    client.prepare(3, 0);
    client.execute(3);
    client.prepare_epoch(1, 1);
    client.welcome(0, &[1, 2, 3]);
    assert_eq!(client.take_replies(), []);
    assert_eq!(client.keys, SenderKeys::Clear);
    assert_eq!(client.dave.counters().ignored, 5);
}

#[test]
fn a_broken_external_sender_is_no_end() {
    let mut call = Call::of(&[A]);
    let mut client = Client::new(B, &[A]);
    client.hear_gateway(ServerMessage::ExternalSender(vec![9; 40]));
    client.open(1);
    let package = client.take_key_package();
    client.hear_gateway(ServerMessage::ExternalSender(Vec::new()));
    client.hear_gateway(ServerMessage::ExternalSender(
        call.gateway.external_sender(),
    ));
    call.gateway.take_key_package(B, package);
    call.client(A).members(&[B], &[]);
    call.clients.push(client);
    call.found(A);
    call.assert_all_hear_each_other();
}

#[test]
fn a_version_that_is_not_spoken_ends_the_session() {
    for unknown in [2, u16::MAX] {
        let mut client = Client::new(A, &[]);
        client.open(1);
        client.take_replies();
        client.prepare_epoch(unknown, 1);
        assert_eq!(client.failed, Some(DaveFailure::VersionUnsupported));
        assert_eq!(client.keys, SenderKeys::Hold);
    }
    let mut client = Client::new(A, &[]);
    client.open(2);
    assert_eq!(client.failed, Some(DaveFailure::VersionUnsupported));
    assert!(client.speak(&[0x78, 1]).is_err());
}

#[test]
fn what_waits_for_an_announcement_is_bounded() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let client = call.client(A);
    client.members(&[], &[C]);
    for _ in 0..300 {
        client.propose(&[&add]);
    }
    assert_eq!(client.failed, Some(DaveFailure::Overloaded));
}

#[test]
fn a_message_of_absurd_length_is_not_looked_at() {
    let mut call = Call::established(&[A, B]);
    let client = call.client(A);
    client.hear_gateway(ServerMessage::Proposals(vec![0; (1 << 20) + 1]));
    client.hear_gateway(ServerMessage::Commit(with_transition(1, &vec![0; 1 << 20])));
    assert_eq!(client.dave.counters().ignored, 2);
    let many: Vec<_> = (0..3).map(|_| call.gateway.remove(B)).collect();
    let refs: Vec<_> = many.iter().collect();
    assert!(append(&refs).len() < 1 << 20);
}

#[test]
fn nobody_is_let_in_by_a_key_package_with_a_few_wrong_bytes() {
    let mut next = numbers(7);
    let call = Call::of(&[A, B]);
    let package = &call.gateway.packages[&B];
    let sender = call.gateway.external_sender();
    let mut committed = 0;
    for _ in 0..300 {
        let mut client = Client::new(A, &[B]);
        client.open(1);
        client.hear_gateway(ServerMessage::ExternalSender(sender.clone()));
        client.take_key_package();
        let changed = mutate(package, &mut next);
        // The gateway vouches for it: the signature of the proposal itself is right.
        let body = [&[0, 1][..], &changed].concat();
        let add = call.gateway.craft(0, 2, &body, What::Add(B));
        client.propose(&[&add]);
        client.wait(SECOND);
        assert_eq!(client.failed, None, "{changed:02x?}");
        let commits = client.take_replies().len();
        assert_eq!(commits, usize::from(changed == *package), "{changed:02x?}");
        committed += commits;
    }
    assert!(committed > 0, "an unharmed one is taken");
}

#[test]
fn messages_with_a_few_wrong_bytes_end_nothing() {
    let mut next = numbers(42);
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let proposals = append(&[&add]);
    for user in [A, B] {
        call.client(user)
            .hear_gateway(ServerMessage::Proposals(proposals.clone()));
    }
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    let commit = with_transition(3, &accepted.commit);
    let welcome = with_transition(3, &accepted.welcomes[&C]);
    let sender = call.gateway.external_sender();
    for round in 0..400 {
        // A new session each time, because recoveries are few.
        let mut client = Client::new(C, &[A, B]);
        client.open(1);
        client.hear_gateway(ServerMessage::ExternalSender(sender.clone()));
        let message = match round % 4 {
            0 => ServerMessage::Proposals(mutate(&proposals, &mut next)),
            1 => ServerMessage::Commit(mutate(&commit, &mut next)),
            2 => ServerMessage::Welcome(mutate(&welcome, &mut next)),
            _ => ServerMessage::ExternalSender(mutate(&sender, &mut next)),
        };
        client.hear_gateway(message.clone());
        client.wait(SECOND);
        assert_eq!(client.failed, None, "{message:?}");
        assert!(client.speak(&[0x78, 1, 2]).is_err() || client.state.epoch.is_some());
    }
}

/// The same numbers for the same seed.
fn numbers(seed: u64) -> impl FnMut() -> usize {
    let mut random = seed;
    move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize
    }
}

/// Up to three bytes changed, up to two cut off.
fn mutate(bytes: &[u8], next: &mut dyn FnMut() -> usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..next() % 4 {
        let at = next() % bytes.len();
        bytes[at] = next() as u8;
    }
    bytes.truncate(bytes.len() - next() % 3);
    bytes
}
