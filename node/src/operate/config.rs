//! The configuration of a node: one documented file in its data folder.
//!
//! [`super::layers`] puts it together with the environment and the flags of a command. No value is
//! a secret: what is secret lies in files of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use corridor_proto::kinds;
use corridor_proto::v1::LanguageText;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::files::FileError;
use super::layers::{Given, effective};
use crate::limits::DRAIN_SECONDS_MAX;

/// Name of the file in the data folder.
pub const FILE: &str = "config.toml";

/// The value of a text that says that there is nothing.
pub const NONE: &str = "none";

/// What can be configured. Unknown keys are refused; what is left out is as in [`Config::default`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where peers' nodes connect to.
    pub peer_listen: SocketAddr,
    /// Where secretariat and integrators connect to.
    pub api_listen: SocketAddr,
    /// Addresses on our card, as `host:port`; empty for a node that only dials out.
    pub advertise: Vec<String>,
    /// `host:port` of the HTTP proxy through which partners are reached, or `none`.
    pub proxy: String,
    /// File with `name:password` on its first line for that proxy, or `none`.
    pub proxy_credentials: String,
    /// Whether nobody clears a text for release that they had a part in.
    pub four_eyes: bool,
    /// Whether whoever shows no token reads what is public. Not unless somebody says so: a node
    /// whose secretariat never thought of it serves nobody whom it did not name.
    pub anonymous: bool,
    /// Calls that one token may make in a minute, over time; twice as many at once.
    pub calls_per_minute: u64,
    /// Calls that one network address without a token may make in a minute.
    pub anonymous_calls_per_minute: u64,
    /// Where metrics can be read; nowhere by default.
    #[serde(with = "place")]
    pub metrics: Option<SocketAddr>,
    /// How long calls under way may go on when the node is told to end, in seconds.
    pub drain_seconds: u64,
    /// Which events are logged.
    pub log: String,
    /// How they are written.
    pub log_format: LogFormat,
    /// Names on our card, each with its language tag.
    pub names: Vec<Name>,
}

/// How reading is open, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whether whoever shows no token reads what is public.
    pub anonymous: bool,
    /// Calls that one token may make in a minute.
    pub calls_per_minute: u64,
    /// Calls that one network address without a token may make in a minute.
    pub anonymous_calls_per_minute: u64,
}

impl Default for Reading {
    fn default() -> Self {
        Config::default().reading()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            peer_listen: (Ipv4Addr::UNSPECIFIED, 7400).into(),
            api_listen: (Ipv4Addr::LOCALHOST, 7401).into(),
            advertise: Vec::new(),
            proxy: NONE.to_owned(),
            proxy_credentials: NONE.to_owned(),
            four_eyes: false,
            anonymous: false,
            calls_per_minute: 60_000,
            anonymous_calls_per_minute: 600,
            metrics: None,
            drain_seconds: 10,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            names: Vec::new(),
        }
    }
}

/// How the log is written to the standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// A name of the RCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// BCP 47 tag.
    pub tag: String,
    /// The name.
    pub name: String,
}

/// How the value of a key is written in a flag or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Several with commas between them, or `none`.
    List,
    /// `tag=name`, several with semicolons between them.
    Names,
}

/// A key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// Its variable in the environment.
    pub variable: &'static str,
    /// How flag and variable are written.
    pub shape: Shape,
    /// What it is for.
    pub words: &'static str,
}

/// All keys, in the order of the file.
pub static KEYS: [Key; 14] = [
    Key {
        name: "peer_listen",
        flag: "peer-listen",
        variable: "CORRIDOR_PEER_LISTEN",
        shape: Shape::Text,
        words: "Where partners' nodes connect to, as address:port",
    },
    Key {
        name: "api_listen",
        flag: "api-listen",
        variable: "CORRIDOR_API_LISTEN",
        shape: Shape::Text,
        words: "Where the secretariat's own tools connect to, as address:port",
    },
    Key {
        name: "advertise",
        flag: "advertise",
        variable: "CORRIDOR_ADVERTISE",
        shape: Shape::List,
        words: "Addresses that partners are told, as host:port; none if the node only dials out",
    },
    Key {
        name: "proxy",
        flag: "proxy",
        variable: "CORRIDOR_PROXY",
        shape: Shape::Text,
        words: "The HTTP proxy through which partners are reached, as host:port, or none",
    },
    Key {
        name: "proxy_credentials",
        flag: "proxy-credentials",
        variable: "CORRIDOR_PROXY_CREDENTIALS",
        shape: Shape::Text,
        words: "A file with name:password on its first line for that proxy, or none",
    },
    Key {
        name: "four_eyes",
        flag: "four-eyes",
        variable: "CORRIDOR_FOUR_EYES",
        shape: Shape::Switch,
        words: "true if nobody clears for release what they wrote themselves, else false",
    },
    Key {
        name: "anonymous",
        flag: "anonymous",
        variable: "CORRIDOR_ANONYMOUS",
        shape: Shape::Switch,
        words: "true if whoever shows no token reads what is public, else false",
    },
    Key {
        name: "calls_per_minute",
        flag: "calls-per-minute",
        variable: "CORRIDOR_CALLS_PER_MINUTE",
        shape: Shape::Number,
        words: "How many calls one token may make in a minute; twice as many at once",
    },
    Key {
        name: "anonymous_calls_per_minute",
        flag: "anonymous-calls-per-minute",
        variable: "CORRIDOR_ANONYMOUS_CALLS_PER_MINUTE",
        shape: Shape::Number,
        words: "How many calls one network address may make in a minute without a token",
    },
    Key {
        name: "metrics",
        flag: "metrics",
        variable: "CORRIDOR_METRICS",
        shape: Shape::Text,
        words: "Where Prometheus reads figures: a port on this machine alone, address:port, or off",
    },
    Key {
        name: "drain_seconds",
        flag: "drain-seconds",
        variable: "CORRIDOR_DRAIN_SECONDS",
        shape: Shape::Number,
        words: "How long calls under way may go on when the node is told to end",
    },
    Key {
        name: "log",
        flag: "log",
        variable: "CORRIDOR_LOG",
        shape: Shape::Text,
        words: "Which events are logged, such as info, warn or corridor_node::exchange=debug",
    },
    Key {
        name: "log_format",
        flag: "log-format",
        variable: "CORRIDOR_LOG_FORMAT",
        shape: Shape::Text,
        words: "How the log is written to the standard error: text, or json for programs",
    },
    Key {
        name: "names",
        flag: "name",
        variable: "CORRIDOR_NAMES",
        shape: Shape::Names,
        words: "The name of the process in its languages, each as tag=name (a table in the file)",
    },
];

impl Config {
    /// Reads the configuration of the node in `data`, without flags and environment.
    ///
    /// # Errors
    /// [`FileError::Io`] if there is none, [`FileError::Refused`] with all that is wrong in it.
    pub fn read(data: &Path) -> Result<Self, FileError> {
        let path = path(data);
        let text = std::fs::read_to_string(&path).map_err(|source| FileError::io(&path, source))?;
        let given = Given {
            file: Some(text),
            ..Given::default()
        };
        let read = effective(&given).map_err(|wrong| FileError::Refused {
            path,
            why: wrong.to_string(),
        })?;
        Ok(read.config)
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// The line and the key that do not fit.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// How reading is open.
    pub const fn reading(&self) -> Reading {
        Reading {
            anonymous: self.anonymous,
            calls_per_minute: self.calls_per_minute,
            anonymous_calls_per_minute: self.anonymous_calls_per_minute,
        }
    }

    /// Each key with its value.
    ///
    /// # Errors
    /// What TOML cannot say.
    pub fn values(&self) -> Result<toml::Table, toml::ser::Error> {
        toml::Table::try_from(self)
    }

    /// The text of the file: every key with what it is for; what is as without it is a remark.
    ///
    /// # Errors
    /// [`FileError::Refused`] for what TOML cannot say.
    pub fn text(&self, data: &Path) -> Result<String, FileError> {
        let refused = |error: toml::ser::Error| FileError::Refused {
            path: path(data),
            why: error.to_string(),
        };
        let (values, usual) = (
            self.values().map_err(refused)?,
            Self::default().values().map_err(refused)?,
        );
        let mut text = "# Configuration of a Corridor node. A flag of a command counts before a \
                        variable of its\n# environment, and that before this file; corridor-node \
                        config show --origin tells what counts.\n"
            .to_owned();
        for key in &KEYS {
            let (Some(value), usual) = (values.get(key.name), usual.get(key.name)) else {
                continue;
            };
            let remark = if Some(value) == usual { "# " } else { "" };
            text += &format!(
                "\n# {}.\n# (--{}, {})\n{remark}{} = {value}\n",
                key.words, key.flag, key.variable, key.name
            );
        }
        Ok(text)
    }

    /// What is wrong with values that are of the right sort, each with its key.
    pub fn wrong(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        for address in self.advertise.iter().filter(|text| !is_address(text)) {
            let what = "is no address; write host:port, such as node.example.org:7400";
            wrong.push(("advertise", format!("{address:?} {what}")));
        }
        if self.proxy != NONE && !is_address(&self.proxy) {
            let what = "is no address; write host:port, such as proxy.example.org:3128, or none";
            wrong.push(("proxy", format!("{:?} {what}", self.proxy)));
        }
        for (key, calls) in [
            ("calls_per_minute", self.calls_per_minute),
            (
                "anonymous_calls_per_minute",
                self.anonymous_calls_per_minute,
            ),
        ] {
            if calls == 0 {
                let what = "would let nobody in, not even what looks after the node; name more";
                wrong.push((key, format!("0 {what}")));
            }
        }
        if self.drain_seconds > DRAIN_SECONDS_MAX {
            let what = format!("is more than {DRAIN_SECONDS_MAX}; name fewer seconds");
            wrong.push(("drain_seconds", format!("{} {what}", self.drain_seconds)));
        }
        let listens = [Some(self.peer_listen), Some(self.api_listen), self.metrics];
        for (at, key) in ["peer_listen", "api_listen", "metrics"]
            .into_iter()
            .enumerate()
        {
            let (before, rest) = listens.split_at(at);
            let own = rest.first().copied().flatten();
            if own.is_some_and(|own| own.port() != 0 && before.contains(&Some(own))) {
                wrong.push((
                    key,
                    "is the address of another listener; name another port".into(),
                ));
            }
        }
        if let Err(why) = tracing_subscriber::EnvFilter::try_new(&self.log) {
            let what = format!(
                "{:?} cannot be used ({why}); write info, warn or debug",
                self.log
            );
            wrong.push(("log", what));
        }
        if let Err(violations) = kinds::check_names(&self.language_texts()) {
            wrong.extend(violations.iter().map(|one| ("names", one.to_string())));
        }
        wrong
    }

    /// The names as they are signed, ascending by their tags.
    pub fn language_texts(&self) -> Vec<LanguageText> {
        let texts = self.names.iter().map(|name| LanguageText {
            tag: name.tag.clone(),
            text: name.name.clone(),
        });
        let mut texts: Vec<_> = texts.collect();
        texts.sort_by(|one, other| one.tag.cmp(&other.tag));
        texts
    }
}

/// Bytes of an address at most: a name of the longest kind and a port.
const ADDRESS_BYTES_MAX: usize = 262;

/// Whether text is host and port, in the characters that such have and no others: what a partner
/// tells as its address goes into what a proxy is asked, and onto screens.
pub fn is_address(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte);
    let parts = text.rsplit_once(':');
    text.len() <= ADDRESS_BYTES_MAX
        && text.bytes().all(fits)
        && parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Where the file lies.
pub fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// A place to listen at that may be off: a port alone is one of this machine.
mod place {
    use super::{Deserialize, Ipv4Addr, SocketAddr, Value};
    use serde::{Deserializer, Serializer, de::Error};

    #[allow(clippy::ref_option, reason = "the form that serde asks for")]
    pub fn serialize<S: Serializer>(place: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        match place {
            Some(place) => to.collect_str(place),
            None => to.serialize_str("off"),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        let text = match Value::deserialize(from)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if text == "off" {
            return Ok(None);
        }
        let port = text
            .parse()
            .ok()
            .map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
        let place = port.or_else(|| text.parse().ok());
        place.map(Some).ok_or_else(|| {
            D::Error::custom("write a port such as 7402, an address such as 127.0.0.1:7402, or off")
        })
    }
}
