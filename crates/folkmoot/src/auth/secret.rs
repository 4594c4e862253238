//! Secrets that whoever has one may do what it is for with: in addresses, of applications, of sessions.
//!
//! **Invariant:** a secret is shown once, when it is made; what is kept is its hash, and a guess is
//! compared with that in constant time.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Random bytes of a secret.
const BYTES: usize = 32;

/// Makes a secret: its text, for an address, and its hash, to be kept.
///
/// # Errors
/// Where the system has no random bytes.
pub(crate) fn new_secret() -> Result<(String, [u8; 32]), aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes)?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let hash = *blake3::hash(text.as_bytes()).as_bytes();
    Ok((text, hash))
}

/// The hash by which a secret of this text is kept.
pub(crate) fn hash_secret(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// Whether this text is the secret that has this hash.
pub(crate) fn is_secret(text: &str, hash: [u8; 32]) -> bool {
    // The comparison of two of its hashes takes the same time whatever they are.
    blake3::hash(text.as_bytes()) == blake3::Hash::from_bytes(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_hash_and_no_other_text_is() {
        let (text, hash) = new_secret().unwrap();
        assert!(is_secret(&text, hash));
        assert!(!is_secret(&text[1..], hash));
        assert!(!is_secret("", hash));
        let (other, _) = new_secret().unwrap();
        assert_ne!(text, other);
        assert!(!is_secret(&other, hash));
    }
}
