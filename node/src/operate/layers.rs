//! One configuration out of flags, environment, file and what is usual, in that order.
//!
//! Each value knows where it comes from, and all that is wrong is told at once, with the key that
//! was probably meant. **Invariant:** a layer never changes a key that a layer above it gives.
//!
//! The crate figment does the same and was not taken: it knows the file of a value but not its
//! line, brings another version of the TOML parser, and names no similar key.

use std::collections::BTreeMap;
use std::fmt;

use corridor_proto::kinds::Tidy;
use corridor_proto::v1::LanguageText;
use toml::{Table, Value};

use super::config::{Config, FILE, KEYS, Key, Shape};

/// Begins every variable of the environment that may be meant for a program of the house.
const PREFIX: &str = "CORRIDOR_";
/// Variables that are no keys: the folder, and those of the command line of the secretariat.
const OTHERS: [&str; 2] = ["CORRIDOR_DATA", "CORRIDOR_PROFILE"];

/// What is given from outside.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The flags of a command by the names of their keys, each as often as it was given.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The text of the file, if there is one.
    pub file: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, without its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(&'static str),
    /// A line of the file.
    File(usize),
    /// Nobody gave one.
    Default,
}

impl Origin {
    /// The sort of place in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Environment(_) => "environment",
            Self::File(_) => "file",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment(variable) => write!(f, "{variable}"),
            Self::File(line) => write!(f, "{FILE} line {line}"),
            Self::Default => write!(f, "default"),
        }
    }
}

/// A configuration, and where each value comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The values.
    pub config: Config,
    /// Where each comes from, by the names of the keys.
    pub origins: BTreeMap<&'static str, Origin>,
    /// Variables that begin like ours and that nobody here reads.
    pub unread: Vec<String>,
}

/// All that is wrong, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Wrong(pub Vec<String>);

/// Puts the layers together.
///
/// # Errors
/// [`Wrong`], with everything that has to be mended.
pub fn effective(given: &Given) -> Result<Effective, Wrong> {
    let mut layers = Layers::default();
    if let Some(text) = &given.file {
        layers.file(text);
    }
    layers.environment(&given.environment);
    for (name, texts) in &given.flags {
        if let Some(key) = KEYS.iter().find(|key| key.name == *name) {
            layers.written(key, Origin::Flag(key.flag), texts);
        }
    }
    layers.finish()
}

#[derive(Default)]
struct Layers {
    values: Table,
    origins: BTreeMap<&'static str, Origin>,
    unread: Vec<String>,
    wrong: Vec<String>,
}

impl Layers {
    /// Takes in the file.
    fn file(&mut self, text: &str) {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let parsed = toml::de::DeTable::parse(text);
        let (places, mut table) = match parsed.and_then(|all| Ok((all, text.parse::<Table>()?))) {
            Ok(both) => both,
            Err(error) => {
                let at = error.span().map_or(1, |span| line(span.start));
                let what = error.message().trim().replace('\n', ", ");
                return self.wrong.push(format!("{FILE} line {at}: {what}"));
            }
        };
        for place in places.get_ref().keys() {
            let (name, at) = (place.get_ref().as_ref(), line(place.span().start));
            match KEYS.iter().find(|key| key.name == name) {
                Some(key) => {
                    if let Some(value) = table.remove(name) {
                        self.value(key, Origin::File(at), value);
                    }
                }
                None => self.wrong.push(format!(
                    "{FILE} line {at}: there is no key {name}; {}",
                    meant(name, &KEYS.map(|key| key.name))
                )),
            }
        }
    }

    /// Takes in the environment. What is empty is as if it were not there.
    fn environment(&mut self, all: &[(String, String)]) {
        let ours = all
            .iter()
            .filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty());
        for (name, text) in ours {
            let known = [&KEYS.map(|key| key.variable)[..], &OTHERS].concat();
            if let Some(key) = KEYS.iter().find(|key| key.variable == name) {
                let separator = if key.shape == Shape::Names { ';' } else { '\0' };
                let texts: Vec<String> = text.split(separator).map(str::to_owned).collect();
                self.written(key, Origin::Environment(key.variable), &texts);
            } else if !known.contains(&name.as_str()) {
                // A service manager may set what only looks like ours.
                let bare = |name: &&'static str| name.trim_start_matches(PREFIX);
                let known: Vec<&str> = known.iter().map(bare).collect();
                match nearest(name.trim_start_matches(PREFIX), &known) {
                    Some(near) => self.wrong.push(format!(
                        "{name}: there is no such variable; did you mean {PREFIX}{near}?"
                    )),
                    None => self.unread.push(name.clone()),
                }
            }
        }
    }

    /// Takes in a value as a flag or a variable has it.
    fn written(&mut self, key: &'static Key, origin: Origin, texts: &[String]) {
        match value_of(key.shape, texts) {
            Ok(value) => self.value(key, origin, value),
            Err(what) => self.wrong.push(format!("{origin}: {what}")),
        }
    }

    /// Takes in a value, over one of a layer below.
    fn value(&mut self, key: &'static Key, origin: Origin, value: Value) {
        let alone = Table::from_iter([(key.name.to_owned(), value.clone())]);
        if let Err(error) = alone.try_into::<Config>() {
            let what = error.message().trim().replace('\n', ", ");
            self.wrong.push(format!("{origin}: {}: {what}", key.name));
        } else {
            self.values.insert(key.name.to_owned(), value);
            self.origins.insert(key.name, origin);
        }
    }

    fn finish(mut self) -> Result<Effective, Wrong> {
        let config = match self.values.try_into::<Config>() {
            Ok(config) => config,
            Err(error) => {
                self.wrong.push(error.to_string());
                Config::default()
            }
        };
        let origins = KEYS.map(|key| {
            let origin = self.origins.get(key.name).cloned();
            (key.name, origin.unwrap_or(Origin::Default))
        });
        let origins = BTreeMap::from(origins);
        for (key, what) in config.wrong() {
            let origin = origins.get(key).unwrap_or(&Origin::Default);
            self.wrong.push(format!("{origin}: {key}: {what}"));
        }
        if self.wrong.is_empty() {
            Ok(Effective {
                config,
                origins,
                unread: self.unread,
            })
        } else {
            Err(Wrong(self.wrong))
        }
    }
}

/// The value that flags or a variable say.
fn value_of(shape: Shape, texts: &[String]) -> Result<Value, String> {
    let last = texts.last().map(String::as_str).unwrap_or_default();
    Ok(match shape {
        Shape::Text => Value::String(last.to_owned()),
        Shape::Number => {
            let number = last.parse::<u32>();
            let number = number.map_err(|_| format!("{last:?} is no whole number"))?;
            Value::Integer(number.into())
        }
        Shape::Switch => match last {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(format!("{last:?} is neither true nor false")),
        },
        Shape::List => {
            let parts = texts.iter().flat_map(|text| text.split(','));
            let parts = parts.map(str::trim).filter(|part| !part.is_empty());
            let parts: Vec<Value> = parts.map(Value::from).collect();
            Value::Array(match parts.as_slice() {
                [Value::String(none)] if none == "none" => Vec::new(),
                _ => parts,
            })
        }
        Shape::Names => {
            let names = texts.iter().map(|text| name_of(text));
            Value::Array(names.collect::<Result<_, _>>()?)
        }
    })
}

fn name_of(text: &str) -> Result<Value, String> {
    let (tag, name) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: write it as tag=name, such as en='Bali Process'"))?;
    let mut name = LanguageText {
        tag: tag.trim().to_owned(),
        text: name.to_owned(),
    };
    name.tidy();
    let fields = [("tag", name.tag), ("name", name.text)];
    let fields = fields.map(|(field, text)| (field.to_owned(), Value::String(text)));
    Ok(Value::Table(Table::from_iter(fields)))
}

/// What was probably meant, or what there is.
fn meant(name: &str, known: &[&str]) -> String {
    nearest(name, known).map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean {near}?"),
    )
}

/// The known name that is nearest, if it is near: one letter may be wrong, or two in seven.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known));
    let near = near.min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, known)| *distance <= (known.len() * 2 / 7).max(1))
        .map(|(_, known)| known)
}
