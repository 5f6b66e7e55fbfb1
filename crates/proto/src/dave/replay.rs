//! Which nonces of one sender and epoch were used: each opens one frame.

/// Late frames that still open, counted back from the newest: 20 s of speech.
const WINDOW: u64 = 1_024;
const WORDS: usize = (WINDOW / 64) as usize;

/// The newest nonce and a bit for each of the [`WINDOW`] up to it.
#[derive(Clone)]
pub(super) struct ReplayWindow {
    newest: Option<u64>,
    /// Bit `n % WINDOW` is set when nonce `n` was used.
    used: [u64; WORDS],
}

impl ReplayWindow {
    pub(super) fn new() -> ReplayWindow {
        ReplayWindow {
            newest: None,
            used: [0; WORDS],
        }
    }

    /// Whether a frame with this nonce may still be opened.
    pub(super) fn is_fresh(&self, nonce: u64) -> bool {
        match self.newest {
            None => true,
            Some(newest) if nonce > newest => true,
            Some(newest) if newest - nonce >= WINDOW => false,
            Some(_) => !self.is_set(nonce),
        }
    }

    /// A frame with this nonce, which was fresh, has authenticated.
    pub(super) fn mark(&mut self, nonce: u64) {
        let newest = self.newest.unwrap_or(nonce);
        if nonce > newest {
            if nonce - newest >= WINDOW {
                self.used = [0; WORDS];
            } else {
                (newest + 1..nonce).for_each(|skipped| self.clear(skipped));
            }
        }
        self.newest = Some(newest.max(nonce));
        let (word, bit) = place(nonce);
        self.used[word] |= bit;
    }

    fn is_set(&self, nonce: u64) -> bool {
        let (word, bit) = place(nonce);
        self.used[word] & bit != 0
    }

    fn clear(&mut self, nonce: u64) {
        let (word, bit) = place(nonce);
        self.used[word] &= !bit;
    }
}

fn place(nonce: u64) -> (usize, u64) {
    let at = nonce % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The window against a set that remembers everything.
        #[test]
        fn agrees_with_a_full_memory(steps in proptest::collection::vec((0_u64..2_500, any::<bool>()), 1..400)) {
            let mut window = ReplayWindow::new();
            let (mut used, mut newest, mut base) = (HashSet::new(), None::<u64>, 5_000_u64);
            for (step, jump) in steps {
                if jump { base += step; }
                let nonce = base.saturating_sub(step / 2);
                let in_reach = newest.is_none_or(|newest| nonce > newest || newest - nonce < WINDOW);
                let fresh = in_reach && !used.contains(&nonce);
                prop_assert_eq!(window.is_fresh(nonce), fresh);
                if fresh {
                    window.mark(nonce);
                    used.insert(nonce);
                    newest = Some(newest.map_or(nonce, |newest| newest.max(nonce)));
                }
            }
        }
    }
}
