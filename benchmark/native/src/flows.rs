//! What was received from each call, and what follows from it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use crate::grid::{self, Arrival, PERIOD_NS};
use crate::histogram::Histogram;
use crate::keys;

/// One packet in so many is opened.
const OPEN_ONE_IN: u64 = 53;

/// Everything received since the start of a measurement.
#[derive(Default)]
pub struct Flows {
    flows: HashMap<u32, Received>,
    /// The payloads that senders were told to send; empty when packets are not to be opened.
    known: HashSet<Vec<u8>>,
    bytes: u64,
    packets: u64,
    opened: u64,
    unopened: u64,
    unknown: u64,
}

#[derive(Default)]
struct Received {
    arrivals: Vec<Arrival>,
    sequence: Option<u16>,
    lost: u64,
    swapped: u64,
}

impl Flows {
    /// Compares the payloads of opened packets with these.
    pub fn expecting(known: HashSet<Vec<u8>>) -> Flows {
        Flows {
            known,
            ..Flows::default()
        }
    }

    /// Forgets what was received.
    pub fn clear(&mut self) {
        *self = Flows::expecting(std::mem::take(&mut self.known));
    }

    /// Takes in one RTP packet; anything else is ignored.
    pub fn take(&mut self, datagram: &[u8], at_ns: u64) {
        let rtp = datagram.len() >= 12 && datagram[0] >> 6 == 2 && datagram[1] & 0x7F == 0x78;
        if !rtp {
            return;
        }
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| datagram[at + byte]));
        let (timestamp, ssrc) = (word(4), word(8));
        let sequence = u16::from_be_bytes([datagram[2], datagram[3]]);
        self.packets += 1;
        self.bytes += datagram.len() as u64;
        let received = self.flows.entry(ssrc).or_default();
        received.arrivals.push(Arrival { at_ns, timestamp });
        received.follow(sequence);
        if !self.known.is_empty() && self.packets.is_multiple_of(OPEN_ONE_IN) {
            self.open(datagram);
        }
    }

    fn open(&mut self, datagram: &[u8]) {
        match keys::open(datagram) {
            None => self.unopened += 1,
            Some(payload) => {
                self.opened += 1;
                // An extension stands in front of the frame; silence frames are nobody's.
                let known = self.known.contains(&payload)
                    || payload.ends_with(&[0xF8, 0xFF, 0xFE])
                    || datagram[0] & 0x10 != 0;
                self.unknown += u64::from(!known);
            }
        }
    }

    /// The measurement as one line of JSON. `firsts` adds when each call's first packet came.
    pub fn report(&self, firsts: bool) -> String {
        let mut all = Histogram::default();
        let mut late = 0;
        let mut rates = Vec::new();
        for received in self.flows.values() {
            for ns in grid::lateness(&received.arrivals) {
                all.record_ns(ns);
                late += u64::from(ns > PERIOD_NS as u64);
            }
            rates.extend(received.rate());
        }
        rates.sort_by(f64::total_cmp);
        let rate = |at: usize| rates.get(at).copied().unwrap_or(0.0);
        let lost: u64 = self.flows.values().map(|received| received.lost).sum();
        let swapped: u64 = self.flows.values().map(|received| received.swapped).sum();
        let mut json = String::new();
        let _ = write!(
            json,
            "{{\"flows\":{},\"packets\":{},\"bytes\":{},\"late\":{late},\"lost\":{lost},\"swapped\":{swapped},\
             \"opened\":{},\"unopened\":{},\"unknown\":{},\
             \"p50Us\":{},\"p99Us\":{},\"p999Us\":{},\"maxUs\":{},\
             \"rateMin\":{:.3},\"rateMedian\":{:.3},\"rateMax\":{:.3},\"histogram\":[",
            self.flows.len(),
            self.packets,
            self.bytes,
            self.opened,
            self.unopened,
            self.unknown,
            all.percentile_us(5_000),
            all.percentile_us(9_900),
            all.percentile_us(9_990),
            all.max_us(),
            rate(0),
            rate(rates.len() / 2),
            rate(rates.len().saturating_sub(1)),
        );
        list(&mut json, all.buckets());
        json.push(']');
        if firsts {
            json.push_str(",\"firstsNs\":[");
            let first = |(ssrc, received): (&u32, &Received)| {
                let first = received.arrivals.first();
                (u64::from(*ssrc), first.map_or(0, |arrival| arrival.at_ns))
            };
            list(&mut json, self.flows.iter().map(first));
            json.push(']');
        }
        json.push('}');
        json
    }
}

impl Received {
    fn follow(&mut self, sequence: u16) {
        if let Some(before) = self.sequence {
            match sequence.wrapping_sub(before) as i16 {
                1 => {}
                step if step > 1 => self.lost += step as u64 - 1,
                // It was counted as lost when a later one came.
                _ => {
                    self.swapped += 1;
                    self.lost = self.lost.saturating_sub(1);
                    return;
                }
            }
        }
        self.sequence = Some(sequence);
    }

    /// Packets a second, between the first and the last.
    fn rate(&self) -> Option<f64> {
        let (first, last) = (self.arrivals.first()?, self.arrivals.last()?);
        let ns = last.at_ns.checked_sub(first.at_ns).filter(|ns| *ns > 0)?;
        Some((self.arrivals.len() - 1) as f64 * 1e9 / ns as f64)
    }
}

fn list(json: &mut String, pairs: impl Iterator<Item = (u64, u64)>) {
    for (at, (a, b)) in pairs.enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(json, "{comma}[{a},{b}]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 0x78];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0; 40]);
        packet
    }

    fn field(json: &str, name: &str) -> String {
        let from = json
            .find(&format!("\"{name}\":"))
            .expect("the field is there")
            + name.len()
            + 3;
        let rest = &json[from..];
        rest[..rest.find([',', '}']).expect("more follows")].to_owned()
    }

    #[test]
    fn late_and_lost_packets_are_counted_per_flow() {
        let mut flows = Flows::default();
        for ssrc in [1, 2] {
            for n in 0..500_u32 {
                if ssrc == 2 && n == 250 {
                    continue;
                }
                let late = if ssrc == 1 && n % 100 == 50 {
                    21_000_000
                } else {
                    0
                };
                let at_ns = 1_000_000_000 + u64::from(n) * 20_000_000 + late;
                flows.take(&packet(ssrc, n as u16, n * 960), at_ns);
            }
        }
        flows.take(&[0; 74], 0);
        let json = flows.report(true);
        for (name, expected) in [
            ("flows", "2"),
            ("packets", "999"),
            ("late", "5"),
            ("lost", "1"),
            ("p50Us", "0"),
            ("maxUs", "21000"),
            ("rateMax", "50.000"),
        ] {
            assert_eq!(field(&json, name), expected, "{name} in {json}");
        }
        assert!(json.contains("[1,1000000000]") && json.contains("[2,1000000000]"));
    }

    #[test]
    fn what_comes_late_was_not_lost() {
        let mut flows = Flows::default();
        for sequence in [u16::MAX, 1, 0, 2] {
            flows.take(&packet(5, sequence, u32::from(sequence) * 960), 7);
        }
        let json = flows.report(false);
        assert_eq!(
            (field(&json, "lost"), field(&json, "swapped")),
            ("0".into(), "1".into())
        );
    }

    #[test]
    fn a_sample_is_opened_and_what_does_not_open_is_told() {
        let mut flows = Flows::expecting(HashSet::from([vec![1, 2, 3]]));
        for n in 0..530_u32 {
            flows.take(&packet(9, n as u16, n * 960), u64::from(n));
        }
        assert_eq!(field(&flows.report(false), "unopened"), "10");
        flows.clear();
        assert_eq!(field(&flows.report(false), "packets"), "0");
    }
}
