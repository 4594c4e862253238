//! Blobs against their bytes, and what nothing refers to.
//!
//! **Invariant:** what nothing refers to is a note and no problem: an upload that was broken off leaves
//! it, and a collector takes it (DECISIONS D11).

use std::collections::BTreeSet;
use std::path::Path;

use uuid::Uuid;

use super::{Findings, hex};
use crate::ids;
use crate::store::blobs::{self, INCOMING, hash_file};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::partial::session_of;
use crate::store::sql::binds;
use crate::store::uploads;

/// So many blobs are held at a time, by their keys, to see which of them are referred to.
const BLOBS_AT_ONCE: usize = 50_000;
/// So many notes are told of each kind.
const NOTES_MAX: u64 = 10;

/// All blobs in the order of their keys.
pub(super) const CONTENTS: &str = "select b.group_id, b.hash, b.size, b.content, exists (select 1 from attachments a \
    where a.group_id = b.group_id and a.hash = b.hash) from blobs b order by b.group_id, b.hash";

/// Finds blobs whose bytes are not there, or are others; counts the rows. Files are not read into memory.
pub(super) async fn contents(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    count: &mut u64,
) -> Result<(), Error> {
    let folder = tx.blobs().to_owned();
    tx.query(CONTENTS, &[], |row| {
        *count += 1;
        let (group, hash, size) = (row.id(0)?, row.bytes(1)?, row.int(2)?);
        let mut problem = |what: String| {
            found.problem("blobs", &format!("group_id {group}, hash {}: {what}", hex(hash)))
        };
        let (hashed, bytes, its) = if row.is_null(3)? {
            match hash_file(&blobs::file(&folder, group, hash)) {
                Ok((hashed, bytes)) => (hashed, bytes, "its file"),
                // Its row comes before its file: an upload is under way, or was cut off.
                Err(_) if !row.bool(4)? => return Ok(()),
                Err(error) => {
                    problem(format!("its file cannot be read: {error}"));
                    return Ok(());
                }
            }
        } else {
            let content = row.bytes(3)?;
            (blake3::hash(content), content.len() as i64, "its content")
        };
        if bytes != size {
            problem(format!("{its} has {bytes} bytes, expected {size}"));
        }
        if hashed.as_bytes() != hash {
            problem(format!("{its} has the hash {}", hashed.to_hex()));
        }
        Ok(())
    })
    .await
}

/// Each group with the bytes that are counted for it, and those that it has.
const OF_GROUPS: &str = "select g.id, coalesce((select u.bytes from attachment_use u \
    where u.group_id = g.id), 0), coalesce((select cast(sum(b.size) as bigint) from blobs b \
    where b.group_id = g.id), 0) + coalesce((select cast(sum(s.promised) as bigint) from upload_sessions s \
    where s.group_id = g.id), 0) from groups g";
/// Tenants with a quota: the bytes that are counted for each, and those of its groups.
const OF_TENANTS: &str = "select t.id, t.attachment_bytes, (select cast(coalesce(sum(u.bytes), 0) as bigint) \
    from attachment_use u join groups g on g.id = u.group_id where g.tenant_id = t.id) \
    from tenants t where t.attachment_bytes_max > 0";

/// Finds counters of bytes that are others than what they count.
pub(super) async fn counters(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    for (sql, table, key, column) in [
        (OF_GROUPS, "attachment_use", "group_id", "bytes"),
        (OF_TENANTS, "tenants", "id", "attachment_bytes"),
    ] {
        tx.query(sql, &[], |row| {
            let (id, there, expected) = (row.id(0)?, row.int(1)?, row.int(2)?);
            if there != expected {
                found.problem(
                    table,
                    &format!("{key} {id}: {column} is {there}, expected {expected}"),
                );
            }
            Ok(())
        })
        .await?;
    }
    let sql = "select group_id, id, promised, size from upload_sessions where promised <> size and promised <> 0";
    tx.query(sql, &[], |row| {
        let (group, id, promised, size) = (row.id(0)?, row.id(1)?, row.int(2)?, row.int(3)?);
        let what = format!("promised is {promised}, expected {size} or 0");
        found.problem("upload_sessions", &format!("group_id {group}, id {id}: {what}"));
        Ok(())
    })
    .await
}

/// Notes blobs that no attachment has, and files that no blob has.
pub(super) async fn left_over(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    let mut notes = Notes { told: 0 };
    unreferenced(tx, found, &mut notes).await?;
    notes.end(found, "blobs that no attachment has");
    let mut notes = Notes { told: 0 };
    let folder = tx.blobs().to_owned();
    files(tx, found, &mut notes, &folder).await?;
    notes.end(found, "files that no blob has");
    Ok(())
}

/// Notes of one kind, of which not all are told.
struct Notes {
    told: u64,
}

impl Notes {
    fn note(&mut self, found: &Findings<'_>, what: impl FnOnce() -> String) {
        self.told += 1;
        if self.told <= NOTES_MAX {
            found.note(what());
        }
    }

    fn end(&self, found: &Findings<'_>, kind: &str) {
        if self.told > NOTES_MAX {
            found.note(format!("blobs: {} {kind} altogether", self.told));
        }
    }
}

/// The keys of the next blobs.
pub(super) const KEYS: &str = "select group_id, hash from blobs where (group_id, hash) > ($1, $2) \
    order by group_id, hash limit 50000";
/// The blobs that attachments of some groups have.
pub(super) const REFERRED: &str = "select group_id, hash from attachments where group_id >= $1 and group_id <= $2 and hash is not null";

/// No index of attachments goes by hash, so each portion of blobs goes once through the attachments of
/// its groups.
async fn unreferenced(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    notes: &mut Notes,
) -> Result<(), Error> {
    let mut last = (Uuid::nil(), Vec::new());
    loop {
        let mut blobs = BTreeSet::new();
        tx.query(KEYS, binds![last.0, &last.1[..]], |row| {
            blobs.insert((row.id(0)?, row.bytes(1)?.to_vec()));
            Ok(())
        })
        .await?;
        let (Some(first), Some(end)) = (blobs.first(), blobs.last()) else { return Ok(()) };
        let (first, end, full) = (first.0, end.clone(), blobs.len() == BLOBS_AT_ONCE);
        tx.query(REFERRED, binds![first, end.0], |row| {
            blobs.remove(&(row.id(0)?, row.bytes(1)?.to_vec()));
            Ok(())
        })
        .await?;
        for (group, hash) in blobs {
            let key = || format!("group_id {group}, hash {}", hex(&hash));
            notes.note(found, || format!("blobs: {}: no attachment has it", key()));
        }
        if !full {
            return Ok(());
        }
        last = end;
    }
}

async fn files(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    notes: &mut Notes,
    folder: &Path,
) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(());
    }
    for group in std::fs::read_dir(folder)? {
        let group = group?;
        let group_name = group.file_name().to_string_lossy().into_owned();
        if group_name == INCOMING {
            of_sessions(tx, found, notes, &group.path()).await?;
            continue;
        }
        let (Some(id), true) = (ids::parse(&group_name), group.file_type()?.is_dir()) else {
            notes.note(found, || format!("blobs: {group_name} is not the folder of a group"));
            continue;
        };
        for file in std::fs::read_dir(group.path())? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let there = match unhex(&name) {
                Some(hash) => is_file(tx, id, &hash).await?,
                None => false,
            };
            if !there {
                notes.note(found, || format!("blobs: the file {group_name}/{name} is no blob's"));
            }
        }
    }
    Ok(())
}

/// What is under way: of requests, which nothing says, and of upload sessions, which are rows.
async fn of_sessions(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    notes: &mut Notes,
    incoming: &Path,
) -> Result<(), Error> {
    for file in std::fs::read_dir(incoming)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        let Some(session) = session_of(&name) else { continue };
        if !uploads::exists(tx, session).await? {
            notes.note(found, || {
                format!("blobs: the file {INCOMING}/{name} is no upload session's")
            });
        }
    }
    Ok(())
}

async fn is_file(tx: &mut Tx, group: Uuid, hash: &[u8]) -> Result<bool, Error> {
    let sql = "select 1 from blobs where group_id = $1 and hash = $2 and content is null";
    Ok(tx.first(sql, binds![group, hash], |_| Ok(())).await?.is_some())
}

fn unhex(name: &str) -> Option<Vec<u8>> {
    let digits = name.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.iter().any(|it| !it.is_ascii_hexdigit()) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}
