//! End-to-end encryption across the boundary: messages of the voice gateway in, replies and news out.

use cadenza_engine::dave::{
    DaveCounters, DaveEvent, DaveState, DaveStatus, DaveTarget, MemberIdentity, OpenCounts, Reply,
    ServerMessage, verification_code,
};
use cadenza_engine::receive::OpenFailure;
use napi::bindgen_prelude::{AsyncTask, Buffer, Uint8Array};
use napi::{Env, Task};
use napi_derive::napi;

use crate::binding_engine::BindingEngine;
use crate::failure::{BindingFailure, outcome};

/// A session that begins.
#[napi(object)]
pub struct BindingDaveTarget {
    /// The version of the session description.
    pub version: u32,
    /// The bot's user id, decimal.
    pub user_id: String,
    /// The channel's id, decimal.
    pub channel_id: String,
}

impl TryFrom<BindingDaveTarget> for DaveTarget {
    type Error = BindingFailure;

    fn try_from(target: BindingDaveTarget) -> Result<Self, BindingFailure> {
        Ok(Self {
            // What does not fit is no version that is spoken.
            version: u16::try_from(target.version).unwrap_or(u16::MAX),
            user: snowflake(&target.user_id, "the user id")?,
            channel: snowflake(&target.channel_id, "the channel id")?,
        })
    }
}

/// A message of the voice gateway; only the fields of its opcode are set.
#[napi(object)]
pub struct BindingDaveMessage {
    /// 21, 22, 24, 25, 27, 29 or 30.
    pub op: u32,
    /// Of ops 21 and 22.
    pub transition_id: Option<f64>,
    /// Of ops 21 and 24.
    pub protocol_version: Option<f64>,
    /// Of op 24.
    pub epoch: Option<f64>,
    /// The bytes after the opcode, of the others.
    pub payload: Option<Uint8Array>,
}

impl TryFrom<BindingDaveMessage> for ServerMessage {
    type Error = BindingFailure;

    fn try_from(message: BindingDaveMessage) -> Result<Self, BindingFailure> {
        let transition = || small(message.transition_id, "transition id");
        let version = || small(message.protocol_version, "protocol version");
        let payload = || {
            let bytes = message.payload.as_ref().map(|bytes| bytes.to_vec());
            bytes.ok_or_else(|| BindingFailure::invalid_argument("the message has no payload"))
        };
        Ok(match message.op {
            21 => Self::PrepareTransition {
                transition: transition()?,
                version: version()?,
            },
            22 => Self::ExecuteTransition {
                transition: transition()?,
            },
            24 => Self::PrepareEpoch {
                version: version()?,
                epoch: message.epoch.unwrap_or_default() as u64,
            },
            25 => Self::ExternalSender(payload()?),
            27 => Self::Proposals(payload()?),
            29 => Self::Commit(payload()?),
            30 => Self::Welcome(payload()?),
            _ => {
                let message = "the opcode is none of 21, 22, 24, 25, 27, 29 and 30";
                return Err(BindingFailure::invalid_argument(message));
            }
        })
    }
}

/// How a call is encrypted.
#[napi(object)]
pub struct BindingDaveState {
    /// 0 is none.
    pub protocol_version: u32,
    /// Whether sound may be sent.
    pub ready: bool,
    /// The group's epoch, decimal.
    pub epoch: Option<String>,
    /// The members' user ids, decimal.
    pub members: Vec<String>,
    /// Thirty digits.
    pub privacy_code: Option<String>,
}

impl From<DaveState> for BindingDaveState {
    fn from(state: DaveState) -> Self {
        Self {
            protocol_version: state.version.into(),
            ready: state.ready,
            epoch: state.epoch.map(|epoch| epoch.to_string()),
            members: state
                .members
                .iter()
                .map(|member| member.user.to_string())
                .collect(),
            privacy_code: state.privacy_code,
        }
    }
}

/// News of end-to-end encryption; only the fields of its kind are set.
#[napi(object)]
#[derive(Default)]
pub struct BindingDaveEvent {
    /// `send`, `state`, `transition` or `failed`.
    pub kind: String,
    /// To be sent: 23, 26, 28 or 31.
    pub op: Option<u32>,
    /// Of ops 23 and 31, and of a transition.
    pub transition_id: Option<u32>,
    /// Of ops 26 and 28: the bytes after the opcode.
    pub payload: Option<Buffer>,
    /// The version from a transition on.
    pub protocol_version: Option<u32>,
    /// The state.
    pub state: Option<BindingDaveState>,
    /// Stable error code.
    pub code: Option<String>,
    /// Message for people.
    pub message: Option<String>,
}

impl From<DaveEvent> for BindingDaveEvent {
    fn from(event: DaveEvent) -> Self {
        match event {
            DaveEvent::Send(reply) => reply.into(),
            DaveEvent::State(state) => Self {
                kind: "state".to_owned(),
                state: Some(state.into()),
                ..Self::default()
            },
            DaveEvent::Executed {
                transition,
                version,
            } => Self {
                kind: "transition".to_owned(),
                transition_id: Some(transition.into()),
                protocol_version: Some(version.into()),
                ..Self::default()
            },
            DaveEvent::Failed(failure) => Self {
                kind: "failed".to_owned(),
                code: Some(failure.code().to_owned()),
                message: Some(failure.to_string()),
                ..Self::default()
            },
        }
    }
}

impl From<Reply> for BindingDaveEvent {
    fn from(reply: Reply) -> Self {
        let (op, transition, payload) = match reply {
            Reply::Ready { transition } => (23, Some(transition.into()), None),
            Reply::KeyPackage(bytes) => (26, None, Some(bytes.into())),
            Reply::Commit(bytes) => (28, None, Some(bytes.into())),
            Reply::Invalid { transition } => (31, Some(transition.into()), None),
        };
        Self {
            kind: "send".to_owned(),
            op: Some(op),
            transition_id: transition,
            payload,
            ..Self::default()
        }
    }
}

/// What became of other members' frames.
#[napi(object)]
pub struct BindingDaveOpened {
    /// Opened.
    pub ok: f64,
    /// There was no key.
    pub no_key: f64,
    /// No frame that could be read.
    pub malformed: f64,
    /// The tag did not fit.
    pub authentication: f64,
    /// Opened before.
    pub replay: f64,
    /// Clear where it must not be.
    pub unencrypted: f64,
}

impl From<OpenCounts> for BindingDaveOpened {
    fn from(counts: OpenCounts) -> Self {
        let failed = |cause: OpenFailure| {
            let at = OpenFailure::ALL.iter().position(|known| *known == cause);
            at.map_or(0.0, |at| counts.failed[at] as f64)
        };
        Self {
            ok: counts.ok as f64,
            no_key: failed(OpenFailure::NoKey),
            malformed: failed(OpenFailure::Malformed),
            authentication: failed(OpenFailure::Authentication),
            replay: failed(OpenFailure::Replay),
            unencrypted: failed(OpenFailure::Unencrypted),
        }
    }
}

/// State and counters of a flow's encryption.
#[napi(object)]
pub struct BindingDaveStatus {
    /// What was told last.
    pub state: BindingDaveState,
    /// Key packages sent.
    pub key_packages: f64,
    /// Commits sent.
    pub commits_sent: f64,
    /// Commits of our own that the gateway chose.
    pub commits_won: f64,
    /// Commits of others that were applied.
    pub commits_applied: f64,
    /// Welcomes by which a group was joined.
    pub welcomes: f64,
    /// Transitions executed.
    pub transitions: f64,
    /// Times that op 31 was sent.
    pub recoveries: f64,
    /// Messages without consequence.
    pub ignored: f64,
    /// Proposals refused for the sake of an unannounced user.
    pub unknown_users: f64,
    /// Frames sent under an end-to-end key.
    pub frames_encrypted: f64,
    /// Frames whose time passed unheard.
    pub frames_held: f64,
    /// Silence frames sent, in clear.
    pub silence_sent: f64,
    /// Other members' frames.
    pub opened: BindingDaveOpened,
}

impl From<DaveStatus> for BindingDaveStatus {
    fn from(status: DaveStatus) -> Self {
        let DaveCounters {
            key_packages,
            commits_sent,
            commits_won,
            commits_applied,
            welcomes,
            transitions,
            recoveries,
            ignored,
            unknown_users,
        } = status.counters;
        Self {
            state: status.state.into(),
            key_packages: key_packages as f64,
            commits_sent: commits_sent as f64,
            commits_won: commits_won as f64,
            commits_applied: commits_applied as f64,
            welcomes: welcomes as f64,
            transitions: transitions as f64,
            recoveries: recoveries as f64,
            ignored: ignored as f64,
            unknown_users: unknown_users as f64,
            frames_encrypted: status.frames_encrypted as f64,
            frames_held: status.frames_held as f64,
            silence_sent: status.silence_sent as f64,
            opened: status.opened.into(),
        }
    }
}

#[napi]
impl BindingEngine {
    /// A session begins; nothing but silence leaves the flow until it is encrypted.
    #[napi]
    pub fn dave_open(&self, flow: u32, target: BindingDaveTarget) -> Option<BindingFailure> {
        match target.try_into() {
            Ok(target) => outcome(self.engine.dave_open(flow, target)),
            Err(failure) => Some(failure),
        }
    }

    /// Hands over a message of the voice gateway.
    #[napi]
    pub fn dave_message(&self, flow: u32, message: BindingDaveMessage) -> Option<BindingFailure> {
        match message.try_into() {
            Ok(message) => {
                self.engine.dave_message(flow, message);
                None
            }
            Err(failure) => Some(failure),
        }
    }

    /// Users came and went; ids are decimal.
    #[napi]
    pub fn dave_members(
        &self,
        flow: u32,
        joined: Vec<String>,
        left: Vec<String>,
    ) -> Option<BindingFailure> {
        match (users(&joined), users(&left)) {
            (Ok(joined), Ok(left)) => {
                self.engine.dave_members(flow, joined, left);
                None
            }
            (Err(failure), _) | (_, Err(failure)) => Some(failure),
        }
    }

    /// The session is over.
    #[napi]
    pub fn dave_close(&self, flow: u32) {
        self.engine.dave_close(flow);
    }

    /// State and counters, or null when encryption was never asked for.
    #[napi]
    pub fn dave_status(&self, flow: u32) -> Option<BindingDaveStatus> {
        self.engine.dave_status(flow).map(Into::into)
    }

    /// The code that the bot and a member compare, computed away from the JavaScript thread.
    #[napi(ts_return_type = "Promise<string> | BindingFailure")]
    pub fn verification_code(
        &self,
        flow: u32,
        user_id: String,
    ) -> napi::Either<AsyncTask<VerificationCode>, BindingFailure> {
        let user = match snowflake(&user_id, "the user id") {
            Ok(user) => user,
            Err(failure) => return napi::Either::B(failure),
        };
        match self.engine.dave_identities(flow, user) {
            Ok((own, other)) => napi::Either::A(AsyncTask::new(VerificationCode { own, other })),
            Err(error) => napi::Either::B(BindingFailure {
                code: "dave_not_a_member".to_owned(),
                message: error.to_string(),
            }),
        }
    }
}

/// Hashes two identities into the code that people compare.
pub struct VerificationCode {
    own: MemberIdentity,
    other: MemberIdentity,
}

impl Task for VerificationCode {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> napi::Result<String> {
        verification_code(&self.own, &self.other)
            .map_err(|error| napi::Error::from_reason(error.to_string()))
    }

    fn resolve(&mut self, _env: Env, code: String) -> napi::Result<String> {
        Ok(code)
    }
}

fn users(ids: &[String]) -> Result<Vec<u64>, BindingFailure> {
    ids.iter().map(|id| snowflake(id, "a user id")).collect()
}

fn snowflake(id: &str, what: &str) -> Result<u64, BindingFailure> {
    id.parse().map_err(|_| {
        BindingFailure::invalid_argument(format!("{what} is no decimal number of 64 bits"))
    })
}

fn small(number: Option<f64>, what: &str) -> Result<u16, BindingFailure> {
    let number = number.unwrap_or(f64::NAN);
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&number);
    if fits {
        return Ok(number as u16);
    }
    let message = format!("the message's {what} is no number of 16 bits");
    Err(BindingFailure::invalid_argument(message))
}
