//! One file of a recording: every stream's sound at its place in time, written in order.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use cadenza_audio::opus::PcmFormat;
use cadenza_audio::record::{MAX_WAV_DATA, OggOpusWriter, WAV_HEADER_LEN, wav_header};
use cadenza_proto::jitter::samples_in;

use super::RecordContainer;
use super::batch::PieceKind;
use super::mix::Mix;
use super::recording::placed;
use super::stream::Heard;

/// Bytes gathered before they are written.
const CHUNK: usize = 64 << 10;
/// How far a mix stays behind the clock: later sound has no place in it any more. 2 s.
const MIX_DELAY_NS: u64 = 2_000_000_000;
/// A stream that was quiet for so long makes the others of its file wait no longer. 2 s.
const QUIET_NS: u64 = 2_000_000_000;
/// How late sound may come before the moments around it have been written, in samples at 48 kHz. 5 s.
const LONGEST_DELAY: i64 = 240_000;
/// Written at once, in samples at 48 kHz; a multiple of every format's ratio. 100 ms.
const STEP: u64 = 4_800;
/// How often what was gathered is written in any case. 5 s.
const SYNC_NS: u64 = 5_000_000_000;

/// How one stream lies in the file.
struct Track {
    /// Where its position 0 is, in samples at 48 kHz.
    anchor: i64,
    /// Where it ends so far.
    end: u64,
    last_ns: u64,
}

enum Body {
    Wav { format: PcmFormat, mix: Mix },
    Ogg(Box<OggOpusWriter>),
}

/// A file being written.
pub(super) struct RecordFile {
    path: PathBuf,
    file: File,
    /// Made, not yet written.
    pending: Vec<u8>,
    written: u64,
    body: Body,
    mixed: bool,
    /// The moment of the file's first sample; `None` until something was heard.
    start_ns: Option<u64>,
    tracks: HashMap<u32, Track>,
    now_ns: u64,
    synced_ns: u64,
}

impl RecordFile {
    /// Creates the file, over a former one.
    pub(super) fn create(
        path: PathBuf,
        container: RecordContainer,
        start_ns: Option<u64>,
        mixed: bool,
    ) -> io::Result<RecordFile> {
        let file = File::create(&path)?;
        let mut pending = Vec::new();
        let body = match container {
            RecordContainer::Wav(format) => {
                pending.extend(wav_header(format, 0));
                let mix = Mix::new(format);
                Body::Wav { format, mix }
            }
            // The serial number tells streams of one file apart; here there is only one.
            RecordContainer::Ogg => Body::Ogg(Box::new(OggOpusWriter::new(1, 2, &mut pending))),
        };
        let mut file = RecordFile {
            path,
            file,
            pending,
            written: 0,
            body,
            mixed,
            start_ns,
            tracks: HashMap::new(),
            now_ns: 0,
            synced_ns: 0,
        };
        file.write_out()?;
        Ok(file)
    }

    /// Puts a piece in its place.
    pub(super) fn take(&mut self, heard: &Heard<'_>) -> io::Result<()> {
        let at_ns = heard.at_ns();
        self.now_ns = self.now_ns.max(at_ns);
        let start_ns = *self.start_ns.get_or_insert(at_ns);
        let track = self.tracks.entry(heard.ssrc).or_insert_with(|| Track {
            anchor: placed(heard.origin_ns, start_ns, 0),
            end: 0,
            last_ns: 0,
        });
        let at = track.anchor.saturating_add(heard.head.position as i64);
        let end = at.saturating_add(heard.head.samples as i64);
        track.end = track.end.max(end.max(0) as u64);
        track.last_ns = self.now_ns;
        // Nothing comes that late, and what follows a long pause has to find its place in the mix.
        self.settle((at - LONGEST_DELAY).max(0) as u64)?;
        match &mut self.body {
            Body::Wav { format, mix } => mix.add(at, heard.pcm(*format)),
            Body::Ogg(writer) => {
                let out = &mut self.pending;
                append_opus(writer, heard, at, out);
            }
        }
        self.settle(self.settled())
    }

    /// A stream is complete; another one of the same user finds its own place.
    pub(super) fn gone(&mut self, ssrc: u32) {
        self.tracks.remove(&ssrc);
    }

    /// Writes what has settled.
    pub(super) fn tend(&mut self, now_ns: u64) -> io::Result<()> {
        self.now_ns = self.now_ns.max(now_ns);
        self.settle(self.settled())?;
        if self.now_ns.saturating_sub(self.synced_ns) < SYNC_NS {
            return Ok(());
        }
        self.synced_ns = self.now_ns;
        if let Body::Ogg(writer) = &mut self.body {
            writer.sync(&mut self.pending);
        }
        self.write_out()?;
        self.write_header()
    }

    /// Ends the file, `length` samples long if that is given and more than there are. Returns path, samples and bytes.
    pub(super) fn finish(mut self, length: Option<u64>) -> io::Result<(String, u64, u64)> {
        let end = self.tracks.values().map(|track| track.end).max();
        let end = length.into_iter().chain(end).max().unwrap_or(0);
        self.settle(end)?;
        let samples = match &mut self.body {
            Body::Wav { mix, .. } => mix.written(),
            Body::Ogg(writer) => {
                let owed = end.saturating_sub(writer.samples());
                writer.silence(owed, &mut self.pending);
                writer.finish(&mut self.pending);
                writer.samples()
            }
        };
        self.write_out()?;
        self.write_header()?;
        let path = self.path.to_string_lossy().into_owned();
        Ok((path, samples, self.written))
    }

    /// Moves samples that nothing can change any more from the mix to the file.
    fn settle(&mut self, end: u64) -> io::Result<()> {
        while let Body::Wav { mix, .. } = &mut self.body
            && mix.written() < end
        {
            let until = end.min(mix.written() + STEP);
            let room = MAX_WAV_DATA.saturating_sub(self.written + self.pending.len() as u64);
            if !mix.write(until, room, &mut self.pending) {
                let message = "the WAV file has reached its largest size";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            if self.pending.len() >= CHUNK {
                self.write_out()?;
            }
            if until == end {
                break;
            }
        }
        if self.pending.len() >= CHUNK {
            self.write_out()?;
        }
        Ok(())
    }

    /// Up to where the file is settled, in samples at 48 kHz.
    fn settled(&self) -> u64 {
        let Some(start_ns) = self.start_ns else {
            return 0;
        };
        let by_clock = samples_in(self.now_ns.saturating_sub(start_ns + MIX_DELAY_NS));
        if self.mixed {
            return by_clock;
        }
        // One speaker's sound settles as it comes, however late that is; two streams wait for each other.
        let live = self.tracks.values();
        let live = live.filter(|track| track.last_ns.saturating_add(QUIET_NS) > self.now_ns);
        live.map(|track| track.end).min().unwrap_or(0)
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all(&self.pending)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// A WAV file says at its beginning how long it is.
    fn write_header(&mut self) -> io::Result<()> {
        let Body::Wav { format, .. } = self.body else {
            return Ok(());
        };
        let header = wav_header(format, self.written - WAV_HEADER_LEN as u64);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

/// Appends a packet at its place in time, after what is there already.
fn append_opus(writer: &mut OggOpusWriter, heard: &Heard<'_>, at: i64, out: &mut Vec<u8>) {
    if heard.head.kind != PieceKind::Sound {
        return;
    }
    let end = at.saturating_add(heard.head.samples as i64).max(0) as u64;
    let at = at.max(0) as u64;
    // Two streams of one user at once do not fit into one stream of packets; the first one wins.
    if end <= writer.samples() {
        return;
    }
    writer.silence(at.saturating_sub(writer.samples()), out);
    writer.packet(heard.opus, out);
}
