//! What a packet costs in the engine alone, thread by thread: `engine-cost CALLS SECONDS WORK FILE`.
//!
//! WORK is `play`, `shared` or `idle`. Every call plays FILE towards a `receiver` of its own process, found beside this
//! program. CPU is what the system charged to each of this process's threads; there is no Node in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use cadenza_engine::{
    EncoderSettings, Engine, EngineConfig, EngineEvent, FlowId, PlayRequest, SourceSpec,
    TransportMode,
};

/// What every sender waits before it is measured.
const SETTLE: Duration = Duration::from_millis(3_000);
/// Calls that begin between two pauses of a millisecond.
const JOINS: u32 = 4;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [calls, seconds, work, file] = arguments.as_slice() else {
        return Err(io::Error::other(
            "usage: engine-cost CALLS SECONDS play|shared|idle FILE",
        ));
    };
    let calls: u32 = calls.parse().map_err(io::Error::other)?;
    let seconds: u64 = seconds.parse().map_err(io::Error::other)?;
    let (mut receiver, ports) = start_receiver()?;
    let config = EngineConfig {
        pacers: 1,
        max_pacers: 1,
        ..EngineConfig::default()
    };
    let engine = Engine::start(config, Arc::new(|| {})).map_err(io::Error::other)?;
    let loaded = resident_bytes();
    let playing = begin(&engine, calls, work, file, &ports)?;
    tend(&engine, SETTLE, &playing, file);
    let (before, sent) = (threads_ns(), packets(&engine));
    let woken = engine.stats().pacers.iter().map(|p| p.wakeups).sum::<u64>();
    tend(&engine, Duration::from_secs(seconds), &playing, file);
    let used = threads_ns();
    let sent = packets(&engine) - sent;
    let woke = engine.stats().pacers.iter().map(|p| p.wakeups).sum::<u64>() - woken;
    let (mut line, mut total) = (String::new(), 0.0);
    for (name, ns) in &used {
        let us = (ns - before.get(name).unwrap_or(&0)) as f64 / 1_000.0 / (sent.max(1) as f64);
        total += us;
        if us > 0.005 {
            line += &format!(" {}={us:.3}", name.trim_start_matches("cadenza-"));
        }
    }
    let bytes = resident_bytes().saturating_sub(loaded) / u64::from(calls.max(1));
    let late = engine.stats().pacers[0].lateness;
    let encoded = engine.stats().encoding;
    writeln!(
        io::stdout(),
        "{work} {calls}: {total:.2} µs/packet ({sent}; {:.1} a wake-up){line}; {:.1} KiB a call; late p50 {} p99 {} max {} µs; complexity {}",
        sent as f64 / woke.max(1) as f64,
        bytes as f64 / 1024.0,
        late.p50_us,
        late.p99_us,
        late.max_us,
        encoded.complexity_cap,
    )?;
    engine.shutdown();
    receiver.kill()?;
    receiver.wait().map(|_| ())
}

fn begin(
    engine: &Engine,
    calls: u32,
    work: &str,
    file: &str,
    ports: &[u16],
) -> io::Result<Vec<FlowId>> {
    let stream = match work {
        "shared" => Some(engine.create_stream().map_err(io::Error::other)?),
        _ => None,
    };
    let mut playing = Vec::from_iter(stream);
    for ssrc in 1..=calls {
        let flow = engine.create_flow().map_err(io::Error::other)?;
        let port = ports[ssrc as usize % ports.len()];
        let remote = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        engine
            .open_transport(flow, remote, ssrc, 1)
            .map_err(io::Error::other)?;
        engine
            .start_session(flow, TransportMode::Aes256GcmRtpsize, [ssrc as u8; 32])
            .map_err(io::Error::other)?;
        match stream {
            Some(stream) => engine.subscribe(flow, stream).map_err(io::Error::other)?,
            None if work == "play" => {
                play(engine, flow, file)?;
                playing.push(flow);
            }
            None => {}
        }
        if ssrc % JOINS == 0 {
            sleep(Duration::from_millis(1));
        }
    }
    if let Some(stream) = stream {
        play(engine, stream, file)?;
    }
    Ok(playing)
}

fn play(engine: &Engine, flow: FlowId, file: &str) -> io::Result<()> {
    let request = PlayRequest {
        track: 1,
        source: SourceSpec::File(PathBuf::from(file)),
        start_ms: 0,
        end_ms: None,
        encoder: EncoderSettings::default(),
    };
    engine.play(flow, request).map_err(io::Error::other)
}

/// Waits, and begins again what ends meanwhile.
fn tend(engine: &Engine, time: Duration, playing: &[FlowId], file: &str) {
    let mut events = Vec::new();
    for _ in 0..time.as_millis() / 100 {
        sleep(Duration::from_millis(100));
        engine.drain_events(&mut events, 10_000);
        for event in events.drain(..) {
            if let EngineEvent::TrackEnded { flow, .. } = event
                && playing.contains(&flow)
            {
                let _ = play(engine, flow, file);
            }
        }
    }
}

fn packets(engine: &Engine) -> u64 {
    engine.stats().pacers.iter().map(|pacer| pacer.sent).sum()
}

/// CPU time by thread name.
fn threads_ns() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let ns = read("schedstat")
            .split(' ')
            .next()
            .and_then(|ns| ns.parse().ok());
        *times.entry(read("comm").trim().to_owned()).or_default() += ns.unwrap_or(0_u64);
    }
    times
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn start_receiver() -> io::Result<(Child, Vec<u16>)> {
    let program = std::env::current_exe()?.with_file_name("receiver");
    let mut child = Command::new(program)
        .arg("64")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(out) = &mut child.stdout {
        BufReader::new(out).read_line(&mut line)?;
    }
    let ports = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok());
    Ok((child, ports.collect()))
}
