//! Starting and stopping the engine's threads, in the order in which they depend on each other.

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver as EventReceiver, RecvTimeoutError};

use crate::clock::{Clock, MonotonicClock};
use crate::config::EngineConfig;
use crate::control::{Control, PacerPort, command_capacity};
use crate::dave::{DavePool, DaveThreads};
use crate::event::EventQueue;
use crate::feed::{FeedEvent, FeedHost};
use crate::pacer::{Notice, Pacer, PacerConfig, PacerReports, PacerThread};
use crate::transport::{Doorbell, Receiver, ReceiverPort, Report, UdpHandle, UdpSink};

/// How often the pacers' loads are looked at.
const BALANCE_EVERY_NS: u64 = 1_000_000_000;

/// Events of feeds that may be under way to control.
const FEED_EVENTS: usize = 1_024;

/// The running threads, except those of the feed host.
pub(crate) struct Threads {
    pacers: Vec<PacerThread>,
    receiver: Receiver,
    dave: DaveThreads,
    feed_events: JoinHandle<()>,
}

/// What an engine holds once its threads run.
pub(crate) struct Started {
    pub(crate) control: Arc<Control>,
    pub(crate) feeds: FeedHost,
    pub(crate) receiver: ReceiverPort,
    pub(crate) dave: DavePool,
    pub(crate) threads: Threads,
}

impl Threads {
    /// Starts them all, or none.
    pub(crate) fn start(config: &EngineConfig, events: EventQueue) -> io::Result<Started> {
        let wake = Arc::new(Doorbell::new()?);
        // Pacers come first because control needs the ways to them, and the receive thread before
        // them because they ring its bell; so it learns of control a moment later.
        let control = Arc::new(OnceLock::<Arc<Control>>::new());
        let mut halves = Vec::new();
        let mut reports = Vec::new();
        for _ in 0..config.max_pacers {
            let sizes = PacerConfig {
                max_flows: config.max_flows,
                commands: command_capacity(config.max_flows),
                stall_ms: config.stall_ms,
                hold_ms: config.dave_hold_ms,
            };
            let (pacer, ports) = Pacer::new(sizes, MonotonicClock, UdpSink, Arc::clone(&wake));
            reports.push(ports.reports);
            halves.push((pacer, ports.commands, ports.counters));
        }
        let receiver = Receiver::spawn(wake, reporter(Arc::clone(&control), reports))?;
        let mut pacers = Vec::new();
        let mut ways = Vec::new();
        for (number, (pacer, commands, counters)) in halves.into_iter().enumerate() {
            match PacerThread::spawn(number, pacer, config.realtime) {
                Ok(thread) => {
                    let waker = thread.waker();
                    ways.push(PacerPort::new(commands, waker, counters, config.max_flows));
                    pacers.push(thread);
                }
                Err(error) => {
                    pacers.into_iter().for_each(PacerThread::stop);
                    receiver.stop();
                    return Err(error);
                }
            }
        }
        let control =
            Arc::clone(control.get_or_init(|| Arc::new(Control::new(ways, config.pacers, events))));
        let port = receiver.port();
        let workers = DaveThreads::start(config.dave_workers, &control)
            .and_then(|dave| Ok((dave, start_feeds(config, Arc::clone(&control))?)));
        match workers {
            Ok((dave, (feeds, feed_events))) => Ok(Started {
                control,
                feeds,
                receiver: port,
                dave: dave.pool(),
                threads: Threads {
                    pacers,
                    receiver,
                    dave,
                    feed_events,
                },
            }),
            Err(error) => {
                pacers.into_iter().for_each(PacerThread::stop);
                receiver.stop();
                Err(error)
            }
        }
    }

    /// Joins them all. The feed host is gone by now, so nobody sends feed events any more.
    pub(crate) fn stop(self) {
        let _ = self.feed_events.join();
        self.dave.stop();
        self.pacers.into_iter().for_each(PacerThread::stop);
        self.receiver.stop();
    }
}

/// What the receive thread does with reports, its own and the pacers'.
fn reporter(
    control: Arc<OnceLock<Arc<Control>>>,
    mut pacers: Vec<PacerReports<UdpHandle>>,
) -> impl FnMut(Report) + Send {
    let mut notices: Vec<Notice> = Vec::new();
    move |report| {
        let Some(control) = control.get() else { return };
        match report {
            Report::Bell => {
                for pacer in &mut pacers {
                    notices.clear();
                    pacer.read(&mut notices);
                    control.take_moved(pacer.take_moved());
                    control.take_notices(&notices);
                }
            }
            Report::Discovered { .. }
            | Report::Speaking { .. }
            | Report::DiscoveryFailed { .. }
            | Report::Unreachable { .. } => control.take_report(report),
        }
    }
}

fn start_feeds(
    config: &EngineConfig,
    control: Arc<Control>,
) -> io::Result<(FeedHost, JoinHandle<()>)> {
    let (sender, receiver) = crossbeam_channel::bounded(FEED_EVENTS);
    let balanced = config.max_pacers > 1;
    let events = thread::Builder::new()
        .name("cadenza-events".to_owned())
        .spawn(move || take_feed_events(&control, &receiver, balanced))?;
    let feeds = FeedHost::start(config.feeds.clone(), sender)?;
    Ok((feeds, events))
}

/// Passes on what feeds tell, and looks at the pacers' loads once a second where there are several. Ends
/// when the feed host is gone and with it the last sender.
fn take_feed_events(control: &Control, events: &EventReceiver<FeedEvent>, balanced: bool) {
    if !balanced {
        return events
            .iter()
            .for_each(|event| control.take_feed_event(event));
    }
    let mut look_at_ns = MonotonicClock.now_ns() + BALANCE_EVERY_NS;
    loop {
        let now_ns = MonotonicClock.now_ns();
        if now_ns >= look_at_ns {
            control.rebalance(now_ns);
            look_at_ns = now_ns + BALANCE_EVERY_NS;
        }
        match events.recv_timeout(Duration::from_nanos(look_at_ns - now_ns.min(look_at_ns))) {
            Ok(event) => control.take_feed_event(event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
