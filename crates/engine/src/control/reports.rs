//! What pacers, the receive thread and feeds report, turned into bookkeeping and events.

use std::io;

use super::{Control, FlowEntry, Table};
use crate::FlowId;
use crate::event::{EngineEvent, EventQueue};
use crate::feed::FeedEvent;
use crate::pacer::{Command, Notice};
use crate::receive::ReceiveEvent;
use crate::transport::Report;

impl Control {
    /// Takes in what the pacers saw, in order.
    pub(crate) fn take_notices(&self, notices: &[Notice]) {
        if notices.is_empty() {
            return;
        }
        self.with(|table, events| {
            for notice in notices {
                table.take_notice(*notice, events);
            }
        });
    }

    /// Takes in what happened to a transport; what concerns a former one is out of date.
    pub(crate) fn take_report(&self, report: Report) {
        if let Report::Unreachable {
            flow,
            generation,
            os_error,
        } = report
        {
            self.with(|table, events| table.fail_transport(flow, generation, os_error, events));
            return;
        }
        let event = match report {
            Report::Bell | Report::Unreachable { .. } => return,
            Report::Speaking {
                flow,
                user,
                speaking,
            } => {
                let event = ReceiveEvent::Speaking { user, speaking };
                self.with(|_, events| events.push(EngineEvent::Receiving { flow, event }));
                return;
            }
            Report::Discovered {
                flow,
                generation,
                address,
                port,
            } => EngineEvent::Discovered {
                flow,
                generation,
                address,
                port,
            },
            Report::DiscoveryFailed {
                flow,
                generation,
                reason,
            } => EngineEvent::DiscoveryFailed {
                flow,
                generation,
                reason,
            },
        };
        self.with(|table, events| {
            let (EngineEvent::Discovered {
                flow, generation, ..
            }
            | EngineEvent::DiscoveryFailed {
                flow, generation, ..
            }) = &event
            else {
                return;
            };
            if table.is_current(*flow, *generation) {
                events.push(event);
            }
        });
    }

    /// Takes in what a feed says about its source.
    pub(crate) fn take_feed_event(&self, event: FeedEvent) {
        self.with(|table, events| table.take_feed_event(event, events));
    }
}

impl Table {
    fn take_notice(&mut self, notice: Notice, events: &EventQueue) {
        match notice {
            Notice::Started { flow, track } => {
                self.on_track(flow, track, events, |playing| playing.on_started());
            }
            Notice::Finished { flow, track } => {
                self.on_track(flow, track, events, |playing| playing.on_finished());
            }
            // The feed reports its failure itself, and that says more.
            Notice::Abandoned { .. } => {}
            Notice::Stalled {
                flow,
                track,
                for_ms,
            } => {
                if let Some(entry) = self.playing(flow, track) {
                    let track = entry.track.as_ref().map_or(track, |playing| playing.track);
                    events.push(EngineEvent::TrackStalled {
                        flow,
                        track,
                        for_ms,
                    });
                }
            }
            Notice::Starved { flow, track } => {
                if let Some(entry) = self.playing(flow, track) {
                    let track = entry.track.as_ref().map_or(track, |playing| playing.track);
                    events.push(EngineEvent::TrackStarved { flow, track });
                }
            }
            Notice::Woke { flow } => self.wake_subscribers(flow),
            Notice::Drained { flow } => {
                if self.flows.contains_key(&flow) {
                    events.push(EngineEvent::Drained { flow });
                }
            }
            Notice::FramesWanted { flow, count } => {
                let entry = self.flows.get(&flow);
                if entry.is_some_and(|entry| entry.pushing.is_some()) {
                    events.push(EngineEvent::FramesWanted { flow, count });
                }
            }
            Notice::SendFailing {
                flow,
                generation,
                os_error,
            } => self.fail_transport(flow, generation, os_error, events),
        }
    }

    fn take_feed_event(&mut self, event: FeedEvent, events: &EventQueue) {
        match event {
            FeedEvent::Opened { feed, track, info } => {
                self.on_track(feed, track, events, |playing| playing.on_opened(info));
            }
            FeedEvent::Metadata {
                feed,
                track,
                metadata,
            } => self.on_track(feed, track, events, |playing| playing.on_metadata(metadata)),
            FeedEvent::Failed {
                feed,
                track,
                code,
                message,
            } => self.fail_track(feed, track, code, message, events),
            FeedEvent::Wanted {
                feed,
                track,
                frames,
            } => {
                let (flow, count) = (feed, frames);
                if self.playing(feed, track).is_some() {
                    events.push(EngineEvent::FramesWanted { flow, count });
                }
            }
            // The pacer knows whether it can be heard, and the end is when the last frame is sent.
            FeedEvent::Stalled { .. } | FeedEvent::Ended { .. } => {}
        }
    }

    /// Applies news about a track, tells what follows from it, and cleans up when that is the end.
    fn on_track(
        &mut self,
        flow: FlowId,
        serial: u32,
        events: &EventQueue,
        news: impl FnOnce(&mut super::PlayingTrack),
    ) {
        let Some(entry) = self.playing(flow, serial) else {
            return;
        };
        let Some(playing) = &mut entry.track else {
            return;
        };
        news(playing);
        if playing.tell(flow, events) {
            entry.track = None;
            self.clear_feed(flow);
        }
    }

    fn fail_track(
        &mut self,
        flow: FlowId,
        serial: u32,
        code: &'static str,
        message: String,
        events: &EventQueue,
    ) {
        let Some(entry) = self.playing(flow, serial) else {
            return;
        };
        let Some(failed) = entry.track.take() else {
            return;
        };
        events.push(EngineEvent::TrackFailed {
            flow,
            track: failed.track,
            code,
            message,
        });
        // What was decoded before may still sound, but a track that has failed does not begin.
        if !failed.has_started() {
            self.clear_feed(flow);
        }
    }

    /// Tells once per transport that it does not work, whoever noticed.
    fn fail_transport(
        &mut self,
        flow: FlowId,
        generation: u32,
        os_error: i32,
        events: &EventQueue,
    ) {
        let transport = self
            .flows
            .get_mut(&flow)
            .and_then(|entry| entry.transport.as_mut());
        let Some(transport) = transport.filter(|open| open.generation == generation) else {
            return;
        };
        if !std::mem::replace(&mut transport.failed, true) {
            let message = io::Error::from_raw_os_error(os_error).to_string();
            events.push(EngineEvent::TransportFailed {
                flow,
                generation,
                message,
            });
        }
    }

    /// Lets go of the feed on the pacer.
    pub(crate) fn clear_feed(&mut self, flow: FlowId) {
        self.unsubscribe(flow);
        if let Ok((entry, pacer)) = self.flow(flow)
            && std::mem::take(&mut entry.has_feed)
        {
            entry.pushing = None;
            entry.push = None;
            pacer.send_always(Command::Clear { place: entry.place });
        }
    }

    fn playing(&mut self, flow: FlowId, serial: u32) -> Option<&mut FlowEntry> {
        self.flows.get_mut(&flow).filter(|entry| {
            entry
                .track
                .as_ref()
                .is_some_and(|playing| playing.serial == serial)
        })
    }

    fn is_current(&self, flow: FlowId, generation: u32) -> bool {
        self.flows
            .get(&flow)
            .and_then(|entry| entry.transport)
            .is_some_and(|transport| transport.generation == generation)
    }
}
