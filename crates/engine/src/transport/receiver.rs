//! The receive thread: discovery, keepalives and whatever else arrives, over all sockets.
//!
//! It owns every transport's state. Other threads hand it new transports through a small mailbox,
//! and the pacers ring the same bell when they have reports, which it passes on unread.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::peer::{Action, Heard, Peer};
use super::{LinkHealth, UdpHandle};
use crate::FlowId;
use crate::clock::{Clock, MonotonicClock};
use crate::flow::FlowShared;
use crate::receive::{Ears, ListenCommand, SpeakingChange};
use crate::system::{Doorbell, Poller};

/// Timers are rounded up to this, so that thousands of keepalives share a few wake-ups.
const TIMER_GRAIN_NS: u64 = 100_000_000;
/// Datagrams read from one socket before others get their turn.
const READS_PER_TURN: usize = 32;
/// Larger than any datagram of the voice protocol; what is longer is cut off and then unreadable.
const LONGEST_DATAGRAM: usize = 2_048;

/// A socket to be looked after.
pub(crate) struct Transport {
    pub(crate) flow: FlowId,
    pub(crate) generation: u32,
    pub(crate) ssrc: u32,
    pub(crate) socket: UdpHandle,
    pub(crate) shared: Arc<FlowShared>,
}

/// What the receive thread passes on.
pub(crate) enum Report {
    Discovered {
        flow: FlowId,
        generation: u32,
        address: Ipv4Addr,
        port: u16,
    },
    DiscoveryFailed {
        flow: FlowId,
        generation: u32,
        reason: &'static str,
    },
    /// The peer's host says that nobody listens there.
    Unreachable {
        flow: FlowId,
        generation: u32,
        os_error: i32,
    },
    /// A user began or stopped speaking.
    Speaking {
        flow: FlowId,
        user: u64,
        speaking: bool,
    },
    /// A pacer has something to say.
    Bell,
}

enum Letter {
    Open(Transport),
    Close(FlowId),
    Listen(FlowId, ListenCommand),
}

/// The way to a receive thread.
#[derive(Clone)]
pub(crate) struct ReceiverPort {
    mailbox: Arc<Mailbox>,
    bell: Arc<Doorbell>,
}

#[derive(Default)]
struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    stop: AtomicBool,
}

impl ReceiverPort {
    /// Looks after a transport; it takes the place of a former one of its flow.
    pub(crate) fn open(&self, transport: Transport) {
        self.post(Letter::Open(transport));
    }

    /// Forgets a flow's transport, if it has one.
    pub(crate) fn close(&self, flow: FlowId) {
        self.post(Letter::Close(flow));
    }

    /// Tells a flow's listener something, in order with the opening of transports.
    pub(crate) fn listen(&self, flow: FlowId, command: ListenCommand) {
        self.post(Letter::Listen(flow, command));
    }

    fn post(&self, letter: Letter) {
        let mut letters = self.mailbox.lock();
        letters.push(letter);
        drop(letters);
        self.bell.ring();
    }
}

impl Mailbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running receive thread.
pub(crate) struct Receiver {
    port: ReceiverPort,
    handle: JoinHandle<()>,
}

impl Receiver {
    /// Starts the thread. `bell` is what it listens to, `report` runs on it.
    pub(crate) fn spawn(
        bell: Arc<Doorbell>,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Receiver> {
        let poller = Poller::new(Arc::clone(&bell))?;
        let port = ReceiverPort {
            mailbox: Arc::default(),
            bell,
        };
        let mut worker = Loop {
            poller,
            port: port.clone(),
            report,
            links: HashMap::new(),
            by_flow: HashMap::new(),
            timers: BinaryHeap::new(),
            ears: Ears::default(),
            next_token: 1,
        };
        let handle = thread::Builder::new()
            .name("cadenza-net".to_owned())
            .spawn(move || worker.run())?;
        Ok(Receiver { port, handle })
    }

    pub(crate) fn port(&self) -> ReceiverPort {
        self.port.clone()
    }

    /// Ends the thread and lets go of its sockets.
    pub(crate) fn stop(self) {
        self.port.mailbox.stop.store(true, Ordering::SeqCst);
        self.port.bell.ring();
        // A panic has been printed by the panic hook; there is nothing left to save.
        let _ = self.handle.join();
    }
}

/// One transport as the thread knows it.
struct Tended {
    transport: Transport,
    peer: Peer,
    health: LinkHealth,
}

struct Loop<R> {
    poller: Poller,
    port: ReceiverPort,
    report: R,
    links: HashMap<u64, Tended>,
    by_flow: HashMap<FlowId, u64>,
    /// When to look at which transport; entries of closed ones run out unheeded.
    timers: BinaryHeap<Reverse<(u64, u64)>>,
    ears: Ears,
    next_token: u64,
}

impl<R: FnMut(Report)> Loop<R> {
    fn run(&mut self) {
        let mut ready = Vec::new();
        while !self.port.mailbox.stop.load(Ordering::SeqCst) {
            ready.clear();
            let timeout_ns = self.timeout_ns(MonotonicClock.now_ns());
            // Who is heard is known before anything is.
            if self.poller.wait(timeout_ns, &mut ready) {
                self.answer_bell();
            }
            for token in &ready {
                self.read_socket(*token);
            }
            self.run_timers(MonotonicClock.now_ns());
        }
    }

    fn answer_bell(&mut self) {
        let letters = std::mem::take(&mut *self.port.mailbox.lock());
        for letter in letters {
            match letter {
                Letter::Open(transport) => self.open(transport),
                Letter::Close(flow) => self.close(flow),
                Letter::Listen(flow, command) => self.listen(flow, command),
            }
        }
        (self.report)(Report::Bell);
    }

    fn open(&mut self, transport: Transport) {
        self.close(transport.flow);
        let token = self.next_token;
        self.next_token += 1;
        let (flow, generation) = (transport.flow, transport.generation);
        let own_ssrc = transport.ssrc;
        if self.poller.add(&transport.socket, token).is_err() {
            (self.report)(Report::DiscoveryFailed {
                flow,
                generation,
                reason: "socket_not_watched",
            });
            return;
        }
        let now_ns = MonotonicClock.now_ns();
        let peer = Peer::new(transport.ssrc, now_ns);
        self.by_flow.insert(flow, token);
        let tended = Tended {
            transport,
            peer,
            health: LinkHealth::default(),
        };
        self.links.insert(token, tended);
        self.ears.new_transport(flow, own_ssrc);
        self.tend(token, now_ns);
    }

    fn close(&mut self, flow: FlowId) {
        let Some(token) = self.by_flow.remove(&flow) else {
            return;
        };
        if let Some(tended) = self.links.remove(&token) {
            self.poller.remove(&tended.transport.socket, token);
        }
    }

    fn listen(&mut self, flow: FlowId, command: ListenCommand) {
        let Loop { ears, report, .. } = self;
        ears.command(flow, command, |change| report(speaking(flow, change)));
    }

    fn run_timers(&mut self, now_ns: u64) {
        while let Some(Reverse((due_ns, token))) = self.timers.peek().copied() {
            if due_ns > now_ns {
                break;
            }
            self.timers.pop();
            self.tend(token, now_ns);
        }
        let report = &mut self.report;
        let tell = |flow, change| report(speaking(flow, change));
        self.ears.tend(now_ns, tell);
    }

    /// Sends what a transport owes by now and notes when to look again.
    fn tend(&mut self, token: u64, now_ns: u64) {
        let Some(Tended {
            transport, peer, ..
        }) = self.links.get_mut(&token)
        else {
            return;
        };
        while let Some(action) = peer.poll(now_ns) {
            let sent = match action {
                Action::AskForAddress(request) => transport.socket.send(&request),
                Action::Ping(ping) => transport.socket.send(&ping),
                Action::GiveUpDiscovery { reason } => {
                    (self.report)(Report::DiscoveryFailed {
                        flow: transport.flow,
                        generation: transport.generation,
                        reason,
                    });
                    Ok(0)
                }
            };
            if sent.is_err() {
                transport.shared.keepalive_errors.add(1);
            }
        }
        let due_ns = peer.next_due_ns().next_multiple_of(TIMER_GRAIN_NS);
        self.timers.push(Reverse((due_ns, token)));
    }

    fn read_socket(&mut self, token: u64) {
        let Some(tended) = self.links.get_mut(&token) else {
            return;
        };
        let Tended {
            transport,
            peer,
            health,
        } = tended;
        let mut datagram = [0; LONGEST_DATAGRAM];
        for _ in 0..READS_PER_TURN {
            let len = match transport.socket.recv(&mut datagram) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Reading an error clears it, so the pacer's sends seldom see one.
                Err(error) => {
                    if let Some(os_error) = health.refused(&error) {
                        (self.report)(Report::Unreachable {
                            flow: transport.flow,
                            generation: transport.generation,
                            os_error,
                        });
                    }
                    continue;
                }
            };
            health.heard();
            transport.shared.datagrams_received.add(1);
            let now_ns = MonotonicClock.now_ns();
            match peer.hear(now_ns, &datagram[..len]) {
                Heard::Address(address, port) => (self.report)(Report::Discovered {
                    flow: transport.flow,
                    generation: transport.generation,
                    address,
                    port,
                }),
                Heard::RoundTrip(rtt_us) => transport.shared.set_rtt_us(Some(rtt_us)),
                Heard::Other => {
                    let (flow, report) = (transport.flow, &mut self.report);
                    let tell = |change| report(speaking(flow, change));
                    self.ears.hear(flow, now_ns, &mut datagram[..len], tell);
                }
            }
        }
    }

    fn timeout_ns(&self, now_ns: u64) -> Option<u64> {
        let timers = self.timers.peek().map(|Reverse((due_ns, _))| *due_ns);
        let due_ns = timers.into_iter().chain(self.ears.next_due_ns()).min()?;
        Some(due_ns.saturating_sub(now_ns))
    }
}

fn speaking(flow: FlowId, change: SpeakingChange) -> Report {
    Report::Speaking {
        flow,
        user: change.user,
        speaking: change.speaking,
    }
}
