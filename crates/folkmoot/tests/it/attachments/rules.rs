//! Who may attach and remove, what is refused, and what posts, threads and conversations show of it.

use serde_json::{Value, json};

use super::{Scene, file, item, reference};

/// What a post, its thread and its conversation say.
fn shown(scene: &Scene) -> [Value; 3] {
    [&scene.post, &scene.thread, &scene.conversation].map(|it| scene.ada.get(it).ok())
}

#[test]
fn whether_there_are_attachments_follows_what_is_added_and_deleted() {
    let scene = Scene::new();
    let has = |scene: &Scene| shown(scene).map(|it| it["hasAttachments"].as_bool().unwrap());
    let before = shown(&scene);
    assert_eq!(has(&scene), [false; 3]);
    let [one, two] = [item(), reference()].map(|it| scene.attach(&it));
    assert_eq!(has(&scene), [true; 3]);
    let after = shown(&scene);
    for (before, after) in before.iter().zip(&after) {
        assert_ne!(before["@odata.etag"], after["@odata.etag"], "{before} {after}");
    }
    for (at, name) in [(1, "preview"), (2, "preview"), (2, "topic"), (2, "lastDeliveredDateTime")] {
        assert_eq!(before[at][name], after[at][name], "{name}");
    }
    scene.bo.delete(&one).empty(204);
    scene.ada.get(&one).refused(404, "ErrorItemNotFound");
    scene.bo.delete(&one).refused(404, "ErrorItemNotFound");
    assert_eq!(has(&scene), [true; 3], "one is left");
    assert_ne!(shown(&scene)[0]["@odata.etag"], after[0]["@odata.etag"]);
    scene.bo.delete(&two).empty(204);
    assert_eq!(has(&scene), [false; 3]);
    assert_eq!(scene.ada.get(&format!("{}/$count", scene.attachments())).text(), "0");
}

#[test]
fn a_delete_goes_by_the_version_that_the_caller_saw() {
    let scene = Scene::new();
    let address = scene.attach(&file());
    let etag = scene.ada.get(&address).header("ETag").unwrap().to_owned();
    let delete = |etag: &str| scene.bo.send("DELETE", &address, &[("If-Match", etag)], b"");
    delete("W/\"AAAAAAAAAAk=\"").refused(412, "ErrorIrresolvableConflict");
    delete(&etag).empty(204);
}

#[test]
fn authors_owners_and_applications_may_and_nobody_else() {
    let scene = Scene::new();
    let Scene { server, ada, bo, .. } = &scene;
    let path = scene.attachments();
    let (cy, eve) = (server.user("cy@example.org"), server.user("eve@example.org"));
    let app = server.app(&["Group.ReadWrite.All"]);
    for may in [bo, ada, &app] {
        let id = may.post(&path, &file()).id();
        may.delete(&format!("{path}/{id}")).empty(204);
    }
    let there = scene.attach(&file());
    for may_not in [&cy, &eve] {
        for body in [file(), item(), reference()] {
            may_not.post(&path, &body).refused(403, "ErrorAccessDenied");
        }
        may_not.delete(&there).refused(403, "ErrorAccessDenied");
    }
    for path in [&there, &format!("{there}/$value")] {
        assert_eq!(cy.get(path).status, 200);
        eve.get(path).refused(403, "ErrorAccessDenied");
    }

    ada.patch(&scene.thread, &json!({"isLocked": true})).ok();
    bo.post(&path, &file()).refused(403, "ErrorAccessDenied");
    bo.delete(&there).refused(403, "ErrorAccessDenied");
    ada.post(&path, &file()).created();
    ada.delete(&there).empty(204);
}

#[test]
fn what_cannot_be_taken_is_refused_by_name() {
    let scene = Scene::new();
    let (bo, path) = (&scene.bo, scene.attachments());
    let reply = format!("{}/reply", scene.thread);
    let accepted = "'#microsoft.graph.fileAttachment', '#microsoft.graph.itemAttachment', '#microsoft.graph.referenceAttachment'";
    let without = |mut it: Value, name: &str| {
        it.as_object_mut().unwrap().remove(name);
        it
    };
    let with = |mut it: Value, name: &str, value: Value| {
        it[name] = value;
        it
    };
    let item_of = |it: Value| with(item(), "item", it);
    for (body, named) in [
        (without(file(), "@odata.type"), accepted),
        (with(file(), "@odata.type", json!("#microsoft.graph.photo")), accepted),
        (without(file(), "contentBytes"), "contentBytes"),
        (with(file(), "contentBytes", json!("no base64")), "contentBytes"),
        (without(file(), "name"), "name"),
        (with(file(), "item", json!({})), "item"),
        (with(file(), "sourceUrl", json!("https://example.org")), "sourceUrl"),
        (with(item(), "contentBytes", json!("c291cA==")), "contentBytes"),
        (with(reference(), "contentId", json!("x")), "contentId"),
        (with(reference(), "providerType", json!("floppy")), "'oneDriveBusiness'"),
        (with(reference(), "size", json!(-1)), "size"),
        (without(item(), "item"), "item"),
        (item_of(json!("an event")), "item"),
        (item_of(json!({"subject": "x"})), "'#microsoft.graph.event'"),
        (item_of(json!({"@odata.type": "#microsoft.graph.group"})), "'#microsoft.graph.contact'"),
    ] {
        let answer = bo.post(&path, &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(named), "{body}: {}", answer.text());
        let sent = json!({"post": {"body": {"content": "x"}, "attachments": [file(), body]}});
        let answer = bo.post(&reply, &sent);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains("attachments[1]"), "{body}: {}", answer.text());
    }
    assert_eq!(scene.ada.get(&format!("{path}/$count")).text(), "0");
    assert_eq!(scene.ada.get(&format!("{}/posts/$count", scene.thread)).text(), "2");
}

#[test]
fn the_limits_of_attachments() {
    let scene = Scene::new();
    let (bo, path) = (&scene.bo, scene.attachments());
    for _ in 0..99 {
        bo.post(&path, &reference()).created();
    }
    let last = scene.attach(&file());
    let why = bo.post(&path, &file()).refused(400, "BadRequest");
    assert!(why.contains("100 attachments"), "{why}");
    bo.delete(&last).empty(204);

    // The item as it is kept: its type spelled out, no space between.
    let frame = r##"{"@odata.type":"#microsoft.graph.message","subject":""}"##.len();
    let sized = |bytes: usize| {
        json!({"@odata.type": "#microsoft.graph.itemAttachment", "name": "n",
            "item": {"@odata.type": "#microsoft.graph.message", "subject": "x".repeat(bytes - frame)}})
    };
    let why = bo.post(&path, &sized(256 * 1024 + 1)).refused(400, "Request_BadRequest");
    assert!(why.contains("262145 bytes") && why.contains("262144"), "{why}");
    let made = bo.post(&path, &sized(256 * 1024)).created();
    assert_eq!(made["size"], 256 * 1024);
}

#[test]
fn items_in_items_go_thirty_deep() {
    let scene = Scene::new();
    let nested = |levels: usize| {
        let message = |inside: Option<Value>| {
            let attached = inside.map_or(json!([]), |it| json!([it]));
            json!({"@odata.type": "#microsoft.graph.itemAttachment", "name": "n", "item": {
                "@odata.type": "#microsoft.graph.message", "attachments": attached,
                "toRecipients": [{"emailAddress": {"address": "ada@example.org"}}]}})
        };
        (1..levels).fold(message(None), |inside, _| message(Some(inside)))
    };
    let create = |levels: usize| json!({"topic": "x", "threads": [{"posts": [{"attachments": [nested(levels)]}]}]});
    let path = format!("{}/conversations", scene.group);
    scene.bo.post(&path, &create(30)).created();
    let why = scene.bo.post(&path, &create(31)).refused(400, "BadRequest");
    assert!(why.contains("100") && why.contains("attachments[0]"), "{why}");
    let address = scene.attach(&nested(30));
    let one = scene.ada.get(&format!("{address}?$expand=microsoft.graph.itemattachment/item")).ok();
    assert_eq!(one["item"], nested(30)["item"]);
    assert_eq!(scene.ada.get(&format!("{address}/$value")).status, 200);
}
