//! The bytes of attachments: small ones in the database, larger ones as files beside it.
//!
//! **Invariant:** a blob is known by its group and its BLAKE3 hash, never shared across groups, and
//! is whole on the disk before an attachment refers to it; there is no file without a row (DECISIONS
//! D11).

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::ids::GroupId;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Blobs up to this size stand in the database: a file of their own would cost an fsync.
const IN_DATABASE_BYTES_MAX: usize = 64 * 1024;

/// A blob that a row may refer to once [`Blob::insert`] has run in the row's own transaction and, where
/// it is large, [`Blob::keep`] before that.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// BLAKE3 of the bytes.
    pub(crate) hash: [u8; 32],
    /// How many bytes.
    pub(crate) size: i64,
    /// The bytes.
    content: Vec<u8>,
}

impl Blob {
    /// The blob of these bytes; [`keep`](Self::keep) is still to be called where it is large.
    pub(crate) fn new(bytes: Vec<u8>) -> Blob {
        let hash = *blake3::hash(&bytes).as_bytes();
        let size = bytes.len() as i64;
        Blob { hash, size, content: bytes }
    }

    /// Whether it is kept as a file beside the database.
    pub(crate) fn is_large(&self) -> bool {
        self.content.len() > IN_DATABASE_BYTES_MAX
    }

    /// Puts a large blob on the disk, after [`insert`](Self::insert) was committed for it, so that
    /// there is no file without a row. Blocks.
    pub(crate) fn keep(&self, folder: &Path, group: GroupId) -> Result<(), Error> {
        let path = file(folder, group.0, &self.hash);
        let parent = path.parent().unwrap_or(folder);
        make_folder(parent)?;
        if !path.exists() {
            let incoming = folder.join(INCOMING);
            make_folder(&incoming)?;
            let mut temporary = tempfile::NamedTempFile::new_in(&incoming)?;
            temporary.write_all(&self.content)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path).map_err(|error| error.error)?;
        }
        // A name is as durable as its bytes only when its folder is on the disk too, and that one's
        // name in its own; also where another upload has made it a moment ago.
        for folder in path.ancestors().skip(1).take(3) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Makes the blob known; a row of the same transaction may then refer to it.
    pub(crate) async fn insert(&self, tx: &mut Tx, group: GroupId, now: i64) -> Result<(), Error> {
        let sql = "insert into blobs (group_id, hash, size, content, touched_at) \
            values ($1, $2, $3, $4, $5) on conflict (group_id, hash) do update set touched_at = $5";
        let content = (!self.is_large()).then_some(&self.content[..]);
        tx.send(sql, binds![group, &self.hash[..], self.size, content, now]).await
    }
}

/// Where files are while they are written.
pub(super) const INCOMING: &str = "incoming";

/// Makes a folder, and those above it, for this program's user alone.
pub(super) fn make_folder(path: &Path) -> Result<(), Error> {
    Ok(std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?)
}

/// A blob that nothing refers to.
#[derive(Clone, Debug)]
pub(crate) struct Unused {
    /// Its group.
    pub(crate) group: GroupId,
    hash: Vec<u8>,
}

/// Blobs that nothing refers to and nobody has touched since `before` (ticks); some of them.
pub(crate) async fn unused(tx: &mut Tx, before: i64) -> Result<Vec<Unused>, Error> {
    let sql = "select b.group_id, b.hash from blobs b where b.touched_at < $1 and not exists \
        (select 1 from attachments a where a.group_id = b.group_id and a.hash = b.hash) limit 100";
    let mut unused = Vec::new();
    tx.query(sql, binds![before], |row| {
        unused.push(Unused { group: GroupId(row.id(0)?), hash: row.bytes(1)?.to_vec() });
        Ok(())
    })
    .await?;
    Ok(unused)
}

/// Removes a blob if it is still unused: its file inside the transaction, so that an upload of the
/// same bytes comes either before, and has touched the row, or after, and writes its file again.
pub(crate) async fn remove(tx: &mut Tx, it: &Unused, before: i64) -> Result<(), Error> {
    let sql = "delete from blobs where group_id = $1 and hash = $2 and touched_at < $3 and not exists \
        (select 1 from attachments a where a.group_id = $1 and a.hash = $2)";
    let removed = tx.execute(sql, binds![it.group, &it.hash[..], before]).await?;
    if removed > 0 {
        match std::fs::remove_file(file(tx.blobs(), it.group.0, &it.hash)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what uploads that were cut off have left, once it is a day old. Blocks.
pub(crate) fn sweep(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(folder.join(INCOMING)) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age > std::time::Duration::from_secs(24 * 3_600) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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
