//! `$metadata` beside Graph's own: what stands in Graph's schema stands there as Graph has it, and what is
//! Folkmoot's own stands in a schema of its own.

use std::collections::BTreeSet;

use crate::support::Server;

/// Microsoft's description of v1.0, and what beta has beyond it.
const GRAPH: &str = include_str!("../../../../tests/data/graph/conversations.csdl.xml");
const BEYOND: &str = include_str!("../../../../tests/data/graph/beta-additions.csdl.xml");

/// The value of an attribute of the element that begins on this line.
fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

/// What a description says, one fact a line, such as `group: Property mail Edm.String`. Elements begin on
/// lines of their own in all descriptions here; namespaces are written by their aliases.
fn facts(csdl: &str) -> BTreeSet<String> {
    let csdl = csdl.replace("microsoft.graph.", "graph.");
    let (mut facts, mut owner, mut operation) = (BTreeSet::new(), String::new(), String::new());
    for line in csdl.lines().map(str::trim) {
        let element = line.trim_start_matches('<').split([' ', '>']).next().unwrap();
        let value = |name: &'static str| attribute(line, name).unwrap_or_default();
        let name = value("Name");
        let form = |flags: &[&'static str]| {
            // What would hold anyway is as good as not said.
            let default = |it: &str| if it == "Nullable" { "true" } else { "false" };
            let said = flags.iter().filter(|it| !["", default(it)].contains(&value(it)));
            let set: String = said.map(|it| format!(" {it}={}", value(it))).collect();
            format!("{element} {name} {}{set}", value("Type"))
        };
        match element {
            "EnumType" | "ComplexType" | "EntityType" => {
                owner = name.to_owned();
                let base = value("BaseType");
                facts.insert(format!("{} of {base}", form(&["Abstract", "HasStream"])));
                // An open type may be described as a closed one: it then has what is described alone.
                if value("OpenType") == "true" {
                    facts.insert(format!("{name} is open"));
                }
            }
            "Member" => drop(facts.insert(format!("{owner}: {name} = {}", value("Value")))),
            "PropertyRef" => drop(facts.insert(format!("{owner}: key {name}"))),
            "Property" => drop(facts.insert(format!("{owner}: {}", form(&["Nullable"])))),
            "NavigationProperty" => {
                facts.insert(format!("{owner}: {}", form(&["Nullable", "ContainsTarget"])));
            }
            "Action" | "Function" => operation = form(&["IsBound", "IsComposable"]),
            // What an operation is bound to is never null.
            "Parameter" if name == "bindingParameter" => operation += &format!("; {}", form(&[])),
            "Parameter" | "ReturnType" => operation += &format!("; {}", form(&["Nullable"])),
            "/Action" | "/Function" => drop(facts.insert(std::mem::take(&mut operation))),
            "EntityContainer" => drop(facts.insert(format!("{element} {name}"))),
            "EntitySet" => drop(facts.insert(format!("{element} {name} {}", value("EntityType")))),
            "Singleton" => drop(facts.insert(form(&[]))),
            "Term" => drop(facts.insert(form(&["Nullable"]))),
            _ => {}
        }
    }
    facts
}

/// The schemas of a description: Graph's and, where it is described, Folkmoot's own.
fn schemas(csdl: &str) -> (String, Option<String>) {
    let mut schemas = csdl.split("<Schema ").skip(1).map(str::to_owned);
    let graph = schemas.next().unwrap();
    assert_eq!(attribute(&format!(" {graph}"), "Namespace"), Some("microsoft.graph"));
    let own = schemas.next();
    assert!(own.as_ref().is_none_or(|it| it.starts_with("Namespace=\"folkmoot\"")));
    assert!(schemas.next().is_none());
    (graph, own)
}

#[test]
fn the_schema_of_graph_is_a_part_of_graphs_own() {
    let server = Server::ephemeral();
    let strict = Server::with(&["--strict-graph"]);
    let mut theirs = facts(GRAPH);
    let v1 = theirs.clone();
    theirs.extend(facts(BEYOND));
    for (root, theirs) in [("/v1.0", &v1), ("/beta", &theirs)] {
        let path = format!("{root}/$metadata");
        let (graph, own) = schemas(&server.anonymous().get(&path).text());
        let ours = facts(&graph);
        let wrong: Vec<_> = ours.difference(theirs).collect();
        assert!(wrong.is_empty(), "not in Graph's description of {root}: {wrong:#?}");
        assert!(ours.len() > 150 && !graph.contains("folkmoot"), "{graph}");
        for fact in [
            "conversation: NavigationProperty threads Collection(graph.conversationThread) ContainsTarget=true",
            "post: Property from graph.recipient Nullable=false",
            "EntityType fileAttachment  HasStream=true of graph.attachment",
            "Action reply  IsBound=true; Parameter bindingParameter graph.conversationThread; Parameter Post graph.post Nullable=false",
            "Action createUploadSession  IsBound=true; Parameter bindingParameter Collection(graph.attachment); \
             Parameter AttachmentItem graph.attachmentItem Nullable=false; ReturnType  graph.uploadSession",
            "EntitySet groups graph.group",
        ] {
            assert!(ours.contains(fact), "{fact} is not among {ours:#?}");
        }
        assert_eq!(ours.contains("EntityType mention  of graph.entity"), root == "/beta");

        // Strict mode describes the same, and nothing else.
        let (same, none) = schemas(&strict.anonymous().get(&path).text());
        assert_eq!(facts(&same), ours);
        assert!(none.is_none() && own.is_some());
    }
}

#[test]
fn what_is_folkmoots_own_is_described_in_a_schema_of_its_own() {
    let server = Server::ephemeral();
    for root in ["/v1.0", "/beta"] {
        let (_, own) = schemas(&server.anonymous().get(&format!("{root}/$metadata")).text());
        let own = facts(&own.unwrap());
        for fact in [
            "Action markRead  IsBound=true; Parameter bindingParameter graph.conversation",
            "Action forward  IsBound=true; Parameter bindingParameter graph.conversationThread; \
             Parameter Comment Edm.String; Parameter ToRecipients Collection(graph.recipient) Nullable=false",
            "Function messages  IsBound=true IsComposable=true; Parameter bindingParameter graph.group; \
             ReturnType  Collection(graph.post) Nullable=false",
            "Function joinedTeams  IsBound=true IsComposable=true; Parameter bindingParameter graph.user; \
             ReturnType  Collection(graph.group) Nullable=false",
            "Function history  IsBound=true IsComposable=true; Parameter bindingParameter graph.post; \
             ReturnType  Collection(folkmoot.postVersion) Nullable=false",
            "EntityType postVersion  of graph.entity",
            "postVersion: Property body graph.itemBody",
            "Term isRead Edm.Boolean",
        ] {
            assert!(own.contains(fact), "{fact} is not among {own:#?}");
        }
        // Groups and users have it from what they derive from.
        assert!(!own.iter().any(|it| it.contains("getByIds")), "{own:#?}");
    }
}

/// A client generator makes code of every type that is named.
#[test]
fn every_type_that_a_description_names_is_in_it() {
    for server in [Server::ephemeral(), Server::with(&["--strict-graph"])] {
        for root in ["/v1.0", "/beta"] {
            let text = server.anonymous().get(&format!("{root}/$metadata")).text();
            let (mut declared, mut named) = (BTreeSet::new(), BTreeSet::new());
            let mut namespace = "";
            for line in text.lines().map(str::trim) {
                if line.starts_with("<Schema ") {
                    namespace = attribute(line, "Namespace").unwrap();
                }
                if line.contains("Type Name=") {
                    declared.insert(format!("{namespace}.{}", attribute(line, "Name").unwrap()));
                }
                for name in ["Type", "BaseType", "EntityType"] {
                    let ty = attribute(line, name).unwrap_or("Edm.");
                    let ty = ty.trim_start_matches("Collection(").trim_end_matches(')');
                    if !ty.starts_with("Edm.") {
                        named.insert(ty.to_owned());
                    }
                }
            }
            let missing: Vec<_> = named.difference(&declared).collect();
            assert!(missing.is_empty() && named.len() > 15, "{root}: {missing:?}");
        }
    }
}

/// What is described as an operation of Folkmoot's own schema can be called by its qualified name.
#[test]
fn what_is_folkmoots_own_answers_to_its_qualified_name() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, thread, post] = ada.talk(&group, "Lunch", "At noon?");
    let group = format!("/v1.0/groups/{group}");
    let post = format!("{group}/threads/{thread}/posts/{post}");
    for (path, length) in [
        ("/v1.0/me/folkmoot.joinedTeams()".to_owned(), 1),
        ("/v1.0/me/folkmoot.joinedGroups".to_owned(), 1),
        (format!("{group}/folkmoot.messages()?$select=from"), 1),
        (format!("{post}/folkmoot.history()"), 0),
    ] {
        let answer = ada.get(&path).ok();
        assert_eq!(answer["value"].as_array().unwrap().len(), length, "{path}");
    }
    let read = format!("{group}/conversations/{conversation}/folkmoot.markRead");
    assert_eq!(ada.post_text(&read, "").status, 204);
    let forward =
        r#"{"Comment": "See", "ToRecipients": [{"emailAddress": {"address": "x@example.org"}}]}"#;
    let path = format!("{group}/threads/{thread}/folkmoot.forward");
    assert_eq!(ada.post_text(&path, forward).status, 202);
}
