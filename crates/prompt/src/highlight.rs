//! Colours in what is typed.

use anstyle::{AnsiColor, Style};

use super::statement::{Piece, pieces};

const KEYWORD: Style = AnsiColor::Blue.on_default().bold();
const TEXT: Style = AnsiColor::Green.on_default();
const NUMBER: Style = AnsiColor::Magenta.on_default();
const COMMENT: Style = Style::new().dimmed();

/// The words that are painted, and completed, as SQL's own.
pub(super) const KEYWORDS: [&str; 61] = [
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "current",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "analyze",
    "false",
    "filter",
    "first",
    "following",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "interval",
    "is",
    "join",
    "last",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "preceding",
    "range",
    "right",
    "rows",
    "select",
    "then",
    "true",
    "union",
    "values",
    "when",
    "where",
    "window",
    "with",
];

/// The line with colours. Its width on the screen stays.
pub(super) fn paint(line: &str) -> String {
    let painted = pieces(line).into_iter().map(|(piece, text, _)| {
        let style = match piece {
            Piece::Text => TEXT,
            Piece::Comment => COMMENT,
            Piece::Word if text.starts_with(|c: char| c.is_ascii_digit()) => NUMBER,
            Piece::Word if KEYWORDS.contains(&text.to_ascii_lowercase().as_str()) => KEYWORD,
            _ => return text.to_owned(),
        };
        format!("{style}{text}{style:#}")
    });
    painted.collect()
}
