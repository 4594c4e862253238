//! The bytes of attachments: small ones in the database, larger ones as files beside it.
//!
//! **Invariant:** a blob is known by its group and its BLAKE3 hash, never shared across groups, and
//! is whole on the disk while an attachment refers to it; there is no file without a row (DECISIONS
//! D11).
//!
//! A large one is kept in three steps: its row, with a life that it has from then on ([`Blob::insert`],
//! committed); its file ([`Blob::keep`]); a reference, refused unless that life goes on
//! ([`Blob::refer`]). What nothing refers to goes in two commands: its life is ended ([`condemn`]), then
//! file and row are removed together ([`remove`]) unless another life has begun. So whatever comes
//! between whichever steps, and whichever transaction is rolled back, the file of a reference that was
//! accepted was there after its life had begun, and nobody removes it in that life.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use uuid::Uuid;

use crate::ids::GroupId;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::partial::{remove_if_there, session_of};
use crate::store::sql::binds;

/// Blobs up to this size stand in the database: a file of their own would cost an fsync.
const IN_DATABASE_BYTES_MAX: u64 = 64 * 1024;

/// A blob that a row may [`refer`](Blob::refer) to and, where it is large, after its own row was
/// committed and its file kept.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// BLAKE3 of the bytes.
    pub(crate) hash: [u8; 32],
    /// How many bytes.
    pub(crate) size: i64,
    content: Content,
    /// The life of its row in which its file is kept; all clones of a blob know it.
    life: Arc<Mutex<Uuid>>,
}

/// Where the bytes are before they are kept.
#[derive(Clone, Debug)]
enum Content {
    Bytes(Bytes),
    /// In a file that nobody changes; always large.
    File(PathBuf),
}

impl Blob {
    /// The blob of these bytes.
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Blob {
        let bytes = bytes.into();
        let hash = *blake3::hash(&bytes).as_bytes();
        let size = bytes.len() as i64;
        Blob { hash, size, content: Content::Bytes(bytes), life: Arc::default() }
    }

    /// The blob of a file that nobody changes any more, read once and not into memory unless it is
    /// small. Blocks.
    pub(crate) fn of_file(path: &Path) -> Result<Blob, Error> {
        if std::fs::metadata(path)?.len() <= IN_DATABASE_BYTES_MAX {
            return Ok(Blob::new(std::fs::read(path)?));
        }
        let (hash, size) = hash_file(path)?;
        let content = Content::File(path.to_owned());
        Ok(Blob { hash: *hash.as_bytes(), size, content, life: Arc::default() })
    }

    /// Whether it is kept as a file beside the database.
    pub(crate) fn is_large(&self) -> bool {
        self.size.unsigned_abs() > IN_DATABASE_BYTES_MAX
    }

    /// Puts a large blob on the disk, after [`insert`](Self::insert) was committed for it, so that
    /// there is no file without a row. Blocks.
    pub(crate) fn keep(&self, folder: &Path, group: GroupId) -> Result<(), Error> {
        let path = file(folder, group.0, &self.hash);
        let parent = path.parent().unwrap_or(folder);
        make_folder(parent)?;
        match &self.content {
            _ if path.exists() => {}
            Content::Bytes(bytes) => {
                let incoming = folder.join(INCOMING);
                make_folder(&incoming)?;
                let mut temporary = tempfile::NamedTempFile::new_in(&incoming)?;
                temporary.write_all(bytes)?;
                temporary.as_file().sync_all()?;
                temporary.persist(&path).map_err(|error| error.error)?;
            }
            // Its first name stays until the reference to it is stored: then the same can be done again.
            Content::File(source) => match std::fs::hard_link(source, &path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                _ => {}
            },
        }
        // A name is as durable as its bytes only when its folder is on the disk too, and that one's
        // name in its own; also where another upload has made it a moment ago.
        for folder in path.ancestors().skip(1).take(3) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Makes a large blob known, in the life that it has or else in `new`; whether it was not known before.
    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        group: GroupId,
        now: i64,
        new: Uuid,
    ) -> Result<bool, Error> {
        let is_new = self.add(tx, group, now, None, new).await?;
        if is_new {
            *self.life() = new;
            return Ok(true);
        }
        let values = binds![now, new, group, &self.hash[..]];
        let sql = format!("{TOUCH} returning life");
        let life = tx.first(&sql, values, |row| row.id(0)).await?.unwrap_or(new);
        *self.life() = life;
        Ok(false)
    }

    /// Adds the row, unless it is there; whether it was not. Its bytes are counted once.
    async fn add(
        &self,
        tx: &mut Tx,
        group: GroupId,
        now: i64,
        content: Option<&[u8]>,
        life: Uuid,
    ) -> Result<bool, Error> {
        let sql = "insert into blobs (group_id, hash, size, content, touched_at, life) \
            values ($1, $2, $3, $4, $5, $6) on conflict (group_id, hash) do nothing";
        let values = binds![group, &self.hash[..], self.size, content, now, life];
        let is_new = tx.execute(sql, values).await? > 0;
        if is_new {
            tx.hold(group, self.size);
        }
        Ok(is_new)
    }

    /// Lets a row of the same transaction refer to the blob. A small one comes along.
    ///
    /// # Errors
    /// [`Error::Collected`] for a large one whose life has ended meanwhile: it is to be kept again.
    pub(crate) async fn refer(&self, tx: &mut Tx, group: GroupId, now: i64) -> Result<(), Error> {
        if let (Content::Bytes(bytes), false) = (&self.content, self.is_large()) {
            // Its bytes are in the row itself: one life is as good as another.
            let life = Uuid::nil();
            if !self.add(tx, group, now, Some(&bytes[..]), life).await? {
                tx.send(TOUCH, binds![now, life, group, &self.hash[..]]).await?;
            }
            return Ok(());
        }
        let life = *self.life();
        let sql =
            "update blobs set touched_at = $1 where group_id = $2 and hash = $3 and life = $4";
        match tx.execute(sql, binds![now, group, &self.hash[..], life]).await? {
            0 => Err(Error::Collected),
            _ => Ok(()),
        }
    }

    fn life(&self) -> MutexGuard<'_, Uuid> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a blob that is there from being collected for a while.
const TOUCH: &str = "update blobs set touched_at = $1, life = coalesce(life, $2) \
    where group_id = $3 and hash = $4";

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
    size: i64,
}

/// Blobs that nothing refers to and nobody has touched since `before` (ticks), those that are condemned
/// among them; some of them.
pub(crate) async fn unused(tx: &mut Tx, before: i64) -> Result<Vec<Unused>, Error> {
    let sql = "select b.group_id, b.hash, b.size from blobs b where b.touched_at < $1 and not exists \
        (select 1 from attachments a where a.group_id = b.group_id and a.hash = b.hash) limit 100";
    let mut unused = Vec::new();
    tx.query(sql, binds![before], |row| {
        let (hash, size) = (row.bytes(1)?.to_vec(), row.int(2)?);
        unused.push(Unused { group: GroupId(row.id(0)?), hash, size });
        Ok(())
    })
    .await?;
    Ok(unused)
}

/// Ends the life of a blob, if it is still unused: from then on it takes no references.
pub(crate) async fn condemn(tx: &mut Tx, it: &Unused, before: i64) -> Result<(), Error> {
    let sql = "update blobs set life = null where group_id = $1 and hash = $2 and touched_at < $3 \
        and not exists (select 1 from attachments a where a.group_id = $1 and a.hash = $2)";
    tx.unshown();
    tx.send(sql, binds![it.group, &it.hash[..], before]).await
}

/// Removes a blob that was condemned before, unless another life of it has begun: its file inside the
/// transaction, so that such a one begins either before, or after and with its file written again.
/// Should the transaction be lost after the file, the row is still condemned.
pub(crate) async fn remove(tx: &mut Tx, it: &Unused) -> Result<bool, Error> {
    let sql = "delete from blobs where group_id = $1 and hash = $2 and life is null";
    tx.unshown();
    let removed = tx.execute(sql, binds![it.group, &it.hash[..]]).await? > 0;
    if removed {
        tx.hold(it.group, -it.size);
        remove_if_there(&file(tx.blobs(), it.group.0, &it.hash))?;
    }
    Ok(removed)
}

/// Removes what requests that were cut off have left, once it is a day old; not the files of upload
/// sessions. Blocks.
pub(crate) fn sweep(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(folder.join(INCOMING)) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if session_of(&entry.file_name().to_string_lossy()).is_some() {
            continue;
        }
        // One that is gone meanwhile was finished.
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified()?.elapsed().unwrap_or_default();
        if age > std::time::Duration::from_secs(24 * 3_600) {
            remove_if_there(&entry.path())?;
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
    pub(crate) bytes: Stored,
}

/// Where downloaded bytes come from.
#[derive(Debug)]
pub(crate) enum Stored {
    /// Small ones, from the database.
    Bytes(Vec<u8>),
    /// An open file, whatever becomes of its name; how many bytes it has.
    File(File, u64),
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
            let file = File::open(file(&folder, group.0, row.bytes(3)?))?;
            let size = file.metadata()?.len();
            Stored::File(file, size)
        } else {
            Stored::Bytes(row.bytes(2)?.to_vec())
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

/// The BLAKE3 hash of a file, read once and not into memory, and how many bytes it has.
pub(super) fn hash_file(path: &Path) -> Result<(blake3::Hash, i64), Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.finalize(), hasher.count() as i64))
}

/// Where the file of a blob is.
pub(super) fn file(folder: &Path, group: Uuid, hash: &[u8]) -> PathBuf {
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(group.hyphenated().to_string()).join(name)
}
