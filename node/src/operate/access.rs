//! Access tokens: who may call the node's own listener, and for what.
//!
//! Only hashes are kept. The file is read again whenever it changed, so that a token taken out of
//! it ends within seconds. **Invariant:** a token that is not in the file opens nothing.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use clap::ValueEnum;
use corridor_proto::domain::{Domain, hash};
use corridor_proto::{Hash, UnixMillis};
use serde::{Deserialize, Serialize};

use super::files::{FileError, read_secret, replace_secret};
use crate::limits::ACCESS_TOKENS_MAX;

/// What the holder of a token is to the secretariat; one token may have several roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads what is public, of this RCP and of others: a programme of somebody else.
    Public,
    /// Reads what was published here and what was received, but no draft.
    Reader,
    /// Writes drafts as well.
    Editor,
    /// Decides what is published, who reads it, and what is withdrawn; writes drafts as well.
    Clearer,
    /// Keeps partners and the node, and reads no draft.
    Administrator,
}

impl Role {
    /// All roles of a secretariat that is one person.
    pub const SECRETARIAT: [Self; 4] = [
        Self::Reader,
        Self::Editor,
        Self::Clearer,
        Self::Administrator,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Clearer => "clearer",
            Self::Administrator => "administrator",
        }
    }
}

/// Something that a caller may do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read what was published here and what was received, and how things stand.
    Read,
    /// See and write drafts.
    Draft,
    /// Publish, share, narrow and withdraw, and say who reads a circle.
    Share,
    /// Pair with partners and end it, and bring the node back.
    Administer,
}

impl Right {
    /// The roles that have it.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Read => &Role::SECRETARIAT,
            Self::Draft => &[Role::Editor, Role::Clearer],
            Self::Share => &[Role::Clearer],
            Self::Administer => &[Role::Administrator],
        }
    }
}

/// A token as it is kept: who has it, not what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    hash: String,
    /// What its holder is.
    pub roles: Vec<Role>,
    /// For whom it was made, in the maker's words.
    pub label: String,
    /// When it ends, in milliseconds; zero: never.
    pub expires_ms: u64,
}

impl Entry {
    /// By which it is named to be revoked: no part of the token.
    pub fn id(&self) -> &str {
        self.hash.get(..ID_CHARS).unwrap_or(&self.hash)
    }

    /// Whether it ended.
    pub const fn is_over(&self, now: UnixMillis) -> bool {
        self.expires_ms != 0 && now.0 >= self.expires_ms
    }

    /// Whether it gives a right.
    pub fn has(&self, right: Right) -> bool {
        self.roles.iter().any(|role| right.roles().contains(role))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    #[serde(default)]
    token: Vec<Entry>,
}

/// Characters of the name of a token.
const ID_CHARS: usize = 10;

/// What tells one state of the file from another: two may be written within one tick of the clock,
/// but each is a file of its own.
type Stamp = (SystemTime, u64, u64);

/// The tokens of a node.
#[derive(Debug)]
pub struct Access {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Tokens)>>,
}

impl Access {
    /// The tokens of the node in `data`.
    pub fn of(data: &Path) -> Self {
        Self {
            path: data.join("keys").join("tokens.toml"),
            read: Mutex::new(None),
        }
    }

    /// Makes a token; it is shown once and only its hash is kept. `expires` zero means never.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn create(
        &self,
        roles: &[Role],
        label: &str,
        expires: UnixMillis,
    ) -> Result<String, FileError> {
        let io = |source| FileError::io(&self.path, source);
        let mut tokens = self.load()?;
        if tokens.token.len() >= ACCESS_TOKENS_MAX {
            return Err(io(std::io::Error::other(format!(
                "holds {ACCESS_TOKENS_MAX} tokens already; revoke those that are no longer \
                 needed: corridor-node token list shows them"
            ))));
        }
        let secret = crate::edge::random::<32>().map_err(io)?;
        let token = data_encoding::BASE32_NOPAD
            .encode(&secret)
            .to_ascii_lowercase();
        tokens.token.push(Entry {
            hash: token_hash(&token).to_string(),
            roles: roles
                .iter()
                .copied()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            label: label.to_owned(),
            expires_ms: expires.0,
        });
        self.keep(&tokens)?;
        Ok(token)
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn list(&self) -> Result<Vec<Entry>, FileError> {
        Ok(self.load()?.token)
    }

    /// Ends a token at once, by what [`Entry::id`] gives; gives it, or nothing if there is none.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn revoke(&self, id: &str) -> Result<Option<Entry>, FileError> {
        let mut tokens = self.load()?;
        let Some(at) = tokens.token.iter().position(|entry| entry.id() == id) else {
            return Ok(None);
        };
        let entry = tokens.token.remove(at);
        self.keep(&tokens)?;
        Ok(Some(entry))
    }

    fn keep(&self, tokens: &Tokens) -> Result<(), FileError> {
        let text = toml::to_string(tokens)
            .map_err(|error| FileError::io(&self.path, std::io::Error::other(error.to_string())))?;
        replace_secret(&self.path, text.as_bytes())
    }

    /// Whose token it is; `None` if it opens nothing.
    pub fn holder(&self, token: &str, now: UnixMillis) -> Option<Entry> {
        let wanted = token_hash(token).to_string();
        let tokens = self.current()?;
        let mut tokens = tokens.token.into_iter();
        tokens.find(|entry| entry.hash == wanted && !entry.is_over(now))
    }

    fn current(&self) -> Option<Tokens> {
        let meta = std::fs::metadata(&self.path).ok()?;
        let stamp = (meta.modified().ok()?, meta.ino(), meta.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match read.as_ref() {
            Some((at, tokens)) if *at == stamp => Some(tokens.clone()),
            _ => {
                let tokens = self.load().ok()?;
                *read = Some((stamp, tokens.clone()));
                Some(tokens)
            }
        }
    }

    fn load(&self) -> Result<Tokens, FileError> {
        let bytes = match read_secret(&self.path) {
            Ok(bytes) => bytes,
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Tokens::default());
            }
            Err(error) => return Err(error),
        };
        let content = || FileError::Content {
            path: self.path.clone(),
            what: "a list of tokens",
        };
        let text = String::from_utf8(bytes).map_err(|_| content())?;
        toml::from_str(&text).map_err(|_| content())
    }
}

fn token_hash(token: &str) -> Hash {
    hash(Domain::AccessToken, &[token.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Access) {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("keys")).expect("keys");
        let access = Access::of(folder.path());
        (folder, access)
    }

    #[test]
    fn a_token_opens_what_it_is_for_until_it_ends() {
        let (folder, access) = folder();
        assert_eq!(access.holder("anything", UnixMillis(5)), None);
        let made = |roles: &[Role], expires| access.create(roles, "one", UnixMillis(expires));
        let all = made(&Role::SECRETARIAT, 0).expect("create");
        let public = made(&[Role::Public], 10).expect("create");
        let roles = |token: &str, now| Some(access.holder(token, UnixMillis(now))?.roles);
        assert_eq!(roles(&all, 5), Some(Role::SECRETARIAT.to_vec()));
        assert_eq!(roles(&public, 9), Some(vec![Role::Public]));
        assert_eq!(roles(&public, 10), None);
        let kept = std::fs::read_to_string(folder.path().join("keys/tokens.toml")).expect("file");
        assert!(
            !kept.contains(&all) && !kept.contains(&public),
            "only hashes are kept"
        );
    }

    #[test]
    fn a_token_that_is_revoked_opens_nothing_and_others_stay() {
        let (_folder, access) = folder();
        let made = |label| access.create(&[Role::Reader], label, UnixMillis(0));
        let (first, second) = (
            made("first").expect("create"),
            made("second").expect("create"),
        );
        let listed = access.list().expect("list");
        let labels: Vec<&str> = listed.iter().map(|entry| entry.label.as_str()).collect();
        assert_eq!(labels, ["first", "second"]);
        assert_ne!(listed[0].id(), listed[1].id());
        assert!(!first.contains(listed[0].id()), "no part of the token");
        let revoked = access.revoke(listed[0].id()).expect("revoke");
        assert_eq!(revoked.as_ref(), Some(&listed[0]));
        assert_eq!(access.revoke(listed[0].id()).expect("revoke"), None);
        assert_eq!(access.holder(&first, UnixMillis(5)), None);
        assert!(access.holder(&second, UnixMillis(5)).is_some());
    }

    #[test]
    fn roles_have_the_rights_that_they_are_for() {
        let has = |role: Role| {
            let entry = Entry {
                hash: String::new(),
                roles: vec![role],
                label: String::new(),
                expires_ms: 0,
            };
            [Right::Read, Right::Draft, Right::Share, Right::Administer]
                .map(|right| entry.has(right))
        };
        assert_eq!(has(Role::Public), [false; 4]);
        assert_eq!(has(Role::Reader), [true, false, false, false]);
        assert_eq!(has(Role::Editor), [true, true, false, false]);
        assert_eq!(has(Role::Clearer), [true, true, true, false]);
        assert_eq!(has(Role::Administrator), [true, false, false, true]);
    }

    #[test]
    fn a_token_made_within_the_same_tick_of_the_clock_opens_at_once() {
        let (folder, access) = folder();
        let path = folder.path().join("keys/tokens.toml");
        let modified = || std::fs::metadata(&path).and_then(|meta| meta.modified());
        let made = |label| access.create(&[Role::Reader], label, UnixMillis(0));
        let first = made("first").expect("create");
        assert!(access.holder(&first, UnixMillis(5)).is_some());
        let tick = modified().expect("time");
        let second = made("second").expect("create");
        let file = std::fs::File::options().append(true).open(&path);
        file.expect("file").set_modified(tick).expect("set");
        assert_eq!(modified().expect("time"), tick);
        assert!(access.holder(&second, UnixMillis(5)).is_some());
    }
}
