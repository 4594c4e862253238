//! Keys that the server made for itself.
//!
//! **Invariant:** they live in the store and nowhere else, so a copy of the store is a whole copy.

use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signs the tokens of the built-in issuer.
    Tokens,
    /// The development CA: certificate and key, both PEM, one after the other.
    DevCa,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Purpose::Tokens => "tokens",
            Purpose::DevCa => "dev-ca",
        }
    }
}

/// A stored key.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its id, unique among all keys.
    pub(crate) kid: String,
    /// The secret, in the form that its purpose uses.
    pub(crate) secret: Vec<u8>,
}

impl Key {
    /// The newest key for a purpose.
    pub(crate) async fn newest(tx: &mut Tx, purpose: Purpose) -> Result<Option<Key>, Error> {
        let sql = "select kid, secret from keys where purpose = $1 order by created_at desc, kid";
        tx.first(sql, binds![purpose.name()], |row| {
            Ok(Key { kid: row.text(0)?.to_owned(), secret: row.bytes(1)?.to_vec() })
        })
        .await
    }

    /// Stores a new key.
    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        now: i64,
    ) -> Result<(), Error> {
        let sql = "insert into keys (kid, purpose, secret, created_at) values ($1, $2, $3, $4)";
        tx.execute(sql, binds![&self.kid, purpose.name(), &self.secret[..], now]).await?;
        Ok(())
    }
}
