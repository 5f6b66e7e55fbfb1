//! The sequences of a call, from the first member to the last: who joins, who leaves, what changes.

mod support;

use cadenza_dave::{Reply, SenderKeys, ServerMessage, verification_code};
use support::call::{A, B, C, Call, D};
use support::client::{Client, SECOND};
use support::gateway::CHANNEL;
use support::mls::parse_commit;

#[test]
fn alone_nothing_leaves_in_clear() {
    let mut call = Call::of(&[A]);
    let client = call.client(A);
    assert_eq!(client.keys, SenderKeys::Hold);
    assert!(client.speak(&[0x78, 1, 2]).is_err());
    assert_eq!(
        client.speak(&[0xF8, 0xFF, 0xFE]),
        Ok(vec![0xF8, 0xFF, 0xFE])
    );
    assert!(!client.state.ready && client.state.epoch.is_none());
    assert_eq!(client.state.version, 1);
    client.wait(3_600 * SECOND);
    assert_eq!(client.failed, None, "waiting for others is no failure");
    assert_eq!(client.take_replies(), []);
}

#[test]
fn a_second_member_wins_or_loses_the_race_to_found_the_group() {
    for winner in [A, B] {
        let mut call = Call::of(&[A, B]);
        call.found(winner);
        call.assert_all_hear_each_other();
        for client in &mut call.clients {
            assert_eq!(client.take_replies(), [], "transition 0 is not answered");
            assert_eq!(client.executed, [(0, 1)]);
            assert_eq!(client.state.epoch, Some(1));
            let members: Vec<u64> = client.state.members.iter().map(|one| one.user).collect();
            assert_eq!(members, [A, B]);
            assert_eq!(
                client.dave.counters().commits_won,
                u64::from(client.user == winner)
            );
        }
    }
}

#[test]
fn the_verification_code_is_the_same_from_both_sides() {
    let mut call = Call::established(&[A, B]);
    let codes: Vec<String> = [A, B]
        .map(|user| call.client(user).state.members.clone())
        .iter()
        .map(|members| verification_code(&members[0], &members[1]).expect("both have keys"))
        .collect();
    assert_eq!(codes[0], codes[1]);
    assert!(codes[0].len() == 45 && codes[0].bytes().all(|byte| byte.is_ascii_digit()));
}

#[test]
fn a_fourth_member_joins_and_the_sender_switches_when_told() {
    let mut call = Call::established(&[A, B, C]);
    call.connect(D);
    let before = call.client(A).keys;
    let add = call.gateway.add(D);
    let transition = call.change(&[&add], B);
    assert_eq!(call.client(A).keys, before, "op 22 is not here yet");
    // Between commit and op 22 the old key still speaks, and everybody still understands it.
    let early = call.client(A).speak(&[0x78; 20]).expect("it has a key");
    for to in [B, C] {
        assert_eq!(
            call.client(to).listen(A, &early).as_deref(),
            Ok(&[0x78; 20][..])
        );
    }
    call.execute(transition);
    assert_ne!(call.client(A).keys, before);
    call.assert_all_hear_each_other();
}

#[test]
fn frames_of_the_former_epoch_are_opened_for_ten_seconds() {
    for (wait, heard) in [(9, true), (11, false)] {
        let mut call = Call::established(&[A, B]);
        let late = call.client(A).speak(&[0x78; 20]).expect("it has a key");
        call.connect(C);
        let add = call.gateway.add(C);
        let transition = call.change(&[&add], A);
        call.execute(transition);
        let client = call.client(B);
        client.wait(wait * SECOND);
        assert_eq!(client.listen(A, &late).is_ok(), heard, "after {wait} s");
    }
}

#[test]
fn a_member_leaves_and_comes_back_at_the_first_leaf() {
    let mut call = Call::established(&[A, B, C]);
    call.disconnect(A);
    let remove = call.gateway.remove(A);
    let transition = call.change(&[&remove], C);
    call.execute(transition);
    call.assert_all_hear_each_other();
    call.connect(A);
    let add = call.gateway.add(A);
    let transition = call.change(&[&add], B);
    assert_eq!(call.gateway.leaf_of(A), 0);
    call.execute(transition);
    call.assert_all_hear_each_other();
}

#[test]
fn a_commit_that_removes_somebody_has_a_path_and_no_welcome() {
    let mut call = Call::established(&[A, B, C]);
    call.disconnect(C);
    let remove = call.gateway.remove(C);
    call.client(A).propose(&[&remove]);
    let commit = parse_commit(&call.client(A).take_commit());
    assert!(commit.has_path && commit.welcome.is_empty());
}

#[test]
fn the_last_member_starts_anew_and_the_call_fills_again() {
    for version in [1, 0] {
        let mut call = Call::established(&[A, B]);
        call.disconnect(B);
        call.gateway.reset();
        let client = call.client(A);
        client.prepare_epoch(1, 1);
        let package = client.take_key_package();
        client.prepare(0, version);
        assert_eq!(client.take_replies(), [], "transition 0 is not answered");
        assert_eq!(
            client.keys,
            SenderKeys::Hold,
            "op 21 says version {version}"
        );
        assert!(client.speak(&[0x78, 1]).is_err());
        assert_eq!(client.state.version, 1);
        call.gateway.take_key_package(A, package);
        call.connect(C);
        call.found(C);
        call.assert_all_hear_each_other();
    }
}

#[test]
fn encryption_is_switched_off_and_on_again() {
    let mut call = Call::established(&[A, B]);
    let before = call.client(A).speak(&[0x78; 9]).expect("it has a key");
    for client in &mut call.clients {
        client.prepare(30, 0);
    }
    // Clear frames may come from now on, and encrypted ones go on.
    assert_eq!(
        call.client(B).listen(A, &[0x78, 5]).as_deref(),
        Ok(&[0x78, 5][..])
    );
    assert!(
        call.client(A)
            .speak(&[0x78; 9])
            .is_ok_and(|frame| frame.len() > 9)
    );
    call.execute(30);
    for client in &mut call.clients {
        assert_eq!(client.keys, SenderKeys::Clear);
        assert!(client.state.ready && client.state.version == 0);
        assert_eq!(client.state.privacy_code, None);
        assert_eq!(client.executed.last(), Some(&(30, 0)));
    }
    let client = call.client(B);
    assert_eq!(
        client.listen(A, &before).as_deref(),
        Ok(&[0x78; 9][..]),
        "under way"
    );

    call.gateway.reset();
    for user in [A, B] {
        call.client(user).prepare_epoch(1, 1);
        let package = call.client(user).take_key_package();
        assert_eq!(
            call.client(user).keys,
            SenderKeys::Clear,
            "until the transition"
        );
        call.gateway.take_key_package(user, package);
    }
    upgrade(&mut call);
}

/// The group is founded within a transition that is executed later.
fn upgrade(call: &mut Call) {
    let adds = [A, B].map(|user| call.gateway.add(user));
    call.client(A).propose(&[&adds[1]]);
    call.client(B).propose(&[&adds[0]]);
    let op28 = call.client(A).take_commit();
    let accepted = call.gateway.accept(A, &op28);
    call.deliver(A, &accepted, 31);
    for client in &mut call.clients {
        assert_eq!(client.keys, SenderKeys::Clear, "until op 22");
        client.prepare(31, 1);
        assert_eq!(
            client.take_replies(),
            [
                Reply::Ready { transition: 31 },
                Reply::Ready { transition: 31 }
            ]
        );
        client.execute(31);
        assert!(matches!(client.keys, SenderKeys::Keyed(_)));
    }
    call.assert_all_hear_each_other();
    let client = call.client(B);
    client.wait(9 * SECOND);
    assert!(client.listen(A, &[0x78, 5]).is_ok(), "a grace period");
    client.wait(2 * SECOND);
    assert!(client.listen(A, &[0x78, 5]).is_err());
}

#[test]
fn a_stage_channel_is_not_encrypted() {
    let mut client = Client::new(A, &[B]);
    client.open(0);
    assert_eq!(client.take_replies(), []);
    assert_eq!(client.keys, SenderKeys::Clear);
    assert!(client.state.ready && client.state.version == 0);
    assert_eq!(
        client.listen(B, &[0x78, 1, 2]).as_deref(),
        Ok(&[0x78, 1, 2][..])
    );
    client.wait(60 * SECOND);
    assert_eq!(client.failed, None);
}

#[test]
fn the_external_sender_may_come_before_the_session() {
    let mut call = Call::of(&[A]);
    let mut client = Client::new(B, &[A]);
    client.hear_gateway(ServerMessage::ExternalSender(
        call.gateway.external_sender(),
    ));
    client.open(1);
    let package = client.take_key_package();
    call.gateway.take_key_package(B, package);
    call.client(A).members(&[B], &[]);
    call.clients.push(client);
    call.found(B);
    call.assert_all_hear_each_other();
}

#[test]
fn a_new_session_is_a_new_member() {
    let mut call = Call::established(&[A, B]);
    let sender = call.gateway.external_sender();
    let client = call.client(A);
    client.close();
    assert_eq!(client.keys, SenderKeys::Hold);
    client.hear_gateway(ServerMessage::ExternalSender(sender));
    client.members(&[B], &[]);
    client.open(1);
    let package = client.take_key_package();
    let remove = call.gateway.remove(A);
    call.gateway.take_key_package(A, package);
    let add = call.gateway.add(A);
    // The winner's commit removes the old leaf and welcomes the new.
    let transition = call.change(&[&remove, &add], B);
    call.execute(transition);
    call.assert_all_hear_each_other();
}

#[test]
fn another_channel_is_another_group() {
    let mut call = Call::established(&[A, B]);
    call.connect(C);
    let add = call.gateway.add(C);
    let client = call.client(A);
    client.close();
    client.open_channel(1, CHANNEL + 1);
    client.take_key_package();
    client.propose(&[&add]);
    assert_eq!(client.take_replies(), [], "proposals of the other channel");
    assert_eq!(client.keys, SenderKeys::Hold);
}

#[test]
fn fifty_members_join_at_once() {
    let users: Vec<u64> = (1..=50).collect();
    let mut call = Call::established(&users);
    call.assert_all_hear_each_other();
    assert_eq!(call.client(50).state.members.len(), 50);
}

#[test]
fn members_come_and_go_at_random_and_all_hear_all() {
    let mut call = Call::established(&[1, 2, 3]);
    let mut random = 7_u64;
    let mut next_user = 4;
    for _ in 0..40 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let pick = (random >> 33) as usize;
        let users: Vec<u64> = call.clients.iter().map(|client| client.user).collect();
        let leaves = users.len() > 2 && pick.is_multiple_of(2);
        let (proposal, gone) = if leaves {
            let user = users[pick % users.len()];
            call.disconnect(user);
            (call.gateway.remove(user), user)
        } else {
            call.connect(next_user);
            next_user += 1;
            (call.gateway.add(next_user - 1), 0)
        };
        let stay: Vec<u64> = users.into_iter().filter(|user| *user != gone).collect();
        let transition = call.change(&[&proposal], stay[pick % stay.len()]);
        call.execute(transition);
        call.assert_all_hear_each_other();
    }
}
