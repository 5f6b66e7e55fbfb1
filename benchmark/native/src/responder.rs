//! The rest of a voice server's UDP side: IP discovery and keepalives.

use std::net::SocketAddrV4;

/// The answer to a datagram that is no media, or `None` for media.
pub fn answer(datagram: &[u8], from: SocketAddrV4) -> Option<Vec<u8>> {
    if datagram.len() == 74 && datagram.starts_with(&[0, 1, 0, 70]) {
        let mut answer = vec![0; 74];
        answer[..8].copy_from_slice(&datagram[..8]);
        answer[1] = 2;
        let address = from.ip().to_string();
        answer[8..8 + address.len()].copy_from_slice(address.as_bytes());
        answer[72..].copy_from_slice(&from.port().to_be_bytes());
        return Some(answer);
    }
    // Every client has its own idea of a keepalive; all are short and get their bytes back.
    if datagram.len() <= 8 {
        let mut answer = datagram.to_vec();
        if answer.starts_with(&[0x13, 0x37, 0xCA, 0xFE]) {
            answer[2..4].copy_from_slice(&[0xF0, 0x0D]);
        }
        return Some(answer);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn discovery_tells_the_sender_its_own_address() {
        let mut request = vec![0; 74];
        request[..8].copy_from_slice(&[0, 1, 0, 70, 0, 0, 0, 9]);
        let from = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1), 50_004);
        let answer = answer(&request, from).expect("discovery is answered");
        assert_eq!(answer[..8], [0, 2, 0, 70, 0, 0, 0, 9]);
        assert_eq!(&answer[8..18], b"127.0.0.1\0");
        assert_eq!(answer[72..], 50_004_u16.to_be_bytes());
    }

    #[test]
    fn keepalives_come_back_and_media_does_not() {
        let from = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        let ping = [0x13, 0x37, 0xCA, 0xFE, 0, 0, 0, 5];
        let pong = [0x13, 0x37, 0xF0, 0x0D, 0, 0, 0, 5];
        assert_eq!(answer(&ping, from).as_deref(), Some(&pong[..]));
        assert_eq!(
            answer(&[1, 2, 3, 4, 5, 6, 7, 8], from).map(|answer| answer.len()),
            Some(8)
        );
        assert_eq!(answer(&[0x80; 60], from), None);
    }
}
