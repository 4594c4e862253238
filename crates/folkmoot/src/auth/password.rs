//! Passwords, and the hashes by which they are kept: Argon2id (RFC 9106) as PHC strings.
//!
//! **Invariant:** a password is neither kept nor shown. However its characters are written, it is the same
//! (NFC, as RFC 8265, section 4.2.2, has it).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// 19 MiB, two passes, one lane: the least that OWASP's cheat sheet on the storage of passwords gives. What was
/// hashed with less is hashed anew when its password comes.
const PARAMS: Params = Params::DEFAULT;
const SALT_BYTES: usize = 16;
/// Made with the same parameters; of no password.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password, as somebody gave it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Password(String);

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHashed {
    #[error("no random bytes for a salt")]
    Random,
    #[error("a password was not hashed: {0}")]
    Argon2(argon2::password_hash::Error),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    pub(crate) fn new(text: &str) -> Password {
        Password(text.nfc().collect())
    }

    /// Code points.
    pub(crate) fn chars(&self) -> usize {
        self.0.chars().count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Whether it is this text, in any letter case.
    pub(crate) fn is_text(&self, text: &str) -> bool {
        self.0.to_lowercase() == text.to_lowercase()
    }

    /// The PHC string by which it is kept. This takes the time and the memory that it is meant to.
    pub(crate) fn hash(&self) -> Result<String, NotHashed> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| NotHashed::Random)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS);
        let hash = argon2.hash_password_with_salt(self.0.as_bytes(), &salt);
        Ok(hash.map_err(NotHashed::Argon2)?.to_string())
    }

    /// Whether it is the one that has this hash. Without a hash it is not, and that takes as long.
    pub(crate) fn is(&self, hash: Option<&str>) -> bool {
        let parsed = PasswordHash::new(hash.unwrap_or(NOBODYS));
        let same = |parsed| Argon2::default().verify_password(self.0.as_bytes(), &parsed).is_ok();
        parsed.is_ok_and(same) && hash.is_some()
    }
}

/// Whether a hash is to be made anew: with the parameters that hashes are made with now.
pub(crate) fn is_outgrown(hash: &str) -> bool {
    let parsed = PasswordHash::new(hash).ok();
    let params = parsed.as_ref().and_then(|it| Params::try_from(it).ok());
    params.is_none_or(|it| {
        it.m_cost() < PARAMS.m_cost()
            || it.t_cost() < PARAMS.t_cost()
            || parsed.is_some_and(|it| it.algorithm != argon2::ARGON2ID_IDENT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_however_it_is_written() {
        let password = Password::new("Caf\u{e9} au lait, 2x");
        let hash = password.hash().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, password.hash().unwrap(), "salted");
        assert!(Password::new("Cafe\u{301} au lait, 2x").is(Some(&hash)));
        assert!(!Password::new("Cafe au lait, 2x").is(Some(&hash)));
        assert!(!Password::new("caf\u{e9} au lait, 2x").is(Some(&hash)));
        for broken in ["", "x", &hash[..hash.len() - 1], &hash.replace("m=19456", "m=19457")] {
            assert!(!password.is(Some(broken)), "{broken}");
        }
        assert_eq!(format!("{password:?}"), "Password(…)");
    }

    #[test]
    fn nobody_has_the_hash_of_nobody_although_it_is_computed() {
        assert!(!Password::new("").is(None));
        // It parses, so it is worked on as any other is.
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&nobodys).unwrap();
        let costs = |it: &Params| (it.m_cost(), it.t_cost(), it.p_cost());
        assert_eq!(costs(&params), costs(&PARAMS));
        assert!(nobodys.hash.is_some() && nobodys.salt.is_some());
    }

    #[test]
    fn a_hash_with_less_is_made_anew() {
        let password = Password::new("correct horse battery");
        assert!(!is_outgrown(&password.hash().unwrap()));
        for (algorithm, m, t) in [
            (Algorithm::Argon2id, 8, 2),
            (Algorithm::Argon2id, 19_456, 1),
            (Algorithm::Argon2i, 19_456, 2),
        ] {
            let params = Params::new(m, t, 1, None).unwrap();
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            let old = argon2.hash_password_with_salt(password.0.as_bytes(), &[7; 16]).unwrap();
            assert!(is_outgrown(&old.to_string()), "{old}");
            assert!(password.is(Some(&old.to_string())));
        }
    }
}
