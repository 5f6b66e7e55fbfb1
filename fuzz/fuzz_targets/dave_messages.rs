//! Any messages of a voice gateway, in any order, to the machine of end-to-end encryption.
#![no_main]

use cadenza_dave::{Dave, Identity, OpenDave, ServerMessage};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static IDENTITY: LazyLock<Identity> = LazyLock::new(Identity::generate);

fuzz_target!(|data: &[u8]| {
    let mut dave = Dave::new();
    let open = OpenDave {
        version: 1,
        user: 1,
        channel: 927_310_423_890_473_011,
        identity: IDENTITY.clone(),
    };
    dave.open(open, 0);
    let mut now_ns = 0;
    let mut rest = data;
    // Opcode, two bytes of length, so many bytes.
    while let Some((&[op, high, low], after)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (payload, after) = after.split_at(len);
        rest = after;
        let first = payload.first().copied().map_or(0, u16::from);
        let message = match op % 7 {
            0 => ServerMessage::ExternalSender(payload.to_vec()),
            1 => ServerMessage::Proposals(payload.to_vec()),
            2 => ServerMessage::Commit(payload.to_vec()),
            3 => ServerMessage::Welcome(payload.to_vec()),
            4 => ServerMessage::PrepareTransition { transition: first, version: u16::from(high) },
            5 => ServerMessage::ExecuteTransition { transition: first },
            _ => ServerMessage::PrepareEpoch { version: u16::from(high), epoch: u64::from(low) },
        };
        dave.message(message, now_ns);
        now_ns += u64::from(low) * 10_000_000;
        dave.handle_timeout(now_ns);
        while dave.poll_output().is_some() {}
    }
});
