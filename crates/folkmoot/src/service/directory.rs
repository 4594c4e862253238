//! Users and groups by their ids, whichever they are.
//!
//! **Invariant:** an id that is nobody's, or of another tenant, is left out and not told apart.

use odata::bind::{Member, Path, Predicate, Query, Scalar};
use odata::value::Value;
use uuid::Uuid;

use crate::model::DIRECTORY_OBJECT;
use crate::service::{Ctx, Error, limits, read, resolve};
use crate::store::plan::Place;

/// The users and groups with these ids; with `types`, those of these types alone. The JSON
/// of their collection.
pub(crate) async fn get_by_ids(
    ctx: &Ctx,
    path: Path,
    ids: &[String],
    types: Option<&[String]>,
) -> Result<Vec<u8>, Error> {
    if ids.len() > limits::IDS_MAX {
        let problem = format!("has {} items; the limit is {}", ids.len(), limits::IDS_MAX);
        return Err(Error::property("ids", problem));
    }
    let ids = ids.iter().enumerate().map(|(at, text)| {
        let id = guid(text).ok_or_else(|| {
            Error::property(format!("ids[{at}]"), format!("must be a GUID, which '{text}' is not"))
        })?;
        Ok(Value::String(id.hyphenated().to_string()))
    });
    let ids = ids.collect::<Result<Vec<_>, Error>>()?;
    let wanted = |name: &str| types.is_none_or(|it| it.iter().any(|it| is_type(it, name)));
    let kinds: Vec<_> = DIRECTORY_OBJECT.edm.derived.iter().map(|it| wanted(it.name)).collect();
    let (place, ids) = match kinds[..] {
        [true, true] => (Place::Set, ids),
        [true, false] => (Place::OfKind(0), ids),
        [false, true] => (Place::OfKind(1), ids),
        _ => (Place::Set, Vec::new()),
    };
    let id = &DIRECTORY_OBJECT.edm.properties[0];
    let query = Query {
        filter: Some(Predicate::In(Scalar::Member(Member { scope: 0, path: vec![id] }), ids)),
        top: Some(limits::IDS_MAX as u64),
        ..read::whole(&DIRECTORY_OBJECT)
    };
    ctx.store
        .read((ctx.clone(), path, query), move |tx, (ctx, path, query)| {
            Box::pin(async move {
                let mut at = resolve::resolve(tx, ctx, path, false).await?;
                at.entity = &DIRECTORY_OBJECT;
                at.place = place;
                at.context = "directoryObjects".into();
                at.url = "directoryObjects".into();
                read::found(tx, ctx, &at, query).await
            })
        })
        .await
}

/// Whether `sent` names the type, with or without its namespace.
fn is_type(sent: &str, name: &str) -> bool {
    odata::edm::unqualified(sent).eq_ignore_ascii_case(name)
}

/// An id whose hyphens stand where they will, or nowhere.
fn guid(text: &str) -> Option<Uuid> {
    let digits: String = text.chars().filter(|it| *it != '-').collect();
    let is_plain = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
    if is_plain { Uuid::try_parse(&digits).ok() } else { None }
}
