//! What can be chosen when a feed host starts.

use std::net::IpAddr;
use std::time::Duration;

/// Limits and policies of a [`FeedHost`](super::FeedHost). All take effect when it starts.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Threads that decode at the same time, 1 to 64. Default 2.
    pub decode_workers: usize,
    /// Lets HTTP sources lie at loopback, private, link-local and reserved addresses. Default `false`:
    /// whoever may name a URL could otherwise reach services inside the operator's network.
    pub allow_private_hosts: bool,
    /// Single addresses excepted from that refusal, such as an own media server. Default none.
    pub allowed_private_addresses: Vec<IpAddr>,
    /// How long name resolution, connecting and the TLS handshake may take together. Default 10 s.
    pub connect_timeout: Duration,
    /// How long an answer or the next bytes of a body may take. Default 15 s.
    pub stall_timeout: Duration,
    /// After how long without bytes a feed that needs some reports `Stalled`. Default 1 s.
    pub stall_notice: Duration,
    /// Requests to one host that may wait for an answer at the same time; others wait for their turn,
    /// and their time-outs run. Default 16.
    pub max_requests_per_host: usize,
    /// Connections to one host at the same time, one for each source that plays from it; one more
    /// fails its own feed with `http_host_busy`. Default 4,096.
    pub max_connections_per_host: usize,
    /// Redirects followed for one request. Default 5.
    pub max_redirects: usize,
    /// The largest HTTP source in bytes, announced or received. Default 2 GiB.
    pub max_source_bytes: u64,
    /// Tries in a row to resume a broken body before the feed fails. Default 3.
    pub resume_attempts: u32,
    /// The pause before the first such try; it doubles with each further one. Default 200 ms.
    pub resume_delay: Duration,
    /// Bytes of an HTTP source kept ahead of the decoder, at least 64 KiB. Default 256 KiB.
    pub window_bytes: usize,
    /// How late a feed whose queue is full looks at it again; sooner if half of the queue is played
    /// before, or two thirds where frames pass through. Default 400 ms. Shorter costs CPU and gains nothing while sound plays in real time.
    pub longest_park: Duration,
    /// HTTP reads that may wait for bytes in the middle of a frame at the same time; each holds a
    /// thread. One more fails its own feed with `http_stalled`. Default 256.
    pub max_waiting_reads: usize,
}

impl Default for FeedConfig {
    fn default() -> FeedConfig {
        FeedConfig {
            decode_workers: 2,
            allow_private_hosts: false,
            allowed_private_addresses: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            stall_notice: Duration::from_secs(1),
            max_requests_per_host: 16,
            max_connections_per_host: 4096,
            max_redirects: 5,
            max_source_bytes: 2 << 30,
            resume_attempts: 3,
            resume_delay: Duration::from_millis(200),
            window_bytes: 256 * 1024,
            longest_park: Duration::from_millis(400),
            max_waiting_reads: 256,
        }
    }
}
