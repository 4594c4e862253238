//! Who belongs to a group: the last owner stays, whoever leaves is out at once, and what a hidden group hides.

use serde_json::json;

use crate::support::{Client, Server};

struct Setup {
    server: Server,
    ada: Client,
    bo: Client,
    group: String,
    /// The address of its owners.
    owners: String,
}

/// A group that ada owns, with bo as a member.
fn setup(visibility: &str) -> Setup {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", visibility);
    let members = format!("/v1.0/groups/{group}/members/$ref");
    ada.post(&members, &server.reference("bo@example.org")).empty(204);
    let owners = format!("/v1.0/groups/{group}/owners");
    Setup { server, ada, bo, group, owners }
}

#[test]
fn the_last_owner_stays_however_it_is_asked() {
    let it = setup("Private");
    let (id, robot) = (it.ada.me(), it.server.app(&["Group.ReadWrite.All"]));
    let (group, owners) = (&it.group, &it.owners);
    let by_id = |id: &str| format!("{owners}/$ref?$id=https://x/v1.0/{id}");
    let spellings = [
        format!("{owners}/{id}/$ref"),
        format!("{owners}/{}/$ref", id.to_uppercase()),
        format!("{owners}('{id}')/$ref"),
        format!("{owners}({id})/%24ref"),
        format!("{owners}/ada@example.org/$ref"),
        format!("/v1.0/groups('{group}')/OWNERS/{id}/$REF"),
        format!("/v1.0/groups/readers/owners/{id}/$ref"),
        format!("/beta/groups/{group}/owners/{id}/$ref"),
        format!("/v1.0/me/joinedTeams/{group}/owners/{id}/$ref"),
        format!("/v1.0/users/{id}/ownedObjects/{group}/microsoft.graph.group/owners/{id}/$ref"),
        by_id(&format!("users/{id}")),
        by_id(&format!("directoryObjects/{id}")),
        by_id(&format!("directoryObjects('{id}')")),
        by_id("users/ADA@example.org"),
        format!("{owners}/$ref?$id=https%3A%2F%2Fx%2Fv1.0%2Fusers%2F{id}"),
    ];
    for spelling in &spellings {
        // An application has no way of its own to a user's groups.
        let me = spelling.contains("/me/");
        for client in [Some(&it.ada), Some(&robot).filter(|_| !me)].into_iter().flatten() {
            let answer = client.delete(spelling);
            assert_eq!(answer.status, 400, "{spelling}: {}", answer.text());
            assert!(answer.text().contains("at least one owner"), "{spelling}: {}", answer.text());
        }
        let url = spelling.trim_start_matches("/v1.0").replace("/beta", "");
        let batch = json!({"requests": [{"id": "1", "method": "DELETE", "url": url}]});
        let answer = it.ada.post("/v1.0/$batch", &batch).ok();
        assert_eq!(answer["responses"][0]["status"], 400, "{spelling}: {answer}");
    }
    // Without a name nobody is meant, and who is no owner cannot be removed as one.
    it.ada.delete(&format!("{owners}/$ref")).refused(400, "BadRequest");
    let bo = it.bo.me();
    it.ada.delete(&format!("{owners}/{bo}/$ref")).refused(404, "Request_ResourceNotFound");
    it.bo.delete(&format!("{owners}/{id}/$ref")).refused(403, "ErrorAccessDenied");
    // As a member they may go, and own the group all the same.
    it.ada.delete(&format!("/v1.0/groups/{group}/members/{id}/$ref")).empty(204);
    assert_eq!(it.ada.all(owners)[0]["id"], id.as_str());
    it.ada.talk(group, "still", "here");
}

/// Who is disabled keeps no group alive, and goes from one that somebody else does.
#[test]
fn an_owner_who_is_disabled_is_not_the_other_owner() {
    let server = Server::durable();
    let (ada, bo, cy) = (
        server.user("ada@example.org"),
        server.user("bo@example.org"),
        server.user("cy@example.org"),
    );
    let (group, other) = (ada.group("readers", "Private"), bo.group("writers", "Public"));
    let owners = format!("/v1.0/groups/{group}/owners");
    let [ada_id, bo_id, cy_id] = [&ada, &bo, &cy].map(Client::me);
    for id in [&bo_id, &cy_id] {
        ada.post(&format!("{owners}/$ref"), &server.principal(id)).empty(204);
    }
    let remove = |by: &Client, id: &str| by.delete(&format!("{owners}/{id}/$ref"));
    let disable = |name: &str| server.command(&["user", "disable", name]);
    // Nobody else owns the other group: it is done, and said.
    let said = disable("bo@example.org");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], bo_id);
    assert!(lines.len() == 2 && lines[1].starts_with("warning: the group 'writers'"), "{said}");
    assert_eq!(disable("cy@example.org").trim(), cy_id);
    let robot = server.app(&["Group.ReadWrite.All"]);
    for by in [&ada, &robot] {
        let why = remove(by, &ada_id).refused(400, "BadRequest");
        assert!(why.contains("at least one owner"), "{why}");
    }
    // Who is disabled goes, while there is another.
    remove(&ada, &bo_id).empty(204);
    let last = format!("/v1.0/groups/{other}/owners/{bo_id}/$ref");
    robot.delete(&last).refused(400, "BadRequest");
    server.command(&["user", "enable", "cy@example.org"]);
    remove(&ada, &ada_id).empty(204);
    remove(&cy, &cy_id).refused(400, "BadRequest");
    // Of two who are disabled, one may go: the group is as it was.
    cy.post(&format!("{owners}/$ref"), &server.principal(&ada_id)).empty(204);
    let said = [disable("ada@example.org"), disable("cy@example.org")];
    assert!(!said[0].contains("warning") && said[1].contains("'readers'"), "{said:?}");
    remove(&robot, &ada_id).empty(204);
    remove(&robot, &cy_id).refused(400, "BadRequest");
}

/// Two owners who remove each other, or themselves, at once: one of them is left.
#[test]
fn of_owners_who_all_leave_at_once_one_stays() {
    let it = setup("Public");
    let ids = [it.ada.me(), it.bo.me()];
    for round in 0..4 {
        let owners = it.ada.all(&it.owners);
        if owners.len() == 1 {
            let left = if owners[0]["id"] == ids[0].as_str() { &it.ada } else { &it.bo };
            let other = if owners[0]["id"] == ids[0].as_str() { &ids[1] } else { &ids[0] };
            left.post(&format!("{}/$ref", it.owners), &it.server.reference(other)).empty(204);
        }
        let statuses: Vec<_> = if round % 2 == 0 {
            std::thread::scope(|scope| {
                let leave = |(client, id)| {
                    let owners = &it.owners;
                    scope.spawn(move || {
                        Client::delete(client, &format!("{owners}/{id}/$ref")).status
                    })
                };
                let running = [(&it.ada, &ids[0]), (&it.bo, &ids[1])].map(leave);
                running.into_iter().map(|it| it.join().unwrap()).collect()
            })
        } else {
            let owners = it.owners.trim_start_matches("/v1.0");
            let leave = |id: &String| json!({"id": id, "method": "DELETE", "url": format!("{owners}/{id}/$ref")});
            let batch = json!({"requests": [leave(&ids[0]), leave(&ids[1])]});
            let answer = it.ada.post("/v1.0/$batch", &batch).ok();
            let answers = answer["responses"].as_array().unwrap().iter();
            answers.map(|it| u16::try_from(it["status"].as_u64().unwrap()).unwrap()).collect()
        };
        // The second hears that they are the last, or that they are no owner any more to remove others.
        assert_eq!(statuses.iter().filter(|it| **it == 204).count(), 1, "{statuses:?}");
        assert_eq!(it.ada.all(&it.owners).len(), 1);
    }
}

#[test]
fn who_has_left_is_out_at_once_on_every_path() {
    for visibility in ["Private", "HiddenMembership"] {
        let it = setup(visibility);
        let (group, id) = (&it.group, it.bo.me());
        let [_, thread, post] = it.bo.talk(group, "mine", "words");
        let path = format!("/v1.0/groups/{group}");
        // Asked twice, so that what is kept of answers is asked too.
        for _ in 0..2 {
            it.bo.get(&format!("{path}/threads/{thread}/posts/{post}")).ok();
            assert_eq!(it.bo.all(&format!("{path}/members")).len(), 2);
            assert_eq!(it.bo.all("/v1.0/me/joinedTeams").len(), 1);
        }
        it.bo.delete(&format!("{path}/members/{id}/$ref")).empty(204);
        for rest in ["/threads", "/conversations", &format!("/threads/{thread}/posts/{post}")] {
            it.bo.get(&format!("{path}{rest}")).refused(403, "ErrorAccessDenied");
        }
        it.bo
            .delete(&format!("{path}/threads/{thread}/posts/{post}"))
            .refused(403, "ErrorAccessDenied");
        let hidden = visibility == "HiddenMembership";
        let seen = it.bo.all(&format!("{path}/members")).len();
        assert_eq!(seen, if hidden { 0 } else { 1 });
        assert!(it.bo.all("/v1.0/me/joinedTeams").is_empty());
        it.bo
            .get(&format!("/v1.0/me/joinedTeams/{group}/threads"))
            .refused(404, "Request_ResourceNotFound");
        // Nobody who is not on a list is taken off it, and nobody joins what is not public.
        it.bo.delete(&format!("{path}/members/{id}/$ref")).refused(404, "Request_ResourceNotFound");
        it.bo
            .post(&format!("{path}/members/$ref"), &it.server.reference(&id))
            .refused(403, "ErrorAccessDenied");
    }
}

/// Whether somebody is a member of a hidden group is not told by what a stranger may not do to them either.
#[test]
fn refusals_do_not_tell_who_is_in_a_hidden_group() {
    let it = setup("HiddenMembership");
    let (cy, dee) = (it.server.user("cy@example.org"), it.server.user("dee@example.org").me());
    let path = format!("/v1.0/groups/{}", it.group);
    for list in ["members", "owners", "acceptedSenders", "rejectedSenders"] {
        let mut answers = Vec::new();
        for id in [it.ada.me(), it.bo.me(), dee.clone()] {
            let path = format!("{path}/{list}");
            answers.push([
                cy.delete(&format!("{path}/{id}/$ref")).refused(403, "ErrorAccessDenied"),
                cy.delete(&format!("{path}/$ref?$id=https://x/v1.0/users/{id}"))
                    .refused(403, "ErrorAccessDenied"),
                cy.post(&format!("{path}/$ref"), &it.server.reference(&id))
                    .refused(403, "ErrorAccessDenied"),
            ]);
        }
        assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
        for id in [it.ada.me(), dee.clone()] {
            let one = cy.get(&format!("{path}/{list}/{id}"));
            assert!(one.status == 404 || one.status == 501, "{list}: {}", one.text());
            assert!(!one.text().contains("@example.org"), "{}", one.text());
        }
    }
}
