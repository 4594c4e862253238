//! Texts and what they mean: keys, literals, precedence, options, and the words of every refusal.

use super::{
    Expression, Limits, Options, Segment, SyntaxError, parse_path, parse_query, print_path,
    print_query,
};
use crate::testing::LIMITS;
use crate::value::{DateTimeOffset, Value};

fn path(text: &str) -> Vec<Segment> {
    parse_path(text, &LIMITS).unwrap_or_else(|it| panic!("{text}: {it}"))
}

fn query(text: &str) -> Options {
    parse_query(text, &LIMITS).unwrap_or_else(|it| panic!("{text}: {it}"))
}

fn filter(text: &str) -> Expression {
    query(&format!("$filter={text}")).filter.unwrap_or_else(|| panic!("{text}: no filter"))
}

fn refusal(text: &str) -> String {
    match parse_query(text, &LIMITS) {
        Ok(options) => panic!("{text} is not refused: {options:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_key_is_the_same_in_every_spelling() {
    let key = |text: &str| path(text).first().and_then(|it| it.key.clone());
    for text in ["/rooms('a')", "/rooms(a)", "/rooms(id='a')", "/rooms(ID=a)", "/rooms(%27a%27)"] {
        assert_eq!(key(text).as_deref(), Some("a"), "{text}");
    }
    assert_eq!(key("/rooms('it''s')").as_deref(), Some("it's"));
    assert_eq!(key("/rooms('a%2Fb')").as_deref(), Some("a/b"));
    assert_eq!(key("/rooms('a/b')").as_deref(), Some("a/b"), "a slash inside quotes is of the key");
    assert_eq!(key("/rooms"), None);
    assert_eq!(key("/delta()"), None);
}

#[test]
fn slashes_part_segments_and_encoded_ones_do_not() {
    let names = |text: &str| path(text).into_iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names("/rooms/a%2Fb/%24ref"), ["rooms", "a/b", "$ref"]);
    assert_eq!(names("//rooms///a/"), ["rooms", "a"]);
    assert_eq!(names("/notes/o'hara@example.org/files"), ["notes", "o'hara@example.org", "files"]);
    assert_eq!(print_path(&path("/rooms(a)/é b")), "/rooms('a')/%C3%A9%20b");
}

#[test]
fn bad_encoding_and_long_paths_are_refused() {
    for text in ["/a%", "/a%2", "/a%zz", "/%ff"] {
        assert!(matches!(parse_path(text, &LIMITS), Err(SyntaxError::Encoding(_))), "{text}");
    }
    let limits = Limits { segments: 2, ..LIMITS };
    assert!(parse_path("/a/b", &limits).is_ok());
    assert_eq!(
        parse_path("/a/b/c", &limits).map_err(|it| it.to_string()),
        Err("the path is too complex: it may have at most 2 segments".to_owned())
    );
}

#[test]
fn literals_have_the_type_of_their_form() {
    let cases = [
        ("null", Value::Null),
        ("true", Value::Boolean(true)),
        ("FALSE", Value::Boolean(false)),
        ("-5", Value::Int(-5)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("1.5", Value::Double(1.5)),
        ("1e3", Value::Double(1000.0)),
        ("'it''s'", Value::String("it's".to_owned())),
        ("''", Value::String(String::new())),
        ("%27caf%C3%A9%27", Value::String("café".to_owned())),
    ];
    for (text, value) in cases {
        assert_eq!(filter(text), Expression::Literal(value), "{text}");
    }
    for text in ["01234567-89ab-cdef-0123-456789abcdef", "ABCDEF01-89ab-cdef-0123-456789ABCDEF"] {
        assert!(matches!(filter(text), Expression::Literal(Value::Guid(_))), "{text}");
    }
    // In a query a plus is a space, and clients send the offset of a time with one.
    let time = filter("2017-01-01T00:02:32.1744944%2B03:00");
    assert_eq!(filter("2017-01-01T00:02:32.1744944+03:00"), time);
    assert!(matches!(time, Expression::Literal(Value::DateTimeOffset(_))));
}

/// Part 2, section 5.1.1.16: each text means what its second form says with parentheses.
#[test]
fn operators_bind_as_the_standard_orders_them() {
    let cases = [
        ("a or b and c", "a or (b and c)"),
        ("a and b or c", "(a and b) or c"),
        ("a and b eq c", "a and (b eq c)"),
        ("a eq b gt c", "a eq (b gt c)"),
        ("a gt b add c", "a gt (b add c)"),
        ("a add b mul c", "a add (b mul c)"),
        ("a sub b sub c", "(a sub b) sub c"),
        ("a div b divby c", "(a div b) divby c"),
        ("not a eq b", "(not a) eq b"),
        ("not a in (b)", "not (a in (b))"),
        ("not a has b", "not (a has b)"),
        ("-a mul b", "(-a) mul b"),
        ("not not a", "not (not a)"),
        ("NOT(a Eq b) AND c", "(not (a eq b)) and c"),
    ];
    for (text, meaning) in cases {
        assert_eq!(filter(text), filter(meaning), "{text}");
    }
    assert_ne!(filter("(a or b) and c"), filter("a or b and c"));
    assert_ne!(filter("a sub (b sub c)"), filter("a sub b sub c"));
}

#[test]
fn a_word_is_an_operator_only_where_one_can_stand() {
    assert_eq!(filter("eq"), Expression::Path(vec!["eq".to_owned()]));
    assert_eq!(filter("eq eq eq").to_string(), "eq eq eq");
    assert_eq!(filter("notes/$count gt 1").to_string(), "notes/$count gt 1");
    assert_eq!(filter("nothing eq 1").to_string(), "nothing eq 1");
    assert_eq!(filter("in(a)").to_string(), "in(a)");
}

#[test]
fn lambdas_keep_path_variable_and_body() {
    let text = "from/people/any(p:p/name eq 'x' and p/tags/all(t:t ne null))";
    assert_eq!(filter(text).to_string(), text);
    assert_eq!(filter("people/any()").to_string(), "people/any()");
    assert_eq!(
        refusal("$filter=people/all()"),
        "$filter at position 11: expected the variable of a lambda, found ')'"
    );
}

#[test]
fn options_are_read_in_any_case_and_encoding() {
    let options = query("%24SELECT=id,from/name&$top=5&$Count=TRUE&custom=1&&$skipToken=a%26b");
    assert_eq!(options.select, [vec!["id"], vec!["from", "name"]]);
    assert_eq!((options.top, options.count), (Some(5), Some(true)));
    assert_eq!(options.skip_token.as_deref(), Some("a&b"));
}

#[test]
fn options_inside_expand_are_split_outside_quotes_and_parentheses() {
    let text = "$expand=notes($filter=name eq 'a;b)' and (size gt 1);$top=2;$expand=files($select=id,size)),room/$ref";
    let options = query(text);
    assert_eq!(options.expand.len(), 2);
    assert_eq!(options.expand[0].options.top, Some(2));
    assert_eq!(options.expand[0].options.expand[0].options.select.len(), 2);
    assert_eq!(options.expand[1].path, ["room", "$ref"]);
    let phrase = query("$expand=notes($search=\"it's; (\";$top=2)");
    assert_eq!(phrase.expand[0].options.search.as_deref(), Some("\"it's; (\""));
}

#[test]
fn a_refusal_names_the_option_and_the_place() {
    let cases = [
        (
            "$filter=",
            "$filter at position 0: expected a value, a property or a function, found the end",
        ),
        (
            "$filter=a eq",
            "$filter at position 4: expected a value, a property or a function, found the end",
        ),
        (
            "$filter=a eq 'x",
            "$filter at position 5: expected a closing quote for this string, found ''x'",
        ),
        ("$filter=a b", "$filter at position 2: expected an operator or the end, found 'b'"),
        ("$filter=(a", "$filter at position 2: expected a closing parenthesis, found the end"),
        (
            "$filter=1x",
            "$filter at position 0: expected a number, a GUID, a date or a time, found '1x'",
        ),
        ("$filter=a/ eq 1", "$filter at position 2: expected a property after '/', found ' eq 1'"),
        (
            "$filter=a in 1",
            "$filter at position 5: expected a list in parentheses or a collection, found '1'",
        ),
        ("$top=-1", "Query option '$top' has the value '-1', which is not a non-negative integer."),
        ("$top=", "Query option '$top' has the value '', which is not a non-negative integer."),
        (
            "$skip=99999999999999999999",
            "Query option '$skip' has the value '99999999999999999999', which is not a non-negative integer.",
        ),
        ("$count=yes", "Query option '$count' has the value 'yes', which is not true or false."),
        (
            "$select=a,,b",
            "Query option '$select' has the value 'a,,b', which is not a comma-separated list without empty items.",
        ),
        (
            "$select=a b",
            "Query option '$select' has the value 'a b', which is not a path of property names.",
        ),
        (
            "$expand=a($top=1",
            "Query option '$expand' has the value 'a($top=1', which is not balanced: a quote or a parenthesis lacks its partner.",
        ),
        (
            "$expand=a($top=1;$TOP=2)",
            "Query option '$TOP' was specified more than once, but it must be specified at most once.",
        ),
        (
            "$top=1&%24top=2",
            "Query option '$top' was specified more than once, but it must be specified at most once.",
        ),
        ("$frobnicate=1", "Query option '$frobnicate' is not one that OData defines."),
        ("$filter=%zz", "'%zz' is not valid percent-encoded UTF-8"),
    ];
    for (text, words) in cases {
        assert_eq!(refusal(text), words, "{text}");
    }
}

#[test]
fn trees_past_a_limit_are_refused() {
    let deep = |levels: usize| format!("$filter={}a{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse_query(&deep(LIMITS.depth), &LIMITS).is_ok());
    assert_eq!(
        refusal(&deep(LIMITS.depth + 1)),
        "$filter is too complex: it may have at most 32 levels of nesting"
    );
    for hostile in ["not ", "-", "f(", "a/any(x:", "a in ("] {
        let text = format!("$filter={}a", hostile.repeat(20_000));
        assert!(refusal(&text).contains("too complex") || hostile == "-", "{hostile}");
    }
    let wide = format!("$filter={}", vec!["a"; LIMITS.nodes].join(" or "));
    assert_eq!(refusal(&wide), "$filter is too complex: it may have at most 400 terms");
    assert_eq!(
        refusal("$expand=a($expand=b($expand=c($expand=d)))"),
        "$expand is too complex: it may have at most 3 levels"
    );
    let many = format!("$select={}", vec!["a"; LIMITS.items + 1].join(","));
    assert_eq!(refusal(&many), "$select is too complex: it may have at most 100 items");
}

#[test]
fn now_is_one_time_in_all_of_a_query() {
    let text = "$filter=NOW() gt built or x/any(v:v/y in (1,now()))&$expand=n($filter=t lt now())";
    let mut options = parse_query(text, &LIMITS).unwrap();
    assert!(options.put_now(DateTimeOffset::utc(0)));
    let printed = print_query(&options).replace("%20", " ");
    assert_eq!(
        printed,
        "$expand=n($filter=t lt 0001-01-01T00:00:00Z)&\
         $filter=0001-01-01T00:00:00Z gt built or x/any(v:v/y in (1,0001-01-01T00:00:00Z))"
    );
    assert!(!options.put_now(DateTimeOffset::utc(1)));
}

#[test]
fn an_alias_counts_where_it_is_put() {
    let nested = format!("{}a{}", "(".repeat(20), ")".repeat(20));
    let deep = |around: usize| {
        let filter = format!("{}@p{}", "f(".repeat(around), ")".repeat(around));
        parse_query(&format!("$filter={filter}&@p={nested}"), &LIMITS)
    };
    assert!(deep(11).is_ok());
    assert!(matches!(deep(12), Err(SyntaxError::TooComplex { .. })));
    let many = |uses: usize| {
        let list = ["@p"; 100][..uses].join(",");
        parse_query(&format!("$filter=f({list})&@p=[1,2,3,4,5,6,7,8,9]"), &LIMITS)
    };
    assert!(many(39).is_ok());
    assert!(matches!(many(40), Err(SyntaxError::TooComplex { .. })));
    let text = "$filter=a eq @p&@p=@q&@q=1";
    assert_eq!(print_query(&parse_query(text, &LIMITS).unwrap()), "$filter=a%20eq%20null");
}
