//! A running engine with its events, and short ways to the calls that tests make.

use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cadenza_engine::{
    EncoderSettings, Engine, EngineConfig, EngineEvent, FlowId, PlayRequest, SourceSpec,
    TransportMode,
};

/// An engine and the events drained from it and not yet asked for.
pub struct Harness {
    pub engine: Engine,
    seen: RefCell<Vec<EngineEvent>>,
}

impl Harness {
    pub fn start() -> Harness {
        let engine = Engine::start(EngineConfig::default(), Arc::new(|| {}));
        Harness::with(engine.expect("the system gives threads"))
    }

    pub fn with(engine: Engine) -> Harness {
        Harness {
            engine,
            seen: RefCell::default(),
        }
    }

    /// A flow with a session: discovery is over and frames would flow.
    pub fn connect(
        &self,
        remote: SocketAddrV4,
        ssrc: u32,
        mode: TransportMode,
        key: [u8; 32],
    ) -> FlowId {
        let flow = self.engine.create_flow().expect("there is room");
        self.open(flow, remote, ssrc, 1);
        self.event("discovered", |event| {
            matches!(event, EngineEvent::Discovered { .. })
        });
        self.engine
            .start_session(flow, mode, key)
            .expect("a transport is open");
        flow
    }

    pub fn open(&self, flow: FlowId, remote: SocketAddrV4, ssrc: u32, generation: u32) {
        self.engine
            .open_transport(flow, remote, ssrc, generation)
            .expect("the system gives a socket");
    }

    /// Plays a sine of so many milliseconds.
    pub fn play_sine(&self, flow: FlowId, track: u32, millis: u32) {
        let path = std::env::temp_dir().join(format!("cadenza-engine-sine-{millis}.wav"));
        let pcm = cadenza_testkit::signal::sine(440.0, 0.5, 48_000, 2, millis);
        let wav = cadenza_testkit::signal::wav(&pcm, 48_000, 2);
        // Written aside and renamed, because tests run at the same time.
        let aside = path.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::write(&aside, wav).expect("the temporary folder is writable");
        std::fs::rename(&aside, &path).expect("the temporary folder is writable");
        self.play_path(flow, track, path);
    }

    pub fn play_path(&self, flow: FlowId, track: u32, path: PathBuf) {
        let request = PlayRequest {
            track,
            source: SourceSpec::File(path),
            start_ms: 0,
            end_ms: None,
            encoder: EncoderSettings::default(),
        };
        self.engine
            .play(flow, request)
            .expect("the engine is not busy");
    }

    /// Everything drained since the last call.
    pub fn drain(&self) -> Vec<EngineEvent> {
        self.engine.drain_events(&mut self.seen.borrow_mut(), 1_000);
        std::mem::take(&mut self.seen.borrow_mut())
    }

    /// Waits for an event and takes it, with everything before it.
    pub fn event(&self, what: &str, wanted: impl Fn(&EngineEvent) -> bool) -> EngineEvent {
        wait_for(what, || {
            let mut seen = self.seen.borrow_mut();
            self.engine.drain_events(&mut seen, 1_000);
            let at = seen.iter().position(&wanted)?;
            seen.drain(..=at).next_back()
        })
    }
}

/// Asks until there is an answer, for at most 20 s.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
