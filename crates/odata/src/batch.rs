//! The JSON batch format (OData JSON 4.01, section 19): several requests in one body, some after others.
//!
//! **Invariant:** what [`requests`] returns can be carried out: ids differ, every dependency is there, and
//! none waits for itself by any way.

use crate::json::Json;

/// One request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRequest {
    /// As it was sent.
    pub id: String,
    /// As it was sent, such as `GET`.
    pub method: String,
    /// As it was sent: relative or absolute.
    pub url: String,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    /// What stands in its `body`.
    pub body: Option<Json>,
    /// The places of the requests that must have gone well before.
    pub after: Vec<usize>,
}

/// Why a batch cannot be carried out at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The body is something else.
    #[error("a batch is an object with an array 'requests', in which each item is an object")]
    NotABatch,
    /// There are none, or too many.
    #[error("a batch has 1 to {max} requests, and this one has {0}", max = .1)]
    Count(usize, usize),
    /// A member that a request needs, or one of another type.
    #[error("request {at} of the batch: '{name}' is {problem}")]
    Member {
        /// Its id, or its place counted from 1 where it has none.
        at: String,
        /// The member.
        name: &'static str,
        /// `missing`, or what it should be.
        problem: &'static str,
    },
    /// Two requests with one id, letter case aside.
    #[error("the id '{0}' is that of two requests of the batch")]
    SameId(String),
    /// A dependency on an id that no request has.
    #[error("Invalid dependency for request Id '{0}': the batch has no request '{1}'")]
    UnknownDependency(String, String),
    /// Requests that wait for each other.
    #[error("request '{0}' of the batch depends on itself, directly or through others")]
    Cycle(String),
}

/// The requests of a batch, at most `max`.
///
/// Members are matched without regard to letter case; what else there is (`atomicityGroup`, annotations) is
/// passed over. `dependsOn` may be written `depends_on`, as one client does.
///
/// # Errors
/// The first thing for which the batch as a whole cannot be carried out.
pub fn requests(batch: &Json, max: usize) -> Result<Vec<BatchRequest>, BatchError> {
    let Some(Json::Array(items)) = batch.get("requests") else { return Err(BatchError::NotABatch) };
    if items.is_empty() || items.len() > max {
        return Err(BatchError::Count(items.len(), max));
    }
    let mut ids: Vec<String> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        if !matches!(item, Json::Object(_)) {
            return Err(BatchError::NotABatch);
        }
        let id = text(item, "id", &(at + 1).to_string())?;
        if ids.iter().any(|it| it.eq_ignore_ascii_case(&id)) {
            return Err(BatchError::SameId(id));
        }
        ids.push(id);
    }
    let requests: Vec<_> = items
        .iter()
        .zip(&ids)
        .map(|(item, id)| request(item, id, &ids))
        .collect::<Result<_, _>>()?;
    match cycle(&requests) {
        Some(at) => Err(BatchError::Cycle(ids.swap_remove(at))),
        None => Ok(requests),
    }
}

fn request(item: &Json, id: &str, ids: &[String]) -> Result<BatchRequest, BatchError> {
    let wrong = |name, problem| BatchError::Member { at: format!("'{id}'"), name, problem };
    let headers = match item.get("headers") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Object(members)) => members
            .iter()
            .map(|(name, value)| match value {
                Json::String(value) => Ok((name.clone(), value.clone())),
                _ => Err(wrong("headers", "not an object of strings")),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong("headers", "not an object of strings")),
    };
    let mut after = Vec::new();
    for name in ["dependsOn", "depends_on"] {
        let needed = match item.get(name) {
            None | Some(Json::Null) => continue,
            Some(Json::Array(needed)) => needed,
            Some(_) => return Err(wrong("dependsOn", "not an array of ids")),
        };
        for needed in needed {
            let needed =
                needed.as_str().ok_or_else(|| wrong("dependsOn", "not an array of ids"))?;
            let at = ids.iter().position(|it| it.eq_ignore_ascii_case(needed));
            let at =
                at.ok_or_else(|| BatchError::UnknownDependency(id.to_owned(), needed.to_owned()))?;
            if !after.contains(&at) {
                after.push(at);
            }
        }
    }
    Ok(BatchRequest {
        id: id.to_owned(),
        method: text(item, "method", id)?,
        url: text(item, "url", id)?,
        headers,
        body: item.get("body").filter(|it| **it != Json::Null).cloned(),
        after,
    })
}

fn text(item: &Json, name: &'static str, id: &str) -> Result<String, BatchError> {
    let wrong = |problem| BatchError::Member { at: format!("'{id}'"), name, problem };
    match item.get(name) {
        Some(Json::String(text)) if !text.is_empty() => Ok(text.clone()),
        None | Some(Json::Null) => Err(wrong("missing")),
        Some(_) => Err(wrong("not a string with something in it")),
    }
}

/// A request that waits for itself: requests whose dependencies are done are taken away until there are
/// none such.
fn cycle(requests: &[BatchRequest]) -> Option<usize> {
    let mut done = vec![false; requests.len()];
    loop {
        let ready = |at: usize| requests[at].after.iter().all(|it| done[*it]);
        match (0..requests.len()).find(|at| !done[*at] && ready(*at)) {
            Some(at) => done[at] = true,
            None => return done.iter().position(|it| !it),
        }
    }
}

/// Whether the dependencies are of a shape that Graph takes (json-batching): none, each on the one before
/// it, or all others on one that has none itself and stands before them.
pub fn is_simple(requests: &[BatchRequest]) -> bool {
    let dependent = || requests.iter().enumerate().filter(|(_, it)| !it.after.is_empty());
    let serial = requests.iter().enumerate().skip(1).all(|(at, it)| it.after == [at - 1]);
    let Some((_, first)) = dependent().next() else { return true };
    let one = match first.after[..] {
        [one] => {
            requests[one].after.is_empty()
                && dependent().all(|(at, it)| it.after == [one] && at > one)
        }
        _ => false,
    };
    serial && requests[0].after.is_empty() || one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn read(text: &str) -> Result<Vec<BatchRequest>, String> {
        let batch = json::parse(text.as_bytes(), 20).unwrap();
        requests(&batch, 4).map_err(|it| it.to_string())
    }

    fn with(items: &[(&str, &str)]) -> String {
        let item = |(id, after): &(&str, &str)| {
            format!(r#"{{"id":"{id}","method":"GET","url":"/x","dependsOn":{after}}}"#)
        };
        format!(r#"{{"requests":[{}]}}"#, items.iter().map(item).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn requests_are_read() {
        let batch = read(
            r#"{"requests":[
                {"id":"a","method":"GET","url":"/x?y=z","depends_on":[]},
                {"ID":"2","Method":"POST","url":"z","headers":{"Content-Type":"q"},
                 "body":{"k":1},"dependsOn":["A","a"],"atomicityGroup":"g"}
            ],"@odata.type":"x"}"#,
        )
        .unwrap();
        assert_eq!((&batch[0].url[..], &batch[0].body, batch[0].after.len()), ("/x?y=z", &None, 0));
        assert_eq!((&batch[1].id[..], &batch[1].after[..]), ("2", &[0][..]));
        assert_eq!(batch[1].headers, [("Content-Type".to_owned(), "q".to_owned())]);
        assert_eq!(batch[1].body.as_ref().unwrap().get("k").unwrap().type_name(), "a number");
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
        let none = "[]";
        for (text, named) in [
            ("[]".to_owned(), "'requests'"),
            ("{}".to_owned(), "'requests'"),
            (r#"{"requests":[1]}"#.to_owned(), "object"),
            (r#"{"requests":[]}"#.to_owned(), "1 to 4 requests, and this one has 0"),
            (with(&[("a", none), ("b", none), ("c", none), ("d", none), ("e", none)]), "has 5"),
            (r#"{"requests":[{"method":"GET"}]}"#.to_owned(), "request '1' of the batch: 'id'"),
            (r#"{"requests":[{"id":"x","url":"y"}]}"#.to_owned(), "'x' of the batch: 'method'"),
            (r#"{"requests":[{"id":1,"url":"y"}]}"#.to_owned(), "'id' is not a string"),
            (r#"{"requests":[{"id":"x","method":"GET","url":""}]}"#.to_owned(), "'url'"),
            (
                r#"{"requests":[{"id":"x","method":"GET","url":"y","headers":{"a":1}}]}"#
                    .to_owned(),
                "'headers' is not an object of strings",
            ),
            (with(&[("a", none), ("A", none)]), "'A' is that of two"),
            (with(&[("a", r#"["b"]"#)]), "no request 'b'"),
            (with(&[("a", r#""b""#)]), "'dependsOn' is not an array"),
            (with(&[("a", r#"["a"]"#)]), "'a' of the batch depends on itself"),
            (
                with(&[("x", none), ("a", r#"["c"]"#), ("b", r#"["a"]"#), ("c", r#"["b"]"#)]),
                "depends on itself",
            ),
        ] {
            let why = read(&text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }

    #[test]
    fn graphs_shapes_are_told_from_others() {
        let simple = |items: &[(&str, &str)]| is_simple(&read(&with(items)).unwrap());
        let none = "[]";
        assert!(simple(&[("a", none), ("b", none)]));
        assert!(simple(&[("a", none), ("b", r#"["a"]"#), ("c", r#"["b"]"#)]));
        assert!(simple(&[("a", none), ("b", r#"["a"]"#), ("c", r#"["a"]"#)]));
        assert!(!simple(&[("a", none), ("b", none), ("c", r#"["a"]"#), ("d", r#"["b"]"#)]));
        assert!(!simple(&[("a", none), ("b", r#"["a"]"#), ("c", r#"["a","b"]"#)]));
        assert!(!simple(&[("b", r#"["a"]"#), ("a", none)]));
    }
}
