//! Looking into MLS messages before the library does: whom proposals add, which epoch a commit is for,
//! and whether every length in a message adds up. The library sees nothing that does not: its decoder
//! asserts in debug builds what it reports as errors in release builds.

/// The bytes do not follow RFC 9420.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// What proposals of one message are about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Proposals {
    /// How many there are.
    pub(crate) count: usize,
    /// The epoch of the first.
    pub(crate) epoch: u64,
    /// Users that would be added.
    pub(crate) added: Vec<u64>,
    /// Leaves that would be removed.
    pub(crate) removed: Vec<u32>,
}

/// Where a commit belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CommitHeader {
    /// The group's id, if it is one of a channel.
    pub(crate) channel: Option<u64>,
    /// The epoch that it ends.
    pub(crate) epoch: u64,
}

const MLS_1_0: u16 = 1;
const PUBLIC_MESSAGE: u16 = 1;
const SENDER_MEMBER: u8 = 1;
const SENDER_EXTERNAL: u8 = 2;
const CONTENT_PROPOSAL: u8 = 2;
const CONTENT_COMMIT: u8 = 3;
const PROPOSAL_ADD: u16 = 1;
const PROPOSAL_REMOVE: u16 = 3;
const LEAF_SOURCE_KEY_PACKAGE: u8 = 1;
const LEAF_SOURCE_COMMIT: u8 = 3;
const BASIC_CREDENTIAL: u16 = 1;
const BY_REFERENCE: u8 = 2;
/// More members than any channel has.
const MAX_PROPOSALS: usize = 4_096;

/// Reads the messages inside the one vector of an append.
pub(crate) fn read_proposals(vector: &[u8]) -> Result<Proposals, Malformed> {
    let mut outer = Reader(vector);
    let mut list = Reader(outer.vector()?);
    outer.end()?;
    let mut found = Proposals::default();
    while !list.0.is_empty() {
        if found.count == MAX_PROPOSALS {
            return Err(Malformed);
        }
        let framed = list.framed_content()?;
        if framed.sender != SENDER_EXTERNAL || framed.content != CONTENT_PROPOSAL {
            return Err(Malformed);
        }
        if found.count == 0 {
            found.epoch = framed.epoch;
        }
        match list.u16()? {
            PROPOSAL_ADD => found.added.push(list.key_package()?),
            PROPOSAL_REMOVE => found.removed.push(u32::from_be_bytes(list.array()?)),
            _ => return Err(Malformed),
        }
        // The signature; an external sender has no membership tag.
        list.vector()?;
        found.count += 1;
    }
    Ok(found)
}

/// Makes one vector of two whose proposals are for one epoch.
pub(crate) fn join_proposals(
    first: &[u8],
    second: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    if read_proposals(first)?.epoch != read_proposals(second)?.epoch {
        return Err(Malformed);
    }
    let (first, second) = (Reader(first).vector()?, Reader(second).vector()?);
    write_length(first.len() + second.len(), out)?;
    out.extend_from_slice(first);
    out.extend_from_slice(second);
    Ok(())
}

/// The length of a vector in as few bytes as it needs (RFC 9420, section 2.1.2).
fn write_length(length: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let length = u32::try_from(length).map_err(|_| Malformed)?;
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend(((length as u16) | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend((length | 0x8000_0000).to_be_bytes()),
        0x4000_0000.. => return Err(Malformed),
    }
    Ok(())
}

/// Reads a commit to its end and says where it belongs.
pub(crate) fn read_commit_header(message: &[u8]) -> Result<CommitHeader, Malformed> {
    let mut reader = Reader(message);
    let framed = reader.framed_content()?;
    if framed.sender != SENDER_MEMBER || framed.content != CONTENT_COMMIT {
        return Err(Malformed);
    }
    reader.commit_content()?;
    // Signature, confirmation tag and membership tag.
    reader.vectors(3)?;
    reader.end()?;
    let channel = framed.group.try_into().ok().map(u64::from_be_bytes);
    Ok(CommitHeader {
        channel,
        epoch: framed.epoch,
    })
}

/// Checks the references of a revoke.
pub(crate) fn check_revoke(vector: &[u8]) -> Result<(), Malformed> {
    let mut outer = Reader(vector);
    let mut list = Reader(outer.vector()?);
    outer.end()?;
    while !list.0.is_empty() {
        list.vector()?;
    }
    Ok(())
}

/// Checks a bare welcome.
pub(crate) fn check_welcome(welcome: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(welcome);
    reader.skip(2)?;
    let mut secrets = Reader(reader.vector()?);
    while !secrets.0.is_empty() {
        // The key package's reference, the encapsulated key, the secrets.
        secrets.vectors(3)?;
    }
    reader.vector()?;
    reader.end()
}

/// Checks an external sender.
pub(crate) fn check_external_sender(package: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(package);
    reader.vector()?;
    reader.skip(2)?;
    reader.vector()?;
    reader.end()
}

struct Framed<'a> {
    group: &'a [u8],
    epoch: u64,
    sender: u8,
    content: u8,
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Version, wire format, and the head of a FramedContent.
    fn framed_content(&mut self) -> Result<Framed<'a>, Malformed> {
        if self.u16()? != MLS_1_0 || self.u16()? != PUBLIC_MESSAGE {
            return Err(Malformed);
        }
        let group = self.vector()?;
        let epoch = u64::from_be_bytes(self.array()?);
        let [sender] = self.array()?;
        if matches!(sender, SENDER_MEMBER | SENDER_EXTERNAL) {
            self.skip(4)?;
        }
        self.vector()?;
        let [content] = self.array()?;
        Ok(Framed {
            group,
            epoch,
            sender,
            content,
        })
    }

    /// Proposals by reference, and the path if there is one.
    fn commit_content(&mut self) -> Result<(), Malformed> {
        let mut proposals = Reader(self.vector()?);
        while !proposals.0.is_empty() {
            // An inline proposal; none is allowed.
            if proposals.array()? != [BY_REFERENCE] {
                return Err(Malformed);
            }
            proposals.vector()?;
        }
        match self.array()? {
            [0] => Ok(()),
            [1] => self.update_path(),
            _ => Err(Malformed),
        }
    }

    fn update_path(&mut self) -> Result<(), Malformed> {
        self.leaf_node(LEAF_SOURCE_COMMIT)?;
        let mut nodes = Reader(self.vector()?);
        while !nodes.0.is_empty() {
            nodes.vector()?;
            let mut secrets = Reader(nodes.vector()?);
            while !secrets.0.is_empty() {
                secrets.vectors(2)?;
            }
        }
        Ok(())
    }

    /// Reads a whole key package and returns the user it is for.
    fn key_package(&mut self) -> Result<u64, Malformed> {
        self.skip(4)?;
        self.vector()?;
        let user = self.leaf_node(LEAF_SOURCE_KEY_PACKAGE)?;
        self.extensions()?;
        self.vector()?;
        Ok(user)
    }

    fn leaf_node(&mut self, source: u8) -> Result<u64, Malformed> {
        self.vectors(2)?;
        if self.u16()? != BASIC_CREDENTIAL {
            return Err(Malformed);
        }
        let identity = self.vector()?.try_into().map_err(|_| Malformed)?;
        for width in [2; 5] {
            self.list_of(width)?;
        }
        if self.array()? != [source] {
            return Err(Malformed);
        }
        match source {
            // The lifetime, or else the parent's hash.
            LEAF_SOURCE_KEY_PACKAGE => self.skip(16)?,
            _ => self.skip_vector()?,
        }
        self.extensions()?;
        self.vector()?;
        Ok(u64::from_be_bytes(identity))
    }

    fn extensions(&mut self) -> Result<(), Malformed> {
        let mut list = Reader(self.vector()?);
        while !list.0.is_empty() {
            list.skip(2)?;
            list.vector()?;
        }
        Ok(())
    }

    /// A vector of values of so many bytes each.
    fn list_of(&mut self, width: usize) -> Result<(), Malformed> {
        let whole = self.vector()?.len().is_multiple_of(width);
        if whole { Ok(()) } else { Err(Malformed) }
    }

    fn vectors(&mut self, count: usize) -> Result<(), Malformed> {
        (0..count).try_for_each(|_| self.skip_vector())
    }

    fn skip_vector(&mut self) -> Result<(), Malformed> {
        self.vector().map(|_| ())
    }

    /// A vector whose length has a prefix of 1, 2 or 4 bytes, the shortest that fits.
    fn vector(&mut self) -> Result<&'a [u8], Malformed> {
        let [first] = self.array()?;
        let short = usize::from(first & 0x3F);
        let (len, least) = match first >> 6 {
            0 => (short, 0),
            1 => {
                let [second] = self.array()?;
                (short << 8 | usize::from(second), 1 << 6)
            }
            2 => {
                let [b, c, d] = self.array()?;
                let low = u32::from_be_bytes([0, b, c, d]) as usize;
                (short << 24 | low, 1 << 14)
            }
            _ => return Err(Malformed),
        };
        if len < least {
            return Err(Malformed);
        }
        self.take(len)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn skip(&mut self, len: usize) -> Result<(), Malformed> {
        self.take(len).map(|_| ())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}
