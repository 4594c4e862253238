//! Every tree that a text can have is printed and parsed to itself, and no text ends in a panic.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use odata::syntax::{
    BinaryOp, ExpandItem, Expression, LambdaKind, Options, OrderItem, Segment, parse_path,
    parse_query, print_path, print_query,
};
use odata::testing::{LIMITS, check_path, check_query};
use odata::value::{DateTimeOffset, Value};
use proptest::collection::vec;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    // What begins an operator or a literal is a name only where the parser can take nothing else.
    let reserved = ["not", "true", "false", "null", "any", "all"];
    "[a-zé_$][a-zA-Z0-9_.$@]{0,8}".prop_filter("a word of the grammar", move |it| {
        !reserved.iter().any(|word| it.eq_ignore_ascii_case(word))
    })
}

fn member_path() -> impl Strategy<Value = Vec<String>> {
    vec(name(), 1..4)
}

fn literal() -> impl Strategy<Value = Value> {
    const TIMES: [&str; 5] = [
        "2017-01-01T00:02:32.1744944+03:00",
        "2017-01-01T00:02:32Z",
        "2024-02-29T23:59:59.5-11:30",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("a number", |it| it.is_finite()).prop_map(Value::Double),
        ".{0,12}".prop_map(Value::String),
        any::<[u8; 16]>().prop_map(Value::Guid),
        (-366..3_652_059).prop_map(Value::Date),
        (0..864_000_000_000_i64).prop_map(Value::TimeOfDay),
        (-i64::MAX..=i64::MAX).prop_map(Value::Duration),
        prop::sample::select(&TIMES[..])
            .prop_map(|it| Value::DateTimeOffset(DateTimeOffset::parse(it).unwrap())),
    ]
}

fn operator() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::{Add, And, Div, DivBy, Eq, Ge, Gt, Has, Le, Lt, Mod, Mul, Ne, Or, Sub};
    prop::sample::select(vec![Has, Mul, Div, DivBy, Mod, Add, Sub, Gt, Ge, Lt, Le, Eq, Ne, And, Or])
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        literal().prop_map(Expression::Literal),
        member_path().prop_map(Expression::Path),
        (name(), ".{0,6}").prop_map(|(ty, members)| Expression::EnumLiteral { ty, members }),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let kind = prop::sample::select(vec![LambdaKind::Any, LambdaKind::All]);
        prop_oneof![
            boxed().prop_map(Expression::Not),
            boxed().prop_map(Expression::Negate),
            (operator(), boxed(), boxed()).prop_map(|(op, left, right)| Expression::Binary {
                op,
                left,
                right
            }),
            (boxed(), vec(inner.clone(), 0..4))
                .prop_map(|(item, list)| Expression::In { item, list }),
            (boxed(), member_path())
                .prop_map(|(item, collection)| Expression::InCollection { item, collection }),
            vec(inner.clone(), 0..4).prop_map(Expression::List),
            (name(), vec(inner.clone(), 0..4))
                .prop_map(|(name, arguments)| Expression::Call { name, arguments }),
            (member_path(), kind, name(), boxed()).prop_map(|(path, kind, variable, body)| {
                Expression::Lambda { path, kind, body: Some((variable, body)) }
            }),
            member_path().prop_map(|path| Expression::Lambda {
                path,
                kind: LambdaKind::Any,
                body: None
            }),
        ]
    })
}

fn order_item() -> impl Strategy<Value = OrderItem> {
    (expression(), any::<bool>()).prop_map(|(key, descending)| OrderItem { key, descending })
}

/// Options with `expand` levels of `$expand` left.
fn options(expand: usize) -> BoxedStrategy<Options> {
    let items = if expand == 0 {
        Just(Vec::new()).boxed()
    } else {
        let item = (member_path(), options(expand - 1))
            .prop_map(|(path, options)| ExpandItem { path, options });
        vec(item, 0..3).boxed()
    };
    let number = || prop::option::of(0..=i64::MAX as u64);
    // Inside an item, a text ends at a semicolon, a comma or a parenthesis outside quotes.
    let text = || prop::option::of("[a-zA-Z0-9 +%&#=é_-]{0,9}|\"[^\"]{0,9}\"");
    let first = (
        vec(member_path(), 0..3),
        items,
        prop::option::of(expression()),
        vec(order_item(), 0..3),
        number(),
        number(),
        prop::option::of(any::<bool>()),
    );
    (first, text(), text(), text(), text(), text(), text())
        .prop_map(|(first, search, skip_token, delta_token, format, id, apply)| {
            let (select, expand, filter, order_by, top, skip, count) = first;
            let other = apply.map(|it| ("$apply".to_owned(), it)).into_iter().collect();
            Options {
                select,
                expand,
                filter,
                order_by,
                search,
                top,
                skip,
                count,
                skip_token,
                delta_token,
                format,
                id,
                other,
            }
        })
        .boxed()
}

fn segment() -> impl Strategy<Value = Segment> {
    let function = "[a-zA-Z0-9_.$]{1,12}";
    prop_oneof![
        // A key written as a segment; parentheses would make it a name with one.
        "[^()']{1,12}".prop_map(|name| Segment { name, key: None, parentheses: false }),
        function.prop_map(|name| Segment { name, key: None, parentheses: true }),
        (function, ".{0,12}")
            .prop_map(|(name, key)| { Segment { name, key: Some(key), parentheses: true } }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn options_are_printed_as_what_parses_to_them(options in options(2)) {
        let text = print_query(&options);
        prop_assert_eq!(parse_query(&text, &LIMITS), Ok(options), "{}", text);
    }

    #[test]
    fn paths_are_printed_as_what_parses_to_them(path in vec(segment(), 0..6)) {
        let text = print_path(&path);
        prop_assert_eq!(parse_path(&text, &LIMITS), Ok(path), "{}", text);
    }

    #[test]
    fn no_text_is_too_odd_for_a_path(text in "[-/()='%2789a.é ]{0,40}|.{0,40}") {
        check_path(&text);
    }

    #[test]
    fn no_text_is_too_odd_for_a_query(
        option in prop::sample::select(vec!["$filter", "$orderby", "$expand", "$select", "$search"]),
        text in "(not|eq| |in|has|or|\\(|\\)|'|\"|,|;|/|any|:|-|1|2.5|null|name|\\$it|%27|=|\\$filter|\\$search){0,20}",
    ) {
        check_query(&format!("{option}={text}"));
    }
}

#[test]
fn a_long_chain_is_printed_within_the_limits_it_came_in() {
    let chain = vec!["name eq 'x'"; 100].join(" or ");
    let options = parse_query(&format!("$filter={chain}"), &LIMITS).unwrap();
    assert_eq!(parse_query(&print_query(&options), &LIMITS), Ok(options));
}
