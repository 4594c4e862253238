//! Where the two databases differ.
//!
//! **Invariant:** nothing outside this file and `driver/` writes a text for one database only.

use std::borrow::Cow;

use crate::store::search::{Field, Words};

/// Which database is behind a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatePart {
    Year,
    Month,
    Day,
}

impl Db {
    /// How many elements a JSON array column has.
    pub(super) fn json_length(self, column: &str) -> String {
        match self {
            Db::Sqlite => format!("json_array_length({column})"),
            Db::Postgres => format!("cast(jsonb_array_length({column}::jsonb) as bigint)"),
        }
    }

    /// A text that stands by itself.
    pub(super) fn text(self, placeholder: &str) -> String {
        match self {
            Db::Sqlite => placeholder.to_owned(),
            Db::Postgres => format!("(cast({placeholder} as text) collate \"C\")"),
        }
    }

    /// Whether a text has characters that are not in ASCII.
    pub(super) fn is_wide(self, text: &str) -> String {
        match self {
            Db::Sqlite => format!("length(cast({text} as blob)) <> length({text})"),
            Db::Postgres => format!("octet_length({text}) <> length({text})"),
        }
    }

    /// A text without these characters at its ends.
    pub(super) fn trim(self, text: &str, characters: &str) -> String {
        match self {
            Db::Sqlite => format!("trim({text}, {characters})"),
            Db::Postgres => format!("btrim({text}, {characters})"),
        }
    }

    /// Whether a text has no other characters than the ten digits.
    pub(super) fn all_digits(self, text: &str) -> String {
        match self {
            Db::Sqlite => format!("{text} not glob '*[^0-9]*'"),
            Db::Postgres => format!("{text} !~ '[^0-9]'"),
        }
    }

    /// The largest whole number that is no larger than a number with a fraction, which is written more
    /// than once.
    pub(super) fn floor(self, number: &str) -> String {
        match self {
            // What is larger has no fraction, and may not fit into an integer.
            Db::Sqlite => format!(
                "(case when abs({number}) < 4503599627370496.0 then cast({number} as integer) \
                 - ({number} < cast({number} as integer)) else {number} end)"
            ),
            Db::Postgres => format!("floor({number})"),
        }
    }

    /// A part of the date that is so many days after 0001-01-01, or before it in the year 0.
    pub(super) fn date_part(self, part: DatePart, days: &str) -> String {
        match self {
            Db::Sqlite => {
                let format = match part {
                    DatePart::Year => "%Y",
                    DatePart::Month => "%m",
                    DatePart::Day => "%d",
                };
                format!(
                    "cast(strftime('{format}', {days} * 86400 - 62135596800, 'unixepoch') as integer)"
                )
            }
            // Moved by 400 years, since there is no year 0 here.
            Db::Postgres => {
                let (field, less) = match part {
                    DatePart::Year => ("year", 400),
                    DatePart::Month => ("month", 0),
                    DatePart::Day => ("day", 0),
                };
                format!(
                    "(cast(extract({field} from date '0001-01-01' + cast({days} + 146097 as integer)) \
                     as bigint) - {less})"
                )
            }
        }
    }

    /// The elements of a JSON array column as `alias.value`.
    pub(super) fn json_elements(self, column: &str, alias: &str) -> String {
        match self {
            Db::Sqlite => format!("json_each({column}) {alias}"),
            Db::Postgres => format!("jsonb_array_elements({column}::jsonb) {alias}(value)"),
        }
    }

    /// An element that is a text.
    pub(super) fn json_text(self, alias: &str) -> String {
        match self {
            Db::Sqlite => format!("{alias}.value"),
            Db::Postgres => format!("({alias}.value #>> '{{}}') collate \"C\""),
        }
    }

    /// One text member of an element that is an object, by a path of declared names; the object is
    /// folded, its names too.
    pub(super) fn json_member(self, alias: &str, path: &[&str]) -> String {
        let path: Vec<_> = path.iter().map(|it| it.to_ascii_lowercase()).collect();
        match self {
            Db::Sqlite => format!("json_extract({alias}.value, '$.{}')", path.join(".")),
            Db::Postgres => format!("({alias}.value #>> '{{{}}}') collate \"C\"", path.join(",")),
        }
    }

    /// The position of one text in another: 0 where it does not occur, 1 at its start.
    pub(super) fn position(self, haystack: &str, needle: &str) -> String {
        match self {
            Db::Sqlite => format!("instr({haystack}, {needle})"),
            Db::Postgres => format!("strpos({haystack}, {needle})"),
        }
    }

    /// The last `length(suffix)` characters of a text; the suffix is not empty.
    pub(super) fn tail(self, text: &str, suffix: &str) -> String {
        match self {
            // substr counts from the end where its start is negative.
            Db::Sqlite => format!("substr({text}, -length({suffix}))"),
            Db::Postgres => format!("right({text}, length({suffix}))"),
        }
    }

    /// A migration's text. `{group}` after a table says that it is a part of its group, `{small}` that
    /// its rows are.
    pub(super) fn schema(self, text: &str) -> Cow<'_, str> {
        match self {
            // Small rows are stored in the tree of their key.
            Db::Sqlite => text.replace(" {group}", "").replace(" {small}", " without rowid").into(),
            // Text is ordered by its code points, as on SQLite.
            Db::Postgres => text
                .replace(" {group}", " partition by hash (group_id)")
                .replace(" {small}", "")
                .replace(" text ", " text collate \"C\" ")
                .replace(" text,", " text collate \"C\",")
                .into(),
        }
    }

    /// What a `select` of rows that are to be changed ends in: those that another transaction holds are
    /// left out.
    pub(super) const fn skip_locked(self) -> &'static str {
        match self {
            Db::Sqlite => "",
            Db::Postgres => " for update skip locked",
        }
    }

    /// Keeps all others from counting the bytes of attachments until the end of the transaction, where there
    /// are others.
    pub(super) const fn lock_counters(self) -> Option<&'static str> {
        match self {
            Db::Sqlite => None,
            Db::Postgres => Some("lock table attachment_use in share mode"),
        }
    }

    /// Adds a post to the full-text index: `$1` its group, `$2` its id, `$3` the group's number, `$4`
    /// to `$7` the tokens of topic, body, sender and attachments; on PostgreSQL `$3` is all of it.
    pub(super) const fn index_add(self) -> &'static str {
        match self {
            Db::Sqlite => {
                "insert into post_index (rowid, scope, topic, body, sender, attachment) \
                 values ($1, $2, $3, $4, $5, $6)"
            }
            Db::Postgres => {
                "insert into post_index (group_id, post_id, tokens) \
                 values ($1, $2, cast(cast($3 as text) as tsvector))"
            }
        }
    }

    /// Takes post `$2` of group `$1` out of the index.
    pub(super) const fn index_remove_one(self) -> &'static str {
        match self {
            Db::Sqlite => {
                "delete from post_index where rowid = \
                 (select number from posts where group_id = $1 and id = $2)"
            }
            Db::Postgres => "delete from post_index where group_id = $1 and post_id = $2",
        }
    }

    /// The order of arrival, as the index at `i` has it.
    pub(super) const fn index_key(self) -> &'static str {
        match self {
            Db::Sqlite => "i.rowid",
            Db::Postgres => "i.post_id",
        }
    }

    /// The same of a post at `t0`; not to be walked by itself where little of a group is looked at.
    pub(super) const fn post_key(self) -> &'static str {
        match self {
            Db::Sqlite => "+t0.number",
            Db::Postgres => "t0.id",
        }
    }

    /// That the row of the index at `i` is of the post at `post`.
    pub(super) fn index_joins(self, post: &str) -> String {
        match self {
            Db::Sqlite => format!("i.rowid = {post}.number"),
            Db::Postgres => format!("i.group_id = {post}.group_id and i.post_id = {post}.id"),
        }
    }

    /// What stands before and after the text of [`Db::index_query`].
    pub(super) const fn index_matches(self) -> (&'static str, &'static str) {
        match self {
            Db::Sqlite => ("i.post_index match ", ""),
            Db::Postgres => ("i.tokens @@ cast(cast(", " as text) as tsquery)"),
        }
    }

    /// What the index is asked, in its own language: tokens are letters and digits, so none can be taken
    /// for a part of that. `number` is the group's; PostgreSQL knows groups by their ids, and is asked
    /// nothing where there are no words.
    pub(super) fn index_query(self, number: i64, words: Option<&Words>) -> Option<String> {
        match (self, words) {
            (Db::Sqlite, None) => Some(format!("scope : \"g{number}\"")),
            // One list, so that the group stands beside each word and not behind all of them.
            (Db::Sqlite, Some(Words::All { of, but })) => {
                let of = of.iter().map(|it| self.words(it));
                let all: Vec<_> =
                    std::iter::once(format!("scope : \"g{number}\"")).chain(of).collect();
                Some(self.without(all, but))
            }
            (Db::Sqlite, Some(words)) => {
                Some(format!("scope : \"g{number}\" AND {}", self.words(words)))
            }
            (Db::Postgres, words) => words.map(|it| self.words(it)),
        }
    }

    fn words(self, words: &Words) -> String {
        let all = |of: &[Words]| of.iter().map(|it| self.words(it)).collect::<Vec<_>>();
        match words {
            Words::Phrase { field, tokens } => self.phrase(*field, tokens),
            Words::All { of, but } => format!("({})", self.without(all(of), but)),
            Words::Any(any) => {
                format!("({})", all(any).join(if self == Db::Sqlite { " OR " } else { " | " }))
            }
        }
    }

    fn without(self, all: Vec<String>, but: &[Words]) -> String {
        let (and, not) = if self == Db::Sqlite { (" AND ", " NOT ") } else { (" & ", "!") };
        let but = but.iter().map(|it| self.words(it));
        match self {
            Db::Sqlite if but.len() == 0 => all.join(and),
            // There NOT stands between two.
            Db::Sqlite => format!(
                "({}){}",
                all.join(and),
                but.map(|it| format!("{not}{it}")).collect::<String>()
            ),
            Db::Postgres => {
                let but = but.map(|it| format!("{not}{it}"));
                all.into_iter().chain(but).collect::<Vec<_>>().join(and)
            }
        }
    }

    fn phrase(self, field: Option<Field>, tokens: &[String]) -> String {
        match self {
            Db::Sqlite => {
                // The term of the group is in a column of its own, which no user's word is looked for in.
                let column = match field {
                    None => "{topic body sender attachment}",
                    Some(Field::Topic) => "topic",
                    Some(Field::Body) => "body",
                    Some(Field::Sender) => "sender",
                    Some(Field::Attachment) => "attachment",
                };
                format!("{column} : \"{}\"", tokens.join(" "))
            }
            Db::Postgres => {
                let weight = match field {
                    None => "",
                    Some(Field::Topic) => ":A",
                    Some(Field::Body) => ":B",
                    Some(Field::Sender) => ":C",
                    Some(Field::Attachment) => ":D",
                };
                let tokens: Vec<_> = tokens.iter().map(|it| format!("'{it}'{weight}")).collect();
                format!("({})", tokens.join(" <-> "))
            }
        }
    }

    /// Whether the index goes by the numbers of posts and of groups, and not by their ids.
    pub(super) const fn index_is_by_number(self) -> bool {
        matches!(self, Db::Sqlite)
    }

    /// Gives a post other tokens in the index: `$1` to `$5` the term of its group and the tokens of topic,
    /// body, sender and attachments, `$6` its group, `$7` its id; on PostgreSQL `$1` all of it, `$2`
    /// its group, `$3` its id.
    pub(super) const fn index_replace(self) -> &'static str {
        match self {
            Db::Sqlite => {
                "replace into post_index (rowid, scope, topic, body, sender, attachment) \
                 select p.number, $1, $2, $3, $4, $5 from posts p where p.group_id = $6 and p.id = $7"
            }
            Db::Postgres => {
                "update post_index set tokens = cast(cast($1 as text) as tsvector) \
                 where group_id = $2 and post_id = $3"
            }
        }
    }

    /// Takes the posts of thread `$2` of group `$1` out of the index.
    pub(super) const fn index_remove(self) -> &'static str {
        match self {
            Db::Sqlite => {
                "delete from post_index where rowid in \
                 (select number from posts where group_id = $1 and thread_id = $2)"
            }
            Db::Postgres => {
                "delete from post_index where group_id = $1 and post_id in \
                 (select id from posts where group_id = $1 and thread_id = $2)"
            }
        }
    }
}

/// Gives each partitioned table of PostgreSQL that has none its partitions.
pub(super) const PARTITIONS: &str = "do $$
declare parent text;
begin
  for parent in select c.relname from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
      where c.relnamespace = current_schema()::regnamespace
      and not exists (select 1 from pg_inherits i where i.inhparent = c.oid)
      order by c.oid loop
    for part in 0..3 loop
      execute format('create table %I partition of %I for values with (modulus 4, remainder %s)',
        parent || '_p' || part, parent, part);
    end loop;
  end loop;
end $$";

/// The unique indexes that callers care for, by the columns that SQLite names when one is hurt.
pub(super) fn duplicate(message: &str) -> &'static str {
    const KNOWN: [(&str, &str); 9] = [
        ("users.tenant_id, users.user_principal_name_folded", "users_upn_key"),
        ("groups.tenant_id, groups.mail_nickname_folded", "groups_nickname_key"),
        ("group_members.group_id, group_members.user_id", "group_members"),
        ("group_owners.group_id, group_owners.user_id", "group_owners"),
        ("groups.number", "groups_number_key"),
        ("apps.tenant_id, apps.name", "apps_name_key"),
        ("extensions.group_id, extensions.post_id", "extensions_key"),
        ("single_value_properties.post_id", "single_value_properties_key"),
        ("multi_value_properties.post_id", "multi_value_properties_key"),
    ];
    KNOWN.iter().find(|(columns, _)| message.contains(columns)).map_or("another", |(_, name)| name)
}

/// The same, by the name of the constraint that PostgreSQL names: a partition's ends in its number.
pub(super) fn constraint(name: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "users_upn_key",
        "groups_nickname_key",
        "group_members",
        "group_owners",
        "groups_number_key",
        "apps_name_key",
        // A partition's index has its name from the table and the columns.
        "extensions",
        "single_value_properties",
        "multi_value_properties",
    ];
    KNOWN.iter().find(|it| name.starts_with(**it)).copied().unwrap_or("another")
}

/// What `folkmoot check` asks that differs between databases.
pub(super) struct Differing {
    /// Checks the files of the database, where it can: rows with one text, `ok` for nothing found.
    pub(super) database: Option<&'static str>,
    /// Group and id of posts that the index does not have.
    pub(super) not_indexed: &'static str,
    /// Rows of the index without a post.
    pub(super) left_in_index: &'static str,
    /// What those are known by.
    pub(super) index_key: &'static [&'static str],
}

impl Db {
    /// What `folkmoot check` asks.
    pub(super) const fn differing(self) -> Differing {
        match self {
            Db::Sqlite => Differing {
                // Every page, every index against its table, and the structure of the full-text index,
                // whose own command for that is an insert, which a reader may not run.
                database: Some("pragma integrity_check"),
                // As a search finds it: by the term of its group.
                not_indexed: "select p.group_id, p.id from posts p where not exists \
                (select 1 from post_index where rowid = p.number and post_index match 'scope:g' || \
                coalesce((select number from groups g where g.id = p.group_id), 0))",
                left_in_index: "select rowid from post_index \
                where not exists (select 1 from posts where number = post_index.rowid)",
                index_key: &["rowid"],
            },
            Db::Postgres => Differing {
                database: None,
                not_indexed: "select p.group_id, p.id from posts p where not exists \
                (select 1 from post_index i where i.group_id = p.group_id and i.post_id = p.id)",
                left_in_index: "select i.group_id, i.post_id from post_index i where not exists \
                (select 1 from posts p where p.group_id = i.group_id and p.id = i.post_id)",
                index_key: &["group_id", "post_id"],
            },
        }
    }
}
