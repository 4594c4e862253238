//! Values of OData's primitive types and their text forms.
//!
//! **Invariant:** a [`DateTimeOffset`] keeps what was sent: its instant to 100 ns and its offset.

use std::fmt;

mod times;

pub use times::{parse_date, parse_duration, parse_time_of_day};

/// A value of a primitive type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `Edm.Boolean`
    Boolean(bool),
    /// `Edm.Int32` and `Edm.Int64`
    Int(i64),
    /// `Edm.Double`
    Double(f64),
    /// `Edm.String` and enum members
    String(String),
    /// `Edm.Guid`, sixteen bytes in the order in which they are written
    Guid([u8; 16]),
    /// `Edm.DateTimeOffset`
    DateTimeOffset(DateTimeOffset),
    /// `Edm.Binary`
    Binary(Vec<u8>),
    /// `Edm.Date`: days since 0001-01-01
    Date(i32),
    /// `Edm.TimeOfDay`: units of 100 ns since midnight
    TimeOfDay(i64),
    /// `Edm.Duration`: units of 100 ns
    Duration(i64),
}

/// A literal of a URL (ABNF, `primitiveLiteral`).
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            // Debug keeps the fraction or exponent that tells it from an integer.
            Value::Double(value) => write!(f, "{value:?}"),
            Value::String(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Value::Guid(value) => {
                let mut text = Vec::with_capacity(36);
                write_guid(value, &mut text);
                f.write_str(&String::from_utf8_lossy(&text))
            }
            Value::DateTimeOffset(value) => value.fmt(f),
            Value::Binary(value) => {
                use base64::Engine as _;
                write!(f, "binary'{}'", base64::prelude::BASE64_URL_SAFE.encode(value))
            }
            Value::Date(days) => times::write_date(*days, f),
            Value::TimeOfDay(ticks) => times::write_time_of_day(*ticks, f),
            Value::Duration(ticks) => times::write_duration(*ticks, f),
        }
    }
}

/// Units of 100 ns in a second.
pub const TICKS_A_SECOND: i64 = 10_000_000;
/// Units of 100 ns in a minute.
pub const TICKS_A_MINUTE: i64 = 60 * TICKS_A_SECOND;
/// Units of 100 ns in a day.
pub const TICKS_A_DAY: i64 = 24 * 60 * TICKS_A_MINUTE;
/// The Julian day number of 0001-01-01.
const FIRST_DAY: i32 = 1_721_426;
/// Seconds from 0001-01-01 to 1970-01-01.
const UNIX_EPOCH_SECONDS: i64 = 62_135_596_800;

/// A point in time with the offset it was written in.
///
/// Equality and order of two values are those of the fields; [`ticks`](Self::ticks) alone compares
/// instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTimeOffset {
    /// The instant: units of 100 ns since 0001-01-01T00:00:00Z, negative before it.
    pub ticks: i64,
    /// Minutes east of UTC, at most 14 hours either way.
    pub offset_minutes: i16,
}

impl DateTimeOffset {
    /// A point in time in UTC.
    pub const fn utc(ticks: i64) -> DateTimeOffset {
        DateTimeOffset { ticks, offset_minutes: 0 }
    }

    /// A point in time by seconds since 1970.
    pub const fn from_unix_seconds(seconds: i64) -> DateTimeOffset {
        DateTimeOffset::utc((seconds + UNIX_EPOCH_SECONDS) * TICKS_A_SECOND)
    }

    /// Whole seconds since 1970; a fraction is cut off.
    pub const fn unix_seconds(self) -> i64 {
        self.ticks.div_euclid(TICKS_A_SECOND) - UNIX_EPOCH_SECONDS
    }

    /// Reads `YYYY-MM-DDThh:mm[:ss[.f]](Z|±hh:mm)`, the `dateTimeOffsetValue` of the ABNF with a year
    /// of four digits. Digits of the fraction past the seventh are cut off (twelve at most are read).
    pub fn parse(text: &str) -> Option<DateTimeOffset> {
        let bytes = text.as_bytes();
        let (year, month, day) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
        let (hour, minute) = (number(bytes, 11, 2)?, number(bytes, 14, 2)?);
        let separators = [bytes[4], bytes[7], bytes[10].to_ascii_uppercase(), bytes[13]];
        if separators != *b"--T:" || hour > 23 || minute > 59 {
            return None;
        }
        let (seconds, rest) = match bytes.get(16) {
            Some(b':') => (number(bytes, 17, 2)?, &bytes[19..]),
            _ => (0, bytes.get(16..)?),
        };
        let has_seconds = bytes.get(16) == Some(&b':');
        let (fraction, rest) = match rest {
            [b'.', digits @ ..] if has_seconds => fraction(digits)?,
            _ => (0, rest),
        };
        let offset_minutes = offset(rest)?;
        if seconds > 59 {
            return None;
        }
        let days = i64::from(days(year, month, day)?);
        let local =
            days * TICKS_A_DAY + (hour * 3_600 + minute * 60 + seconds) * TICKS_A_SECOND + fraction;
        let ticks = local - i64::from(offset_minutes) * TICKS_A_MINUTE;
        Some(DateTimeOffset { ticks, offset_minutes })
    }

    /// Appends the text form: seconds always, the fraction where there is one and without trailing
    /// zeros, `Z` for no offset.
    pub fn write(&self, out: &mut Vec<u8>) {
        let local = self.ticks + i64::from(self.offset_minutes) * TICKS_A_MINUTE;
        let (days, in_day) = (local.div_euclid(TICKS_A_DAY), local.rem_euclid(TICKS_A_DAY));
        let date = date(days);
        let (seconds, fraction) = (in_day / TICKS_A_SECOND, in_day % TICKS_A_SECOND);
        digits(out, date.year().unsigned_abs().into(), 4);
        let rest = [
            (b'-', u8::from(date.month()).into()),
            (b'-', date.day().into()),
            (b'T', seconds / 3_600),
            (b':', seconds / 60 % 60),
            (b':', seconds % 60),
        ];
        for (separator, value) in rest {
            out.push(separator);
            digits(out, value, 2);
        }
        if fraction > 0 {
            out.push(b'.');
            digits(out, fraction, 7);
            while out.last() == Some(&b'0') {
                out.pop();
            }
        }
        if self.offset_minutes == 0 {
            out.push(b'Z');
            return;
        }
        let minutes = i64::from(self.offset_minutes.unsigned_abs());
        out.push(if self.offset_minutes < 0 { b'-' } else { b'+' });
        digits(out, minutes / 60, 2);
        out.push(b':');
        digits(out, minutes % 60, 2);
    }
}

impl fmt::Display for DateTimeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(33);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// The days from 0001-01-01 to a date, where there is such a date.
fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let (year, day) = (i32::try_from(year).ok()?, u8::try_from(day).ok()?);
    Some(time::Date::from_calendar_date(year, month, day).ok()?.to_julian_day() - FIRST_DAY)
}

/// The date so many days after 0001-01-01, or the nearest one that can be written.
fn date(days: i64) -> time::Date {
    let day = i32::try_from(days).ok().and_then(|it| it.checked_add(FIRST_DAY));
    let date = day.and_then(|it| time::Date::from_julian_day(it).ok());
    date.unwrap_or(if days < 0 { time::Date::MIN } else { time::Date::MAX })
}

/// The number of exactly `width` digits at a place.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<i64> {
    bytes.get(at..at + width)?.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// A fraction of a second in ticks, and what follows it.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let count = bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    if !(1..=12).contains(&count) {
        return None;
    }
    let kept = count.min(7);
    let scale = 10_i64.pow(7 - u32::try_from(kept).ok()?);
    Some((number(bytes, 0, kept)? * scale, &bytes[count..]))
}

fn offset(bytes: &[u8]) -> Option<i16> {
    let sign = match bytes {
        [b'Z' | b'z'] => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(bytes, 1, 2)?, number(bytes, 4, 2)?);
    let total = hours * 60 + minutes;
    let good = minutes <= 59 && total <= 14 * 60;
    if good { i16::try_from(sign * total).ok() } else { None }
}

fn digits(out: &mut Vec<u8>, mut value: i64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for at in (start..start + width).rev() {
        out[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// A GUID of 32 hexadecimal digits in any letter case with the usual four hyphens.
pub fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let (mut guid, mut at) = ([0; 16], 0);
    for byte in &mut guid {
        if matches!(at, 8 | 13 | 18 | 23) {
            if bytes[at] != b'-' {
                return None;
            }
            at += 1;
        }
        let digit = |at: usize| char::from(bytes[at]).to_digit(16);
        *byte = (digit(at)? * 16 + digit(at + 1)?) as u8;
        at += 2;
    }
    Some(guid)
}

/// Appends a GUID in lower case with its hyphens.
pub fn write_guid(guid: &[u8; 16], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in guid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were_sent() {
        for text in [
            "2017-01-01T00:02:32.1744944+03:00",
            "2016-12-31T23:57:18.2088316Z",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59.9999999-14:00",
            "2024-02-29T12:00:00-00:30",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(DateTimeOffset::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn times_are_written_in_one_form() {
        for (sent, written) in [
            ("2017-01-01t00:00z", "2017-01-01T00:00:00Z"),
            ("2017-01-01T00:00:00.500+00:00", "2017-01-01T00:00:00.5Z"),
            ("2017-01-01T00:00:00.12345678Z", "2017-01-01T00:00:00.1234567Z"),
            ("2017-01-01T00:00:00-00:00", "2017-01-01T00:00:00Z"),
        ] {
            assert_eq!(DateTimeOffset::parse(sent).unwrap().to_string(), written);
        }
    }

    #[test]
    fn one_instant_has_one_number_of_ticks() {
        let ticks = |text| DateTimeOffset::parse(text).unwrap().ticks;
        assert_eq!(
            ticks("2016-12-31T23:57:18.2088316+03:00"),
            ticks("2016-12-31T20:57:18.2088316Z")
        );
        assert_eq!(DateTimeOffset::from_unix_seconds(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(ticks("0001-01-01T00:00:00Z"), 0);
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "2017-01-01",
            "2017-01-01T00:00:00",
            "2017-02-29T00:00:00Z",
            "2017-13-01T00:00:00Z",
            "2017-01-01T24:00:00Z",
            "2017-01-01T00:00:60Z",
            "2017-01-01T00:00:00.Z",
            "2017-01-01T00:00:00.1234567890123Z",
            "2017-01-01T00:00:00+14:01",
            "2017-01-01T00:00:00+3:00",
            "2017-01-01 00:00:00Z",
            "17-01-01T00:00:00Z",
            "2017-01-01T00:00.5Z",
            "2017-01-01T00:00:00ZZ",
            "２017-01-01T00:00:00Z",
        ] {
            assert_eq!(DateTimeOffset::parse(text), None, "{text}");
        }
    }

    #[test]
    fn guids_are_read_in_any_case_and_written_in_lower() {
        let text = "8D12587E-587e-8d12-7e58-128D7E58128d";
        let mut out = Vec::new();
        write_guid(&parse_guid(text).unwrap(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text.to_lowercase());
        for bad in ["", "8d12587e587e8d127e58128d7e58128d", "8d12587e-587e-8d12-7e58-128d7e58128g"]
        {
            assert_eq!(parse_guid(bad), None);
        }
    }
}
