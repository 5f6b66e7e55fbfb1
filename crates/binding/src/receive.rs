//! The receiving side: what is heard, what is recorded, and how well packets come.

use std::collections::HashSet;

use cadenza_engine::receive::{
    OpenFailure, OutputFormat, OutputRequest, PcmFormat, ReceiveRequest, ReceiveStats,
    RecordContainer, RecordRequest, RecordedFile, UserReceiveStats, Users,
};
use napi::Either;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::binding_engine::BindingEngine;
use crate::failure::{BindingFailure, outcome};

/// One form of sound for some users.
#[napi(object)]
pub struct BindingOutput {
    /// Comes back in batches.
    pub id: u32,
    /// User ids; missing is everybody.
    pub users: Option<Vec<String>>,
    /// Samples per second of decoded sound; missing hands over Opus packets.
    pub sample_rate: Option<u32>,
    /// Channels of decoded sound. Default 2.
    pub channels: Option<u8>,
}

/// What a flow hands over of what it hears.
#[napi(object)]
pub struct BindingReceiveRequest {
    /// The outputs; none only tells who speaks.
    pub outputs: Vec<BindingOutput>,
    /// How long sound is gathered, milliseconds.
    pub batch_ms: Option<u32>,
}

/// One recording.
#[napi(object)]
pub struct BindingRecordRequest {
    /// Missing is everybody.
    pub user_id: Option<String>,
    /// The file; `{user}` stands for the user's id.
    pub path: String,
    /// `wav` or `ogg`.
    pub format: String,
    /// Samples per second of a WAV file. Default 48,000.
    pub sample_rate: Option<u32>,
    /// Channels of a WAV file. Default 2.
    pub channels: Option<u8>,
    /// Whether files begin with the recording and not with the first sound.
    pub from_start: Option<bool>,
}

/// One file of a recording.
#[napi(object)]
pub struct BindingRecordedFile {
    /// Where it is.
    pub path: String,
    /// Whose sound it holds; missing for a mix.
    pub user_id: Option<String>,
    /// Its length in samples at 48 kHz.
    pub samples: f64,
    /// Its length in bytes.
    pub bytes: f64,
}

impl From<RecordedFile> for BindingRecordedFile {
    fn from(file: RecordedFile) -> Self {
        Self {
            path: file.path,
            user_id: file.user.map(|user| user.to_string()),
            samples: file.samples as f64,
            bytes: file.bytes as f64,
        }
    }
}

/// How many packets were refused, by cause.
#[napi(object)]
pub struct BindingCause {
    /// Stable snake_case name of the cause.
    pub cause: String,
    /// Packets.
    pub count: f64,
}

/// How one user's packets came.
#[napi(object)]
pub struct BindingUserReceiveStats {
    /// Who.
    pub user_id: String,
    /// Packets that were opened.
    pub packets: f64,
    /// Bytes of Opus in them.
    pub bytes: f64,
    /// Packets that never came, or too late.
    pub lost: f64,
    /// Packets that came after their place was given up.
    pub late: f64,
    /// Packets that came twice.
    pub duplicate: f64,
    /// Extrapolated, in milliseconds.
    pub concealed_ms: f64,
    /// Frames reconstructed from in-band FEC.
    pub fec_recovered: f64,
    /// Times the sender began anew under one SSRC.
    pub restarts: f64,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: f64,
    /// How long a missing packet is waited for, milliseconds.
    pub wait_ms: f64,
}

impl From<UserReceiveStats> for BindingUserReceiveStats {
    fn from(stats: UserReceiveStats) -> Self {
        Self {
            user_id: stats.user.to_string(),
            packets: stats.packets as f64,
            bytes: stats.bytes as f64,
            lost: stats.lost as f64,
            late: stats.late as f64,
            duplicate: stats.duplicates as f64,
            concealed_ms: stats.concealed_samples as f64 / 48.0,
            fec_recovered: stats.fec_recovered as f64,
            restarts: stats.restarts as f64,
            jitter_ms: stats.jitter_us as f64 / 1_000.0,
            wait_ms: stats.wait_us as f64 / 1_000.0,
        }
    }
}

/// Counters of a flow's receiving side.
#[napi(object)]
pub struct BindingReceiveStats {
    /// RTP packets of the Opus payload type.
    pub packets: f64,
    /// Packets of users whom nobody wants to hear.
    pub filtered: f64,
    /// Packets of SSRCs that belong to nobody known.
    pub unknown_ssrc: f64,
    /// Packets of other payload types.
    pub foreign_payload: f64,
    /// Datagrams that are nothing known.
    pub garbage: f64,
    /// RTCP compounds that were read.
    pub rtcp: f64,
    /// RTCP compounds that could not be opened.
    pub rtcp_unreadable: f64,
    /// Packets without a payload.
    pub empty: f64,
    /// Payloads that are no Opus packet.
    pub malformed_opus: f64,
    /// Packets dropped because a worker was too far behind.
    pub queue_dropped: f64,
    /// Batches dropped because nobody took them in time.
    pub batches_dropped: f64,
    /// Packets the transport could not open.
    pub transport_failures: Vec<BindingCause>,
    /// Packets that end-to-end decryption refused.
    pub media_failures: Vec<BindingCause>,
    /// Loss of the flow's own packets as the server reports it, 0 to 1.
    pub remote_loss: Option<f64>,
    /// Jitter of the flow's own packets as the server reports it, milliseconds.
    pub remote_jitter_ms: Option<f64>,
    /// By user.
    pub users: Vec<BindingUserReceiveStats>,
}

impl From<ReceiveStats> for BindingReceiveStats {
    fn from(stats: ReceiveStats) -> Self {
        let media = OpenFailure::ALL.map(OpenFailure::code);
        Self {
            packets: stats.packets as f64,
            filtered: stats.filtered as f64,
            unknown_ssrc: stats.unknown_ssrc as f64,
            foreign_payload: stats.foreign_payload as f64,
            garbage: stats.garbage as f64,
            rtcp: stats.rtcp as f64,
            rtcp_unreadable: stats.rtcp_unreadable as f64,
            empty: stats.empty as f64,
            malformed_opus: stats.malformed_opus as f64,
            queue_dropped: stats.queue_dropped as f64,
            batches_dropped: stats.batches_dropped as f64,
            transport_failures: causes(ReceiveStats::TRANSPORT_CAUSES, stats.transport_failures),
            media_failures: causes(media, stats.media_failures),
            remote_loss: stats
                .remote
                .map(|report| f64::from(report.fraction_lost) / 256.0),
            remote_jitter_ms: stats.remote.map(|report| f64::from(report.jitter) / 48.0),
            users: stats.users.into_iter().map(Into::into).collect(),
        }
    }
}

#[napi]
impl BindingEngine {
    /// Hears a flow as asked from now on; missing hears nobody.
    #[napi]
    pub fn set_receiving(
        &self,
        flow: u32,
        request: Option<BindingReceiveRequest>,
    ) -> Option<BindingFailure> {
        match request.map(receive_request).transpose() {
            Ok(request) => outcome(self.engine().set_receiving(flow, request)),
            Err(failure) => Some(failure),
        }
    }

    /// Notes whose an SSRC is.
    #[napi]
    pub fn map_ssrc(&self, flow: u32, ssrc: u32, user_id: String) -> Option<BindingFailure> {
        match user(&user_id) {
            Ok(user) => {
                self.engine().map_ssrc(flow, ssrc, user);
                None
            }
            Err(failure) => Some(failure),
        }
    }

    /// Forgets a user who has left.
    #[napi]
    pub fn unmap_user(&self, flow: u32, user_id: String) -> Option<BindingFailure> {
        match user(&user_id) {
            Ok(user) => {
                self.engine().unmap_user(flow, user);
                None
            }
            Err(failure) => Some(failure),
        }
    }

    /// The oldest batch of sound that waits, or null.
    #[napi]
    pub fn take_audio(&self, flow: u32) -> Option<Buffer> {
        self.engine().take_audio(flow).map(Into::into)
    }

    /// Begins a recording; its number, or a failure.
    #[napi(ts_return_type = "number | BindingFailure")]
    pub fn record(&self, flow: u32, request: BindingRecordRequest) -> Either<u32, BindingFailure> {
        match record_request(request) {
            Ok(request) => match self.engine().record(flow, request) {
                Ok(id) => Either::A(id),
                Err(error) => Either::B(error.into()),
            },
            Err(failure) => Either::B(failure),
        }
    }

    /// Ends a recording; an event follows.
    #[napi]
    pub fn stop_recording(&self, flow: u32, recording: u32) {
        self.engine().stop_recording(flow, recording);
    }

    /// Counters of a flow's receiving side.
    #[napi]
    pub fn receive_stats(&self, flow: u32) -> BindingReceiveStats {
        self.engine().receive_stats(flow).into()
    }
}

fn receive_request(request: BindingReceiveRequest) -> Result<ReceiveRequest, BindingFailure> {
    let outputs = request.outputs.into_iter().map(output_request);
    let defaults = ReceiveRequest::default();
    Ok(ReceiveRequest {
        outputs: outputs.collect::<Result<_, _>>()?,
        batch_ms: request.batch_ms.unwrap_or(defaults.batch_ms),
    })
}

fn output_request(output: BindingOutput) -> Result<OutputRequest, BindingFailure> {
    let users = match output.users {
        None => Users::All,
        Some(ids) => {
            let ids: Result<HashSet<u64>, BindingFailure> = ids.iter().map(|id| user(id)).collect();
            Users::Only(ids?)
        }
    };
    let format = match output.sample_rate {
        None => OutputFormat::Opus,
        Some(rate) => OutputFormat::Pcm(pcm_format(Some(rate), output.channels)?),
    };
    Ok(OutputRequest {
        id: output.id,
        users,
        format,
    })
}

fn record_request(request: BindingRecordRequest) -> Result<RecordRequest, BindingFailure> {
    let container = match request.format.as_str() {
        "wav" => RecordContainer::Wav(pcm_format(request.sample_rate, request.channels)?),
        "ogg" => RecordContainer::Ogg,
        _ => {
            return Err(BindingFailure::invalid_argument(
                "a recording is a wav or an ogg file",
            ));
        }
    };
    Ok(RecordRequest {
        user: request.user_id.as_deref().map(user).transpose()?,
        path: request.path,
        container,
        from_start: request.from_start.unwrap_or(false),
    })
}

fn pcm_format(rate: Option<u32>, channels: Option<u8>) -> Result<PcmFormat, BindingFailure> {
    PcmFormat::new(rate.unwrap_or(48_000), channels.unwrap_or(2)).ok_or_else(|| {
        BindingFailure::invalid_argument(
            "decoded sound has 8000, 12000, 16000, 24000 or 48000 Hz and one or two channels",
        )
    })
}

fn user(id: &str) -> Result<u64, BindingFailure> {
    id.parse()
        .map_err(|_| BindingFailure::invalid_argument("a user id is a decimal number"))
}

fn causes<const N: usize>(names: [&str; N], counts: [u64; N]) -> Vec<BindingCause> {
    let pairs = names.into_iter().zip(counts);
    let causes = pairs.map(|(cause, count)| BindingCause {
        cause: cause.to_owned(),
        count: count as f64,
    });
    causes.collect()
}
