//! Access tokens: who may call the node's own listener, and for what.
//!
//! Only hashes are kept. The file is read again whenever it changed, so that a token taken out of
//! it ends within seconds. **Invariant:** a token that is not in the file opens nothing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use corridor_proto::domain::{Domain, hash};
use corridor_proto::{Hash, UnixMillis};
use serde::{Deserialize, Serialize};

use super::files::{FileError, read_secret, replace_secret};
use crate::limits::ACCESS_TOKENS_MAX;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The secretariat: everything that this node may see and do.
    Desk,
    /// Reading what is public, of this RCP and of others.
    Public,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    hash: String,
    scope: Scope,
    label: String,
    expires_ms: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    #[serde(default)]
    token: Vec<Entry>,
}

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
        scope: Scope,
        label: &str,
        expires: UnixMillis,
    ) -> Result<String, FileError> {
        let io = |source| FileError::io(&self.path, source);
        let mut tokens = self.load()?;
        if tokens.token.len() >= ACCESS_TOKENS_MAX {
            return Err(io(std::io::Error::other(format!(
                "holds {ACCESS_TOKENS_MAX} tokens already; take the [[token]] entries that are no \
                 longer needed out of this file, then run corridor-node token again"
            ))));
        }
        let secret = crate::edge::random::<32>().map_err(io)?;
        let token = data_encoding::BASE32_NOPAD
            .encode(&secret)
            .to_ascii_lowercase();
        tokens.token.push(Entry {
            hash: token_hash(&token).to_string(),
            scope,
            label: label.to_owned(),
            expires_ms: expires.0,
        });
        let text = toml::to_string(&tokens)
            .map_err(|error| io(std::io::Error::other(error.to_string())))?;
        replace_secret(&self.path, text.as_bytes())?;
        Ok(token)
    }

    /// What a token is for; `None` if it opens nothing.
    pub fn scope(&self, token: &str, now: UnixMillis) -> Option<Scope> {
        let wanted = token_hash(token).to_string();
        let tokens = self.current()?;
        let entry = tokens.token.iter().find(|entry| entry.hash == wanted)?;
        (entry.expires_ms == 0 || now.0 < entry.expires_ms).then_some(entry.scope)
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

    #[test]
    fn a_token_opens_what_it_is_for_until_it_ends() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("keys")).expect("keys");
        let access = Access::of(folder.path());
        assert_eq!(access.scope("anything", UnixMillis(5)), None);
        let desk = access
            .create(Scope::Desk, "desk", UnixMillis(0))
            .expect("create");
        let public = access
            .create(Scope::Public, "reader", UnixMillis(10))
            .expect("create");
        assert_eq!(access.scope(&desk, UnixMillis(5)), Some(Scope::Desk));
        assert_eq!(access.scope(&public, UnixMillis(5)), Some(Scope::Public));
        assert_eq!(access.scope(&public, UnixMillis(10)), None);
        let kept = std::fs::read_to_string(folder.path().join("keys/tokens.toml")).expect("file");
        assert!(
            !kept.contains(&desk) && !kept.contains(&public),
            "only hashes are kept"
        );
    }

    #[test]
    fn a_token_made_within_the_same_tick_of_the_clock_opens_at_once() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("keys")).expect("keys");
        let access = Access::of(folder.path());
        let path = folder.path().join("keys/tokens.toml");
        let modified = || std::fs::metadata(&path).and_then(|meta| meta.modified());
        let made = |label| access.create(Scope::Desk, label, UnixMillis(0));
        let first = made("first").expect("create");
        assert!(access.scope(&first, UnixMillis(5)).is_some());
        let tick = modified().expect("time");
        let second = made("second").expect("create");
        let file = std::fs::File::options().append(true).open(&path);
        file.expect("file").set_modified(tick).expect("set");
        assert_eq!(modified().expect("time"), tick);
        assert!(access.scope(&second, UnixMillis(5)).is_some());
    }
}
