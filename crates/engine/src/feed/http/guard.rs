//! Which addresses an HTTP source may lie at, checked on literals and after every name resolution.
//!
//! The client connects only to addresses that passed [`AddressGuard::permits`], because its resolver
//! is [`GuardedResolver`]: a name that resolves differently the second time gains nothing.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The policy: public addresses only, unless told otherwise.
#[derive(Clone, Debug)]
pub(super) struct AddressGuard {
    pub(super) allow_private: bool,
    pub(super) exceptions: Vec<IpAddr>,
}

impl AddressGuard {
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        self.allow_private
            || is_public(address)
            || self.exceptions.contains(&address.to_canonical())
    }

    /// Checks a URL whose host is an address; names are checked once they are resolved.
    pub(super) fn permits_literal(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        literal
            .parse::<IpAddr>()
            .map_or(true, |address| self.permits(address))
    }

    /// Those addresses of a name that may be connected to; every new connection asks anew.
    pub(super) fn permitted(
        &self,
        found: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
        let none_found = found.is_empty();
        let permitted: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| self.permits(address.ip()))
            .collect();
        if permitted.is_empty() && !none_found {
            return Err(ForbiddenAddress);
        }
        Ok(permitted)
    }
}

/// Found in the source chain of a connection error when the guard refused every address.
#[derive(Debug)]
pub(super) struct ForbiddenAddress;

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name resolves to addresses that are not allowed")
    }
}

impl Error for ForbiddenAddress {}

/// Resolves with the operating system and hands on only what the guard permits.
#[derive(Debug)]
pub(super) struct GuardedResolver(pub(super) Arc<AddressGuard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let permitted = guard.permitted(found)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The IANA special-purpose registry for IPv4, as of RFC 6890 and its updates.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0 // this network
        || a >= 240 // reserved and broadcast
        || (a == 100 && b & 0xC0 == 64) // shared by carriers
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && b & 0xFE == 18); // benchmarks
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Global unicast only (2000::/3), and where an IPv4 address is carried inside, that one is judged.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => embedded(high, low), // NAT64
        [0x2002, high, low, ..] => embedded(high, low),               // 6to4
        [0x2001, second, ..] if second < 0x200 => false,              // Teredo, ORCHID, benchmarks
        [0x2001, 0xDB8, ..] | [0x3FFF, 0..=0x0FFF, ..] => false,      // documentation
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(address: &str) -> bool {
        let guard = AddressGuard {
            allow_private: false,
            exceptions: Vec::new(),
        };
        guard.permits(address.parse().expect("an address"))
    }

    #[test]
    fn a_name_whose_answer_changes_gains_nothing() {
        let guard = AddressGuard {
            allow_private: false,
            exceptions: Vec::new(),
        };
        let answer = |addresses: &[&str]| -> Vec<SocketAddr> {
            let parse = |address: &&str| address.parse().expect("an address");
            addresses.iter().map(parse).collect()
        };
        let public = answer(&["93.184.215.14:80"]);
        assert_eq!(guard.permitted(public.clone()).ok(), Some(public.clone()));
        for changed in [&["127.0.0.1:80"][..], &["[::1]:80", "10.0.0.1:80"]] {
            assert!(guard.permitted(answer(changed)).is_err(), "{changed:?}");
        }
        let mixed = answer(&["127.0.0.1:80", "93.184.215.14:80", "[::ffff:127.0.0.1]:80"]);
        assert_eq!(guard.permitted(mixed).ok(), Some(public));
        assert!(
            guard
                .permitted(Vec::new())
                .is_ok_and(|none| none.is_empty())
        );
    }

    #[test]
    fn refuses_every_address_that_is_not_public() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!permits(address), "{address} must be refused");
        }
    }

    #[test]
    fn permits_public_addresses() {
        for address in [
            "1.1.1.1",
            "9.9.9.9",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:4860:4860::8888",
            "2002:101:101::1",
            "2606:4700::1111",
        ] {
            assert!(permits(address), "{address} must be permitted");
        }
    }

    #[test]
    fn judges_literals_however_they_are_written() {
        let guard = AddressGuard {
            allow_private: false,
            exceptions: vec!["10.0.0.7".parse().expect("an address")],
        };
        for (url, permitted) in [
            ("http://127.1/", false),
            ("http://2130706433/", false),
            ("http://0x7f.0.0.1/", false),
            ("http://[::1]/", false),
            ("http://[::ffff:7f00:1]/", false),
            ("http://10.0.0.7/", true),
            ("http://[::ffff:10.0.0.7]/", true),
            ("http://10.0.0.8/", false),
            ("http://example.org/", true),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(guard.permits_literal(&url), permitted, "{url}");
        }
    }
}
