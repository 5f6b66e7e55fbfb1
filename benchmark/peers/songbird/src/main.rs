//! songbird, driven by the benchmark: a driver per call with its default configuration, each playing an Ogg
//! Opus file, whose frames it passes through. It speaks lines of JSON with the harness, as the others do.

use std::error::Error;
use std::io::{BufRead, Write};
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::Deserialize;
use songbird::input::File;
use songbird::{Config, ConnectionInfo, Driver};
use tokio::sync::Semaphore;

/// Joins under way at the same time.
const JOINS: usize = 50;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone, Deserialize)]
struct Settings {
    calls: u64,
    work: String,
    endpoint: String,
    ogg: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let settings = std::env::args().nth(1).ok_or("usage: songbird-sender CONFIG")?;
    let settings: Settings = serde_json::from_str(&settings)?;
    let mut lines = std::io::stdin().lock().lines();
    say("{\"loaded\":true}")?;
    let Some(_) = lines.next() else { return Ok(()) };
    let mut drivers = join_all(&settings).await?;
    if settings.work == "play" {
        for driver in &mut drivers {
            let _ = driver.play_only_input(File::new(settings.ogg.clone()).into());
        }
    }
    say("{\"ready\":true}")?;
    // The drivers go on while this thread waits for the end of its input.
    tokio::task::block_in_place(|| lines.for_each(drop));
    // Nothing is to be waited for at the end.
    std::process::exit(0);
}

async fn join_all(settings: &Settings) -> Result<Vec<Driver>, Failure> {
    let joins = Arc::new(Semaphore::new(JOINS));
    let mut tasks = Vec::new();
    for call in 1..=settings.calls {
        let joins = Arc::clone(&joins);
        let endpoint = settings.endpoint.clone();
        tasks.push(tokio::spawn(async move {
            let _turn = joins.acquire().await?;
            let mut driver = Driver::new(Config::default());
            driver.connect(connection(call, endpoint)?).await?;
            Ok::<Driver, Failure>(driver)
        }));
    }
    let mut drivers = Vec::new();
    for task in tasks {
        drivers.push(task.await??);
    }
    Ok(drivers)
}

fn connection(call: u64, endpoint: String) -> Result<ConnectionInfo, Failure> {
    let id = |number: u64| NonZeroU64::new(number).ok_or("ids are not zero");
    Ok(ConnectionInfo {
        channel_id: id(1_000_000 + call)?.into(),
        endpoint,
        guild_id: id(call)?.into(),
        session_id: format!("session-{call}"),
        token: format!("token-{call}"),
        user_id: id(99_999_999)?.into(),
    })
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
