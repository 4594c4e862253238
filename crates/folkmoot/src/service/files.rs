//! Large attachments on their way into the store: their rows, their files, the command that refers to
//! them.
//!
//! **Invariant:** a command that refers to large blobs runs through [`Large::refer`]: where a collector
//! was quicker, they are kept again, so nothing that was accepted has lost its bytes (DECISIONS D11).

use std::sync::Arc;

use odata::bind::Path;
use uuid::Uuid;

use crate::clock::Clock;
use crate::ids::{GroupId, UploadId};
use crate::service::{Ctx, Error, resolve};
use crate::store::attachments::NewAttachment;
use crate::store::blobs::Blob;
use crate::store::{self, Run, Store, uploads};

/// How often a command is tried whose blobs were collected meanwhile.
const TRIES: usize = 3;

/// Large blobs of one group.
pub(super) struct Large<'s> {
    pub(super) store: &'s Arc<Store>,
    pub(super) clock: &'s Clock,
    pub(super) group: GroupId,
    pub(super) blobs: Arc<[Blob]>,
    /// The upload session that they are from, which has kept room for them.
    pub(super) session: Option<UploadId>,
}

impl Large<'_> {
    /// Makes the blobs known.
    pub(super) async fn rows(&self) -> Result<(), Error> {
        let (group, now, life) = (self.group, self.clock.now().ticks, self.clock.id());
        let session = self.session;
        self.store
            .write(group.0, self.blobs.clone(), move |tx, blobs| {
                Box::pin(async move {
                    for blob in blobs.iter() {
                        let is_new = blob.insert(tx, group, now, life).await?;
                        if let (true, Some(session)) = (is_new, session) {
                            uploads::fulfil(tx, group, session).await?;
                        }
                    }
                    tx.unshown();
                    Ok::<_, Error>(())
                })
            })
            .await
    }

    /// Puts their files on the disk, after their rows.
    pub(super) async fn files(&self) -> Result<(), Error> {
        let (folder, group) = (self.store.blobs().to_owned(), self.group);
        let blobs = self.blobs.clone();
        blocking(move || blobs.iter().try_for_each(|blob| blob.keep(&folder, group))).await
    }

    /// Runs a command that refers to the blobs, kept before; again, after they were kept again, where
    /// they were collected meanwhile.
    pub(super) async fn refer<I, T>(
        &self,
        input: I,
        command: impl Run<I, T, Error> + Copy,
    ) -> Result<T, Error>
    where
        I: Clone + Send + Sync + 'static,
        T: Send + 'static,
    {
        for _ in 1..TRIES {
            match self.store.write(self.group.0, input.clone(), command).await {
                Err(Error::Later(store::Error::Collected)) => {
                    self.rows().await?;
                    self.files().await?;
                }
                other => return other,
            }
        }
        let last = self.store.write(self.group.0, input, command).await;
        if let Err(Error::Later(store::Error::Collected)) = &last {
            // No file without a row, also where that was collected before the file was written.
            self.rows().await?;
        }
        last
    }
}

/// Large attachments of a command that is to come, kept on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Whose they are, if there are any.
    group: Option<GroupId>,
    blobs: Arc<[Blob]>,
}

impl Kept {
    /// Keeps what is large of `attachments` for the group that `path` leads into: what the caller may
    /// not post to, they cannot fill either.
    pub(super) async fn keep(
        ctx: &Ctx,
        path: &Path,
        attachments: &[NewAttachment],
    ) -> Result<Kept, Error> {
        let blobs = attachments.iter().filter_map(NewAttachment::blob);
        let blobs: Arc<[_]> = blobs.filter(|it| it.is_large()).cloned().collect();
        if blobs.is_empty() {
            return Ok(Kept::default());
        }
        let group = ctx
            .store
            .read((ctx.clone(), path.clone()), |tx, (ctx, path)| {
                Box::pin(async move {
                    let at = resolve::resolve(tx, ctx, path, true).await?;
                    at.access.may_post()?;
                    Ok::<_, Error>(at.group()?.id)
                })
            })
            .await?;
        let kept = Kept { group: Some(group), blobs };
        let large = kept.large(ctx, group);
        large.rows().await?;
        large.files().await?;
        Ok(kept)
    }

    fn large<'c>(&self, ctx: &'c Ctx, group: GroupId) -> Large<'c> {
        let blobs = self.blobs.clone();
        Large { store: &ctx.store, clock: &ctx.clock, group, blobs, session: None }
    }

    /// Runs the command that refers to them; `scope` is what it changes.
    pub(super) async fn store<I, T>(
        &self,
        ctx: &Ctx,
        scope: Uuid,
        input: I,
        command: impl Run<I, T, Error> + Copy,
    ) -> Result<T, Error>
    where
        I: Clone + Send + Sync + 'static,
        T: Send + 'static,
    {
        match self.group {
            Some(group) => self.large(ctx, group).refer(input, command).await,
            None => ctx.store.write(scope, input, command).await,
        }
    }
}

/// Does what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| store::Error::Defect(error.to_string()))??)
}
