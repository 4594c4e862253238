//! What a filter says of a row of JSON, by the words of the standard.

use serde_json::Value;

use super::folded;
use super::tree::{Number, Real, Sign, Test, Text, Time};

const SECOND: i64 = 10_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Ticks since the year 1 and minutes of the offset.
pub(super) fn instant(text: &str) -> (i64, i64) {
    let number = |at: std::ops::Range<usize>| text[at].parse::<i64>().unwrap();
    let days = days(number(0..4), number(5..7), number(8..10));
    let seconds = number(11..13) * 3_600 + number(14..16) * 60 + number(17..19);
    let rest = &text[19..];
    let zone = rest.find(['Z', '+', '-']).unwrap();
    let fraction = rest[..zone].trim_start_matches('.');
    let fraction: i64 = format!("{fraction:0<7}").parse().unwrap();
    let offset = match &rest[zone..] {
        "Z" => 0,
        it => {
            let minutes = it[1..3].parse::<i64>().unwrap() * 60 + it[4..6].parse::<i64>().unwrap();
            if it.starts_with('-') { -minutes } else { minutes }
        }
    };
    (days * DAY + seconds * SECOND + fraction - offset * 60 * SECOND, offset)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 0001-01-01, counted.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let of_years: i64 = if year > 0 {
        (1..year).map(|it| 365 + i64::from(leap(it))).sum()
    } else {
        -(year..1).map(|it| 365 + i64::from(leap(it))).sum::<i64>()
    };
    of_years + (1..month).map(|it| length(year, it)).sum::<i64>() + day - 1
}

/// Year, month and day, counted.
fn date(mut left: i64) -> [i64; 3] {
    let mut year = 1;
    while left < 0 {
        year -= 1;
        left += 365 + i64::from(leap(year));
    }
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    while left >= length(year, month) {
        left -= length(year, month);
        month += 1;
    }
    [year, month, left + 1]
}

impl Time {
    /// Ticks and the offset in which they are read: what was moved is in UTC.
    fn of(&self, row: &Value) -> (i64, i64) {
        match self {
            Time::Property => instant(row["lastDeliveredDateTime"].as_str().unwrap()),
            Time::Literal(it) => instant(it),
            Time::Moved(it, by) => (it.of(row).0 + by * SECOND, 0),
        }
    }

    fn local(&self, row: &Value) -> i64 {
        let (ticks, offset) = self.of(row);
        ticks + offset * 60 * SECOND
    }
}

impl Text {
    /// Folded, or as it is written where `raw`.
    fn of(&self, row: &Value, raw: bool) -> Option<String> {
        let it = |text: &str| if raw { text.to_owned() } else { folded(text) };
        Some(match self {
            Text::Property(name) => it(row[*name].as_str().unwrap()),
            Text::Literal(text) => it(text),
            Text::Lower(it) | Text::Upper(it) => it.of(row, raw)?,
            Text::Trim(it) => it.of(row, raw)?.trim().to_owned(),
            Text::Concat(a, b) => format!("{}{}", a.of(row, raw)?, b.of(row, raw)?),
            Text::Substring(it, start, length) => {
                let text = it.of(row, raw)?;
                let start = usize::try_from(start.of(row)?.max(0)).unwrap();
                let length = match length {
                    Some(length) => usize::try_from(length.of(row)?.max(0)).unwrap(),
                    None => usize::MAX,
                };
                text.chars().skip(start).take(length).collect()
            }
            Text::OfNumber(it) => it.of(row)?.to_string(),
        })
    }
}

impl Number {
    fn of(&self, row: &Value) -> Option<i64> {
        Some(match self {
            Number::Literal(it) => *it,
            Number::Length(it) => it.of(row, true)?.chars().count() as i64,
            Number::IndexOf(a, b) => {
                let (a, b) = (a.of(row, false)?, b.of(row, false)?);
                a.find(&b).map_or(-1, |at| a[..at].chars().count() as i64)
            }
            Number::Count(name) => row[*name].as_array().unwrap().len() as i64,
            Number::Part(part, of) => {
                let local = of.local(row);
                let [year, month, day] = date(local.div_euclid(DAY));
                let clock = local.rem_euclid(DAY) / SECOND;
                match *part {
                    "year" => year,
                    "month" => month,
                    "day" => day,
                    "hour" => clock / 3_600,
                    "minute" => clock / 60 % 60,
                    _ => clock % 60,
                }
            }
            Number::Offset(of) => of.of(row).1,
            Number::Of(it) => {
                let text = it.of(row, false)?;
                let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
                let good =
                    (1..=18).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
                if !good {
                    return None;
                }
                text.parse().unwrap()
            }
            Number::Minus(it) => -it.of(row)?,
            Number::Two(sign, a, b) => {
                let (a, b) = (a.of(row)?, b.of(row)?);
                match sign {
                    Sign::Add => a + b,
                    Sign::Sub => a - b,
                    Sign::Mul => a * b,
                    Sign::Div => a.checked_div(b)?,
                    Sign::Mod => a.checked_rem(b)?,
                }
            }
        })
    }
}

impl Real {
    fn of(&self, row: &Value) -> Option<f64> {
        let divided = |a: f64, b: f64| (b != 0.0).then(|| a / b);
        Some(match self {
            Real::Literal(it) => *it,
            Real::Divided(a, b) => divided(a.of(row)? as f64, b.of(row)? as f64)?,
            Real::Cast(it) => it.of(row)? as f64,
            Real::Seconds(a, b) => (a.of(row).0 - b.of(row).0) as f64 / SECOND as f64,
            Real::Fraction(it) => it.local(row).rem_euclid(SECOND) as f64 / SECOND as f64,
            Real::Rounded(name, it) => {
                let it = it.of(row)?;
                match *name {
                    "round" => it.round(),
                    "floor" => it.floor(),
                    _ => it.ceil(),
                }
            }
            Real::Two(sign, a, b) => {
                let (a, b) = (a.of(row)?, b.of(row)?);
                match sign {
                    Sign::Add => a + b,
                    Sign::Sub => a - b,
                    Sign::Mul => a * b,
                    _ => divided(a, b)?,
                }
            }
        })
    }
}

impl Test {
    pub(super) fn holds(&self, row: &Value) -> bool {
        match self {
            Test::Texts(a, op, b) => op.holds_of(a.of(row, false), b.of(row, false)),
            Test::Numbers(a, op, b) => op.holds_of(a.of(row), b.of(row)),
            Test::Reals(a, op, b) => op.holds_of(a.of(row), b.of(row)),
            Test::Times(a, op, b) => op.holds(&a.of(row).0, &b.of(row).0),
            Test::Dates(a, op, date) => {
                let wanted = instant(&format!("{date}T00:00:00Z")).0 / DAY;
                op.holds(&a.local(row).div_euclid(DAY), &wanted)
            }
            Test::Clocks(a, op, clock) => {
                let wanted = instant(&format!("0001-01-01T{clock}Z")).0;
                op.holds(&wanted, &a.local(row).rem_euclid(DAY))
            }
            Test::Apart(a, b, op, by) => op.holds(&(a.of(row).0 - b.of(row).0), &(by * SECOND)),
            Test::Known(it, known) => it.of(row).is_some() == *known,
            Test::In(it, list) => it.of(row).is_some_and(|it| list.contains(&it)),
            Test::Part(test, of, part) => {
                let (Some(of), Some(part)) = (of.of(row, false), part.of(row, false)) else {
                    return false;
                };
                match *test {
                    "startswith" => of.starts_with(&part),
                    "endswith" => of.ends_with(&part),
                    _ => of.contains(&part),
                }
            }
            Test::Flag("hasAttachments") => row["hasAttachments"] == true,
            Test::Flag(name) => *name == "true",
            Test::Senders(all, op, it) => {
                let it = it.of(row, false);
                let mut senders = senders(row);
                let holds = |sender: String| op.holds_of(Some(sender), it.clone());
                if *all { senders.all(holds) } else { senders.any(holds) }
            }
            Test::Held(it) => it.of(row, false).is_some_and(|it| senders(row).any(|s| s == it)),
            Test::Subset(list) => list.iter().all(|it| senders(row).any(|s| s == folded(it))),
            Test::Threads(all, op, it) => {
                let it = it.of(row, false);
                let mut threads = row["threads"].as_array().unwrap().iter();
                let holds = |thread: &Value| {
                    op.holds_of(Some(folded(thread["topic"].as_str().unwrap())), it.clone())
                };
                if *all { threads.all(holds) } else { threads.any(holds) }
            }
            Test::Same(a, equal, b) => (a.holds(row) == b.holds(row)) == *equal,
            Test::Not(it) => !it.holds(row),
            Test::And(a, b) => a.holds(row) && b.holds(row),
            Test::Or(a, b) => a.holds(row) || b.holds(row),
        }
    }
}

fn senders(row: &Value) -> impl Iterator<Item = String> + '_ {
    row["uniqueSenders"].as_array().unwrap().iter().map(|it| folded(it.as_str().unwrap()))
}
