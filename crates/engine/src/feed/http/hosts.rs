//! How many connections one host gets: a few questions at a time, and no more sources than it should bear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use reqwest::Url;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Hosts without connections are forgotten when there are more than this.
const MANY_HOSTS: usize = 256;

/// The hosts that sources are read from, and what they carry.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Mutex<HashMap<String, Weak<Host>>>,
    max_requests: usize,
    max_connections: usize,
}

#[derive(Debug)]
struct Host {
    /// Requests that wait for an answer.
    asking: Semaphore,
}

/// A connection to a host, counted while it exists.
#[derive(Debug)]
pub(super) struct Connection(Arc<Host>);

impl Hosts {
    pub(super) fn new(max_requests: usize, max_connections: usize) -> Hosts {
        Hosts {
            hosts: Mutex::default(),
            max_requests: max_requests.clamp(1, Semaphore::MAX_PERMITS),
            max_connections: max_connections.max(1),
        }
    }

    /// A connection to the host of `url`; `None` when it has as many as it may.
    pub(super) fn connection(&self, url: &Url) -> Option<Connection> {
        let port = url.port_or_known_default().unwrap_or_default();
        let name = format!("{}:{port}", url.host_str().unwrap_or_default());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() > MANY_HOSTS {
            hosts.retain(|_, host| host.strong_count() > 0);
        }
        if let Some(host) = hosts.get(&name).and_then(Weak::upgrade) {
            // One of them is this look-up's own.
            let open = Arc::strong_count(&host) - 1;
            return (open < self.max_connections).then_some(Connection(host));
        }
        let asking = Semaphore::new(self.max_requests);
        let host = Arc::new(Host { asking });
        hosts.insert(name, Arc::downgrade(&host));
        Some(Connection(host))
    }
}

impl Connection {
    /// Waits until this host may be asked; the turn is held up to its answer.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // An error means a closed semaphore, and nobody closes it.
        self.0.asking.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn a_host_bears_so_many_connections_and_others_do_not_count() {
        let hosts = Hosts::new(1, 2);
        let one = hosts.connection(&url("http://a/x")).expect("room");
        let _two = hosts.connection(&url("http://a:80/y")).expect("room");
        assert!(hosts.connection(&url("http://A/z")).is_none());
        assert!(hosts.connection(&url("http://a:81/")).is_some());
        assert!(hosts.connection(&url("http://b/")).is_some());
        drop(one);
        assert!(hosts.connection(&url("http://a/")).is_some());
    }

    #[test]
    fn hosts_without_connections_are_forgotten() {
        let hosts = Hosts::new(1, 1);
        for number in 0..10_000 {
            let _ = hosts.connection(&url(&format!("http://h{number}/")));
        }
        let known = hosts.hosts.lock().expect("not poisoned").len();
        assert!(known <= MANY_HOSTS + 1, "{known}");
    }
}
