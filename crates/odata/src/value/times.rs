//! Dates, times of day and durations: the literals of `$filter` beside points in time.
//!
//! **Invariant:** what is written parses to the same number of days or ticks.

use std::fmt;

use super::{TICKS_A_DAY, TICKS_A_MINUTE, TICKS_A_SECOND, date, days, fraction, number};

/// Reads `YYYY-MM-DD`, the `dateValue` of the ABNF with a year of four digits: days since 0001-01-01.
pub fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || (bytes[4], bytes[7]) != (b'-', b'-') {
        return None;
    }
    days(number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?)
}

/// Reads `hh:mm[:ss[.f]]`, the `timeOfDayValue` of the ABNF: ticks of 100 ns since midnight. Digits of
/// the fraction past the seventh are cut off.
pub fn parse_time_of_day(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (hour, minute) = (number(bytes, 0, 2)?, number(bytes, 3, 2)?);
    let (second, rest) = match bytes.get(5..)? {
        [] => (0, &[][..]),
        [b':', ..] => (number(bytes, 6, 2)?, &bytes[8..]),
        _ => return None,
    };
    let (fraction, rest) = match rest {
        [b'.', digits @ ..] => fraction(digits)?,
        rest => (0, rest),
    };
    let good = bytes[2] == b':' && rest.is_empty() && hour < 24 && minute < 60 && second < 60;
    good.then_some((hour * 3_600 + minute * 60 + second) * TICKS_A_SECOND + fraction)
}

/// Reads `[-]P[nD][T[nH][nM][n[.f]S]]`, the `durationValue` of the ABNF: ticks of 100 ns. What is
/// longer than some 29,000 years is not read.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let text = text.strip_prefix(['P', 'p'])?;
    let (days, clock) = match text.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((days, clock)) => (days, clock),
        None => (text, ""),
    };
    let mut ticks = 0_i64;
    let days = match days {
        "" => "",
        days => days.strip_suffix(['D', 'd'])?,
    };
    if days.is_empty() && clock.is_empty() {
        return None;
    }
    if !days.is_empty() {
        ticks = whole(days)?.checked_mul(TICKS_A_DAY)?;
    }
    let mut rest = clock;
    for (letters, unit) in [(['H', 'h'], 60 * TICKS_A_MINUTE), (['M', 'm'], TICKS_A_MINUTE)] {
        if let Some((count, after)) = rest.split_once(letters) {
            ticks = ticks.checked_add(whole(count)?.checked_mul(unit)?)?;
            rest = after;
        }
    }
    if !rest.is_empty() {
        let seconds = rest.strip_suffix(['S', 's'])?;
        let (seconds, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let (part, after) = fraction(part.as_bytes())?;
        let seconds = whole(seconds)?.checked_mul(TICKS_A_SECOND)?.checked_add(part)?;
        ticks = ticks.checked_add(seconds).filter(|_| after.is_empty())?;
    }
    Some(if negative { -ticks } else { ticks })
}

fn whole(digits: &str) -> Option<i64> {
    let plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

pub(super) fn write_date(days: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let date = date(days.into());
    write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

pub(super) fn write_time_of_day(ticks: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let minutes = ticks / TICKS_A_MINUTE;
    write!(f, "{:02}:{:02}:", minutes / 60, minutes % 60)?;
    write_seconds(ticks % TICKS_A_MINUTE, 2, f)
}

pub(super) fn write_duration(ticks: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if ticks < 0 { "-" } else { "" };
    // The most negative number of ticks has no positive one; it is no duration that parses.
    let ticks = ticks.saturating_abs();
    write!(f, "duration'{sign}P{}DT", ticks / TICKS_A_DAY)?;
    write_seconds(ticks % TICKS_A_DAY, 1, f)?;
    f.write_str("S'")
}

fn write_seconds(ticks: i64, width: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{:0width$}", ticks / TICKS_A_SECOND)?;
    match ticks % TICKS_A_SECOND {
        0 => Ok(()),
        part => write!(f, ".{}", format!("{part:07}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn what_is_read_is_written_again() {
        assert_eq!(parse_date("0001-01-02"), Some(1));
        assert_eq!(parse_date("0000-12-31"), Some(-1));
        assert_eq!(Value::Date(parse_date("2024-02-29").unwrap()).to_string(), "2024-02-29");
        assert_eq!(parse_time_of_day("01:00:00.0000001"), Some(36_000_000_001));
        for text in ["00:00:00", "23:59:59.9999999", "07:08:09.5"] {
            assert_eq!(Value::TimeOfDay(parse_time_of_day(text).unwrap()).to_string(), text);
        }
        assert_eq!(parse_duration("P7D"), Some(7 * TICKS_A_DAY));
        assert_eq!(parse_duration("-PT1H2M3.5S"), Some(-(3_723 * TICKS_A_SECOND + 5_000_000)));
        for text in ["P7D", "-P1DT12H", "PT0.0000001S", "pt90m", "P0D", "+PT5S"] {
            let ticks = parse_duration(text).unwrap();
            let written = Value::Duration(ticks).to_string();
            let inner = written.strip_prefix("duration'").and_then(|it| it.strip_suffix('\''));
            assert_eq!(parse_duration(inner.unwrap()), Some(ticks), "{written}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["2024-02-30", "2024-2-3", "24-02-03", "2024-02-03Z", ""] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        for text in ["24:00", "1:00", "01:60", "01:00:60", "01:00:00.", "01-00", "", "01:00Z"] {
            assert_eq!(parse_time_of_day(text), None, "{text}");
        }
        for text in ["P", "PT", "P1", "P1Y", "PT1D", "P1DT", "PT1S1M", "P99999999999999D", "-", ""]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
