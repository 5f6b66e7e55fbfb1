//! A whole call: members and their gateway, with the steps that every scenario needs.

use cadenza_dave::{Reply, ServerMessage};

use super::client::Client;
use super::gateway::{Accepted, Gateway, Proposal};

pub const A: u64 = 158_049_329_150_427_136;
pub const B: u64 = 158_533_742_254_751_744;
pub const C: u64 = 160_000_000_000_000_001;
pub const D: u64 = 1;

pub struct Call {
    pub gateway: Gateway,
    pub clients: Vec<Client>,
    next_transition: u16,
}

impl Call {
    /// Members who connected one after the other, alone in their groups.
    pub fn of(users: &[u64]) -> Call {
        let mut call = Call {
            gateway: Gateway::new(),
            clients: Vec::new(),
            next_transition: 7,
        };
        users.iter().for_each(|user| call.connect(*user));
        call
    }

    /// A call whose group stands: the first founded it, the others were welcomed.
    pub fn established(users: &[u64]) -> Call {
        let mut call = Call::of(users);
        call.found(users[0]);
        call
    }

    pub fn client(&mut self, user: u64) -> &mut Client {
        let client = self.clients.iter_mut().find(|client| client.user == user);
        client.expect("the user is connected")
    }

    /// Somebody identifies: ops 4, 11 and 25, and 26 back.
    pub fn connect(&mut self, user: u64) {
        let others: Vec<u64> = self.clients.iter().map(|client| client.user).collect();
        for client in &mut self.clients {
            client.members(&[user], &[]);
        }
        let mut client = Client::new(user, &others);
        client.open(1);
        let sender = self.gateway.external_sender();
        client.hear_gateway(ServerMessage::ExternalSender(sender));
        let package = client.take_key_package();
        self.gateway.take_key_package(user, package);
        self.clients.push(client);
    }

    /// Somebody is gone; the proposal to remove is not out yet.
    pub fn disconnect(&mut self, user: u64) {
        self.clients.retain(|client| client.user != user);
        for client in &mut self.clients {
            client.members(&[], &[user]);
        }
    }

    /// The first group: everybody gets the others' Adds, and `winner`'s commit is taken. Transition 0.
    pub fn found(&mut self, winner: u64) -> Accepted {
        let users: Vec<u64> = self.clients.iter().map(|client| client.user).collect();
        let adds: Vec<(u64, Proposal)> = users
            .iter()
            .map(|user| (*user, self.gateway.add(*user)))
            .collect();
        for client in &mut self.clients {
            let others = adds.iter().filter(|(user, _)| *user != client.user);
            let others: Vec<&Proposal> = others.map(|(_, add)| add).collect();
            client.propose(&others);
        }
        let op28 = self.client(winner).take_commit();
        let accepted = self.gateway.accept(winner, &op28);
        self.deliver(winner, &accepted, 0);
        accepted
    }

    /// Proposes to the members of the group, and lets one of them win.
    pub fn change(&mut self, proposals: &[&Proposal], winner: u64) -> u16 {
        let members: Vec<u64> = self.gateway.leaves.iter().flatten().copied().collect();
        for client in &mut self.clients {
            if members.contains(&client.user) {
                client.propose(proposals);
            }
        }
        let op28 = self.client(winner).take_commit();
        let accepted = self.gateway.accept(winner, &op28);
        let transition = self.transition();
        self.deliver(winner, &accepted, transition);
        transition
    }

    /// Ops 29 and 30 to whom they concern. Losers' commits are dropped silently.
    pub fn deliver(&mut self, winner: u64, accepted: &Accepted, transition: u16) {
        let founding = self.gateway.epoch == 1;
        let members: Vec<u64> = self.gateway.leaves.iter().flatten().copied().collect();
        for client in &mut self.clients {
            client
                .replies
                .retain(|reply| !matches!(reply, Reply::Commit(_)));
            if let Some(welcome) = accepted.welcomes.get(&client.user) {
                client.welcome(transition, welcome);
            } else if members.contains(&client.user) && (!founding || client.user == winner) {
                client.announce(transition, &accepted.commit);
            }
        }
    }

    /// Checks op 31 and lets the gateway replace the member's leaf; then all must be well again.
    pub fn recover(&mut self, everybody: &[u64], user: u64, transition: u16) {
        let replies = self.client(user).take_replies();
        let [
            Reply::Invalid { transition: of },
            Reply::KeyPackage(package),
        ] = replies.as_slice()
        else {
            panic!("{replies:?}");
        };
        assert_eq!(*of, transition);
        let package = package.clone();
        for client in &mut self.clients {
            client.take_replies();
        }
        let others = || everybody.iter().filter(|other| **other != user);
        for other in others() {
            self.client(*other).execute(transition);
        }
        let remove = self.gateway.remove(user);
        self.gateway.take_key_package(user, package);
        let add = self.gateway.add(user);
        for other in others() {
            self.client(*other).propose(&[&remove, &add]);
        }
        let winner = *others().next().expect("somebody is left");
        let op28 = self.client(winner).take_commit();
        let accepted = self.gateway.accept(winner, &op28);
        self.deliver(winner, &accepted, 20);
        self.execute(20);
        self.assert_all_hear_each_other();
    }

    /// A transition's id that was not used yet.
    pub fn transition(&mut self) -> u16 {
        self.next_transition += 1;
        self.next_transition
    }

    /// Op 22 to all, who must have answered op 23.
    pub fn execute(&mut self, transition: u16) {
        for client in &mut self.clients {
            let ready = Reply::Ready { transition };
            assert_eq!(client.take_replies(), [ready], "user {}", client.user);
            client.execute(transition);
        }
    }

    /// Everybody speaks and everybody else must hear it; nothing of it goes in clear.
    pub fn assert_all_hear_each_other(&mut self) {
        let users: Vec<u64> = self.clients.iter().map(|client| client.user).collect();
        for from in &users {
            let frame = [0x78, *from as u8, 3, 4, 5, 6, 7, 8];
            let sealed = self.client(*from).speak(&frame).expect("it has a key");
            assert!(sealed.ends_with(&[0xFA, 0xFA]));
            assert!(!sealed.windows(8).any(|window| window == frame));
            for to in users.iter().filter(|to| *to != from) {
                let heard = self.client(*to).listen(*from, &sealed);
                assert_eq!(heard.as_deref(), Ok(&frame[..]), "{from} to {to}");
            }
        }
        let codes: Vec<_> = self
            .clients
            .iter()
            .map(|client| client.state.privacy_code.clone())
            .collect();
        assert!(codes[0].as_ref().is_some_and(|code| code.len() == 30));
        assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    }
}
