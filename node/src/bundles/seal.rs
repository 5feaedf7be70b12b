//! Encryption of bundles: age, to the X25519 key of a card.

use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::str::FromStr;

use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, Identity, x25519};
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::operate::files::FileError;
use crate::operate::keys::KeyFolder;

/// Bytes of the header of the encryption: one recipient, and what age adds at random.
const HEADER_BYTES_MAX: u64 = 4_096;
/// How its last line begins.
const HEADER_END: &[u8] = b"\n--- ";
/// What the texts of keys begin with in age.
const PUBLIC: &str = "age";
const SECRET: &str = "age-secret-key-";

/// Why nothing can be encrypted or opened.
#[derive(Debug)]
pub enum SealError {
    /// The key of this node cannot be read.
    File(FileError),
    /// A key is none.
    Key,
}

fn text(begins: &str, key: &[u8; 32]) -> Result<Zeroizing<String>, SealError> {
    let begins = Hrp::parse(begins).map_err(|_| SealError::Key)?;
    let text = bech32::encode::<Bech32>(begins, key).map_err(|_| SealError::Key)?;
    Ok(Zeroizing::new(text))
}

/// What encrypts to the key of a card.
///
/// # Errors
/// [`SealError::Key`].
pub fn encryptor<W: Write>(key: &[u8; 32], output: W) -> Result<StreamWriter<W>, SealError> {
    let recipient = x25519::Recipient::from_str(&text(PUBLIC, key)?).map_err(|_| SealError::Key)?;
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(|_| SealError::Key)?;
    encryptor.wrap_output(output).map_err(|_| SealError::Key)
}

/// The bundle key of a node.
///
/// # Errors
/// [`SealError::File`], [`SealError::Key`].
pub fn identity(keys: &KeyFolder) -> Result<x25519::Identity, SealError> {
    let key = keys.bundle_secret().map_err(SealError::File)?;
    let text = text(SECRET, &key)?;
    let text = Zeroizing::new(text.to_ascii_uppercase());
    x25519::Identity::from_str(&text).map_err(|_| SealError::Key)
}

/// The clear text of what was encrypted to this node. The header of the encryption is looked at
/// first: its reader takes one of any length.
///
/// # Errors
/// What age says: [`DecryptError::NoMatchingKeys`] for what is another's.
pub fn decrypt<R: BufRead + Seek>(
    identity: &x25519::Identity,
    mut input: R,
) -> Result<StreamReader<R>, DecryptError> {
    let mut head = Vec::new();
    let begin = input.stream_position()?;
    input
        .by_ref()
        .take(HEADER_BYTES_MAX)
        .read_to_end(&mut head)?;
    input.seek(SeekFrom::Start(begin))?;
    if !head.windows(HEADER_END.len()).any(|at| at == HEADER_END) {
        return Err(DecryptError::InvalidHeader);
    }
    let identities = std::iter::once(identity as &dyn Identity);
    Decryptor::new_buffered(input)?.decrypt(identities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn what_is_encrypted_to_a_card_opens_with_its_key_alone() {
        let secret = [7; 32];
        let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret));
        let mut file = Vec::new();
        let mut output = encryptor(public.as_bytes(), &mut file).expect("a key");
        output.write_all(b"words").expect("written");
        output.finish().expect("whole");
        let open = |secret: [u8; 32]| {
            let text = text(SECRET, &secret).expect("text").to_ascii_uppercase();
            let identity = x25519::Identity::from_str(&text).expect("identity");
            let mut clear = String::new();
            let mut input = decrypt(&identity, Cursor::new(&file))?;
            input.read_to_string(&mut clear).map_err(DecryptError::Io)?;
            Ok::<_, DecryptError>(clear)
        };
        assert_eq!(open(secret).expect("opens"), "words");
        assert!(matches!(open([8; 32]), Err(DecryptError::NoMatchingKeys)));
    }

    /// The reader of the header goes over all of it again with each line, and holds all of it.
    #[test]
    fn a_header_without_end_is_not_read() {
        let identity = x25519::Identity::generate();
        let mut file = b"age-encryption.org/v1\n".to_vec();
        while file.len() < 1 << 14 {
            file.extend(b"-> X\nAAAA\n");
        }
        file.extend(HEADER_END);
        let opened = decrypt(&identity, Cursor::new(&file));
        assert!(matches!(opened, Err(DecryptError::InvalidHeader)));
    }
}
