//! The files of uploads under way, beside the blobs: `incoming/{session}.part` while bytes arrive, then
//! `incoming/{session}.whole` until the attachment is stored.
//!
//! **Invariant:** a file that is whole never changes, whoever still has it open: a part is written under
//! a shared lock and only while the file has its first name; it gets its second one under the exclusive
//! lock. Processes that share the folder keep to that too.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::ids::{self, UploadId};
use crate::store::blobs::{INCOMING, make_folder};
use crate::store::error::Error;

/// A file that takes parts. Every function of this file blocks.
#[derive(Debug)]
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
}

impl Partial {
    /// Opens the file of a session in the folder of blobs; made where it is not there, if it is to take
    /// the `first` bytes.
    pub(crate) fn open(folder: &Path, session: UploadId, first: bool) -> Result<Partial, Error> {
        let incoming = folder.join(INCOMING);
        make_folder(&incoming)?;
        let path = part(folder, session);
        let mut options = File::options();
        options.write(true).create(first).truncate(false).mode(0o600);
        Ok(Partial { file: options.open(&path)?, path })
    }

    /// Writes bytes at their place. False where the upload is whole, or gone, and takes no more.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<bool, Error> {
        self.file.lock_shared()?;
        let written = match self.has_its_name() {
            Ok(true) => self.file.write_all_at(bytes, at).map(|()| true),
            other => other,
        };
        self.file.unlock()?;
        Ok(written?)
    }

    /// Comes back when what was written is on the disk, and the file's name too.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_all()?;
        for folder in self.path.ancestors().skip(1).take(2) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn has_its_name(&self) -> std::io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(named) => {
                let own = self.file.metadata()?;
                Ok((named.dev(), named.ino()) == (own.dev(), own.ino()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Closes the file of a session, all of whose bytes are there, against further parts; where it is from
/// then on. The same again does nothing.
pub(crate) fn seal(folder: &Path, session: UploadId) -> Result<PathBuf, Error> {
    let (part, whole) = (part(folder, session), whole(folder, session));
    let file = match File::open(&part) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && whole.exists() => {
            return Ok(whole);
        }
        Err(error) => return Err(error.into()),
    };
    file.lock()?;
    // What is whole already stays: a part that came too late may have made the other file anew.
    match std::fs::hard_link(&part, &whole) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && whole.exists() => {}
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => remove_if_there(&part)?,
    }
    Ok(whole)
}

/// Removes what there is of a session that is no more.
pub(crate) fn remove(folder: &Path, session: UploadId) -> Result<(), Error> {
    remove_if_there(&part(folder, session))?;
    remove_if_there(&whole(folder, session))
}

/// The sessions that have files, once or twice each.
pub(crate) fn sessions(folder: &Path) -> Result<Vec<UploadId>, Error> {
    let Ok(entries) = std::fs::read_dir(folder.join(INCOMING)) else { return Ok(Vec::new()) };
    let mut sessions = Vec::new();
    for entry in entries {
        sessions.extend(session_of(&entry?.file_name().to_string_lossy()));
    }
    Ok(sessions)
}

/// The session that a file of this name belongs to; `None` for the file of another kind of upload.
pub(super) fn session_of(name: &str) -> Option<UploadId> {
    let id = name.strip_suffix(".part").or_else(|| name.strip_suffix(".whole"))?;
    ids::parse(id).map(UploadId)
}

fn part(folder: &Path, session: UploadId) -> PathBuf {
    folder.join(INCOMING).join(format!("{session}.part"))
}

fn whole(folder: &Path, session: UploadId) -> PathBuf {
    folder.join(INCOMING).join(format!("{session}.whole"))
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_is_whole_takes_no_more_from_whoever_has_it_open() {
        let folder = tempfile::TempDir::new().unwrap();
        let (folder, session) = (folder.path(), UploadId(Uuid::from_u128(7)));
        let early = Partial::open(folder, session, true).unwrap();
        assert!(early.write(2, b"cd").unwrap());
        assert!(early.write(0, b"ab").unwrap());
        early.sync().unwrap();
        let whole = seal(folder, session).unwrap();
        assert!(!early.write(0, b"xx").unwrap());
        // One that comes too late makes a file of its own, which is never taken for the whole one.
        let late = Partial::open(folder, session, true).unwrap();
        assert!(late.write(0, b"yy").unwrap());
        assert!(!early.write(0, b"xx").unwrap());
        assert_eq!(seal(folder, session).unwrap(), whole);
        assert_eq!(std::fs::read(&whole).unwrap(), b"abcd");
        assert_eq!(seal(folder, session).unwrap(), whole);
        // Nor is the first one written to when all its names are gone and another has the name.
        let kept = folder.join("kept");
        std::fs::hard_link(&whole, &kept).unwrap();
        remove(folder, session).unwrap();
        let _later = Partial::open(folder, session, true).unwrap();
        assert!(!early.write(0, b"xx").unwrap());
        assert_eq!(std::fs::read(kept).unwrap(), b"abcd");
        assert_eq!(sessions(folder).unwrap(), [session]);
        // Where bytes were received, their file is not made anew without them.
        remove(folder, session).unwrap();
        assert!(Partial::open(folder, session, false).unwrap_err().is_missing_file());
        assert!(seal(folder, session).unwrap_err().is_missing_file());
    }
}
