//! `docs/graph-coverage.md`: what of Graph's description is served, from what the tests asked and got.
//!
//! **Invariant:** nothing on the page is written by hand: its paths are those of
//! `tests/data/graph/openapi-paths.txt`, its names those of `docs/operations.md`, its states come from the
//! record that the tests' client makes. Only sets are kept, so that the page is the same after every run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const PAGE: &str = "docs/graph-coverage.md";

/// The roots of the API, as `api/root.rs` has them.
const ROOTS: [&str; 5] = ["/v1.0", "/beta", "/docs\\api", "/docs%5Capi", "/docs/api"];

/// The file that tests write their requests to, emptied.
pub(crate) fn record(target: &Path) -> anyhow::Result<PathBuf> {
    let file = target.join("requests.tsv");
    std::fs::create_dir_all(target)?;
    std::fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Writes the page.
pub(crate) fn write(root: &Path, record: &Path) -> anyhow::Result<()> {
    std::fs::write(root.join(PAGE), page(root, record)?)?;
    Ok(())
}

/// Whether the page says what the record does.
pub(crate) fn check(root: &Path, record: &Path) -> anyhow::Result<()> {
    println!("\n== {PAGE}");
    let written = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    let seen = page(root, record)?;
    if written == seen {
        return Ok(());
    }
    let only = |sign: &str, these: &str, those: &str| -> Vec<String> {
        let those: BTreeSet<_> = those.lines().collect();
        let only = these.lines().filter(|it| !those.contains(it));
        only.map(|it| format!("{sign} {it}")).collect()
    };
    let changed = [only("-", &written, &seen), only("+", &seen, &written)].concat().join("\n");
    bail!("{PAGE} is not what the tests saw: run `cargo xtask coverage`\n{changed}")
}

fn page(root: &Path, record: &Path) -> anyhow::Result<String> {
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let paths = read(root.join("tests/data/graph/openapi-paths.txt"))?;
    let operations = read(root.join("docs/operations.md"))?;
    let mut coverage = Coverage::of(&paths, &operations);
    for line in read(record.to_owned())?.lines() {
        coverage.add(line).with_context(|| format!("the record has the line {line:?}"))?;
    }
    Ok(coverage.page())
}

/// One path and method of the description.
struct Operation {
    method: String,
    path: String,
    segments: Vec<Segment>,
    /// Statuses and codes of the answers.
    answers: BTreeSet<(u16, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    /// Its name, in lower case; of a qualified one, `graph.` and what follows.
    Name(String),
    Key,
}

struct Coverage {
    operations: Vec<Operation>,
    /// How each name is spelled, by its lower case.
    names: BTreeMap<String, String>,
    /// Methods and paths beyond the description that were answered with 2xx.
    beyond: BTreeSet<(String, String)>,
}

impl Coverage {
    fn of(paths: &str, operations: &str) -> Coverage {
        let mut names = BTreeMap::new();
        let mut name = |text: &str| {
            names.insert(text.to_lowercase(), text.to_owned());
        };
        let mut listed = Vec::new();
        for line in paths.lines().filter(|it| !it.starts_with('#') && it.contains("->")) {
            let mut words = line.split_whitespace();
            let (Some(method), Some(path)) = (words.next(), words.next()) else { continue };
            let segment = |text: &str| match text.starts_with('{') {
                true => Segment::Key,
                false => Segment::Name(text.trim_end_matches("()").to_lowercase()),
            };
            let segments = path.split('/').skip(1).map(segment).collect();
            let (method, path) = (method.to_owned(), path.to_owned());
            path.split('/').filter(|it| !it.starts_with('{')).for_each(&mut name);
            listed.push(Operation { method, path, segments, answers: BTreeSet::new() });
        }
        let shapes = operations.lines().filter_map(|it| it.split('`').nth(1));
        shapes.flat_map(|it| it.split('/')).filter(|it| *it != "{}").for_each(&mut name);
        Coverage { operations: listed, names, beyond: BTreeSet::new() }
    }

    /// Adds a line of the record.
    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        let [method, path, status, code] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("it does not have four fields");
        };
        let status: u16 = status.parse()?;
        // What is asked by these two is asked by GET.
        if ["HEAD", "OPTIONS"].contains(&method) {
            return Ok(());
        }
        let Some(segments) = segments(path) else { return Ok(()) };
        let candidates = self.operations.iter_mut().filter(|it| it.method == method);
        let found = candidates
            .filter(|it| matches(&it.segments, &segments))
            .max_by_key(|it| it.segments.iter().map(|it| *it != Segment::Key).collect::<Vec<_>>());
        match found {
            Some(operation) => {
                operation.answers.insert((status, code.to_owned()));
            }
            None if (200..300).contains(&status) => {
                self.beyond.insert((method.to_owned(), self.spelled(&segments)));
            }
            None => {}
        }
        Ok(())
    }

    /// A path as the documents spell it. What they do not name is a key.
    fn spelled(&self, segments: &[Segment]) -> String {
        let spell = |name: &str| match self.names.get(name) {
            Some(known) => known.clone(),
            None if name.starts_with('$') => name.to_owned(),
            None => match name.strip_prefix("graph.").and_then(|it| self.names.get(it)) {
                Some(action) => action.clone(),
                None => "{}".to_owned(),
            },
        };
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            match segment {
                Segment::Key => path.push_str("{}"),
                Segment::Name(name) => path.push_str(&spell(name)),
            }
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }

    fn page(&self) -> String {
        let (mut table, mut counts) = (String::new(), [0; 3]);
        for operation in &self.operations {
            let served = operation.answers.iter().any(|(it, _)| (200..300).contains(it));
            let refusals: Vec<_> = operation
                .answers
                .iter()
                .map(|(status, code)| format!("{status} {code}").replace(" -", ""))
                .collect();
            let (state, text) = match (served, refusals.is_empty()) {
                (true, _) => (0, "served".to_owned()),
                (false, false) => (1, format!("refused: {}", refusals.join(", "))),
                (false, true) => (2, "not asked".to_owned()),
            };
            counts[state] += 1;
            let _ = writeln!(table, "| {} | `{}` | {text} |", operation.method, operation.path);
        }
        let [served, refused, not_asked] = counts;
        let mut beyond = String::new();
        for (method, path) in &self.beyond {
            let _ = writeln!(beyond, "| {method} | `{path}` |");
        }
        format!(
            "# Graph's paths\n\n\
             Made by `cargo xtask coverage` from the requests that the tests sent and the answers that they \
             got. The paths are those of Graph's own description of groups, users and subscriptions \
             (`tests/data/graph/openapi-paths.txt`).\n\n\
             | state | paths | |\n| --- | --- | --- |\n\
             | served | {served} | a test got 2xx |\n\
             | refused | {refused} | tests got these statuses and codes, and never 2xx |\n\
             | not asked | {not_asked} | no test has asked |\n\n\
             ## What the description lists\n\n\
             | method | path | state |\n| --- | --- | --- |\n{table}\n\
             ## What is served besides\n\n\
             What tests got 2xx for and the description does not list; `{{}}` is a key.\n\n\
             | method | path |\n| --- | --- |\n{beyond}"
        )
    }
}

/// The segments of a path as it was sent, below a root of the API.
fn segments(path: &str) -> Option<Vec<Segment>> {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let below = ROOTS.iter().find_map(|root| {
        let start = path.get(..root.len())?;
        let rest = &path[root.len()..];
        let whole = rest.is_empty() || rest.starts_with('/');
        (start.eq_ignore_ascii_case(root) && whole).then_some(rest)
    })?;
    let mut found = Vec::new();
    for segment in below.split('/').filter(|it| !it.is_empty()) {
        let text = decoded(segment);
        // `name(key)`, and `name()` of a function.
        let (name, key) = match text.strip_suffix(')').and_then(|it| it.split_once('(')) {
            Some((name, key)) => (name, !key.is_empty()),
            None => (&text[..], false),
        };
        let name = name.to_lowercase();
        let name = match name.strip_prefix("microsoft.graph.") {
            Some(unqualified) => format!("graph.{unqualified}"),
            None => name,
        };
        found.push(Segment::Name(name));
        found.extend(key.then_some(Segment::Key));
    }
    Some(found)
}

/// Whether a path as it was sent is one of a template. An action may be sent by its qualified name; a
/// type has no other.
fn matches(template: &[Segment], sent: &[Segment]) -> bool {
    template.len() == sent.len()
        && template.iter().zip(sent).all(|pair| match pair {
            (Segment::Key, Segment::Key) => true,
            (Segment::Key, Segment::Name(sent)) => !sent.starts_with('$'),
            (Segment::Name(_), Segment::Key) => false,
            (Segment::Name(name), Segment::Name(sent)) => {
                name == sent || sent.strip_prefix("graph.") == Some(name)
            }
        })
}

/// Percent-decoded; what is not well encoded stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &str = "\
# GET /comment -> Nothing
GET    /groups  | $top  | - -> Groups
GET    /groups/delta()  | - | - -> Delta
DELETE /groups/{group-id}  | - -> None
GET    /groups/{group-id}  | $select | - -> Group
GET    /groups/{group-id}/members/$count  | - | - -> Number
GET    /groups/{group-id}/members/graph.user  | - | - -> Users
DELETE /groups/{group-id}/members/{directoryObject-id}/$ref  | - -> None
POST   /groups/{group-id}/threads/{thread-id}/reply  | Reply -> None
GET    /groups/{group-id}/threads/{thread-id}/posts/{post-id}/extensions/{extension-id} | - -> Extension
";
    const SHAPES: &str =
        "| GET | `user/joinedTeams` | a | b | c |\n| GET | `group/threads` | a |\n| GET | `me` |";

    fn covered(lines: &[&str]) -> Coverage {
        let mut coverage = Coverage::of(PATHS, SHAPES);
        lines.iter().for_each(|it| coverage.add(it).expect(it));
        coverage
    }

    /// The paths with an answer, of those that the description lists.
    fn listed(method: &str, path: &str) -> Vec<String> {
        let coverage = covered(&[&format!("{method}\t{path}\t200\t-")]);
        let found = coverage.operations.iter().filter(|it| !it.answers.is_empty());
        found.map(|it| it.path.clone()).collect()
    }

    fn beyond(path: &str) -> Vec<String> {
        let coverage = covered(&[&format!("GET\t{path}\t200\t-")]);
        coverage.beyond.into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn every_spelling_leads_to_its_template() {
        let reply = "/groups/{group-id}/threads/{thread-id}/reply";
        for sent in [
            "/v1.0/groups/7/threads/8/reply",
            "/V1.0/GROUPS/7/Threads/8/REPLY/",
            "/beta/groups('7')/threads('8')/reply",
            "/docs\\api/groups/7/threads/8/reply",
            "/docs%5Capi/groups/7/threads/8/reply",
            "/v1.0/groups(id='7')/threads(%278%3D%27)/microsoft.graph.reply?$x=/a/b",
            "/v1.0/%67roups/7/threads/8/graph.reply",
        ] {
            assert_eq!(listed("POST", sent), [reply], "{sent}");
        }
        assert_eq!(listed("GET", "/v1.0/groups/delta"), ["/groups/delta()"]);
        assert_eq!(listed("GET", "/v1.0/groups/delta()"), ["/groups/delta()"]);
        let members = "/groups/{group-id}/members";
        for (method, end, template) in [
            ("GET", "microsoft.graph.user", "/graph.user"),
            ("GET", "$count", "/$count"),
            ("DELETE", "7/%24ref", "/{directoryObject-id}/$ref"),
        ] {
            let sent = format!("/v1.0/groups/7/members/{end}");
            assert_eq!(listed(method, &sent), [format!("{members}{template}")], "{sent}");
        }
        let extension = "/v1.0/groups/7/threads/8/posts/9/extensions/microsoft.graph.x.Com.Contoso";
        assert_eq!(listed("GET", extension).len(), 1);
    }

    #[test]
    fn other_paths_are_of_no_template() {
        for sent in [
            "/v2.0/groups",
            "/v1.0groups",
            "/groups",
            "/v1.0/groups/7/members/user",
            "/v1.0/groups/7/threads/8/reply",
            "/v1.0/groups/$count",
        ] {
            assert_eq!(listed("GET", sent), [""; 0], "{sent}");
        }
    }

    #[test]
    fn what_is_beyond_is_spelled_as_the_documents_do() {
        for (sent, path) in [
            ("/v1.0", "/"),
            ("/v1.0/$METADATA", "/$metadata"),
            ("/v1.0/Me/JOINEDTEAMS/7/threads('8')", "/me/joinedTeams/{}/threads/{}"),
            (
                "/beta/me/joinedTeams/a%40b.c/Threads/8/microsoft.graph.Reply",
                "/me/joinedTeams/{}/threads/{}/reply",
            ),
        ] {
            assert_eq!(beyond(sent), [path], "{sent}");
        }
        assert_eq!(beyond("/_test/token"), [""; 0]);
        assert!(covered(&["GET\t/v1.0/me\t404\tX"]).beyond.is_empty());
    }

    #[test]
    fn a_state_is_the_best_that_was_seen() {
        let group = "DELETE\t/v1.0/groups/7";
        let state = |lines: &[String]| {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let page = covered(&lines).page();
            let row = page.lines().find(|it| it.starts_with("| DELETE | `/groups/{group-id}`"));
            row.unwrap_or_default().rsplit(" | ").next().unwrap_or_default().to_owned()
        };
        assert_eq!(state(&[]), "not asked |");
        let refused = [
            format!("{group}\t501\tNotImplemented"),
            format!("{group}\t401\t-"),
            format!("{group}\t401\t-"),
        ];
        assert_eq!(state(&refused), "refused: 401, 501 NotImplemented |");
        assert_eq!(state(&[&refused[..], &[format!("{group}\t204\t-")]].concat()), "served |");
        assert!(Coverage::of(PATHS, SHAPES).add("GET /v1.0").is_err());
        assert!(covered(&[]).page().contains("| not asked | 9 |"));
    }
}
