//! Text as it is compared, shown in short and searched.
//!
//! **Invariant:** what is stored folded and what it is compared with go through the same [`fold`]; what
//! is indexed and what is searched for go through the same [`tokens`].

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};
use unicase::UniCase;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};
use unicode_segmentation::UnicodeSegmentation;

/// Bytes of a text that go into the index: what comes after is not found by a search.
const INDEXED_BYTES_MAX: usize = 256 * 1024;

/// A text as it is compared: full case fold, then NFC (DECISIONS D5).
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|it| it.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    let folded = UniCase::unicode(text).to_folded_case();
    if is_nfc(&folded) { Cow::Owned(folded) } else { Cow::Owned(folded.nfc().collect()) }
}

/// The fold of a text that is not in ASCII; the fold of one that is, is its lower case, which a database
/// knows by itself.
pub(crate) fn twin(text: &str) -> Option<String> {
    (!text.is_ascii()).then(|| fold(text).into_owned())
}

/// The beginning of a text on one line, at most `chars_max` code points.
pub(crate) fn preview(text: &str, chars_max: usize) -> String {
    let mut preview = String::new();
    let mut left = chars_max;
    for word in text.split_whitespace() {
        for c in (if preview.is_empty() { "" } else { " " }).chars().chain(word.chars()) {
            if left == 0 {
                return preview.trim_end().to_owned();
            }
            preview.push(c);
            left -= 1;
        }
    }
    preview
}

/// The search tokens of a text, in order, with single spaces between them: words by Unicode's
/// boundaries, folded, without combining marks; runs of scripts that write no spaces as overlapping
/// pairs of characters.
pub(crate) fn tokens(text: &str) -> String {
    let mut end = text.len().min(INDEXED_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            push(&mut out, word.chars().map(|c| c.to_ascii_lowercase()));
        }
        return out;
    }
    let plain: String = fold(text).nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let mut unspaced = Vec::new();
    // Words end at every sign, as in plain ASCII: what else stands in a text must not change its words.
    let parts = plain.unicode_words().flat_map(|it| it.split(|c: char| !c.is_alphanumeric()));
    for part in parts.filter(|it| !it.is_empty()) {
        // A run of them arrives in words of one character, so it is gathered across words.
        for c in part.chars() {
            if is_unspaced(c) {
                unspaced.push(c);
            } else {
                push_pairs(&mut out, &mut unspaced);
            }
        }
        if !part.chars().all(is_unspaced) {
            push_pairs(&mut out, &mut unspaced);
            push(&mut out, part.chars().filter(|c| !is_unspaced(*c)));
        }
    }
    push_pairs(&mut out, &mut unspaced);
    out
}

fn push(out: &mut String, word: impl Iterator<Item = char>) {
    let before = out.len();
    let lead = if out.is_empty() { "" } else { " " };
    let mut word = word.peekable();
    if word.peek().is_some() {
        out.push_str(lead);
        out.extend(word);
    }
    debug_assert!(out.len() >= before);
}

fn push_pairs(out: &mut String, run: &mut Vec<char>) {
    match run.len() {
        0 => {}
        1 => push(out, run.iter().copied()),
        _ => run.windows(2).for_each(|pair| push(out, pair.iter().copied())),
    }
    run.clear();
}

/// Han, Hiragana, Katakana and Hangul: written without spaces, or with spaces that separate more than
/// words.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11FF | 0x3040..=0x30FF | 0x3130..=0x318F | 0x31F0..=0x31FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

/// The text of an HTML body: what a reader sees of it, blocks on lines of their own, space as a browser
/// shows it.
pub(crate) fn html_to_text(html: &str) -> String {
    let sink = TextSink(RefCell::new(Gathered::default()));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let mut text = tokenizer.sink.0.into_inner().text;
    text.truncate(text.trim_end().len());
    text
}

/// A plain text as an HTML body that shows the same.
pub(crate) fn text_to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    html.push_str("<html><body>");
    let mut after_space = true;
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\r' => {}
            '\n' => html.push_str("<br>"),
            // Browsers drop a space after another and at the start of a line.
            ' ' if after_space => html.push_str("&nbsp;"),
            c => html.push(c),
        }
        after_space = matches!(c, ' ' | '\n');
    }
    html.push_str("</body></html>");
    html
}

#[derive(Default)]
struct Gathered {
    text: String,
    /// The element whose content is not text, while inside one.
    hidden: Option<String>,
    /// How many elements are open whose white space counts.
    kept: usize,
}

impl Gathered {
    fn push(&mut self, text: &str) {
        if self.kept > 0 {
            self.text.push_str(text);
            return;
        }
        for c in text.chars() {
            if !c.is_ascii_whitespace() {
                self.text.push(c);
            } else if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
    }

    /// Ends a line that has something on it; with `always` an empty one too.
    fn end_line(&mut self, always: bool) {
        if self.kept == 0 {
            self.text.truncate(self.text.trim_end_matches(' ').len());
        }
        if always || !(self.text.is_empty() || self.text.ends_with('\n')) {
            self.text.push('\n');
        }
    }

    fn tag(&mut self, name: &str, kind: TagKind) {
        if is_block(name) {
            self.end_line(name == "br");
        }
        if name == "pre" {
            self.kept = match kind {
                TagKind::StartTag => self.kept + 1,
                TagKind::EndTag => self.kept.saturating_sub(1),
            };
        }
    }
}

struct TextSink(RefCell<Gathered>);

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut gathered = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if gathered.hidden.is_none() => {
                gathered.push(&text);
            }
            Token::TagToken(tag) => {
                let name = &*tag.name;
                if let Some(hidden) = &gathered.hidden {
                    if tag.kind == TagKind::EndTag && name == hidden {
                        gathered.hidden = None;
                    }
                } else if tag.kind == TagKind::StartTag && is_hidden(name) && !tag.self_closing {
                    gathered.hidden = Some(name.to_owned());
                    // Else a `<` in a script would open a tag.
                    return match name {
                        "script" => TokenSinkResult::RawData(states::RawKind::ScriptData),
                        "style" => TokenSinkResult::RawData(states::RawKind::Rawtext),
                        "title" => TokenSinkResult::RawData(states::RawKind::Rcdata),
                        _ => TokenSinkResult::Continue,
                    };
                } else {
                    gathered.tag(name, tag.kind);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn is_hidden(name: &str) -> bool {
    matches!(name, "script" | "style" | "title" | "template")
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "blockquote"
            | "br"
            | "center"
            | "dd"
            | "div"
            | "dl"
            | "dt"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "table"
            | "td"
            | "th"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_makes_equal_what_readers_take_for_equal() {
        for (left, right) in [
            ("Straße", "STRASSE"),
            ("ẞ", "ss"),
            ("Éa", "e\u{301}A"),
            ("ΣΑΣ", "σας"),
            ("Ärger", "ärger"),
            ("ﬀ", "FF"),
        ] {
            assert_eq!(fold(left), fold(right), "{left} and {right}");
        }
        for (left, right) in [("ı", "i"), ("e", "é"), ("a b", "a  b")] {
            assert_ne!(fold(left), fold(right), "{left} and {right}");
        }
    }

    #[test]
    fn a_preview_is_one_line_and_cut_by_code_points() {
        assert_eq!(preview("  a\r\n b\tc ", 255), "a b c");
        assert_eq!(preview("äöü", 2), "äö");
        assert_eq!(preview("ab cd", 3), "ab");
        assert_eq!(preview("", 5), "");
    }

    #[test]
    fn tokens_are_words_without_case_and_marks() {
        for (text, expected) in [
            ("Hello, World!", "hello world"),
            ("Crème brûlée", "creme brulee"),
            ("Straße 7", "strasse 7"),
            ("don't", "don t"),
            ("don't, e_mail: 3.5 Cafés", "don t e mail 3 5 cafes"),
            ("日本語です", "日本 本語 語て てす"),
            ("abc 日 def", "abc 日 def"),
            ("👍 ok", "ok"),
            ("...", ""),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn tokens_of_a_long_text_end_at_a_character() {
        let long = "ä".repeat(INDEXED_BYTES_MAX);
        assert!(tokens(&long).len() <= INDEXED_BYTES_MAX);
    }

    #[test]
    fn text_becomes_html_that_shows_the_same() {
        for text in ["", "a <b> & \"c\"", "one\n\n  two\n", "&amp;"] {
            let html = text_to_html(text);
            let seen = html_to_text(&html).replace('\u{a0}', " ");
            assert_eq!(seen, text.trim_end(), "{html}");
        }
        assert_eq!(text_to_html("a\r\n<b>"), "<html><body>a<br>&lt;b&gt;</body></html>");
    }

    #[test]
    fn html_becomes_what_a_reader_sees() {
        for (html, expected) in [
            ("<p>one</p><p>two</p>", "one\ntwo"),
            ("<html>\n <body>\n  one\n  two <b> three</b>\n</body>\n</html>\n", "one two three"),
            ("<div>one</div><div><br></div><div>two<br>three</div>", "one\n\ntwo\nthree"),
            ("<pre>one\n  two</pre> three ", "one\n  two\nthree"),
            ("a &amp; b&nbsp;&lt;c&gt;", "a & b\u{a0}<c>"),
            ("<script>if (a<b) {}</script>x", "x"),
            ("<style>p{}</style><b>bold", "bold"),
            ("<a href='x'>link</a> text", "link text"),
            ("plain < text", "plain < text"),
            ("<title>no</title>yes", "yes"),
        ] {
            assert_eq!(html_to_text(html), expected, "{html}");
        }
    }
}
