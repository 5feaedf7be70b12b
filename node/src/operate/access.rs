//! Access tokens: who may call the node's own listener, and for what.
//!
//! Only hashes are kept. The file is read again whenever it changed, so that a token taken out of
//! it ends within seconds. **Invariant:** a token that is not in the file opens nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use clap::ValueEnum;
use corridor_proto::domain::{Domain, hash};
use corridor_proto::{Hash, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize};

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
            Self::Read => &[
                Role::Reader,
                Role::Editor,
                Role::Clearer,
                Role::Administrator,
            ],
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
    #[serde(alias = "scope", deserialize_with = "read_roles")]
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

/// Roles, or the one scope that a token had before there were roles.
fn read_roles<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Role>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Roles(Vec<Role>),
        Scope(String),
    }
    match Written::deserialize(from)? {
        Written::Roles(roles) => Ok(roles),
        Written::Scope(scope) if scope == "desk" => Ok(Role::SECRETARIAT.to_vec()),
        Written::Scope(scope) if scope == "public" => Ok(vec![Role::Public]),
        Written::Scope(_) => Err(serde::de::Error::custom("no such scope")),
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
        if label.trim().is_empty() || label.chars().any(char::is_control) {
            return Err(self.refused("a label is one line of text: say for whom the token is"));
        }
        let _alone = self.lock()?;
        let mut tokens = self.load()?;
        if tokens.token.len() >= ACCESS_TOKENS_MAX {
            return Err(self.refused(&format!(
                "holds {ACCESS_TOKENS_MAX} tokens already; revoke those that are no longer \
                 needed: corridor-node token list shows them"
            )));
        }
        let random = crate::edge::random::<32>();
        let secret = random.map_err(|source| FileError::io(&self.path, source))?;
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
    /// [`FileError`]; that of the last administrator stays.
    pub fn revoke(&self, id: &str, now: UnixMillis) -> Result<Option<Entry>, FileError> {
        let _alone = self.lock()?;
        let mut tokens = self.load()?;
        let Some(at) = tokens.token.iter().position(|entry| entry.id() == id) else {
            return Ok(None);
        };
        let entry = tokens.token.remove(at);
        let keeps = |entry: &Entry| entry.has(Right::Administer) && !entry.is_over(now);
        if keeps(&entry) && !tokens.token.iter().any(keeps) {
            return Err(self.refused(
                "it is the last token of an administrator; make another one before, with \
                 corridor-node token create",
            ));
        }
        self.keep(&tokens)?;
        Ok(Some(entry))
    }

    /// Until it is dropped nobody else changes the file.
    fn lock(&self) -> Result<File, FileError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let locked = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        locked.map_err(|source| FileError::io(folder, source))
    }

    fn refused(&self, why: &str) -> FileError {
        FileError::Refused {
            path: self.path.clone(),
            why: why.to_owned(),
        }
    }

    fn keep(&self, tokens: &Tokens) -> Result<(), FileError> {
        let text = toml::to_string(tokens).map_err(|error| self.refused(&error.to_string()))?;
        replace_secret(&self.path, text.as_bytes())
    }

    /// Whose token it is; `None` if it opens nothing.
    pub fn holder(&self, token: &str, now: UnixMillis) -> Option<Entry> {
        let wanted = token_hash(token).to_string();
        let is_it = |entry: &&Entry| entry.hash == wanted && !entry.is_over(now);
        self.current(|tokens| tokens.token.iter().find(is_it).cloned())?
    }

    /// What the file says now; nothing if it cannot be read.
    fn current<T>(&self, look: impl FnOnce(&Tokens) -> T) -> Option<T> {
        let meta = std::fs::metadata(&self.path).ok()?;
        let stamp = (meta.modified().ok()?, meta.ino(), meta.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match read.as_ref() {
            Some((at, tokens)) if *at == stamp => Some(look(tokens)),
            _ => {
                let tokens = self.load();
                let tokens = tokens.inspect_err(|error| {
                    tracing::error!(%error, "no access token opens anything");
                });
                let (_, tokens) = read.insert((stamp, tokens.ok()?));
                Some(look(tokens))
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
        let revoke = |id| access.revoke(id, UnixMillis(5)).expect("revoke");
        assert_eq!(revoke(listed[0].id()).as_ref(), Some(&listed[0]));
        assert_eq!(revoke(listed[0].id()), None);
        assert_eq!(access.holder(&first, UnixMillis(5)), None);
        assert!(access.holder(&second, UnixMillis(5)).is_some());
    }

    #[test]
    fn the_last_administrator_stays() {
        let (_folder, access) = folder();
        let made = |role, expires| access.create(&[role], "one", UnixMillis(expires));
        made(Role::Administrator, 0).expect("create");
        made(Role::Administrator, 3).expect("create");
        made(Role::Clearer, 0).expect("create");
        let ids: Vec<String> = access
            .list()
            .expect("list")
            .iter()
            .map(|e| e.id().into())
            .collect();
        let refused = access
            .revoke(&ids[0], UnixMillis(5))
            .expect_err("the last one");
        assert!(refused.to_string().contains("token create"), "{refused}");
        assert!(
            access
                .revoke(&ids[2], UnixMillis(5))
                .expect("revoke")
                .is_some()
        );
        made(Role::Administrator, 0).expect("create");
        assert!(
            access
                .revoke(&ids[0], UnixMillis(5))
                .expect("revoke")
                .is_some()
        );
    }

    #[test]
    fn a_label_is_one_line() {
        let (_folder, access) = folder();
        for label in ["", " ", "two\nlines"] {
            assert!(
                access
                    .create(&[Role::Reader], label, UnixMillis(0))
                    .is_err()
            );
        }
    }

    #[test]
    fn what_was_made_before_there_were_roles_opens_as_much() {
        let (folder, access) = folder();
        let entry = |token: &str, scope: &str| {
            let hash = token_hash(token);
            format!(
                "[[token]]\nhash = \"{hash}\"\nscope = \"{scope}\"\nlabel = \"x\"\nexpires_ms = 0\n"
            )
        };
        let text = entry("one", "desk") + &entry("two", "public");
        replace_secret(&folder.path().join("keys/tokens.toml"), text.as_bytes()).expect("file");
        let roles = |token| access.holder(token, UnixMillis(5)).map(|entry| entry.roles);
        assert_eq!(roles("one"), Some(Role::SECRETARIAT.to_vec()));
        assert_eq!(roles("two"), Some(vec![Role::Public]));
        access
            .create(&[Role::Reader], "new", UnixMillis(0))
            .expect("create");
        assert_eq!(roles("one"), Some(Role::SECRETARIAT.to_vec()));
        let wrong = entry("three", "everything");
        replace_secret(&folder.path().join("keys/tokens.toml"), wrong.as_bytes()).expect("file");
        assert_eq!(roles("three"), None);
    }

    #[test]
    fn those_who_make_tokens_at_once_lose_none() {
        let (_folder, access) = folder();
        std::thread::scope(|scope| {
            for at in 0..8 {
                let access = &access;
                scope.spawn(move || {
                    let label = format!("number {at}");
                    access
                        .create(&[Role::Reader], &label, UnixMillis(0))
                        .expect("create");
                });
            }
        });
        assert_eq!(access.list().expect("list").len(), 8);
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
