//! The bytes of attachments: small ones in the database, larger ones as files beside it.
//!
//! **Invariant:** a blob is known by its group and its BLAKE3 hash, never shared across groups, and
//! is whole on the disk before a row refers to it (DECISIONS D11).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::ids::GroupId;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Blobs up to this size stand in the database: a file of their own would cost an fsync.
const IN_DATABASE_BYTES_MAX: usize = 64 * 1024;

/// A blob that a row may refer to once [`Blob::insert`] has run in the row's own transaction.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// BLAKE3 of the bytes.
    pub(crate) hash: [u8; 32],
    /// How many bytes.
    pub(crate) size: i64,
    /// The bytes, where they go into the database.
    content: Option<Vec<u8>>,
}

impl Blob {
    /// Prepares the bytes of a blob, and writes them to a file where they are many. Blocks.
    pub(crate) fn prepare(folder: &Path, group: GroupId, bytes: Vec<u8>) -> Result<Blob, Error> {
        let hash = *blake3::hash(&bytes).as_bytes();
        let size = bytes.len() as i64;
        if bytes.len() <= IN_DATABASE_BYTES_MAX {
            return Ok(Blob { hash, size, content: Some(bytes) });
        }
        let path = file(folder, group.0, &hash);
        if !path.exists() {
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent)?;
            let mut temporary = tempfile::NamedTempFile::new_in(parent)?;
            temporary.write_all(&bytes)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path).map_err(|error| error.error)?;
            // The name is as durable as the bytes only when its folder is on the disk too.
            std::fs::File::open(parent)?.sync_all()?;
        }
        Ok(Blob { hash, size, content: None })
    }

    /// Makes the blob known; a row of the same transaction may then refer to it.
    pub(crate) async fn insert(&self, tx: &mut Tx, group: GroupId, now: i64) -> Result<(), Error> {
        let sql = "insert into blobs (group_id, hash, size, content, touched_at) \
            values ($1, $2, $3, $4, $5) on conflict (group_id, hash) do update set touched_at = $5";
        let content = self.content.as_deref();
        tx.send(sql, binds![group, &self.hash[..], self.size, content, now]).await?;
        Ok(())
    }
}

/// What is downloaded: the bytes of an attachment and what it says of them.
#[derive(Debug)]
pub(crate) struct Download {
    /// The media type that the sender named.
    pub(crate) content_type: Option<String>,
    /// The file name.
    pub(crate) name: String,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The bytes of an attachment.
pub(crate) async fn download(
    tx: &mut Tx,
    group: GroupId,
    attachment: Uuid,
) -> Result<Option<Download>, Error> {
    let folder = tx.blobs().to_owned();
    let sql = "select a.content_type, a.name, b.content, b.hash from attachments a \
        join blobs b on b.group_id = a.group_id and b.hash = a.hash \
        where a.group_id = $1 and a.id = $2";
    tx.first(sql, binds![group, attachment], |row| {
        let bytes = if row.is_null(2)? {
            read_file(&folder, group.0, row.bytes(3)?)?
        } else {
            row.bytes(2)?.to_vec()
        };
        let content_type = if row.is_null(0)? { None } else { Some(row.text(0)?.to_owned()) };
        Ok(Download { content_type, name: row.text(1)?.to_owned(), bytes })
    })
    .await
}

/// The bytes of a blob that is a file.
pub(super) fn read_file(folder: &Path, group: Uuid, hash: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(std::fs::read(file(folder, group, hash))?)
}

fn file(folder: &Path, group: Uuid, hash: &[u8]) -> PathBuf {
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(group.hyphenated().to_string()).join(name)
}
