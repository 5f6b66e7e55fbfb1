//! What comes at the wrong time, twice, not at all, or broken.

mod support;

use cadenza_dave::{DaveFailure, Reply, ServerMessage};
use support::call::{A, B, C, Call, D};
use support::client::{Client, SECOND};

use support::mls::{parse_commit, welcomed};

#[test]
fn two_batches_of_proposals_before_any_commit() {
    let mut call = Call::established(&[A, B, C]);
    call.connect(D);
    let add = call.gateway.add(D);
    call.client(A).propose(&[&add]);
    call.disconnect(C);
    let remove = call.gateway.remove(C);
    let client = call.client(A);
    client.propose(&[&remove]);
    let commit = parse_commit(&client.take_commit());
    assert_eq!(commit.refs.len(), 2, "all proposals of the epoch");
    assert_eq!(
        welcomed(&commit.welcome),
        1,
        "and the welcome of the first batch"
    );
}

#[test]
fn a_revoked_proposal_leaves_the_rest_to_be_committed() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    call.connect(D);
    let (first, second) = (call.gateway.add(C), call.gateway.add(D));
    let client = call.client(A);
    client.propose(&[&first, &second]);
    client.take_commit();
    let revoke = call.gateway.revoke(&[&first]);
    let client = call.client(A);
    client.hear_gateway(ServerMessage::Proposals(revoke));
    let op28 = client.take_commit();
    let commit = parse_commit(&op28);
    assert_eq!(commit.refs, std::slice::from_ref(&second.reference));
    assert_eq!(welcomed(&commit.welcome), 1);
    let accepted = call.gateway.accept(A, &op28);
    assert_eq!(accepted.welcomes.keys().collect::<Vec<_>>(), [&D]);
    call.client(A).announce(9, &accepted.commit);
    call.client(D).welcome(9, &accepted.welcomes[&D]);
    assert_eq!(call.client(A).state.epoch, Some(2));
    assert_eq!(call.client(D).state.epoch, Some(2));
}

#[test]
fn when_all_is_revoked_there_is_nothing_to_commit() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    call.client(A).propose(&[&add]);
    call.client(A).take_commit();
    let revoke = call.gateway.revoke(&[&add]);
    let client = call.client(A);
    client.hear_gateway(ServerMessage::Proposals(revoke));
    assert_eq!(client.take_replies(), []);
    let add = call.gateway.add(C);
    let transition = call.change(&[&add], B);
    call.execute(transition);
    call.assert_all_hear_each_other();
}

#[test]
fn another_founder_is_followed_by_a_welcome() {
    let mut call = Call::of(&[A, B]);
    let adds = [A, B].map(|user| call.gateway.add(user));
    call.client(A).propose(&[&adds[1]]);
    call.client(B).propose(&[&adds[0]]);
    call.client(A).take_replies();
    let op28 = call.client(B).take_commit();
    let accepted = call.gateway.accept(B, &op28);
    call.client(B).announce(0, &accepted.commit);
    // A gateway should not send this to somebody who is about to be welcomed.
    call.client(A).announce(0, &accepted.commit);
    assert_eq!(call.client(A).take_replies(), []);
    call.client(A).welcome(0, &accepted.welcomes[&A]);
    call.client(A).wait(5 * SECOND);
    assert_eq!(call.client(A).take_replies(), []);
    call.assert_all_hear_each_other();
}

#[test]
fn a_founding_commit_that_came_broken_is_reported_when_no_welcome_follows() {
    let mut call = Call::of(&[A, B]);
    let add = call.gateway.add(B);
    call.client(A).propose(&[&add]);
    let mut commit = parse_commit(&call.client(A).take_commit()).message;
    *commit.last_mut().expect("it has bytes") ^= 1;
    let client = call.client(A);
    client.announce(0, &commit);
    assert_eq!(client.take_replies(), []);
    client.wait(3 * SECOND);
    let replies = client.take_replies();
    assert!(
        matches!(
            replies.as_slice(),
            [Reply::Invalid { transition: 0 }, Reply::KeyPackage(_)]
        ),
        "{replies:?}"
    );
}

#[test]
fn an_unknown_or_repeated_execution_is_harmless() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let transition = call.change(&[&add], A);
    call.client(A).execute(999);
    call.execute(transition);
    let keys = call.client(A).keys;
    call.client(A).execute(transition);
    call.client(A).execute(0);
    assert_eq!(
        call.client(A).keys,
        keys,
        "a key is never used from its first nonce twice"
    );
    assert_eq!(call.client(A).executed.len(), 2);
    call.assert_all_hear_each_other();
}

#[test]
fn an_execution_that_did_not_wait_for_anybody_is_followed() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let before = call.client(B).keys;
    let transition = call.change(&[&add], A);
    assert_eq!(call.client(B).keys, before, "it speaks with the old key");
    // Op 22 comes while op 23 is still on its way.
    for client in &mut call.clients {
        client.execute(transition);
    }
    assert_ne!(call.client(B).keys, before);
    let replies = call.client(B).take_replies();
    assert_eq!(replies, [Reply::Ready { transition }]);
    call.assert_all_hear_each_other();
}

#[test]
fn transitions_overtake_each_other() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    call.connect(D);
    let add = call.gateway.add(C);
    let first = call.change(&[&add], A);
    // The next change begins before the first is executed.
    let add = call.gateway.add(D);
    let second = call.change(&[&add], C);
    for client in &mut call.clients {
        client.take_replies();
        client.execute(second);
    }
    let keys = call.client(A).keys;
    for client in &mut call.clients {
        client.execute(first);
    }
    assert_eq!(
        call.client(A).keys,
        keys,
        "an older epoch does not come back"
    );
    call.assert_all_hear_each_other();
}

#[test]
fn a_new_group_begins_while_a_commit_is_pending() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    call.client(A).propose(&[&add]);
    call.client(A).take_commit();
    let keys = call.client(A).keys;
    call.client(A).prepare_epoch(1, 1);
    let package = call.client(A).take_key_package();
    assert_eq!(
        call.client(A).keys,
        keys,
        "the sender goes on until the transition"
    );
    call.gateway.reset();
    call.gateway.take_key_package(A, package);
    call.client(B).prepare_epoch(1, 1);
    let package = call.client(B).take_key_package();
    call.gateway.take_key_package(B, package);
    call.found(A);
    call.assert_all_hear_each_other();
}

#[test]
fn a_repeated_external_sender_changes_nothing() {
    let mut call = Call::established(&[A, B]);
    let sender = call.gateway.external_sender();
    call.client(A)
        .hear_gateway(ServerMessage::ExternalSender(sender.clone()));
    call.assert_all_hear_each_other();
    // Nor does it before the group is founded: proposals that wait stay.
    let mut call = Call::of(&[A, B]);
    let add = call.gateway.add(B);
    call.client(A).propose(&[&add]);
    let op28 = call.client(A).take_commit();
    call.client(A)
        .hear_gateway(ServerMessage::ExternalSender(sender));
    let commit = parse_commit(&op28).message;
    call.client(A).announce(0, &commit);
    assert_eq!(call.client(A).state.epoch, Some(1));
}

#[test]
fn messages_replayed_after_a_resume_change_nothing() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    for user in [A, B] {
        call.client(user).propose(&[&add]);
    }
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    call.deliver(A, &accepted, 12);
    let (commit, welcome) = (accepted.commit.clone(), accepted.welcomes[&C].clone());
    call.client(B).announce(12, &commit);
    call.client(C).welcome(12, &welcome);
    call.client(B).propose(&[&add]);
    call.execute(12);
    call.client(B).announce(12, &commit);
    assert!(
        call.clients
            .iter_mut()
            .all(|client| client.take_replies().is_empty())
    );
    call.assert_all_hear_each_other();
}

#[test]
fn a_user_who_leaves_before_being_added() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    for user in [A, B] {
        call.client(user).propose(&[&add]);
        call.client(user).take_commit();
    }
    call.disconnect(C);
    let revoke = call.gateway.revoke(&[&add]);
    for user in [A, B] {
        call.client(user)
            .hear_gateway(ServerMessage::Proposals(revoke.clone()));
    }
    call.connect(D);
    let add = call.gateway.add(D);
    let transition = call.change(&[&add], B);
    call.execute(transition);
    call.assert_all_hear_each_other();
}

#[test]
fn a_broken_commit_is_reported_and_the_member_added_anew() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    for user in [A, B] {
        call.client(user).propose(&[&add]);
    }
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    let mut broken = accepted.commit.clone();
    broken[150] ^= 0x10;
    call.client(B).take_replies();
    let keys = call.client(B).keys;
    call.client(A).announce(8, &accepted.commit);
    call.client(C).welcome(8, &accepted.welcomes[&C]);
    call.client(B).announce(8, &broken);
    assert_eq!(
        call.client(B).keys,
        keys,
        "it speaks on with the key that others still know"
    );
    call.recover(&[A, B, C], B, 8);
}

#[test]
fn a_broken_welcome_is_reported_and_the_member_added_anew() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    for user in [A, B] {
        call.client(user).propose(&[&add]);
    }
    let op28 = call.client(B).take_commit();
    let accepted = call.gateway.accept(B, &op28);
    call.client(A).take_replies();
    for user in [A, B] {
        call.client(user).announce(8, &accepted.commit);
    }
    let mut broken = accepted.welcomes[&C].clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    call.client(C).welcome(8, &broken);
    call.recover(&[A, B, C], C, 8);
}

#[test]
fn whoever_is_removed_joins_anew_without_complaint() {
    let mut call = Call::established(&[A, B, C]);
    let remove = call.gateway.remove(C);
    for user in [A, B, C] {
        call.client(user).propose(&[&remove]);
    }
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    call.client(C).take_replies();
    call.client(C).announce(15, &accepted.commit);
    call.client(C).take_key_package();
    assert_eq!(call.client(C).failed, None);
}

#[test]
fn recovery_is_tried_three_times_a_minute() {
    let mut call = Call::of(&[A, B]);
    let client = call.client(B);
    for attempt in 0..3 {
        client.welcome(attempt, &[0, 2, 0, 0]);
        client.wait(5 * SECOND);
        let replies = client.take_replies();
        assert!(
            matches!(
                replies.as_slice(),
                [Reply::Invalid { .. }, Reply::KeyPackage(_)]
            ),
            "{attempt}: {replies:?}"
        );
    }
    client.welcome(3, &[0, 2, 0, 0]);
    assert_eq!(client.failed, Some(DaveFailure::RecoveryExhausted));
    client.welcome(4, &[0, 2, 0, 0]);
    client.wait(60 * SECOND);
    assert_eq!(client.take_replies(), [], "it waits to be opened anew");
    client.close();
    client.failed = None;
    client.open(1);
    client.take_key_package();
}

#[test]
fn with_others_there_the_group_has_to_be_joined_in_time() {
    let mut call = Call::of(&[A, B]);
    let client = call.client(A);
    client.wait(19 * SECOND);
    assert_eq!(client.failed, None);
    client.wait(2 * SECOND);
    assert_eq!(client.failed, Some(DaveFailure::JoinTimeout));
    // Nobody but the bot itself is nobody.
    let mut call = Call::of(&[A]);
    call.client(A).members(&[A], &[]);
    call.client(A).wait(60 * SECOND);
    assert_eq!(call.client(A).failed, None);
}

#[test]
fn proposals_wait_for_the_announcement_of_their_user() {
    let mut call = Call::established(&[A, B]);
    let mut late = Client::new(C, &[A, B]);
    late.open(1);
    late.hear_gateway(ServerMessage::ExternalSender(
        call.gateway.external_sender(),
    ));
    let package = late.take_key_package();
    call.gateway.take_key_package(C, package);
    let add = call.gateway.add(C);
    let client = call.client(A);
    client.propose(&[&add]);
    assert_eq!(client.take_replies(), [], "C is not announced yet");
    client.wait(SECOND / 3);
    client.members(&[C], &[]);
    assert_eq!(
        parse_commit(&client.take_commit()).refs,
        std::slice::from_ref(&add.reference)
    );
}

#[test]
fn a_user_who_is_never_announced_is_not_let_in() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    call.client(A).members(&[], &[C]);
    call.client(B).propose(&[&add]);
    let op28 = call.client(B).take_commit();
    let accepted = call.gateway.accept(B, &op28);
    let client = call.client(A);
    client.propose(&[&add]);
    // What comes meanwhile keeps its order.
    client.announce(21, &accepted.commit);
    client.wait(SECOND / 4);
    assert_eq!(client.take_replies(), []);
    client.wait(SECOND);
    let replies = client.take_replies();
    assert!(
        matches!(
            replies.as_slice(),
            [Reply::Invalid { transition: 21 }, Reply::KeyPackage(_)]
        ),
        "{replies:?}"
    );
    assert_eq!(client.dave.counters().unknown_users, 1);
}
