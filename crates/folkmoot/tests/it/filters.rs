//! `$filter` and `$orderby` over everything that has properties: which can be named, and what they find.

use serde_json::{Value, json};

use crate::support::{Client, Server};

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A thread of three posts, which go by the first word of what they say.
struct Setup {
    _server: Server,
    ada: Client,
    group: String,
    posts: String,
}

fn setup() -> Setup {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let bo = server.user("bo@example.org");
    let group = ada.group("readers", "Public");
    let property = |name: &str, value: &str| {
        json!({"id": format!("Integer {{66f5a359-4659-4830-9070-00047ec6ac6e}} Name {name}"),
            "value": value})
    };
    let file = |name: &str, content_id: &str, bytes: &str| {
        json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": name,
            "contentType": "text/plain", "contentId": content_id, "contentBytes": bytes})
    };
    let link = json!({"@odata.type": "#microsoft.graph.referenceAttachment", "name": "a link",
        "sourceUrl": "https://example.org/Ünder", "providerType": "dropbox", "permission": "view"});
    let first = json!({
        "topic": "Plans", "threads": [{"posts": [{
            "body": {"contentType": "html", "content": "one <b>STRASSE</b> of many"},
            "categories": ["Red", "Blue"],
            "importance": "high",
            "attachments": [file("a.txt", "Part-1", "YQ=="), link],
            "singleValueExtendedProperties": [property("Count", "12")],
        }]}]
    });
    let beta = |path: &str| format!("/beta/groups/{group}/{path}");
    ada.post(&beta("conversations"), &first).created();
    let thread = ada.all(&format!("/v1.0/groups/{group}/threads"))[0]["id"].clone();
    let thread = thread.as_str().unwrap();
    let reply = |client: &Client, post: Value| {
        let path = beta(&format!("threads/{thread}/reply"));
        client.post(&path, &json!({"post": post})).empty(202);
    };
    reply(
        &bo,
        json!({
            "body": {"contentType": "text", "content": "two: die Straße Ölberg"}, "categories": ["Red"],
            "attachments": [file("b.bin", "part-1", "YWJjZGVm"), file("c.bin", "Ünder", "YWI=")],
            "singleValueExtendedProperties": [property("Count", "7")],
        }),
    );
    reply(
        &ada,
        json!({
            "body": {"contentType": "text", "content": "three"},
            "singleValueExtendedProperties": [property("Count", "no number")],
        }),
    );
    let posts = format!("/beta/groups/{group}/threads/{thread}/posts");
    Setup { _server: server, ada, group, posts }
}

impl Setup {
    fn found(&self, filter: &str) -> Vec<String> {
        let posts = self.ada.all(&format!("{}?$filter={}", self.posts, encode(filter)));
        let said = |it: &Value| {
            let said = it["body"]["content"].as_str().unwrap();
            said.split([' ', ':']).next().unwrap().to_owned()
        };
        posts.iter().map(said).collect()
    }
}

#[test]
fn of_posts() {
    let it = setup();
    let (all, none) = (["one", "two", "three"], [""; 0]);
    for (filter, expected) in [
        ("contains(body/content,'straße')", &all[..2]),
        ("contains(body/content,'STRASSE')", &all[..2]),
        ("contains(body/content,'öLBERG')", &all[1..2]),
        ("startswith(body/content,'ONE')", &all[..1]),
        ("body/content eq 'THREE'", &all[2..]),
        ("length(body/content) eq 22", &all[1..2]),
        ("body/contentType eq 'html'", &all[..1]),
        ("body/contentType ne microsoft.graph.bodyType'html'", &all[1..]),
        ("body/contentType has 'html'", &all[..1]),
        ("cast(body/contentType,Edm.String) eq 'HTML'", &all[..1]),
        ("from/emailAddress/address eq 'BO@example.org'", &all[1..2]),
        ("sender/emailAddress/name in ('bo@example.org',null)", &none),
        ("importance eq 'high'", &all[..1]),
        ("importance has 'normal'", &["two", "three"]),
        ("categories/any(c:c eq 'blue')", &all[..1]),
        ("categories/$count eq 1", &all[1..2]),
        ("'RED' in categories", &all[..2]),
        ("hassubset(categories,['red','BLUE'])", &all[..1]),
        ("attachments/$count eq 2", &all[..2]),
        ("attachments/any(a:a/size gt 5)", &all[1..2]),
        ("attachments/any(a:a/contentId eq 'PART-1' and a/name ne 'a.txt')", &all[1..2]),
        ("attachments/any(a:a/contentId eq 'ünder')", &all[1..2]),
        ("attachments/any(a:contains(a/sourceUrl,'ÜNDER'))", &all[..1]),
        ("attachments/any(a:isof(a,microsoft.graph.referenceAttachment))", &all[..1]),
        ("attachments/all(a:isof(a,'#microsoft.graph.fileAttachment'))", &["two", "three"]),
        ("attachments/any(a:a/providerType eq 'dropbox' and a/permission has 'view')", &all[..1]),
        ("singleValueExtendedProperties/any(p:cast(p/value,Edm.Int32) gt 7)", &all[..1]),
        ("singleValueExtendedProperties/any(p:cast(p/value,Edm.Int32) le 7)", &all[1..2]),
        ("singleValueExtendedProperties/any(p:cast(p/value,Edm.Int32) eq null)", &all[2..]),
        ("receivedDateTime gt now() sub duration'P1D' and receivedDateTime le now()", &all),
        ("receivedDateTime lt now() sub duration'PT1H'", &none),
        ("date(receivedDateTime) ge 2020-01-01 and year(createdDateTime) gt 2020", &all),
        ("receivedDateTime sub createdDateTime eq duration'PT0S'", &all),
        ("totaloffsetminutes(2020-01-01T00:00:00-01:30) eq -90", &all),
        ("isof(microsoft.graph.post) and isof(microsoft.graph.outlookItem)", &all),
        ("isof(microsoft.graph.group)", &none),
        ("1 add 2 mul 3 eq 7 and 7 div 2 eq 3 and -7 mod 3 eq -1 and 7 divby 2 eq 3.5", &all),
        ("round(-1.5) eq -2 and round(1.5) eq 2 and round(-1.4) eq -1 and round(1.4) eq 1", &all),
        (
            "floor(-0.5) eq -1 and floor(1.5) eq 1 and ceiling(-0.5) eq 0 and ceiling(1.5) eq 2",
            &all,
        ),
        ("null eq null and not (1 eq null) and 1 div 0 eq null", &all),
        ("contains(body/content,null) or startswith(null,'t') or endswith(null,null)", &none),
        ("not contains(body/content,null)", &all),
        ("substring('abc',0,2000000000) eq 'abc' and substring('abc',2000000000) eq ''", &all),
        ("substring('abc',1) eq 'BC' and concat('a',trim(' b ')) eq 'ab'", &all),
        ("hasAttachments eq contains(body/content,'a')", &["one", "two", "three"]),
        ("(hasAttachments eq true) eq (body/contentType eq 'html')", &["one", "three"]),
        ("hasAttachments and body/contentType eq 'text' or false", &all[1..2]),
    ] {
        assert_eq!(it.found(filter), expected, "{filter}");
    }
    let one = &it.ada.all(&it.posts)[0];
    let key = one["changeKey"].as_str().unwrap();
    assert_eq!(it.found(&format!("changeKey eq '{key}' and body/contentType eq 'html'")), ["one"]);
    assert_eq!(it.found("changeKey eq 'nonsense'"), none);
    assert_eq!(it.found("changeKey ne 'nonsense'"), all);
    assert_eq!(it.found("id eq changeKey or id eq conversationThreadId"), none);
    assert_eq!(it.found("id ne changeKey and id ne conversationThreadId"), all);
}

#[test]
fn an_edited_body_is_found_by_what_it_says_now() {
    let it = setup();
    let id = it.ada.all(&it.posts)[2]["id"].as_str().unwrap().to_owned();
    let edit = |content: &str| {
        let body = json!({"body": {"content": content}});
        it.ada.patch(&format!("{}/{id}", it.posts), &body).ok();
    };
    for (says, found) in [("three ÄRGER", 1), ("three Aerger", 0), ("three ärger", 1)] {
        edit(says);
        assert_eq!(it.found("contains(body/content,'äRGER')").len(), found, "{says}");
    }
}

/// A store of a program that did not keep folded bodies yet.
#[test]
fn an_older_stores_bodies_are_found_too() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, _] = ada.talk(&group, "x", "Viel ÄRGER");
    ada.talk(&group, "y", "Much trouble");
    for column in [
        "posts drop column body_folded",
        "attachments drop column content_id_folded",
        "attachments drop column source_url_folded",
        "attachments drop column thumbnail_url_folded",
        "attachments drop column preview_url_folded",
    ] {
        server.change(&format!("alter table {column}"));
    }
    server.change("delete from schema_versions where name = 'filters'");
    let server = server.kill_and_restart();
    let ada = ada.at(&server);
    let filter = encode("contains(body/content,'ärger')");
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts?$filter={filter}");
    assert_eq!(ada.all(&posts).len(), 1);
    let done = server.check();
    assert!(done.stdout.starts_with("sound"), "{}", done.stdout);
}

#[test]
fn orders_go_by_several_keys_and_by_paths() {
    let it = setup();
    let sorted = |order: &str| {
        let posts = it.ada.all(&format!("{}?$top=1&$orderby={}", it.posts, encode(order)));
        let said = |it: &Value| it["body"]["content"].as_str().unwrap()[..2].to_owned();
        posts.iter().map(said).collect::<Vec<_>>()
    };
    assert_eq!(sorted("from/emailAddress/address desc,receivedDateTime desc"), ["tw", "th", "on"]);
    assert_eq!(sorted("sender/emailAddress/name,receivedDateTime"), ["on", "th", "tw"]);
    assert_eq!(sorted("hasAttachments,from/emailAddress/address desc"), ["th", "tw", "on"]);
}

/// What has no answer is refused, or is the answer that a number of less precision gives; never a fault.
#[test]
fn numbers_that_grow_too_large_are_no_fault() {
    let it = setup();
    for filter in [
        "9223372036854775807 add length(body/content) gt 0",
        "length(body/content) mul 9223372036854775807 mul 9223372036854775807 gt 0",
        "- (0 sub 9223372036854775807 sub length(body/content)) gt 0",
        "1e308 mul length(body/content) gt 0",
        "length(body/content) divby 1e-308 gt 0",
        "receivedDateTime add duration'P10000000D' add duration'P10000000D' gt now()",
        "year(receivedDateTime add duration'P9000000D') gt 2020",
        "substring(body/content,9223372036854775807) eq ''",
        "substring(body/content,-9223372036854775807,9223372036854775807) ne ''",
    ] {
        let response = it.ada.get(&format!("{}?$filter={}", it.posts, encode(filter)));
        match response.status {
            200 => {}
            _ => drop(response.refused(400, "InefficientFilter")),
        }
    }
}

/// Aliases stand for values at every depth, and links to further pages do without them.
#[test]
fn aliases_stand_for_what_they_say() {
    let it = setup();
    let found = |query: &str| it.ada.all(&format!("{}?{query}", it.posts)).len();
    assert_eq!(found("$filter=contains(body/content,@what)&@what='ONE'"), 1);
    assert_eq!(found("@list=[%22html%22]&$filter=body/contentType%20in%20@list"), 1);
    assert_eq!(found("$filter=@both&@both=hasAttachments%20and%20importance%20eq%20'high'"), 1);
    assert_eq!(found("$filter=importance%20eq%20@none"), 0);
    let expanded = format!("{}?$expand=attachments($filter=size%20gt%20@s)&@s=5", it.posts);
    let posts = it.ada.all(&expanded);
    let sizes: Vec<_> =
        posts.iter().map(|it| it["attachments"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [0, 1, 0]);
    let page = it.ada.get(&format!("{}?$top=1&$filter=size_%20eq%20@s&@s=5", it.posts));
    assert!(page.refused(400, "RequestBroker--ParseUri").contains("size_"));
    let page =
        format!("{}?$top=1&$filter=receivedDateTime%20le%20now()%20and%20@t&@t=true", it.posts);
    let page = it.ada.get(&page).ok();
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(!link.contains("now") && !link.contains('@'), "{link}");
    assert_eq!(it.ada.all(&link[link.find("/beta").unwrap()..]).len(), 2);
}

#[test]
fn what_is_another_for_each_caller_can_be_asked_for() {
    let it = setup();
    let groups =
        |filter: &str| it.ada.all(&format!("/v1.0/groups?$filter={}", encode(filter))).len();
    for (filter, found) in [
        ("unseenCount gt 0", 0),
        ("unseenCount eq 0", 1),
        ("isFavorite eq false and isSubscribedByMail", 1),
        ("allowExternalSenders eq false", 1),
        ("hideFromOutlookClients", 0),
        ("classification eq null and isArchived ne true", 1),
        ("expirationDateTime lt now()", 0),
        ("creationOptions/any()", 0),
        ("threads/any(t:t/posts/$count eq 3)", 1),
        ("conversations/$count eq 1 and members/$count eq owners/$count", 1),
    ] {
        assert_eq!(groups(filter), found, "{filter}");
    }
    it.ada.post(&format!("/v1.0/groups/{}/addFavorite", it.group), &json!({})).empty(200);
    assert_eq!(groups("isFavorite"), 1);
    let users = |filter: &str| it.ada.all(&format!("/v1.0/users?$filter={}", encode(filter))).len();
    assert_eq!(users("accountEnabled and userType eq 'MEMBER' and length(userType) eq 6"), 2);
    assert_eq!(users("startswith(mail,'bo') and jobTitle eq null"), 1);
}

/// Every scalar that `$metadata` has of these can be filtered, but for bytes and documents.
#[test]
fn every_scalar_can_be_named() {
    let it = setup();
    let metadata = it.ada.get("/beta/$metadata").text();
    let group = format!("/beta/groups/{}", it.group);
    let attachments = {
        let post = it.ada.all(&it.posts)[0]["id"].as_str().unwrap().to_owned();
        format!("{}/{post}/attachments", it.posts)
    };
    let (mut asked, types) = (
        0,
        [
            ("group", "/beta/groups".to_owned()),
            ("user", "/beta/users".to_owned()),
            ("conversation", format!("{group}/conversations")),
            ("conversationThread", format!("{group}/threads")),
            ("post", it.posts.clone()),
            ("attachment", attachments.clone()),
            ("fileAttachment", attachments.clone()),
            ("referenceAttachment", attachments.clone()),
            ("outlookItem", it.posts.clone()),
        ],
    );
    for (name, path) in &types {
        let start = metadata.find(&format!("<EntityType Name=\"{name}\"")).unwrap();
        let declared = &metadata[start..start + metadata[start..].find("</EntityType>").unwrap()];
        for property in declared.split("<Property Name=\"").skip(1) {
            let (property, rest) = property.split_once('"').unwrap();
            let ty = rest.split('"').nth(1).unwrap();
            let filter = match ty {
                "Edm.Binary" => continue,
                ty if ty.starts_with("Collection(") => format!("{property}/any()"),
                ty if ty.ends_with(".itemBody") => format!("{property}/content eq null"),
                ty if ty.ends_with(".recipient") => {
                    format!("{property}/emailAddress/address eq null")
                }
                _ => format!("{property} eq null"),
            };
            it.ada.get(&format!("{path}?$filter={}", encode(&filter))).ok();
            asked += 1;
        }
    }
    assert!(asked > 80, "{asked}");
    let bytes = format!("{attachments}?$filter={}", encode("contentBytes eq null"));
    assert!(it.ada.get(&bytes).refused(400, "BadRequest").contains("contentBytes"));
}
