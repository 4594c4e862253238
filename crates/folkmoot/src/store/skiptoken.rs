//! Where a page ended, as the opaque `$skiptoken` of the link to the next one.
//!
//! **Invariant:** a token holds the sort key of the last row shown, never an offset, so a page costs
//! the same wherever it is and no row is shown twice or left out while others write (DECISIONS D5).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::sql::Bind;

/// Changes when tokens of before could be misread.
const VERSION: u8 = 1;

/// What is encoded: version, hash of the other options, key values.
#[derive(Serialize, Deserialize)]
struct Token(u8, u64, Vec<Part>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Part {
    Null(()),
    Int(i64),
    Real(f64),
    Text(String),
    Id([Uuid; 1]),
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Not one of ours.
    #[error("the $skiptoken is not one that this server made")]
    Malformed,
    /// Made for another question.
    #[error(
        "the $skiptoken belongs to a request with other query options: follow @odata.nextLink as it is"
    )]
    OtherOptions,
}

/// Encodes the key of the last row of a page.
pub(crate) fn encode(options: u64, key: &[Bind<'_>]) -> String {
    let parts = key.iter().map(|bind| match bind {
        Bind::Null | Bind::Bytes(_) => Part::Null(()),
        Bind::Bool(value) => Part::Int((*value).into()),
        Bind::Int(value) => Part::Int(*value),
        Bind::Real(value) => Part::Real(*value),
        Bind::Text(value) => Part::Text(value.to_string()),
        Bind::Id(value) => Part::Id([*value]),
    });
    let token = Token(VERSION, options, parts.collect());
    // Numbers, texts and ids always have a JSON form.
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// Decodes a token made by [`encode`] for the same options.
pub(crate) fn decode(token: &str, options: u64) -> Result<Vec<Bind<'static>>, Refused> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| Refused::Malformed)?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)?;
    let Token(version, made_for, parts) = token;
    if version != VERSION {
        return Err(Refused::Malformed);
    }
    if made_for != options {
        return Err(Refused::OtherOptions);
    }
    Ok(parts
        .into_iter()
        .map(|part| match part {
            Part::Null(()) => Bind::Null,
            Part::Int(value) => Bind::Int(value),
            Part::Real(value) => Bind::Real(value),
            Part::Text(value) => Bind::from(value),
            Part::Id([value]) => Bind::Id(value),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_was() {
        let key =
            [Bind::Int(-5), Bind::Text("ä \" {".into()), Bind::Null, Bind::Id(Uuid::from_u128(7))];
        assert_eq!(decode(&encode(9, &key), 9).as_deref(), Ok(&key[..]));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let token = encode(9, &[Bind::Int(1)]);
        assert_eq!(decode(&token, 8), Err(Refused::OtherOptions));
        for text in ["", "abc", "!!", "W10", &token[1..]] {
            assert_eq!(decode(text, 9), Err(Refused::Malformed), "{text}");
        }
    }
}
