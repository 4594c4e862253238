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

    /// The keys for a purpose that are in use at a time (ticks): the newest, which signs, then those that
    /// still check.
    pub(crate) async fn in_use(tx: &mut Tx, purpose: Purpose, now: i64) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        let sql = "select kid, secret, good_until from keys where purpose = $1 \
            order by created_at desc, kid";
        tx.query(sql, binds![purpose.name()], |row| {
            if keys.is_empty() || row.int(2)? > now {
                keys.push(Key { kid: row.text(0)?.to_owned(), secret: row.bytes(1)?.to_vec() });
            }
            Ok(())
        })
        .await?;
        Ok(keys)
    }

    /// Lets the key with this id check until a time (ticks), once it signs no more.
    pub(crate) async fn keep(tx: &mut Tx, kid: &str, until: i64) -> Result<(), Error> {
        let sql = "update keys set good_until = $1 where kid = $2 and good_until < $3";
        tx.execute(sql, binds![until, kid, until]).await?;
        Ok(())
    }

    /// Stores a key that takes the place of the one that signs; that one checks until `until` at least.
    pub(crate) async fn replace(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        now: i64,
        until: i64,
    ) -> Result<(), Error> {
        if let Some(old) = Key::newest(tx, purpose).await? {
            Key::keep(tx, &old.kid, until).await?;
        }
        // Two within a second are told apart.
        let sql = "select coalesce(max(created_at), 0) from keys where purpose = $1";
        let newest = tx.first(sql, binds![purpose.name()], |row| row.int(0)).await?.unwrap_or(0);
        self.insert(tx, purpose, now.max(newest + 1)).await
    }

    /// Forgets all keys for a purpose but this one.
    pub(crate) async fn remove_others(&self, tx: &mut Tx, purpose: Purpose) -> Result<(), Error> {
        let sql = "delete from keys where purpose = $1 and kid <> $2";
        tx.execute(sql, binds![purpose.name(), &self.kid]).await?;
        Ok(())
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
