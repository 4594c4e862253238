//! A model for tests: three entity types that lead to each other in circles, and every Edm type; and
//! what must hold of any text, for tests and fuzzers.
//!
//! **Invariant:** every feature that a declaration in [`edm`](crate::edm) can have stands here at least
//! once, so that a test needs no model of its own.

use crate::batch;
use crate::bind::{bind_path, bind_query};
use crate::decode::{Record, decode_entity, decode_parameters};
use crate::edm::{
    AbstractType, Action, ComplexType, DerivedType, DocumentType, EntityType, EnumType, Model,
    Navigation, Parameter, ParameterType, Primitive, Property, Published, ReturnType, Root, Type,
};
use crate::json::{self, Json};
use crate::syntax::{
    Limits, Search, SearchLimits, parse_path, parse_query, parse_search, print_path, print_query,
};

/// The service: sets `rooms` and `notes`, singleton `lobby`.
pub static MODEL: Model = SERVICE;

/// Its beta version.
pub static BETA: Model = Model { beta: true, ..SERVICE };

const SERVICE: Model = Model {
    namespace: "test.model",
    own_namespace: "own",
    container: "Service",
    roots: &[
        Root { name: "rooms", entity: room, singleton: false },
        Root { name: "notes", entity: note, singleton: false },
        Root { name: "lobby", entity: room, singleton: true },
    ],
    abstracts: &[
        AbstractType {
            name: "entity",
            base: None,
            open: false,
            properties: &[Property::key("id").required()],
        },
        AbstractType {
            name: "part",
            base: Some("entity"),
            open: false,
            properties: &[Property::string("name")],
        },
    ],
    entities: &[&ROOM, &NOTE, &FILE, &CARD, &VISIT],
    complexes: &[&ADDRESS, &PERSON],
    enums: &[&COLOUR],
    beta: false,
    own: true,
};

static COLOUR: EnumType = EnumType {
    name: "colour",
    members: &[("red", 0), ("darkBlue", 1)],
    published: Published::Always,
};

static ADDRESS: ComplexType = ComplexType {
    name: "address",
    properties: &[
        Property::string("street").filterable().sortable(),
        Property::string("secret"),
        Property::enumeration("colour", &COLOUR).filterable(),
    ],
};

static PERSON: ComplexType = ComplexType {
    name: "person",
    properties: &[
        Property::string("name").filterable(),
        Property::complex("address", &ADDRESS),
        Property::string("aliases").many().filterable(),
    ],
};

/// A closed type with a property of every type.
pub static ROOM: EntityType = EntityType {
    name: "room",
    base: Some("entity"),
    open: false,
    has_stream: false,
    derived: &[],
    properties: &[
        Property::key("id").required().filterable().sortable().from("entity"),
        Property::string("topic").required().filterable().sortable(),
        Property::string("subtitle").filterable(),
        Property::string("hidden").on_request(),
        Property::boolean("isOpen").filterable(),
        Property::int32("seats").filterable().sortable(),
        Property::new("visits", Type::Primitive(Primitive::Int64)).filterable(),
        Property::new("weight", Type::Primitive(Primitive::Double)).filterable(),
        Property::new("token", Type::Primitive(Primitive::Guid)).filterable(),
        Property::date_time("built").filterable().sortable(),
        Property::date_time("closed").filterable(),
        Property::binary("icon").filterable(),
        Property::enumeration("colour", &COLOUR).filterable(),
        Property::enumeration("trim", &COLOUR).required(),
        Property::complex("owner", &PERSON).filterable().sortable(),
        Property::complex("site", &ADDRESS).filterable().sortable(),
        Property::complex("shadow", &ADDRESS),
        Property::string("tags").many().filterable(),
        Property::new("scores", Type::Primitive(Primitive::Int32)).many().filterable(),
        Property::complex("guests", &PERSON).many().filterable(),
        Property::string("private").many_nullable(),
        Property::string("rumour").undescribed(),
        Property::boolean("@own.isMine").on_request().published(Published::Never),
    ],
    navigations: &[
        Navigation::many("notes", note).insertable(),
        Navigation::many("parts", file).declared("part").referenced(),
        Navigation::one("parent", room).referenced().insertable(),
        Navigation::many("archive", note).not_expandable().published(Published::Never),
        Navigation::many("cards", card).insertable(),
        Navigation::many("own.visits", visit).published(Published::Never),
    ],
    actions: &[
        Action::new("close").with(&[
            Parameter {
                name: "Comment",
                ty: ParameterType::Value(Type::Primitive(Primitive::String), false),
                required: false,
            },
            Parameter { name: "Note", ty: ParameterType::Entity(note), required: true },
            Parameter {
                name: "guests",
                ty: ParameterType::Value(Type::Complex(&PERSON), true),
                required: false,
            },
        ]),
        Action::new("notes"),
        Action::new("sweep").on_collection().returning(ReturnType::Entities(room)),
        Action::new("own.knock")
            .returning(ReturnType::Value(Type::Complex(&PERSON)))
            .published(Published::Never),
    ],
    published: Published::Always,
};

/// An open type.
pub static NOTE: EntityType = EntityType {
    name: "note",
    base: Some("entity"),
    open: true,
    has_stream: false,
    derived: &[],
    properties: &[
        Property::key("id").required().filterable().from("entity"),
        Property::string("text").filterable(),
        Property::complex("author", &PERSON).filterable(),
    ],
    navigations: &[
        Navigation::one("room", room).referenced(),
        Navigation::many("files", file).declared("part").insertable(),
    ],
    actions: &[],
    published: Published::Always,
};

/// A type with a stream, reached by navigations that declare a wider one.
pub static FILE: EntityType = EntityType {
    name: "file",
    base: Some("part"),
    open: false,
    has_stream: true,
    derived: &[],
    properties: &[
        Property::key("id").required().filterable().from("entity"),
        Property::string("name").filterable().from("part"),
        Property::int32("size"),
        Property::binary("bytes"),
    ],
    navigations: &[Navigation::one("note", note)],
    actions: &[],
    published: Published::Always,
};

/// An abstract type that holds the properties of the types derived from it.
pub static CARD: EntityType = EntityType {
    name: "card",
    base: Some("entity"),
    open: false,
    has_stream: true,
    derived: &[
        DerivedType { name: "picture", has_stream: true },
        DerivedType { name: "letter", has_stream: false },
    ],
    properties: &[
        Property::key("id").required().filterable().from("entity"),
        Property::string("title").filterable(),
        Property::date_time("sent").computed(),
        Property::binary("pixels").only(&["picture"]),
        Property::string("text").filterable().only(&["letter"]),
        Property::string("draft").only(&["letter"]).published(Published::Beta),
        Property::document("enclosed", &PAPER).only(&["letter"]),
    ],
    navigations: &[],
    actions: &[],
    published: Published::Always,
};

static PAPER: DocumentType = DocumentType { name: "paper", derived: &["map", "bill"] };

/// A type of the service's own.
pub static VISIT: EntityType = EntityType {
    name: "visit",
    base: Some("entity"),
    open: false,
    has_stream: false,
    derived: &[],
    properties: &[
        Property::key("id").required().filterable().from("entity"),
        Property::date_time("began"),
    ],
    navigations: &[],
    actions: &[Action::new("leave")],
    published: Published::Never,
};

fn visit() -> &'static EntityType {
    &VISIT
}

fn card() -> &'static EntityType {
    &CARD
}

fn room() -> &'static EntityType {
    &ROOM
}

fn note() -> &'static EntityType {
    &NOTE
}

fn file() -> &'static EntityType {
    &FILE
}

/// Limits wide enough for what a test writes by hand and narrow enough for a debug build's stack.
pub const LIMITS: Limits =
    Limits { depth: 32, nodes: 400, expand_depth: 3, items: 100, segments: 24 };

/// What must hold of every text sent as a path: it is refused, or its print parses to the same tree
/// and binding that tree ends.
///
/// # Panics
/// Where it does not hold.
pub fn check_path(text: &str) {
    let Ok(segments) = parse_path(text, &LIMITS) else { return };
    let printed = print_path(&segments);
    assert_eq!(parse_path(&printed, &LIMITS).as_ref(), Ok(&segments), "printed: {printed}");
    let _ = bind_path(&MODEL, &segments);
}

/// What must hold of every text sent as a query: it is refused, or its print parses to the same tree
/// and binding that tree against every entity ends.
///
/// # Panics
/// Where it does not hold.
pub fn check_query(text: &str) {
    let Ok(options) = parse_query(text, &LIMITS) else { return };
    let printed = print_query(&options);
    assert_eq!(parse_query(&printed, &LIMITS).as_ref(), Ok(&options), "printed: {printed}");
    for entity in MODEL.entities {
        let _ = bind_query(&MODEL, entity, &options);
    }
}

/// The same of every text sent as a filter; what follows its first line is what the parameter alias `@p`
/// stands for.
///
/// # Panics
/// Where it does not hold.
pub fn check_filter(text: &str) {
    match text.split_once('\n') {
        Some((filter, alias)) => {
            check_query(&format!("$filter={}&@p={}", encode(filter), encode(alias)));
        }
        None => check_option("$filter", text),
    }
}

/// The same of every text sent as the value of one option.
///
/// # Panics
/// Where it does not hold.
pub fn check_option(name: &str, text: &str) {
    check_query(&format!("{name}={}", encode(text)));
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What must hold of every text sent as a search: it is refused, or its tree is within its limits and every
/// term of it is a part of the text.
///
/// # Panics
/// Where it does not hold.
pub fn check_search(text: &str) {
    const LIMITS: SearchLimits = SearchLimits { terms: 50, depth: 8 };
    let Ok(search) = parse_search(text, &LIMITS) else { return };
    // A quote inside the outer pair is written with a backslash, and so is a backslash.
    let plain = text.replace('\\', "");
    let (terms, depth) = size(&search, &plain);
    // A level of the grammar is a node of `OR`, one of `AND` and one of `NOT` at most.
    assert!(terms <= LIMITS.terms && depth <= 3 * (LIMITS.depth + 1), "{terms}, {depth}: {text}");
}

/// The terms and the depth of a tree that was read from `text`.
fn size(search: &Search, text: &str) -> (usize, usize) {
    match search {
        Search::Term { text: term, .. } => {
            assert!(text.contains(&term.replace('\\', "")), "{term:?} is not in {text:?}");
            (1, 1)
        }
        Search::Not(inner) => {
            let (terms, depth) = size(inner, text);
            (terms, depth + 1)
        }
        Search::And(items) | Search::Or(items) => {
            assert!(items.len() > 1, "{search:?}");
            items
                .iter()
                .map(|it| size(it, text))
                .fold((0, 1), |(terms, depth), (more, deep)| (terms + more, depth.max(deep + 1)))
        }
    }
}

/// What must hold of all bytes sent as a body: they are refused, or their tree is written as text that
/// reads to the same tree; and decoding that tree as any entity, or as the parameters of any action, ends:
/// in an error that says something, or in a record that holds no more than was sent.
///
/// # Panics
/// Where it does not hold.
pub fn check_body(bytes: &[u8]) {
    let Ok(tree) = json::parse(bytes, LIMITS.depth) else { return };
    let mut written = Vec::new();
    json::write(&mut written, &tree);
    assert_eq!(json::parse(&written, LIMITS.depth).as_ref(), Ok(&tree));
    let sent = count(&tree);
    for entity in MODEL.entities {
        match decode_entity(&MODEL, entity, tree.clone()) {
            Ok(record) => assert!(held(&record) <= sent, "{}: {record:?}", entity.name),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        for action in entity.actions {
            if let Err(error) = decode_parameters(&MODEL, action, Some(tree.clone())) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// What must hold of all bytes sent as a batch: they are refused in words, or its requests can be carried
/// out: each once, after all that it waits for.
///
/// # Panics
/// Where it does not hold.
pub fn check_batch(bytes: &[u8]) {
    let Ok(tree) = json::parse(bytes, LIMITS.depth) else { return };
    let requests = match batch::requests(&tree, 20) {
        Ok(requests) => requests,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!((1..=20).contains(&requests.len()));
    let mut done = vec![false; requests.len()];
    for _ in 0..requests.len() {
        let ready = |at: &usize| !done[*at] && requests[*at].after.iter().all(|it| done[*it]);
        let next = (0..requests.len()).find(ready);
        done[next.expect("something can go on until all is done")] = true;
    }
    let _ = batch::is_simple(&requests);
}

/// How many members and items a tree has.
fn count(tree: &Json) -> usize {
    match tree {
        Json::Object(members) => members.iter().map(|(_, it)| 1 + count(it)).sum(),
        Json::Array(items) => items.iter().map(|it| 1 + count(it)).sum(),
        _ => 0,
    }
}

/// How many members of a body a record came from, its children's included.
fn held(record: &Record) -> usize {
    let children = record.children.iter().flat_map(|(_, records)| records).map(held);
    let links = record.binds.iter().map(|(_, links)| links.len());
    let own = record.properties.len() + record.dynamic.len();
    own + children.sum::<usize>() + links.sum::<usize>()
}
