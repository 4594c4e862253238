//! No word that anybody wrote and no secret is in any log, whatever is asked and whatever goes wrong, nor in
//! the audit.

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::support::browser::{Browser, path_of};
use crate::support::issuer::query;
use crate::support::{Client, Server, Talk, folkmoot};

/// In everything that is written; letters alone, so that it stays what it is in every encoding.
const MARK: &str = "Zqxjkvbp";

/// What must not be told of.
struct Told {
    secrets: Vec<String>,
}

impl Told {
    fn secret(&mut self, it: impl Into<String>) -> String {
        let it = it.into();
        assert!(it.len() > 15, "{it}");
        self.secrets.push(it.clone());
        it
    }
}

#[test]
fn no_log_tells_what_somebody_wrote_or_any_secret() {
    let talk = Talk::on(Server::logging());
    let mut told = Told { secrets: Vec::new() };
    for client in [&talk.ada, &talk.bo] {
        // The signature: the rest of a token is no secret by itself.
        told.secret(client.token.rsplit('.').next().unwrap());
    }
    write(&talk);
    upload(&talk, &mut told);
    ask_badly(&talk);
    sign_in(&talk.server, &mut told);
    break_things(&talk);
    let log = std::fs::read_to_string(talk.server.data.join("log")).unwrap();
    let export = folkmoot(&["audit", "export"], &talk.server.data);
    assert_eq!(export.status, Some(0), "{}", export.stderr);
    assert!(export.stdout.lines().count() > 20);
    for (what, text) in [("log", &log), ("export", &export.stdout)] {
        let lower = text.to_lowercase();
        let near = |it: &str| {
            let line = |at: usize| lower[..at].rfind('\n').map_or(0, |it| it + 1);
            lower.find(&it.to_lowercase()).map(|at| lower.get(line(at)..at + 80).unwrap_or("cut"))
        };
        assert_eq!(near(MARK), None, "in the {what}");
        for secret in &told.secrets {
            assert_eq!(near(secret), None, "{secret} in the {what}");
        }
    }
    // It is the log of all this.
    assert!(log.contains("insert into posts") && log.contains("a request failed"), "{log}");
    assert!(log.contains("TRACE") && log.contains("ERROR"));
}

/// Bodies, topics, names, files, in requests that go well.
fn write(talk: &Talk) {
    let Talk { ada, bo, group, thread, post, .. } = talk;
    let words = |what: &str| format!("{MARK} {what}");
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": words("file"),
        "contentBytes": "aGVsbG8=", "contentId": MARK});
    let said = json!({"body": {"contentType": "html", "content": words("body")}, "own_note": MARK,
        "attachments": [file], "categories": [MARK], "newParticipants": [
            {"emailAddress": {"name": MARK, "address": format!("{MARK}@example.org")}}],
        "singleValueExtendedProperties": [
            {"id": "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color", "value": MARK}],
        "extensions": [{"@odata.type": "microsoft.graph.openTypeExtension",
            "extensionName": format!("com.{MARK}"), "note": MARK}]});
    let conversations = format!("/v1.0/groups/{group}/conversations");
    let made = json!({"topic": words("topic"), "threads": [{"posts": [said]}]});
    ada.post(&conversations, &made).created();
    bo.post(&format!("{thread}/reply"), &json!({"post": said})).empty(202);
    assert_eq!(ada.patch(post, &json!({"body": {"content": words("edit")}})).status, 200);
    assert_eq!(ada.patch(thread, &json!({"topic": words("other topic")})).status, 200);
    let to = json!({"comment": words("comment"), "toRecipients": [
        {"emailAddress": {"address": format!("{MARK}@example.org")}}]});
    bo.post(&format!("{post}/forward"), &to).empty(202);
    let changed = json!({"description": words("description"), "displayName": words("name")});
    assert_eq!(ada.patch(&format!("/v1.0/groups/{group}"), &changed).status, 204);
    ada.group(MARK, "Public");
    let batch = json!({"requests": [{"id": "1", "method": "POST", "url": format!("/groups/{group}/conversations"),
        "headers": {"Content-Type": "application/json"}, "body": made}]});
    ada.post("/v1.0/$batch", &batch).ok();
    for query in [
        format!("$filter=contains(topic,'{MARK}')"),
        format!("$search=%22{MARK}%22"),
        format!("$filter=threads/any(t:t/posts/any(p:contains(p/body/content,'{MARK}')))"),
    ] {
        ada.get(&format!("{conversations}?{query}")).ok();
    }
}

fn upload(talk: &Talk, told: &mut Told) {
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": MARK, "size": 16}});
    let sessions = format!("{}/attachments/createUploadSession", talk.post);
    let open =
        || talk.ada.post(&sessions, &item).created()["uploadUrl"].as_str().unwrap().to_owned();
    let send = |url: &str, method: &str, range: &str, bytes: &[u8]| {
        let headers = [("Content-Range", range)];
        talk.server.anonymous().send(method, path_of(url), &headers, bytes)
    };
    let url = open();
    told.secret(url.split_once("token=").unwrap().1);
    let bytes = format!("{MARK}{MARK}");
    assert_eq!(send(&url, "PUT", "bytes 5-1/16", b"").status, 416);
    assert_eq!(send(&url, "PUT", MARK, bytes.as_bytes()).status, 400);
    assert_eq!(send(&url, "PUT", "bytes 0-15/16", bytes.as_bytes()).status, 201);
    let wrong = format!("{}{MARK}", open());
    assert_eq!(send(&wrong, "PUT", "bytes 0-15/16", bytes.as_bytes()).status, 404);
}

/// All sorts of requests that are refused.
fn ask_badly(talk: &Talk) {
    let Talk { server, ada, group, .. } = talk;
    let conversations = format!("/v1.0/groups/{group}/conversations");
    for body in [
        format!("{{\"topic\": \"{MARK}"),
        format!("{{\"topic\": {MARK}}}"),
        format!("{{\"{MARK}\": 1}}"),
        format!("{{\"topic\": [\"{MARK}\"]}}"),
        format!("{{\"topic\": \"{}\"}}", MARK.repeat(100)),
        format!("{{\"topic\": \"x\", \"lastDeliveredDateTime\": \"{MARK}\"}}"),
    ] {
        assert_eq!(ada.post_text(&conversations, &body).status, 400, "{body}");
    }
    for path in [
        format!("{conversations}?$filter=topic eq {MARK}").replace(' ', "%20"),
        format!("{conversations}?$filter=id%20eq%20'{MARK}'%20and%20("),
        format!("{conversations}?$orderby={MARK}"),
        format!("{conversations}?$expand={MARK}"),
        format!("{conversations}?$skiptoken={MARK}"),
        format!("{conversations}?${MARK}=1"),
        format!("/v1.0/{MARK}"),
        format!("/v1.0/groups/{MARK}too"),
        format!("{conversations}/{MARK}"),
        format!("/{MARK}?{MARK}"),
    ] {
        assert!((400..502).contains(&ada.get(&path).status), "{path}");
    }
    let header =
        |name: &str, value: &str| ada.send("GET", &conversations, &[(name, value)], b"").status;
    for name in ["OData-Version", "OData-MaxVersion", "Accept", "Prefer", "client-request-id"] {
        header(name, MARK);
    }
    assert_eq!(header("If-None-Match", MARK), 200);
    assert_eq!(header("X-Forwarded-For", MARK), 200);
    let tokens = [
        MARK.to_owned(),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("{}{MARK}", ada.token),
        format!("{}.{MARK}", ada.token.rsplit_once('.').unwrap().0),
    ];
    for token in tokens {
        let client = Client { token, ..server.anonymous() };
        assert_eq!(client.get(&conversations).status, 401);
    }
    let basic = [("Authorization", &format!("Basic {MARK}")[..])];
    assert_eq!(server.anonymous().send("GET", &conversations, &basic, b"").status, 401);
}

/// Accounts, applications, sessions, codes and what they are exchanged for.
fn sign_in(server: &Server, told: &mut Told) {
    let app = server.add_app(&[
        "--name",
        MARK,
        "--role",
        "Group.Read.All",
        "--redirect",
        "https://x.example/",
    ]);
    let secret = told.secret(app.secret.clone().unwrap());
    server.command(&["user", "add", "dee@example.org", "--display-name", MARK]);
    let link = server.command(&["user", "link", "dee@example.org"]);
    told.secret(link.split_once("code=").unwrap().1);
    let browser = Browser::new(server);
    let page = browser.get(path_of(&link));
    let done = browser.submit(&page, &[]);
    let cookies = page.headers.iter().chain(&done.headers);
    for (_, value) in cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
        told.secret(value.split(['=', ';']).nth(1).unwrap());
    }
    let again = browser.get("/sign-in?code=x");
    browser.submit(&again, &[("code", MARK)]);
    browser.post("/sign-in", &[("word", MARK), ("code", MARK)]);
    let asked = [
        ("client_id", &app.id[..]),
        ("redirect_uri", "https://x.example/"),
        ("response_type", "code"),
        ("scope", "offline_access https://graph.microsoft.com/.default"),
        ("state", MARK),
        ("nonce", MARK),
    ];
    let sent = browser.get(&format!("/common/oauth2/v2.0/authorize?{}", query(&asked)));
    let code = sent.header("Location").unwrap().split_once("code=").unwrap().1;
    let code = percent_decode_str(code.split('&').next().unwrap()).decode_utf8().unwrap();
    let code = told.secret(code);
    let ask = |fields: &[(&str, &str)]| {
        let own = [("client_id", &app.id[..]), ("client_secret", &secret)];
        server.ask_token("common", &[&own[..], fields].concat())
    };
    let by_code = [
        ("grant_type", "authorization_code"),
        ("code", &code[..]),
        ("redirect_uri", "https://x.example/"),
    ];
    let got = ask(&by_code).ok();
    told.secret(got["access_token"].as_str().unwrap().rsplit('.').next().unwrap());
    let refresh = told.secret(got["refresh_token"].as_str().unwrap());
    let by_refresh = [("grant_type", "refresh_token"), ("refresh_token", &refresh[..])];
    let got = ask(&by_refresh).ok();
    told.secret(got["refresh_token"].as_str().unwrap());
    assert_eq!(ask(&by_refresh).status, 400);
    assert_eq!(ask(&by_code).status, 400);
    assert_eq!(ask(&[("grant_type", MARK)]).status, 400);
    let wrong =
        [("client_id", &app.id[..]), ("client_secret", MARK), ("grant_type", "client_credentials")];
    assert_eq!(server.ask_token("common", &wrong).status, 401);
    assert!(server.ask_token(MARK, &wrong).status >= 400);
    server.anonymous().get(&format!("/sign-in?code={MARK}&next=/{MARK}"));
}

/// What goes wrong inside is logged with its cause.
fn break_things(talk: &Talk) {
    let Talk { server, ada, group, .. } = talk;
    // A row that the database refuses, and shows, were it let.
    server.change(match server.on_postgres() {
        true => "alter table extensions add constraint no_more check (version > 5) not valid",
        false => {
            "create trigger no_more before insert on extensions \
             begin select raise(abort, 'no more'); end"
        }
    });
    let extension = json!({"@odata.type": "microsoft.graph.openTypeExtension",
        "extensionName": format!("org.{MARK}"), "note": MARK});
    let failed = ada.post(&format!("{}/extensions", talk.post), &extension);
    failed.refused(500, "generalException");
    assert!(!failed.text().contains(MARK), "{}", failed.text());
    // A table that is not there any more, asked for a word and given one.
    server.change("alter table mentions rename to mentions_elsewhere");
    let mentions = format!("{}/mentions", talk.post.replace("/v1.0", "/beta"));
    let mention = json!({"mentioned": {"name": MARK, "address": format!("{MARK}@example.org")}});
    assert_eq!(ada.post(&mentions, &mention).status, 500);
    assert_eq!(ada.get(&format!("{mentions}?x={MARK}")).status, 500);
    let posts = format!("/v1.0/groups/{group}/conversations");
    let said = json!({"topic": MARK, "threads": [{"posts": [{"body": {"content": MARK}}]}]});
    server.change("alter table post_index rename to post_index_elsewhere");
    assert_eq!(ada.post(&posts, &said).status, 500);
}
