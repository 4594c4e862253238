//! What is known by its SHA-256: verifiers of Proof Key for Code Exchange (RFC 7636), styles and scripts of pages.
//!
//! **Invariant:** a challenge that says itself what its verifier is (`plain`) is none.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Whether a text can be the challenge of a verifier (section 4.2).
pub(crate) fn is_challenge(text: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|it| it.len() == 32)
}

/// Whether `challenge` was made from `verifier` (section 4.6), which is a text of 43 to 128 characters.
pub(crate) fn is_verifier(verifier: &str, challenge: &str) -> bool {
    let made = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let same = verify_slices_are_equal(made.as_bytes(), challenge.as_bytes()).is_ok();
    (43..=128).contains(&verifier.len()) && same
}

/// The source by which a policy names a style or a script (Content Security Policy 3, section 6.7.3.3).
pub(crate) fn source_hash(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    format!("sha256-{}", base64::prelude::BASE64_STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn a_verifier_is_known_by_its_challenge() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge) && is_verifier(verifier, challenge));
        assert!(!is_verifier(&verifier.to_lowercase(), challenge));
        assert!(!is_verifier(challenge, challenge));
        for text in ["", "x", &challenge[1..], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"] {
            assert!(!is_challenge(text), "{text}");
        }
    }
}
