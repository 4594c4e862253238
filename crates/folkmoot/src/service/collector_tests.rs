//! The collector of blobs against everything that keeps them, at the same time (DECISIONS D11).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use odata::bind::bind_path;
use odata::decode::{Argument, Record, decode_entity, decode_parameters};
use odata::json;
use odata::syntax::parse_path;
use serde_json::{Value, json};
use uuid::Uuid;

use super::uploads::{Part, Taken};
use super::{Created, Ctx, Error, Service, conversations, groups, limits, threads, uploads, users};
use crate::access::{Caller, Visibility};
use crate::auth::Scopes;
use crate::clock::Clock;
use crate::ids::{GroupId, TenantId};
use crate::model::MODEL;
use crate::store::blobs::Blob;
use crate::store::both::on_each;
use crate::store::sql::binds;
use crate::store::tenants::{self, Tenant};
use crate::store::{self, Store, blobs};

const ROUNDS: usize = 30;
const BYTES: usize = 70_000;

/// What is sent in a round, by all who send: the same bytes come at the same time, and not again later.
fn content(round: usize) -> Vec<u8> {
    let mut bytes = vec![7; BYTES];
    bytes[..8].copy_from_slice(&(round as u64).to_le_bytes());
    bytes
}

/// The name of what one sends in a round.
fn name(sender: usize, round: usize) -> String {
    format!("{sender} {round}")
}

fn path(text: &str) -> odata::bind::Path {
    bind_path(&MODEL, &parse_path(text, &limits::URL).unwrap()).unwrap()
}

fn to_json(value: &Value) -> json::Json {
    json::parse(value.to_string().as_bytes(), limits::JSON_DEPTH_MAX).unwrap()
}

fn record(path: &odata::bind::Path, value: &Value) -> Record {
    decode_entity(&MODEL, path.entity(), to_json(value)).unwrap()
}

/// What was answered; none where a collector was quicker each time, and it is to be asked again, as a
/// client does after a 503.
fn taken<T>(answer: Result<T, Error>) -> Option<T> {
    match answer {
        Err(Error::Later(store::Error::Collected)) => None,
        other => Some(other.unwrap()),
    }
}

/// A group, and a user who may post to it.
async fn world(store: &Arc<Store>, clock: &Arc<Clock>) -> (Service, Ctx, GroupId) {
    let tenant = TenantId(clock.id());
    let (group, user) = store
        .write(tenant.0, clock.clone(), move |tx, clock| {
            Box::pin(async move {
                let domain = "localhost".to_owned();
                let row = Tenant { id: tenant, domain, is_default: true };
                tenants::upsert(tx, &row, clock.now().ticks).await?;
                let draft = groups::Draft {
                    display_name: "Readers".into(),
                    nickname: "readers".into(),
                    description: None,
                    visibility: Visibility::Private,
                    is_unified: true,
                    security_enabled: false,
                    behavior: Vec::new(),
                };
                let ada = "ada@example.org".to_owned();
                let owners = std::slice::from_ref(&ada);
                let group = groups::add_by_operator(tx, clock, tenant, &draft, owners, &[]).await?;
                let user = users::find_or_make(tx, clock, tenant, &ada).await?;
                Ok::<_, Error>((group, user.id))
            })
        })
        .await
        .unwrap();
    let service = Service::new(store.clone(), clock.clone());
    let scopes = Scopes::default();
    let caller = Caller { tenant, user: Some(user), app: None, scopes };
    let ctx = service.ctx(
        caller,
        "http://localhost/v1.0".into(),
        super::Wanted::default(),
        Vec::new(),
        false,
    );
    (service, ctx, group)
}

fn post_with_file(sender: usize, round: usize) -> Value {
    let bytes = base64::prelude::BASE64_STANDARD.encode(content(round));
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment",
        "name": name(sender, round), "contentBytes": bytes});
    json!({"topic": "x", "threads": [{"posts": [{"attachments": [file]}]}]})
}

/// Starts a conversation with a large attachment, and removes every second one; whether it did not.
async fn post(ctx: &Ctx, group: GroupId, sender: usize, round: usize) -> bool {
    let at = path(&format!("groups/{group}/conversations"));
    let body = post_with_file(sender, round);
    let made = loop {
        let made = conversations::create(ctx, at.clone(), record(&at, &body)).await;
        if let Some(made) = taken(made) {
            break made;
        }
    };
    let is_kept = !round.is_multiple_of(2);
    if !is_kept {
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let id = made["id"].as_str().unwrap();
        let at = path(&format!("groups/{group}/conversations/{id}"));
        conversations::delete(ctx, at).await.unwrap();
    }
    is_kept
}

/// Uploads a large attachment to a post of its own, which is kept.
async fn upload(service: &Service, ctx: &Ctx, group: GroupId, sender: usize, round: usize) -> bool {
    let at = path(&format!("groups/{group}/threads"));
    let body = json!({"topic": "x", "posts": [{"body": {"content": "y"}}]});
    let made = threads::create(ctx, at.clone(), record(&at, &body)).await.unwrap();
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let thread = made["id"].as_str().unwrap();
    let thread_id = Uuid::parse_str(thread).unwrap();
    let post = ctx
        .store
        .read((), move |tx, ()| {
            Box::pin(async move {
                let sql = "select id from posts where group_id = $1 and thread_id = $2";
                tx.first(sql, binds![group, thread_id], |row| row.id(0)).await
            })
        })
        .await;
    let post: Uuid = post.map_err(|error: store::Error| error).unwrap().unwrap();
    let at = format!("groups/{group}/threads/{thread}/posts/{post}/attachments");
    let at = path(&format!("{at}/createUploadSession"));
    let odata::bind::Step::Action(action) = at.steps.last().unwrap() else { panic!() };
    let item = json!({"AttachmentItem": {"attachmentType": "file",
        "name": name(sender, round), "size": BYTES}});
    let mut arguments = decode_parameters(&MODEL, action, Some(to_json(&item))).unwrap();
    let Argument::Field(item) = arguments.remove(0).1 else { panic!() };
    let opened = uploads::create(ctx, at, &item).await.unwrap();
    let (id, token) = opened.url.rsplit_once('/').unwrap().1.split_once("?token=").unwrap();
    while taken(send(service, id, token, round).await).is_none() {}
    true
}

/// Sends all bytes of an upload, or goes on where it had them.
async fn send(service: &Service, id: &str, token: &str, round: usize) -> Result<Created, Error> {
    let session = uploads::find(service, id, token).await?;
    let root = "http://localhost/v1.0".to_owned();
    if session.is_whole() {
        return uploads::complete(service, session, root).await;
    }
    let (last, total) = (BYTES as u64 - 1, BYTES as u64);
    let mut part = Part::begin(service, session, (0, last, total)).await?;
    part.write(content(round).into()).await?;
    match part.end(root).await? {
        Taken::Whole(made) => Ok(made),
        Taken::Part(progress) => panic!("{progress:?}"),
    }
}

/// The bytes of the attachments of this name.
async fn bytes_of(ctx: &Ctx, group: GroupId, name: String) -> Vec<Vec<u8>> {
    ctx.store
        .read(name, move |tx, name| {
            Box::pin(async move {
                let (mut ids, mut found) = (Vec::new(), Vec::new());
                let sql = "select id from attachments where group_id = $1 and name = $2";
                tx.query(sql, binds![group, &*name], |row| {
                    ids.push(row.id(0)?);
                    Ok(())
                })
                .await?;
                for id in ids {
                    let it = blobs::download(tx, group, id).await?.expect("its blob");
                    let blobs::Stored::File(mut file, size) = it.bytes else { panic!("no file") };
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut file, &mut bytes)?;
                    assert_eq!(bytes.len() as u64, size);
                    found.push(bytes);
                }
                Ok::<_, store::Error>(found)
            })
        })
        .await
        .unwrap()
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_keeps_its_bytes_and_what_is_gone_leaves_nothing() {
    on_each(64, Duration::from_secs(60), async |store, _| {
        let (store, clock) = (Arc::new(store), Arc::new(Clock::System));
        let (service, ctx, group) = world(&store, &clock).await;
        let stop = Arc::new(AtomicBool::new(false));
        let collector = tokio::spawn({
            let (service, stop) = (service.clone(), stop.clone());
            async move {
                let mut collected = 0;
                while !stop.load(Ordering::Acquire) {
                    collected += service.collect_untouched_since(i64::MAX).await.unwrap();
                    // What is kept now and then survives long enough to be referred to.
                    for _ in 0..collected % 7 {
                        tokio::task::yield_now().await;
                    }
                }
                collected
            }
        });
        let mut senders = Vec::new();
        for sender in 0..4 {
            let (service, ctx) = (service.clone(), ctx.clone());
            senders.push(tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let is_kept = match sender {
                        0 | 1 => upload(&service, &ctx, group, sender, round).await,
                        _ => post(&ctx, group, sender, round).await,
                    };
                    if is_kept {
                        let found = bytes_of(&ctx, group, name(sender, round)).await;
                        assert!(found == [content(round)], "{}", name(sender, round));
                    }
                }
            }));
        }
        for sender in senders {
            sender.await.unwrap();
        }
        stop.store(true, Ordering::Release);
        assert!(collector.await.unwrap() > 0);

        for (sender, round) in (0..4).flat_map(|it| (0..ROUNDS).map(move |round| (it, round))) {
            let found = bytes_of(&ctx, group, name(sender, round)).await;
            let is_kept = sender < 2 || !round.is_multiple_of(2);
            assert_eq!(found.len(), usize::from(is_kept));
            assert!(found.iter().all(|it| *it == content(round)), "{}", name(sender, round));
        }
        let all = store
            .read((), move |tx, ()| {
                Box::pin(async move {
                    let mut all = Vec::new();
                    let sql = "select id from conversations where group_id = $1";
                    tx.query(sql, binds![group], |row| {
                        all.push(row.id(0)?);
                        Ok(())
                    })
                    .await?;
                    Ok::<_, store::Error>(all)
                })
            })
            .await
            .unwrap();
        for id in all {
            let at = path(&format!("groups/{group}/conversations/{id}"));
            conversations::delete(&ctx, at).await.unwrap();
        }
        service.collect_untouched_since(i64::MAX).await.unwrap();
        let rows = store
            .read((), |tx, ()| {
                Box::pin(tx.first("select count(*) from blobs", &[], |row| row.int(0)))
            })
            .await;
        assert_eq!(rows.map_err(|error: store::Error| error).unwrap(), Some(0));
        assert_eq!(files(store.blobs()), Vec::<std::path::PathBuf>::new());
        let counted = store
            .read((), |tx, ()| {
                let sql = "select cast(sum(bytes) as bigint) from attachment_use";
                Box::pin(tx.first(sql, &[], |row| row.int(0)))
            })
            .await;
        assert_eq!(counted.map_err(|error: store::Error| error).unwrap(), Some(0));
    })
    .await;
}

/// Each step that keeps a blob between the two that collect it, and the second of those lost with its
/// transaction after it had removed the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condemned_blob_is_kept_again_or_goes() {
    on_each(64, Duration::from_secs(60), async |store, _| {
        let (store, clock) = (Arc::new(store), Arc::new(Clock::System));
        let (_, _, group) = world(&store, &clock).await;
        let blob = Blob::new(content(0));
        let run = |step: Step| {
            store.write(group.0, blob.clone(), move |tx, blob| {
                Box::pin(async move {
                    tx.unshown();
                    match step {
                        Step::Insert(life) => {
                            blob.insert(tx, group, 1, Uuid::from_u128(life)).await
                        }
                        Step::Refer => blob.refer(tx, group, 1).await.map(|()| true),
                        Step::Condemn => {
                            for it in blobs::unused(tx, i64::MAX).await? {
                                blobs::condemn(tx, &it, i64::MAX).await?;
                            }
                            Ok(true)
                        }
                        Step::Remove { lost } => {
                            let mut removed = false;
                            for it in blobs::unused(tx, i64::MAX).await? {
                                removed |= blobs::remove(tx, &it).await?;
                            }
                            if lost { Err(store::Error::Dangling) } else { Ok(removed) }
                        }
                    }
                })
            })
        };
        let refused = |answer| matches!(answer, Err(store::Error::Collected));
        assert!(refused(run(Step::Refer).await));
        run(Step::Insert(1)).await.unwrap();
        blob.keep(store.blobs(), group).unwrap();
        run(Step::Refer).await.unwrap();
        // Nobody has condemned it.
        assert!(!run(Step::Remove { lost: false }).await.unwrap());
        run(Step::Condemn).await.unwrap();
        assert!(refused(run(Step::Refer).await));
        run(Step::Insert(2)).await.unwrap();
        assert!(!run(Step::Remove { lost: false }).await.unwrap());
        run(Step::Refer).await.unwrap();
        assert_eq!(files(store.blobs()).len(), 1);
        run(Step::Condemn).await.unwrap();
        assert!(run(Step::Remove { lost: true }).await.is_err());
        assert_eq!(files(store.blobs()).len(), 0);
        assert!(refused(run(Step::Refer).await));
        run(Step::Insert(3)).await.unwrap();
        blob.keep(store.blobs(), group).unwrap();
        run(Step::Refer).await.unwrap();
        assert_eq!(files(store.blobs()).len(), 1);
        run(Step::Condemn).await.unwrap();
        assert!(run(Step::Remove { lost: false }).await.unwrap());
        assert!(refused(run(Step::Refer).await));
        assert_eq!(files(store.blobs()).len(), 0);
        // Somebody else has made the row anew, and not yet the file.
        let again = Blob::new(content(0));
        let begin = store.write(group.0, again.clone(), move |tx, blob| {
            tx.unshown();
            Box::pin(blob.insert(tx, group, 1, Uuid::from_u128(9)))
        });
        begin.await.unwrap();
        assert!(refused(run(Step::Refer).await));
    })
    .await;
}

#[derive(Clone, Copy)]
enum Step {
    Insert(u128),
    Refer,
    Condemn,
    Remove { lost: bool },
}
