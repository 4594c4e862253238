//! What programs keep with a post: open extensions, extended properties, mentions.

use serde_json::{Value, json};

use crate::support::{Server, Talk};

const COLOR: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color";
const TAGS: &str = "StringArray {66f5a359-4659-4830-9070-00047ec6ac6e} Name Tags";

fn talk() -> Talk {
    Talk::on(Server::ephemeral())
}

fn extension(name: &str, more: &Value) -> Value {
    let mut it = json!({"@odata.type": "microsoft.graph.openTypeExtension", "extensionName": name});
    it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    it
}

#[test]
fn an_extension_lives_under_its_name() {
    let it = talk();
    let all = format!("{}/extensions", it.post);
    let sent = extension(
        "Com.Contoso.Deal",
        &json!({"company": "Skis", "value": 1_010_100, "until": "2015-07-03T13:04:00.000Z", "on": "2015-07-03",
            "open": true, "none": null, "picks": ["a", "b"], "numbers": [1, 2.5], "empty": []}),
    );
    let answer = it.bo.post(&all, &sent);
    let made = answer.created();
    assert_eq!(made["@odata.type"], "#microsoft.graph.openTypeExtension");
    assert_eq!(made["id"], "microsoft.graph.openTypeExtension.Com.Contoso.Deal");
    assert_eq!(made["extensionName"], "Com.Contoso.Deal");
    assert_eq!(made["until"], "2015-07-03T13:04:00Z");
    assert_eq!((&made["on"], &made["value"]), (&json!("2015-07-03"), &json!(1_010_100)));
    assert_eq!(made["picks@odata.type"], "#Collection(String)");
    assert_eq!(made["numbers@odata.type"], "#Collection(Double)");
    assert!(answer.header("Location").unwrap().ends_with("/extensions/Com.Contoso.Deal"));
    // By its name, its id, the id of older pages, in any letter case; with a slash behind.
    for key in [
        "Com.Contoso.Deal",
        "com.contoso.deal",
        "microsoft.graph.openTypeExtension.Com.Contoso.Deal",
        "Microsoft.OutlookServices.OpenTypeExtension.Com.Contoso.Deal",
        "Com.Contoso.Deal/",
    ] {
        assert_eq!(it.ada.get(&format!("{all}/{key}")).ok()["company"], "Skis", "{key}");
    }
    assert_eq!(
        it.ada.get(&format!("{}/extensions('Com.Contoso.Deal')", it.post)).ok()["company"],
        "Skis"
    );
    it.bo.post(&all, &sent).refused(409, "Request_MultipleObjectsWithSameKeyValue");
    it.ada.get(&format!("{all}/Com.Contoso.Other")).refused(404, "ErrorItemNotFound");

    // A change keeps what it does not name; a null takes away; an array is replaced whole.
    let path = format!("{all}/Com.Contoso.Deal");
    let changed = it.ada.patch(
        &path,
        &extension(
            "Com.Contoso.Deal",
            &json!({
        "value": 7, "picks": ["c"], "company": null, "DealValue": 1}),
        ),
    );
    let changed = changed.ok();
    assert_eq!((&changed["value"], &changed["picks"]), (&json!(7), &json!(["c"])));
    assert_eq!((&changed["open"], &changed["DealValue"]), (&json!(true), &json!(1)));
    assert!(
        changed.get("company").is_none() && changed["picks@odata.type"] == "#Collection(String)"
    );
    it.ada.patch(&path, &json!({"extensionName": "Com.Other"})).refused(400, "Request_BadRequest");
    let none =
        it.ada.send("GET", &path, &[("Accept", "application/json;odata.metadata=none")], b"").ok();
    assert!(none.as_object().unwrap().keys().all(|it| !it.contains('@')), "{none}");

    it.ada.delete(&path).empty(204);
    it.ada.get(&path).refused(404, "ErrorItemNotFound");
    assert_eq!(it.ada.get(&format!("{all}/$count")).text(), "0");
}

#[test]
fn extensions_come_with_a_post_and_are_found_by_it() {
    let it = talk();
    let post = json!({"body": {"content": "x"}, "extensions": [
        extension("Com.X", &json!({"a": 1})), extension("Com.Y", &json!({"b": [true]}))]});
    it.bo.post(&format!("{}/reply", it.thread), &json!({"Post": post})).empty(202);
    let conversation = json!({"Topic": "t", "Threads": [{"Posts": [{"Body": {"Content": "x"},
        "Extensions": [extension("Com.X", &json!({"a": 2}))]}]}]});
    it.bo.post(&format!("/v1.0/groups/{}/conversations", it.group), &conversation).created();
    let path = format!("{}/posts", it.thread);
    let expand = "$expand=extensions($filter=id%20eq%20'microsoft.graph.openTypeExtension.Com.X')";
    let posts = it.ada.get(&format!("{path}?{expand}")).ok();
    let found: Vec<_> =
        posts["value"].as_array().unwrap().iter().map(|it| it["extensions"].clone()).collect();
    assert_eq!(found[0], json!([]));
    assert_eq!((found[1].as_array().unwrap().len(), &found[1][0]["a"]), (1, &json!(1)));
    assert!(posts["value"][1].get("extensions@odata.context").is_some());
    for filter in
        ["f/id%20eq%20'Com.Y'", "f/extensionName%20eq%20'com.y'", "f/id%20in%20('Com.Z','Com.Y')"]
    {
        let found = it.ada.all(&format!("{path}?$filter=Extensions/any(f:{filter})"));
        assert_eq!(found.len(), 1, "{filter}");
    }
    let in_order = it.ada.all(&format!(
        "{path}/{}/extensions?$orderby=id%20desc&$top=1",
        posts["value"][1]["id"].as_str().unwrap()
    ));
    let names: Vec<_> = in_order.iter().map(|it| it["extensionName"].clone()).collect();
    assert_eq!(names, ["Com.Y", "Com.X"], "page by page");
}

#[test]
fn what_an_extension_cannot_be_is_refused_by_name() {
    let it = talk();
    let all = format!("{}/extensions", it.post);
    for (body, named) in [
        (json!({"@odata.type": "microsoft.graph.openTypeExtension"}), "extensionName"),
        (extension("", &json!({})), "extensionName"),
        (extension("a/b", &json!({})), "extensionName"),
        (extension("Com.X", &json!({"deep": {"a": 1}})), "deep"),
        (extension("Com.X", &json!({"deep": [[1]]})), "deep"),
        (extension("Com.X", &json!({"long": "x".repeat(256 * 1024)})), "262144"),
    ] {
        let answer = it.bo.post(&all, &body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let why = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(why.contains(named), "{named}: {why}");
    }
    it.cy.post(&all, &extension("Com.X", &json!({}))).refused(403, "ErrorAccessDenied");
    it.cy.get(&all).refused(403, "ErrorAccessDenied");
    let reader = it.server.user_with("bo@example.org", &["Group.Read.All"]);
    reader.post(&all, &extension("Com.X", &json!({}))).refused(403, "ErrorAccessDenied");
    it.server.app(&["Group.ReadWrite.All"]).post(&all, &extension("Com.X", &json!({}))).created();
    for number in 1..100 {
        it.bo.post(&all, &extension(&format!("Com.X{number}"), &json!({}))).created();
    }
    let why = it.bo.post(&all, &extension("Com.Last", &json!({}))).refused(400, "BadRequest");
    assert!(why.contains("100"), "{why}");
}

#[test]
fn extended_properties_come_with_a_post_and_find_it() {
    let it = talk();
    let post = json!({"body": {"content": "x"},
        "singleValueExtendedProperties": [{"id": COLOR, "value": "Green"}],
        "multiValueExtendedProperties": [{"id": TAGS, "value": ["a", "b"]}]});
    let answer = it.bo.post(&format!("{}/reply", it.thread), &json!({"post": post}));
    let own =
        answer.header("Location").unwrap().split_once(&it.server.address).unwrap().1.to_owned();
    let encoded = COLOR.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D");
    let expand = format!("singleValueExtendedProperties($filter=id%20eq%20'{encoded}')");
    let read = it.ada.get(&format!("{own}?$expand={expand}")).ok();
    assert_eq!(read["singleValueExtendedProperties"][0]["id"], COLOR);
    assert_eq!(read["singleValueExtendedProperties"][0]["value"], "Green");
    let read = it.ada.get(&format!("{own}?$expand=multiValueExtendedProperties")).ok();
    assert_eq!(read["multiValueExtendedProperties"][0]["value"], json!(["a", "b"]));
    let by = |what: &str| {
        let filter = format!(
            "singleValueExtendedProperties/Any(ep:ep/id%20eq%20'{encoded}'%20and%20ep/value%20eq%20'{what}')"
        );
        it.ada.all(&format!("{}/posts?$filter={filter}", it.thread)).len()
    };
    assert_eq!((by("green"), by("Red")), (1, 0));

    // On a post that is there, which is not real Graph's: with a name, or with none as the seed's pages have it.
    let all = format!("{}/singleValueExtendedProperties", it.post);
    let made = it.ada.post(
        &format!("{all}/$ref"),
        &json!({"@odata.type": "#microsoft.graph.singleValueLegacyExtendedProperty", "value": "v"}),
    );
    let made = made.created();
    assert_eq!(made["@odata.type"], "#microsoft.graph.singleValueLegacyExtendedProperty");
    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(it.ada.patch(&path, &json!({"value": "w"})).ok()["value"], "w");
    assert_eq!(it.bo.get(&path).ok()["value"], "w");
    it.bo.patch(&path, &json!({"value": "x"})).refused(403, "ErrorAccessDenied");
    it.ada.delete(&path).empty(204);
    it.ada.post(&all, &json!({"id": COLOR, "value": "Blue"})).created();
    it.ada
        .post(&all, &json!({"id": COLOR.to_lowercase(), "value": "Red"}))
        .refused(409, "Request_MultipleObjectsWithSameKeyValue");
    assert_eq!(it.ada.get(&format!("{all}/{encoded}")).ok()["value"], "Blue");
    let why =
        it.ada.post(&all, &json!({"id": "Color", "value": "x"})).refused(400, "Request_BadRequest");
    assert!(why.contains("String {66f5a359"), "{why}");
    let many = format!("{}/multiValueExtendedProperties", it.post);
    it.ada.post(&many, &json!({"id": TAGS, "value": ["x"]})).created();
    it.ada.post(&many, &json!({"id": TAGS, "value": "x"})).refused(400, "BadRequest");
}

#[test]
fn mentions_are_betas() {
    let it = talk();
    let beta = format!("{}/mentions", it.post.replace("/v1.0/", "/beta/"));
    let sent = json!({"mentioned": {"name": "Bo", "address": "bo@example.org"}, "mentionText": "@Bo",
        "clientReference": "r", "serverCreatedDateTime": "String (timestamp)", "createdBy": {"name": "Nobody"}});
    let made = it.ada.post(&beta, &sent).created();
    assert_eq!(made["mentioned"], sent["mentioned"]);
    assert_eq!(made["createdBy"], json!({"name": "ada", "address": "ada@example.org"}));
    assert_eq!(made["createdDateTime"], made["serverCreatedDateTime"]);
    assert_eq!(it.bo.all(&beta).len(), 1);
    let by = "$filter=mentions/any(m:m/mentioned/address%20eq%20'BO@example.org')";
    assert_eq!(
        it.bo.all(&format!("{}/posts?{by}", it.thread.replace("/v1.0/", "/beta/"))).len(),
        1
    );
    it.ada.post(&beta, &json!({"mentionText": "@Bo"})).refused(400, "Request_BadRequest");
    it.bo.post(&beta, &sent).refused(403, "ErrorAccessDenied");
    it.bo.get(&format!("{}/mentions", it.post)).refused(501, "NotImplemented");
    it.ada.delete(&format!("{beta}/{}", made["id"].as_str().unwrap())).empty(204);
    assert!(it.bo.all(&beta).is_empty());
    // So is the importance of a post.
    let post = json!({"body": {"content": "x"}, "importance": "HIGH"});
    let own =
        format!("{}/posts/{}", it.thread, it.ada.post(&format!("{}/posts", it.thread), &post).id());
    assert!(it.ada.get(&own).ok().get("importance").is_none());
    assert_eq!(it.ada.get(&own.replace("/v1.0/", "/beta/")).ok()["importance"], "high");
    it.ada.patch(&own, &json!({"importance": "low"})).ok();
    assert_eq!(it.ada.get(&own.replace("/v1.0/", "/beta/")).ok()["importance"], "low");
    // The other version does not know either by any way.
    for query in ["$select=importance", "$filter=importance%20eq%20'low'", "$filter=mentions/any()"]
    {
        assert_eq!(it.ada.get(&format!("{}/posts?{query}", it.thread)).status, 400, "{query}");
    }
    it.ada.get(&format!("{own}?$expand=mentions")).refused(400, "ExpandNotSupported");
    assert!(it.ada.get(&format!("{own}?$select=*")).ok().get("importance").is_none());
}

/// Whoever put it there knows its name, and wants no other.
#[test]
fn undeclared_properties_are_selected_by_name() {
    let it = talk();
    let post = json!({"body": {"content": "x"}, "Company_Info": "Skis", "mood": 7, "picks": ["a"]});
    let with = it.bo.post(&format!("{}/posts", it.thread), &post).id();
    let select = "$select=hasAttachments,company_info,picks,nothing";
    let list = format!("{}/posts?{select}", it.thread);
    let inside = format!("{}?$expand=posts({select})", it.thread);
    let names = |post: &Value| post.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (list, inside) = (it.ada.get(&list).ok(), it.ada.get(&inside).ok());
    for posts in [&list["value"], &inside["posts"]] {
        assert_eq!(
            names(&posts[0]),
            ["@odata.etag", "hasAttachments", "id"],
            "it has none of them"
        );
        let of = &posts[1];
        let shown = ["@odata.etag", "Company_Info", "hasAttachments", "id", "picks"];
        assert_eq!(names(of), shown);
        assert_eq!((&of["id"], &of["Company_Info"]), (&json!(with), &json!("Skis")));
        assert_eq!(of["picks"], json!(["a"]));
    }
    for (answer, name) in [(&list, "@odata.context"), (&inside, "posts@odata.context")] {
        let context = answer[name].as_str().unwrap();
        assert!(context.contains("company_info,picks,nothing)"), "{context}");
    }
    let none = ("Accept", "application/json;odata.metadata=none");
    let one = format!("{}/posts/{with}?{select}", it.thread);
    let bare = it.ada.send("GET", &one, &[none], b"").ok();
    assert_eq!(names(&bare), ["Company_Info", "hasAttachments", "id", "picks"]);
    // An extension is open too; a thread is not.
    let all = format!("{}/extensions", it.post);
    it.bo.post(&all, &extension("Com.X", &json!({"a": 1, "b": [2]}))).created();
    let read = it.ada.get(&format!("{all}/Com.X?$select=b")).ok();
    assert_eq!((&read["b"], read.get("a")), (&json!([2]), None));
    assert_eq!(read["b@odata.type"], "#Collection(Double)", "what is said of it comes along");
    it.ada.get(&format!("{}?$select=company_info", it.thread)).refused(400, "BadRequest");
    it.ada.get(&format!("{}/posts?$select=company/info", it.thread)).refused(400, "BadRequest");
}
