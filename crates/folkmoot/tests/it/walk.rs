//! The operation table, walked: every row of `docs/operations.md`, asked by every kind of caller in groups of
//! every visibility, is answered as the table says.
//!
//! **Invariant:** a row without an address or a body here fails the walk, and so does one that any caller is
//! answered otherwise than its scopes, its roles and its "who" say. A row that said anything else would fail it
//! too, which is looked at for each.

mod graph;
mod mint;
mod recipe;
mod scopes;
mod stage;

pub(crate) use recipe::{Row, Spot, rows};
pub(crate) use stage::{Stage, Who};

use serde_json::Value;

use crate::support::{Client, Response};

const VISIBILITIES: [&str; 3] = ["Public", "Private", "HiddenMembership"];

/// A status, and the code of an error; none: none is expected.
type Expected = (u16, Option<&'static str>);

const DENIED: Expected = (403, Some("ErrorAccessDenied"));
const NO_RESOURCE: Expected = (404, Some("Request_ResourceNotFound"));

/// What a caller is answered. `own`: it is the caller themself who is put on a list or taken off.
fn expected(row: &Row, who: Who, public: bool, own: bool) -> Expected {
    let good = match row.answer {
        400 => (400, Some("BadRequest")),
        status => (status, None),
    };
    let (head, rest) = row.parts();
    match who {
        Who::Nobody | Who::Expired | Who::WrongAudience | Who::UnknownTenant | Who::Disabled => {
            return (401, Some("InvalidAuthenticationToken"));
        }
        Who::App | Who::AppWithoutRole if head == "me" => return (400, Some("BadRequest")),
        Who::Personal | Who::NoScope | Who::AppWithoutRole => return DENIED,
        Who::App if row.application.is_empty() => return DENIED,
        // What a user says for themself.
        Who::App if row.who == "members" => return (400, Some("BadRequest")),
        Who::App => return good,
        Who::Stranger | Who::Guest
            if row.in_group() || ["user", "directoryObject"].contains(&head) =>
        {
            return NO_RESOURCE;
        }
        Who::Stranger => return good,
        _ => {}
    }
    let list = rest.split('/').next().unwrap_or_default();
    let reads = public || who.is_on("members") || who.is_on("owners");
    let writes = reads && who != Who::Rejected;
    let owns = who == Who::Owner;
    match (&row.who[..], head) {
        ("askers", _) if public => return (400, Some("BadRequest")),
        ("askers", _) if who.is_on("members") => return (400, Some("Request_BadRequest")),
        ("askers", _) => return good,
        // Nobody who walks has asked or is invited.
        ("owners, whom it is about", _) if owns => return good,
        ("whom it is about", "joinRequest") if owns => return DENIED,
        ("whom it is about", "groupInvitation") => return DENIED,
        ("owners, whom it is about" | "whom it is about", _) => return NO_RESOURCE,
        _ => {}
    }
    let may = match &row.who[..] {
        "anybody" => true,
        "not guests" => !who.is_guest(),
        "readers" => reads,
        "members" => reads && who.is_on("members"),
        "writers" => writes,
        "its author, owners" => owns || (who.wrote() && writes),
        "owners" => owns,
        "owners, joiners" => owns || (own && public),
        "owners, leavers" => owns || own,
        other => panic!("the walk does not know who '{other}' are: {}", row.shape),
    };
    match (may, own) {
        (false, _) => DENIED,
        (true, true) if row.method == "POST" && who.is_on(list) => {
            (400, Some("Request_BadRequest"))
        }
        (true, true) if row.method == "DELETE" && !who.is_on(list) => NO_RESOURCE,
        (true, _) => good,
    }
}

/// Whether somebody is put on a list of people or taken off, who may be the caller.
fn names_people(row: &Row) -> bool {
    let of_people = ["group/members", "group/owners"].iter().any(|it| row.shape.starts_with(it));
    of_people && row.shape.ends_with("/$ref") && row.method != "GET"
}

pub(crate) fn ask(client: &Client, spot: &Spot, row: &Row) -> Response {
    let body = spot.body(row);
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let json = [("Content-Type", "application/json")];
    let headers = if body.is_null() { &[][..] } else { &json };
    client.send(&row.method, &spot.address(row), headers, text.as_bytes())
}

/// A place that nothing of an operation that goes well is missing from, nor in the way of.
struct Place<'s> {
    stage: &'s Stage,
    visibility: &'static str,
    group: String,
    /// Another group, for those whose lists are asked to be changed and are not.
    lists: String,
    /// By each who may have written it.
    spots: Vec<(Who, Spot)>,
}

impl<'s> Place<'s> {
    fn new(stage: &'s Stage, visibility: &'static str) -> Place<'s> {
        let group = stage.group(visibility);
        let of = |who| {
            let mut spot = stage.talk(&group, who);
            stage.edit(&mut spot, who);
            (who, spot)
        };
        let mut spots = [Who::Author, Who::Former, Who::Rejected].map(of).to_vec();
        stage.ask(&mut spots[0].1, visibility);
        let first = spots[0].1.clone();
        for (_, spot) in &mut spots {
            (spot.invitation, spot.request) = (first.invitation.clone(), first.request.clone());
        }
        stage.part(&group);
        let lists = stage.group(visibility);
        stage.part(&lists);
        Place { stage, visibility, group, lists, spots }
    }

    /// Where `row` is asked of; made for it alone where it will be changed.
    fn spot(&self, row: &Row, who: Who, (good, own): (bool, bool)) -> Spot {
        let author = if who.wrote() { who } else { Who::Author };
        let known = self.spots.iter().find(|it| it.0 == author).unwrap();
        let (head, rest) = row.parts();
        let of_lists = rest.ends_with("$ref") || rest.is_empty();
        let mut spot = match (&row.method[..], head) {
            ("GET", _) => known.1.clone(),
            (_, "group") if good && of_lists => {
                let group = self.stage.group(self.visibility);
                self.stage.part(&group);
                Spot { group, ..known.1.clone() }
            }
            (_, "group") if of_lists => Spot { group: self.lists.clone(), ..known.1.clone() },
            (_, "group") => known.1.clone(),
            (_, "groupInvitation" | "joinRequest") if good => {
                let group = self.stage.group(self.visibility);
                let mut spot = Spot { group, ..known.1.clone() };
                self.stage.ask(&mut spot, self.visibility);
                spot
            }
            (_, "groupInvitation" | "joinRequest") => known.1.clone(),
            _ if good && row.in_group() && row.who != "readers" => {
                self.stage.talk(&self.group, author)
            }
            _ => known.1.clone(),
        };
        if own {
            spot.person = self.stage.id(who);
        } else if row.method == "DELETE" && head == "group" && rest.ends_with("$ref") {
            self.put_on_list(&spot, rest);
        }
        spot
    }

    /// Puts the person of a spot on the list that they are to be taken off.
    fn put_on_list(&self, spot: &Spot, rest: &str) {
        let list = rest.split('/').next().unwrap();
        let path = format!("/v1.0{}/{list}/$ref", spot.group);
        let named = self.stage.server.principal(&spot.person);
        let status = self.stage.client(Who::Owner).post(&path, &named).status;
        assert!([204, 400].contains(&status), "{path}: {status}");
    }

    /// Asks every row as every caller; what was answered, and what of it otherwise than expected.
    fn walk<'r>(&self, rows: &'r [Row]) -> (Vec<Answered<'r>>, Vec<String>) {
        let (mut asked, mut wrong) = (Vec::new(), Vec::new());
        let public = self.visibility == "Public";
        for row in rows {
            let owns: &[bool] = if names_people(row) { &[false, true] } else { &[false] };
            for (who, own) in
                Who::ALL.into_iter().flat_map(|it| owns.iter().map(move |own| (it, *own)))
            {
                // Others than users of the tenant are no one there.
                if own && (who as usize) < Who::Outsider as usize {
                    continue;
                }
                let expected = expected(row, who, public, own);
                let spot = self.spot(row, who, (expected.0 < 300, own));
                let answer = ask(self.stage.client(who), &spot, row);
                let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let code = json["error"]["code"].as_str();
                if answer.status < 300 && row.method != "GET" {
                    wrong.extend(self.unaudited(row, who, &spot, &answer));
                }
                let answered = Answered {
                    row,
                    who,
                    public,
                    own,
                    status: answer.status,
                    code: code.map(str::to_owned),
                };
                if !answered.is(expected) {
                    wrong.push(format!(
                        "{} {} by {who:?} (own: {own}) in a {} group: expected {expected:?}, got {} {}",
                        row.method,
                        row.shape,
                        self.visibility,
                        answer.status,
                        answer.text()
                    ));
                }
                asked.push(answered);
            }
        }
        (asked, wrong)
    }
}

/// What a caller was answered.
#[derive(Clone)]
struct Answered<'r> {
    row: &'r Row,
    who: Who,
    public: bool,
    own: bool,
    status: u16,
    code: Option<String>,
}

impl Answered<'_> {
    fn is(&self, expected: Expected) -> bool {
        (self.status, self.code.as_deref()) == expected
    }
}

/// The row as it would be if it said one thing differently: who, what it answers, whether applications may.
fn otherwise(row: &Row, all: &[Row]) -> Vec<Row> {
    // Who joins or leaves is named: elsewhere these are owners by another name.
    let means = |it: &&String| names_people(row) || !it.starts_with("owners, ");
    let mut whos: Vec<_> =
        all.iter().map(|it| &it.who).filter(|it| **it != row.who).filter(means).collect();
    whos.sort();
    whos.dedup();
    let mut others: Vec<_> =
        whos.into_iter().map(|it| Row { who: it.clone(), ..row.clone() }).collect();
    // Nobody who walks is asked to accept, or asks: `letting_in.rs` has what they are answered.
    if row.who != "whom it is about" {
        others.push(Row { answer: if row.answer == 204 { 200 } else { 204 }, ..row.clone() });
    }
    // Applications hear that they have no user, whatever they may.
    if row.parts().0 != "me" {
        let application =
            if row.application.is_empty() { row.delegated.clone() } else { Vec::new() };
        others.push(Row { application, ..row.clone() });
    }
    others
}

/// What somebody makes of a group for themself, which is nobody else's to know, and what only reads.
const NOT_AUDITED: [&str; 10] = [
    "MarkConversationRead",
    "MarkConversationUnread",
    "ResetUnseenCount",
    "SubscribeByMail",
    "UnsubscribeByMail",
    "AddFavorite",
    "RemoveFavorite",
    "GetGroupsByIds",
    "GetDirectoryObjectsByIds",
    "GetUsersByIds",
];

impl Place<'_> {
    /// What the audit does not say of a write that went well: by whom it was done, to what, from where.
    fn unaudited(&self, row: &Row, who: Who, spot: &Spot, answer: &Response) -> Option<String> {
        let request = answer.header("request-id").unwrap();
        let server = &self.stage.server;
        let count = "select count(*) from audit where request_id =";
        let count = server.number(&format!("{count} {}", server.id_literal(request)));
        if NOT_AUDITED.contains(&&row.name[..]) || row.name == "DeleteGroup" {
            // A group that is not there any more tells nobody of its audit.
            let expected = i64::from(row.name == "DeleteGroup");
            let what = format!("{}: {count} rows of the audit, not {expected}", row.name);
            return (count != expected).then_some(what);
        }
        let made = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let made = made["id"].as_str().unwrap_or_default();
        let group = match row.shape == "groups" {
            true => format!("/groups/{made}"),
            false => spot.group.clone(),
        };
        let path = format!("/v1.0{group}/folkmoot.audit?$filter=requestId%20eq%20'{request}'");
        // Another tenant's application knows nothing of a stranger's group; whoever made one owns it.
        let reader = if row.shape == "groups" { who } else { Who::App };
        let entries = self.stage.client(reader).get(&path).ok()["value"].take();
        let entries = entries.as_array().unwrap().clone();
        let (head, rest) = row.parts();
        let id = match (head, rest) {
            ("groups", _) | ("group", "conversations" | "threads") => made,
            ("group", "conversations/$ref" | "threads/$ref") => made,
            ("group", "folkmoot.invitations" | "folkmoot.joinRequests") => made,
            ("groupInvitation", _) => &spot.invitation,
            ("joinRequest", _) => &spot.request,
            ("group", "") => group.trim_start_matches("/groups/"),
            ("group", _) => &spot.person,
            ("conversation", _) => &spot.conversation,
            ("conversationThread", _) | ("post", "inReplyTo" | "reply") => &spot.thread,
            ("attachment", _) => &spot.attachment,
            ("mention", _) => &spot.mention,
            _ => &spot.post,
        };
        let claims = mint::claims(self.stage.client(who));
        let by = match who {
            Who::App => ("application", "applicationId", &claims["appid"]),
            _ => ("user", "userId", &claims["oid"]),
        };
        let names = |it: &Value| it.as_object().unwrap().values().any(|it| it == id);
        let good = |it: &Value| {
            it["operation"] == row.name
                && (it["caller"] == by.0 && it[by.1] == *by.2)
                && it["client"] == "127.0.0.1"
        };
        let all = entries.len() as i64 == count && entries.iter().all(good);
        let good = !entries.is_empty() && all && entries.iter().any(names);
        (!good).then(|| format!("{} by {who:?}, about {id}: {entries:?}", row.name))
    }
}

#[test]
fn every_operation_answers_every_caller_as_the_table_says() {
    let (stage, rows) = (Stage::new(), rows());
    let walks = std::thread::scope(|scope| {
        let walk = |visibility| {
            let (stage, rows) = (&stage, &rows);
            scope.spawn(move || Place::new(stage, visibility).walk(rows))
        };
        VISIBILITIES.map(walk).map(|it| it.join().unwrap())
    });
    let (answers, wrong): (Vec<_>, Vec<_>) = walks.into_iter().unzip();
    let (answers, wrong) = (answers.concat(), wrong.concat());
    let asked = answers.len();
    eprintln!("{} operations, {asked} questions", rows.len());
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    for row in &rows {
        let of_row: Vec<_> = answers.iter().filter(|it| std::ptr::eq(it.row, row)).collect();
        for other in otherwise(row, &rows) {
            let noticed =
                of_row.iter().any(|it| !it.is(expected(&other, it.who, it.public, it.own)));
            assert!(
                noticed,
                "{} {}: nobody would notice if it said {other:?}",
                row.method, row.shape
            );
        }
    }
    let for_oneself = rows.iter().filter(|it| names_people(it)).count();
    assert_eq!(for_oneself, 6);
    let each = rows.len() * Who::ALL.len() + for_oneself * 8;
    assert_eq!(asked, each * VISIBILITIES.len());
    assert!(rows.len() > 100, "the table is read wrong");
}
