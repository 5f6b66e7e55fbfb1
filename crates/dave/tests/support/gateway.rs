//! The delivery service: proposes members, takes the first valid commit, splits welcomes.

use std::collections::BTreeMap;

use p256::ecdsa::SigningKey;

use super::mls::{narrow, parse_commit, public_key, ref_hash, sign, vector};

pub const CHANNEL: u64 = 927_310_423_890_473_011;

/// A proposal as it was broadcast.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub message: Vec<u8>,
    pub reference: Vec<u8>,
    pub what: What,
}

/// What a proposal is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    Add(u64),
    Remove(u32),
}

/// A commit that was accepted, and what follows from it.
pub struct Accepted {
    pub commit: Vec<u8>,
    pub welcomes: BTreeMap<u64, Vec<u8>>,
}

pub struct Gateway {
    pub key: SigningKey,
    pub channel: u64,
    pub epoch: u64,
    pub leaves: Vec<Option<u64>>,
    pub inflight: Vec<Proposal>,
    pub packages: BTreeMap<u64, Vec<u8>>,
}

impl Gateway {
    pub fn new() -> Gateway {
        Gateway {
            key: SigningKey::from_slice(&[7; 32]).expect("a valid scalar"),
            channel: CHANNEL,
            epoch: 0,
            leaves: Vec::new(),
            inflight: Vec::new(),
            packages: BTreeMap::new(),
        }
    }

    /// Op 25.
    pub fn external_sender(&self) -> Vec<u8> {
        let mut package = vector(&public_key(&self.key));
        package.extend([0, 1, 1, 0]);
        package
    }

    /// Op 26 came.
    pub fn take_key_package(&mut self, user: u64, package: Vec<u8>) {
        assert_eq!(package[..4], [0, 1, 0, 2], "a bare key package");
        self.packages.insert(user, package);
    }

    /// Proposes to add a user, in the present epoch.
    pub fn add(&mut self, user: u64) -> Proposal {
        let package = self.packages.get(&user).expect("a key package came");
        let body = [&[0, 1][..], package].concat();
        self.propose(&body, What::Add(user))
    }

    /// Proposes to remove a user.
    pub fn remove(&mut self, user: u64) -> Proposal {
        let leaf = self.leaf_of(user);
        let body = [&[0, 3][..], &leaf.to_be_bytes()].concat();
        self.propose(&body, What::Remove(leaf))
    }

    pub fn leaf_of(&self, user: u64) -> u32 {
        let leaf = self.leaves.iter().position(|leaf| *leaf == Some(user));
        leaf.expect("the user is a member") as u32
    }

    /// Any proposal at all, signed.
    pub fn propose(&mut self, body: &[u8], what: What) -> Proposal {
        let proposal = self.craft(self.epoch, 2, body, what);
        self.inflight.push(proposal.clone());
        proposal
    }

    /// A proposal for any epoch and from any kind of sender, signed and not noted.
    pub fn craft(&self, epoch: u64, sender: u8, body: &[u8], what: What) -> Proposal {
        let mut content = vector(&self.channel.to_be_bytes());
        content.extend(epoch.to_be_bytes());
        content.push(sender);
        content.extend(0_u32.to_be_bytes());
        content.extend([0, 2]);
        content.extend(body);
        let wire_format = [0, 1];
        let to_sign = [&[0, 1][..], &wire_format, &content].concat();
        let signature = vector(&sign(&self.key, "FramedContentTBS", &to_sign));
        let authenticated = [&wire_format[..], &content, &signature].concat();
        Proposal {
            message: [&[0, 1][..], &authenticated].concat(),
            reference: ref_hash("MLS 1.0 Proposal Reference", &authenticated),
            what,
        }
    }

    /// Takes proposals back.
    pub fn revoke(&mut self, proposals: &[&Proposal]) -> Vec<u8> {
        let mut refs = Vec::new();
        for proposal in proposals {
            refs.extend(vector(&proposal.reference));
            self.inflight
                .retain(|other| other.reference != proposal.reference);
        }
        [&[1][..], &vector(&refs)].concat()
    }

    /// Takes a commit (op 28) from a user; panics where a real gateway would not take it.
    pub fn accept(&mut self, user: u64, op28: &[u8]) -> Accepted {
        let commit = parse_commit(op28);
        assert_eq!(commit.epoch, self.epoch, "the commit is for this epoch");
        let mut expected: Vec<&Proposal> = self.inflight.iter().collect();
        if self.epoch == 0 {
            expected.retain(|proposal| proposal.what != What::Add(user));
            self.leaves = vec![Some(user)];
        }
        assert_eq!(self.leaf_of(user), commit.leaf);
        let mut refs: Vec<&Vec<u8>> = commit.refs.iter().collect();
        let mut wanted: Vec<&Vec<u8>> = expected.iter().map(|one| &one.reference).collect();
        refs.sort();
        wanted.sort();
        assert_eq!(refs, wanted, "all proposals of the epoch and no others");
        let mut added = Vec::new();
        for proposal in &expected {
            if let What::Remove(leaf) = proposal.what {
                self.leaves[leaf as usize] = None;
            }
        }
        for reference in &commit.refs {
            let proposal = expected.iter().find(|one| one.reference == *reference);
            if let Some(What::Add(user)) = proposal.map(|one| one.what) {
                added.push(user);
                match self.leaves.iter_mut().find(|leaf| leaf.is_none()) {
                    Some(leaf) => *leaf = Some(user),
                    None => self.leaves.push(Some(user)),
                }
            }
        }
        assert_eq!(
            added.is_empty(),
            commit.welcome.is_empty(),
            "a welcome for the added"
        );
        let welcomes = added.iter().map(|user| {
            let package = self.packages.get(user).expect("it was proposed");
            (*user, narrow(&commit.welcome, package))
        });
        let welcomes = welcomes.collect();
        self.epoch += 1;
        self.inflight.clear();
        Accepted {
            commit: commit.message,
            welcomes,
        }
    }

    /// Everybody but one has left, or the version changes: the next group begins from nothing.
    pub fn reset(&mut self) {
        self.epoch = 0;
        self.leaves.clear();
        self.inflight.clear();
    }
}

/// Op 27, append.
pub fn append(proposals: &[&Proposal]) -> Vec<u8> {
    let list: Vec<u8> = proposals
        .iter()
        .flat_map(|proposal| proposal.message.clone())
        .collect();
    [&[0][..], &vector(&list)].concat()
}

/// Ops 29 and 30: the transition's id comes first.
pub fn with_transition(transition: u16, message: &[u8]) -> Vec<u8> {
    [&transition.to_be_bytes()[..], message].concat()
}
