//! The few MLS structures that a voice gateway writes and reads, by RFC 9420 and without an MLS library.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::{Digest, Sha256};

/// A vector with its length in front.
pub fn vector(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len();
    let mut out = match len {
        0..64 => vec![len as u8],
        64..16_384 => (0x4000 | len as u16).to_be_bytes().to_vec(),
        _ => (0x8000_0000 | len as u32).to_be_bytes().to_vec(),
    };
    out.extend_from_slice(bytes);
    out
}

/// `RefHash` of RFC 9420.
pub fn ref_hash(label: &str, value: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(vector(label.as_bytes()));
    hash.update(vector(value));
    hash.finalize().to_vec()
}

/// `SignWithLabel` of RFC 9420.
pub fn sign(key: &SigningKey, label: &str, content: &[u8]) -> Vec<u8> {
    let mut signed = vector(format!("MLS 1.0 {label}").as_bytes());
    signed.extend(vector(content));
    let signature: DerSignature = key.sign(&signed);
    signature.as_bytes().to_vec()
}

/// The public point, uncompressed.
pub fn public_key(key: &SigningKey) -> Vec<u8> {
    key.verifying_key()
        .to_encoded_point(false)
        .as_bytes()
        .to_vec()
}

/// A commit taken apart as far as a gateway can.
#[derive(Clone, Debug)]
pub struct Commit {
    pub message: Vec<u8>,
    pub epoch: u64,
    pub leaf: u32,
    pub refs: Vec<Vec<u8>>,
    pub has_path: bool,
    /// What follows the commit; empty when there is no welcome.
    pub welcome: Vec<u8>,
}

/// Reads op 28.
pub fn parse_commit(bytes: &[u8]) -> Commit {
    let mut at = Cursor(bytes);
    assert_eq!(at.take(4), [0, 1, 0, 1], "mls10, public message");
    at.vector();
    let epoch = u64::from_be_bytes(at.array());
    assert_eq!(at.take(1), [1], "sent by a member");
    let leaf = u32::from_be_bytes(at.array());
    at.vector();
    assert_eq!(at.take(1), [3], "a commit");
    let mut list = Cursor(at.vector());
    let mut refs = Vec::new();
    while !list.0.is_empty() {
        assert_eq!(list.take(1), [2], "by reference");
        refs.push(list.vector().to_vec());
    }
    let has_path = at.take(1) == [1];
    if has_path {
        skip_path(&mut at);
    }
    at.vector();
    at.vector();
    at.vector();
    let len = bytes.len() - at.0.len();
    Commit {
        message: bytes[..len].to_vec(),
        epoch,
        leaf,
        refs,
        has_path,
        welcome: at.0.to_vec(),
    }
}

/// The welcome with the one entry for this key package.
pub fn narrow(welcome: &[u8], key_package: &[u8]) -> Vec<u8> {
    let wanted = ref_hash("MLS 1.0 KeyPackage Reference", key_package);
    let mut at = Cursor(welcome);
    let suite = at.take(2).to_vec();
    let mut list = Cursor(at.vector());
    let mut own = None;
    while !list.0.is_empty() {
        let entry = list.0;
        let reference = list.vector().to_vec();
        list.vector();
        list.vector();
        if reference == wanted {
            own = Some(&entry[..entry.len() - list.0.len()]);
        }
    }
    let own = own.expect("the welcome is for this member, too");
    [suite, vector(own), at.0.to_vec()].concat()
}

/// How many members a welcome is for.
pub fn welcomed(welcome: &[u8]) -> usize {
    let mut at = Cursor(welcome);
    at.take(2);
    let mut list = Cursor(at.vector());
    let mut count = 0;
    while !list.0.is_empty() {
        for _field in 0..3 {
            list.vector();
        }
        count += 1;
    }
    count
}

fn skip_path(at: &mut Cursor<'_>) {
    at.vector();
    at.vector();
    at.take(2);
    at.vector();
    for _capability in 0..5 {
        at.vector();
    }
    assert_eq!(at.take(1), [3], "a leaf from a commit");
    at.vector();
    at.vector();
    at.vector();
    at.vector();
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("so many were taken")
    }

    fn vector(&mut self) -> &'a [u8] {
        let first = self.0[0];
        let len = match first >> 6 {
            0 => usize::from(self.take(1)[0]),
            1 => usize::from(u16::from_be_bytes(self.array()) & 0x3FFF),
            _ => (u32::from_be_bytes(self.array()) & 0x3FFF_FFFF) as usize,
        };
        self.take(len)
    }
}
