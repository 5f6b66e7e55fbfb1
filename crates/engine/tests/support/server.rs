//! A voice server's UDP side on loopback.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use cadenza_proto::transport::Opener;

/// One packet, opened.
pub struct Heard {
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub nonce: [u8; 4],
    pub payload: Vec<u8>,
}

/// A voice server's UDP side: answers discovery and pings on a thread, keeps media for the test.
pub struct Server {
    address: SocketAddrV4,
    media: std::sync::mpsc::Receiver<Vec<u8>>,
}

impl Server {
    pub fn start() -> Server {
        Server::start_ignoring(0)
    }

    /// A server that leaves the first `ignored` discovery requests unanswered.
    pub fn start_ignoring(mut ignored: u32) -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let Ok(SocketAddr::V4(address)) = socket.local_addr() else {
            panic!("loopback is IPv4");
        };
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("the timeout is not zero");
        let (sender, media) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            // Ends when the test has dropped the other end, at the latest after the read timeout.
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                let datagram = &mut buffer[..len];
                if datagram.starts_with(&[0, 1, 0, 0x46]) {
                    if ignored > 0 {
                        ignored -= 1;
                        continue;
                    }
                    datagram[1] = 2;
                    datagram[8..19].copy_from_slice(b"203.0.113.7");
                    datagram[72..].copy_from_slice(&50_004_u16.to_be_bytes());
                    let _ = socket.send_to(datagram, from);
                } else if datagram.starts_with(&[0x13, 0x37, 0xCA, 0xFE]) {
                    datagram[2..4].copy_from_slice(&[0xF0, 0x0D]);
                    let _ = socket.send_to(datagram, from);
                } else if sender.send(datagram.to_vec()).is_err() {
                    return;
                }
            }
        });
        Server { address, media }
    }

    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub fn hear(&self, count: usize, opener: &Opener) -> Vec<Heard> {
        (0..count).map(|_| self.hear_one(opener)).collect()
    }

    pub fn hear_one(&self, opener: &Opener) -> Heard {
        let mut datagram = self
            .media
            .recv_timeout(Duration::from_secs(20))
            .expect("a packet arrives");
        let mut nonce = [0; 4];
        nonce.copy_from_slice(&datagram[datagram.len() - 4..]);
        let packet = opener
            .open(&mut datagram)
            .expect("the packet opens with the key");
        Heard {
            sequence: packet.header.sequence.0,
            timestamp: packet.header.timestamp.0,
            ssrc: packet.header.ssrc.0,
            nonce,
            payload: packet.payload.to_vec(),
        }
    }
}
