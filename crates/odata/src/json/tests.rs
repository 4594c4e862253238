//! What is read and written, and what is refused where.
//!
//! **Invariant:** every case is a text and what a user of the crate sees of it.

use super::*;

fn written(json: &Json) -> String {
    let mut out = Vec::new();
    write(&mut out, json);
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_read_is_written_back_unchanged() {
    let texts = [
        r#"{"b":1,"a":[true,false,null,-2,1.5,"x"],"c":{}}"#,
        r#""quote \" backslash \\ newline \n tab \t bell \u0007 é 😀""#,
        "18446744073709551615",
        "[]",
        "0.1",
    ];
    for text in texts {
        assert_eq!(written(&parse(text.as_bytes(), 8).unwrap()), text);
    }
    assert_eq!(written(&parse(b"\xef\xbb\xbf \"\\ud83d\\ude00\\/\" ", 0).unwrap()), "\"😀/\"");
}

#[test]
fn every_fault_names_its_place() {
    let surrogate = "at 'a': a \\u escape is half of a surrogate pair and no character";
    let cases: [(&[u8], &str); 17] = [
        (b"", "the body is empty; a JSON object was expected"),
        (b" \n", "the body is empty; a JSON object was expected"),
        (b"\xff", "the body is not UTF-8"),
        (b"{", "the body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        (b"{} x", "the body is not valid JSON: trailing characters at line 1 column 4"),
        (br#"{"a":1,"b":[1,{"d":1,"D":2}]}"#, "at 'b[1]': the member 'D' is given twice"),
        (br#"{"t":[{"x":"a\u0000"}]}"#, "at 't[0].x': the character U+0000 cannot be stored"),
        (br#"{"\u0000":1}"#, "the character U+0000 cannot be stored"),
        (br#"{"a":"\ud83d"}"#, surrogate),
        (br#"{"a":"\ud83dx"}"#, surrogate),
        (br#"{"a":"\ud83d\u0041"}"#, surrogate),
        (br#"{"a":"\ude00"}"#, surrogate),
        (br#"{"a":"\x"}"#, "at 'a': the body is not valid JSON: invalid escape at line 1 column 8"),
        (b"[[[[1]]]]", "at '[0][0][0]': arrays and objects are nested more than 3 deep"),
        (br#"{"a":{"b":[{}]}}"#, "at 'a.b[0]': arrays and objects are nested more than 3 deep"),
        (
            b"{\"a\":\n tru}",
            "at 'a': the body is not valid JSON: expected ident at line 2 column 5",
        ),
        (b"1e999", "the body is not valid JSON: number out of range at line 1 column 5"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text, 3).unwrap_err().to_string(), expected);
    }
}

#[test]
fn duplicates_are_found_in_large_objects_too() {
    for last in [3, 15, 16, 40] {
        let members: Vec<String> = (0..=last).map(|it| format!("\"m{it}\":0")).collect();
        for first in [0, last] {
            let text = format!("{{{},\"M{first}\":1}}", members.join(","));
            let problem = parse(text.as_bytes(), 1).unwrap_err().problem;
            assert_eq!(problem, JsonProblem::Duplicate(format!("M{first}")));
        }
    }
}

#[test]
fn nesting_stops_below_the_parsers_own_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(DEPTH_MAX).as_bytes(), usize::MAX).is_ok());
    for depth in [DEPTH_MAX + 1, 100_000] {
        let problem = parse(nested(depth).as_bytes(), usize::MAX).unwrap_err().problem;
        assert_eq!(problem, JsonProblem::TooDeep(DEPTH_MAX));
    }
}

#[test]
fn members_are_found_in_any_letter_case() {
    let json = parse(br#"{"Id":"x"}"#, 1).unwrap();
    assert_eq!(json.get("iD").and_then(Json::as_str), Some("x"));
    assert_eq!(json.get("other"), None);
    assert_eq!(Json::Null.get("id"), None);
}
