//! Which bytes of an upload are there.
//!
//! **Invariant:** ranges are in order and apart from each other: two that overlap or touch are one.

use std::fmt;

/// Ranges of bytes, each by its first and last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// What [`fmt`](fmt::Display::fmt) wrote; `None` where it did not.
    pub(super) fn parse(text: &str) -> Option<Ranges> {
        let mut ranges = Ranges::default();
        for range in text.split(',').filter(|it| !it.is_empty()) {
            let (first, last) = range.split_once('-')?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last == u64::MAX {
                return None;
            }
            ranges.add(first, last);
        }
        Some(ranges)
    }

    /// Adds the bytes from `first` to `last`, both included.
    pub(crate) fn add(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        let from = self.0.partition_point(|(_, end)| end + 1 < first);
        let to = self.0.partition_point(|(start, _)| *start <= last + 1);
        if let [lowest, ..] = self.0[from..to] {
            first = first.min(lowest.0);
            last = last.max(self.0[to - 1].1);
        }
        self.0.splice(from..to, [(first, last)]);
    }

    /// How many separate ranges there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What is missing of `size` bytes.
    pub(crate) fn missing(&self, size: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = 0;
        for (first, last) in &self.0 {
            if next < *first {
                missing.push((next, first - 1));
            }
            next = last + 1;
        }
        if next < size {
            missing.push((next, size - 1));
        }
        missing
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            write!(f, "{}{first}-{last}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: u64 = 40;

    proptest! {
        #[test]
        fn they_are_the_bytes_that_were_added(parts in prop::collection::vec((0..SIZE, 0..9_u64), 0..12)) {
            let mut ranges = Ranges::default();
            let mut there = [false; SIZE as usize];
            for (first, more) in parts {
                let last = (first + more).min(SIZE - 1);
                ranges.add(first, last);
                there[first as usize..=last as usize].fill(true);
            }
            for pair in ranges.0.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "{ranges}");
            }
            let missing = ranges.missing(SIZE);
            for (at, there) in (0..).zip(there) {
                let is_in = |list: &[(u64, u64)]| list.iter().any(|(a, b)| (*a..=*b).contains(&at));
                prop_assert_eq!(is_in(&ranges.0), there);
                prop_assert_eq!(is_in(&missing), !there);
            }
            prop_assert_eq!(Ranges::parse(&ranges.to_string()), Some(ranges));
        }
    }

    #[test]
    fn what_is_no_list_of_ranges_is_not_read() {
        for text in ["1", "a-b", "3-2", "0-18446744073709551615", "0-1;2-3"] {
            assert_eq!(Ranges::parse(text), None, "{text}");
        }
    }
}
