//! A small HTTP server on loopback whose answers a test writes by hand, wrong ones above all.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use cadenza_engine::feed::SourceSpec;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Counts the requests of the server from 0.
    pub number: usize,
    pub path: String,
    pub headers: HashMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The offset that `Range: bytes=N-` asks for.
    pub fn offset(&self) -> usize {
        let range = self
            .header("range")
            .and_then(|range| range.strip_prefix("bytes="));
        range
            .and_then(|range| range.trim_end_matches('-').parse().ok())
            .unwrap_or(0)
    }
}

/// What a handler writes its answer to.
pub struct Reply<'a> {
    stream: &'a mut TcpStream,
    shared: &'a Shared,
}

impl Reply<'_> {
    /// Errors are ignored: a client may leave whenever it likes.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends what a sound server sends for `request`, but only the first `body_len` bytes of the body.
    pub fn part(&mut self, request: &Request, content: &[u8], etag: &str, body_len: usize) {
        let (offset, total) = (request.offset(), content.len());
        if offset >= total {
            let range = format!("Content-Range: bytes */{total}");
            return self.raw(format!(
                "HTTP/1.1 416 No\r\n{range}\r\nContent-Length: 0\r\n\r\n"
            ));
        }
        let mut head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\
             Content-Range: bytes {offset}-{}/{total}\r\nContent-Type: audio/x-chunks\r\n",
            total - offset,
            total - 1
        );
        if !etag.is_empty() {
            head += &format!("ETag: {etag}\r\n");
        }
        self.raw(head + "\r\n");
        let body = &content[offset..];
        self.raw(&body[..body_len.min(body.len())]);
    }

    pub fn whole(&mut self, request: &Request, content: &[u8], etag: &str) {
        self.part(request, content, etag, usize::MAX);
    }

    /// Keeps the connection open without a byte until [`Server::release`] or the test's end.
    pub fn stall(&mut self) {
        let mut released = self.shared.released.lock().expect("no panic in handlers");
        while !*released {
            released = self
                .shared
                .changed
                .wait(released)
                .expect("no panic in handlers");
        }
    }
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    released: Mutex<bool>,
    changed: Condvar,
    closing: AtomicBool,
}

pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Each connection carries one request and is closed after the handler.
    pub fn start(handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static) -> Server {
        Server::start_at("127.0.0.1:0", handler)
    }

    pub fn start_at(
        address: &str,
        handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let handler = Arc::new(handler);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.closing.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, handler) = (Arc::clone(&own), Arc::clone(&handler));
                let stream = stream.expect("accepts");
                std::thread::spawn(move || answer(stream, &shared, &*handler));
            }
        });
        Server {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub fn source(&self, path: &str) -> SourceSpec {
        SourceSpec::Http {
            url: format!("http://{}{path}", self.address),
            headers: Vec::new(),
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("no panic in handlers")
            .clone()
    }

    /// Lets every stalled handler go on.
    pub fn release(&self) {
        *self.shared.released.lock().expect("no panic in handlers") = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.release();
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(
    mut stream: TcpStream,
    shared: &Shared,
    handler: &(dyn Fn(&Request, &mut Reply<'_>) + Send + Sync),
) {
    let Some((path, headers)) = read_request(&stream) else {
        return;
    };
    let request = {
        let mut requests = shared.requests.lock().expect("no panic in handlers");
        let request = Request {
            number: requests.len(),
            path,
            headers,
        };
        requests.push(request.clone());
        request
    };
    let mut reply = Reply {
        stream: &mut stream,
        shared,
    };
    handler(&request, &mut reply);
    // Closing with unread input would reset the connection and lose what was sent.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn read_request(stream: &TcpStream) -> Option<(String, HashMap<String, String>)> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some((path, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    None
}
