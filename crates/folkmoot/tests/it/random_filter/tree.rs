//! Filters of the whole grammar as trees: how they are written, and how they are made at random.

use proptest::prelude::*;

use super::{Op, TEXTS, op, quoted};

/// A text.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Property(&'static str),
    Literal(&'static str),
    Lower(Box<Text>),
    Upper(Box<Text>),
    Trim(Box<Text>),
    Concat(Box<Text>, Box<Text>),
    Substring(Box<Text>, Box<Number>, Option<Box<Number>>),
    OfNumber(Box<Number>),
}

/// A whole number, or none.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Literal(i64),
    Length(Text),
    IndexOf(Text, Text),
    Count(&'static str),
    Part(&'static str, Time),
    Offset(Time),
    Of(Text),
    Minus(Box<Number>),
    Two(Sign, Box<Number>, Box<Number>),
}

/// A number with a fraction, or none.
#[derive(Clone, Debug)]
pub(super) enum Real {
    Literal(f64),
    Divided(Number, Number),
    Cast(Number),
    Seconds(Time, Time),
    Fraction(Time),
    Rounded(&'static str, Box<Real>),
    Two(Sign, Box<Real>, Box<Real>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

/// A point in time: as it is in the row or literally, or moved by so many seconds.
#[derive(Clone, Debug)]
pub(super) enum Time {
    Property,
    Literal(&'static str),
    Moved(Box<Time>, i64),
}

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Texts(Text, Op, Text),
    Numbers(Number, Op, Number),
    Reals(Real, Op, Real),
    Times(Time, Op, Time),
    Dates(Time, Op, &'static str),
    Clocks(Time, Op, &'static str),
    Apart(Time, Time, Op, i64),
    Known(Number, bool),
    In(Number, Vec<i64>),
    Part(&'static str, Text, Text),
    Flag(&'static str),
    Senders(bool, Op, Text),
    Held(Text),
    Subset(Vec<&'static str>),
    Threads(bool, Op, Text),
    Same(Box<Test>, bool, Box<Test>),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

pub(super) const TIMES: [&str; 6] = [
    "2020-02-29T23:30:00Z",
    "2020-03-01T01:30:00.5+02:00",
    "2019-12-31T13:00:00-11:30",
    "2020-12-31T23:59:59.9999999+00:30",
    "1969-12-31T23:59:59Z",
    "0001-01-01T00:00:00.25+01:00",
];
pub(super) const DATES: [&str; 5] =
    ["2020-02-29", "2020-03-01", "2019-12-31", "1969-12-31", "0000-12-31"];
pub(super) const CLOCKS: [&str; 4] = ["23:30:00", "01:30:00.5", "00:00:00", "13:00:00"];
const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
/// Texts beside those that fold in ways of their own: numbers, and space at the ends.
pub(super) const MORE: [&str; 6] = ["12", "-7", "+0", " a\u{a0}", "１2", "1234567890123456789"];

fn literal() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS.iter().chain(&MORE).copied().collect::<Vec<_>>())
}

pub(super) fn time() -> BoxedStrategy<Time> {
    let leaf = prop_oneof![
        3 => Just(Time::Property),
        1 => prop::sample::select(TIMES.to_vec()).prop_map(Time::Literal),
    ];
    leaf.prop_recursive(1, 2, 1, |inner| {
        (inner, -200_000_i64..200_000).prop_map(|(it, by)| Time::Moved(it.into(), by))
    })
    .boxed()
}

pub(super) fn text(depth: u32) -> BoxedStrategy<Text> {
    let leaf = prop_oneof![
        3 => prop::sample::select(vec!["topic", "preview"]).prop_map(Text::Property),
        1 => literal().prop_map(Text::Literal),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let boxed = || text(depth - 1).prop_map(Box::new);
    let place = || number(depth - 1).prop_map(Box::new);
    prop_oneof![
        3 => leaf,
        1 => boxed().prop_map(Text::Lower),
        1 => boxed().prop_map(Text::Upper),
        1 => boxed().prop_map(Text::Trim),
        1 => (boxed(), boxed()).prop_map(|(a, b)| Text::Concat(a, b)),
        2 => (boxed(), place(), prop::option::of(place()))
            .prop_map(|(it, start, length)| Text::Substring(it, start, length)),
        1 => place().prop_map(Text::OfNumber),
    ]
    .boxed()
}

fn sign() -> impl Strategy<Value = Sign> {
    prop::sample::select(vec![Sign::Add, Sign::Sub, Sign::Mul, Sign::Div, Sign::Mod])
}

pub(super) fn number(depth: u32) -> BoxedStrategy<Number> {
    let leaf = prop_oneof![
        2 => (-5_i64..20).prop_map(Number::Literal),
        1 => prop::sample::select(vec!["uniqueSenders", "threads"]).prop_map(Number::Count),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let boxed = || number(depth - 1).prop_map(Box::new);
    let text = || text(depth - 1);
    prop_oneof![
        2 => leaf,
        2 => text().prop_map(Number::Length),
        2 => (text(), text()).prop_map(|(a, b)| Number::IndexOf(a, b)),
        2 => (prop::sample::select(PARTS.to_vec()), time())
            .prop_map(|(part, of)| Number::Part(part, of)),
        1 => time().prop_map(Number::Offset),
        1 => text().prop_map(Number::Of),
        1 => boxed().prop_map(Number::Minus),
        2 => (sign(), boxed(), boxed()).prop_map(|(sign, a, b)| Number::Two(sign, a, b)),
    ]
    .boxed()
}

fn real() -> BoxedStrategy<Real> {
    let literal = prop::sample::select(vec![0.5, -1.5, 2.0, 0.25, 2.5, 1e3]);
    let leaf = prop_oneof![
        literal.prop_map(Real::Literal),
        (number(1), number(1)).prop_map(|(a, b)| Real::Divided(a, b)),
        number(1).prop_map(Real::Cast),
        (time(), time()).prop_map(|(a, b)| Real::Seconds(a, b)),
        time().prop_map(Real::Fraction),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let names = prop::sample::select(vec!["round", "floor", "ceiling"]);
        let signs = prop::sample::select(vec![Sign::Add, Sign::Sub, Sign::Mul, Sign::Div]);
        prop_oneof![
            (names, boxed()).prop_map(|(name, of)| Real::Rounded(name, of)),
            (signs, boxed(), boxed()).prop_map(|(sign, a, b)| Real::Two(sign, a, b)),
        ]
    })
    .boxed()
}

pub(super) fn test() -> impl Strategy<Value = Test> {
    let dates = prop::sample::select(DATES.to_vec());
    let clocks = prop::sample::select(CLOCKS.to_vec());
    let tests = prop::sample::select(vec!["startswith", "endswith", "contains"]);
    let leaf = prop_oneof![
        (text(2), op(), text(2)).prop_map(|(a, op, b)| Test::Texts(a, op, b)),
        (number(2), op(), number(2)).prop_map(|(a, op, b)| Test::Numbers(a, op, b)),
        (real(), op(), real()).prop_map(|(a, op, b)| Test::Reals(a, op, b)),
        (time(), op(), time()).prop_map(|(a, op, b)| Test::Times(a, op, b)),
        (time(), op(), dates).prop_map(|(a, op, b)| Test::Dates(a, op, b)),
        (time(), op(), clocks).prop_map(|(a, op, b)| Test::Clocks(a, op, b)),
        (time(), time(), op(), -90_000_i64..90_000)
            .prop_map(|(a, b, op, by)| Test::Apart(a, b, op, by)),
        (number(2), any::<bool>()).prop_map(|(it, known)| Test::Known(it, known)),
        (number(2), prop::collection::vec(-2_i64..6, 0..4))
            .prop_map(|(it, list)| Test::In(it, list)),
        (tests, text(2), text(2)).prop_map(|(test, of, part)| Test::Part(test, of, part)),
        prop::sample::select(vec!["hasAttachments", "true", "false"]).prop_map(Test::Flag),
        (any::<bool>(), op(), text(1)).prop_map(|(all, op, it)| Test::Senders(all, op, it)),
        text(1).prop_map(Test::Held),
        prop::collection::vec(literal(), 0..3).prop_map(Test::Subset),
        (any::<bool>(), op(), text(1)).prop_map(|(all, op, it)| Test::Threads(all, op, it)),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed().prop_map(Test::Not),
            (boxed(), boxed()).prop_map(|(a, b)| Test::And(a, b)),
            (boxed(), boxed()).prop_map(|(a, b)| Test::Or(a, b)),
            (boxed(), any::<bool>(), boxed()).prop_map(|(a, eq, b)| Test::Same(a, eq, b)),
        ]
    })
}

impl Sign {
    fn word(self) -> &'static str {
        match self {
            Sign::Add => "add",
            Sign::Sub => "sub",
            Sign::Mul => "mul",
            Sign::Div => "div",
            Sign::Mod => "mod",
        }
    }
}

fn duration(seconds: i64) -> String {
    format!("duration'{}PT{}S'", if seconds < 0 { "-" } else { "" }, seconds.abs())
}

impl Text {
    fn write(&self) -> String {
        match self {
            Text::Property(name) => (*name).to_owned(),
            Text::Literal(text) => quoted(text),
            Text::Lower(it) => format!("tolower({})", it.write()),
            Text::Upper(it) => format!("toupper({})", it.write()),
            Text::Trim(it) => format!("trim({})", it.write()),
            Text::Concat(a, b) => format!("concat({},{})", a.write(), b.write()),
            Text::Substring(it, start, None) => {
                format!("substring({},{})", it.write(), start.write())
            }
            Text::Substring(it, start, Some(length)) => {
                format!("substring({},{},{})", it.write(), start.write(), length.write())
            }
            Text::OfNumber(it) => format!("cast({},Edm.String)", it.write()),
        }
    }
}

impl Number {
    fn write(&self) -> String {
        match self {
            Number::Literal(it) => it.to_string(),
            Number::Length(it) => format!("length({})", it.write()),
            Number::IndexOf(a, b) => format!("indexof({},{})", a.write(), b.write()),
            Number::Count(name) => format!("{name}/$count"),
            Number::Part(part, of) => format!("{part}({})", of.write()),
            Number::Offset(of) => format!("totaloffsetminutes({})", of.write()),
            Number::Of(it) => format!("cast({},Edm.Int64)", it.write()),
            Number::Minus(it) => format!("(- ({}))", it.write()),
            Number::Two(sign, a, b) => format!("({} {} {})", a.write(), sign.word(), b.write()),
        }
    }
}

impl Real {
    fn write(&self) -> String {
        match self {
            Real::Literal(it) => format!("{it:?}"),
            Real::Divided(a, b) => format!("({} divby {})", a.write(), b.write()),
            Real::Cast(it) => format!("cast({},Edm.Double)", it.write()),
            Real::Seconds(a, b) => format!("totalseconds({} sub {})", a.write(), b.write()),
            Real::Fraction(it) => format!("fractionalseconds({})", it.write()),
            Real::Rounded(name, it) => format!("{name}({})", it.write()),
            Real::Two(sign, a, b) => format!("({} {} {})", a.write(), sign.word(), b.write()),
        }
    }
}

impl Time {
    fn write(&self) -> String {
        match self {
            Time::Property => "lastDeliveredDateTime".to_owned(),
            Time::Literal(it) => (*it).to_owned(),
            Time::Moved(it, by) => format!("({} add {})", it.write(), duration(*by)),
        }
    }
}

impl Test {
    pub(super) fn write(&self) -> String {
        let kind = |all: &bool| if *all { "all" } else { "any" };
        match self {
            Test::Texts(a, op, b) => format!("{} {} {}", a.write(), op.word(), b.write()),
            Test::Numbers(a, op, b) => format!("{} {} {}", a.write(), op.word(), b.write()),
            Test::Reals(a, op, b) => format!("{} {} {}", a.write(), op.word(), b.write()),
            Test::Times(a, op, b) => format!("{} {} {}", a.write(), op.word(), b.write()),
            Test::Dates(a, op, date) => format!("date({}) {} {date}", a.write(), op.word()),
            Test::Clocks(a, op, clock) => format!("{clock} {} time({})", op.word(), a.write()),
            Test::Apart(a, b, op, by) => {
                format!("{} sub {} {} {}", a.write(), b.write(), op.word(), duration(*by))
            }
            Test::Known(it, known) => {
                format!("{} {} null", it.write(), if *known { "ne" } else { "eq" })
            }
            Test::In(it, list) => {
                let list: Vec<_> = list.iter().map(ToString::to_string).collect();
                format!("{} in ({})", it.write(), list.join(","))
            }
            Test::Part(test, of, part) => format!("{test}({},{})", of.write(), part.write()),
            Test::Flag(name) => (*name).to_owned(),
            Test::Senders(all, op, it) => {
                format!("uniqueSenders/{}(s:s {} {})", kind(all), op.word(), it.write())
            }
            Test::Held(it) => format!("{} in uniqueSenders", it.write()),
            Test::Subset(list) => {
                let list: Vec<_> = list.iter().map(|it| quoted(it)).collect();
                format!("hassubset(uniqueSenders,[{}])", list.join(","))
            }
            Test::Threads(all, op, it) => {
                format!("threads/{}(t:t/topic {} {})", kind(all), op.word(), it.write())
            }
            Test::Same(a, equal, b) => {
                format!("({}) {} ({})", a.write(), if *equal { "eq" } else { "ne" }, b.write())
            }
            Test::Not(it) => format!("not ({})", it.write()),
            Test::And(a, b) => format!("({} and {})", a.write(), b.write()),
            Test::Or(a, b) => format!("({} or {})", a.write(), b.write()),
        }
    }
}
