//! Where statements end: at a `;` that stands in no text, name or comment.

/// The kinds of pieces that SQL is split into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// `'…'`, with `''` for a quote within.
    Text,
    /// `"…"`.
    Name,
    /// `-- …` and `/* … */`.
    Comment,
    /// A word or a number.
    Word,
    /// `;`.
    End,
    /// Anything else, a character each.
    Other,
}

/// The pieces of a text, whole: together they are the text. The last one may be cut short; `true`
/// says that it is.
pub(super) fn pieces(text: &str) -> Vec<(Piece, &str, bool)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match first {
            '\'' => (Piece::Text, quoted(rest, '\'')),
            '"' => (Piece::Name, quoted(rest, '"')),
            '-' if rest.starts_with("--") => (Piece::Comment, rest.find('\n').map(|at| at + 1)),
            '/' if rest.starts_with("/*") => (Piece::Comment, rest[2..].find("*/").map(|at| at + 4)),
            ';' => (Piece::End, Some(1)),
            first if is_of_word(first) => (Piece::Word, Some(rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()))),
            first => (Piece::Other, Some(first.len_utf8())),
        };
        let (this, after) = rest.split_at(length.unwrap_or(rest.len()));
        // A comment to the end of the line needs no end.
        let is_cut = length.is_none() && !rest.starts_with("--");
        pieces.push((piece, this, is_cut));
        rest = after;
    }
    pieces
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// The length of what stands in quotes; a doubled quote is one of its characters.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut from = 1;
    loop {
        let end = from + text[from..].find(quote)? + 1;
        if !text[end..].starts_with(quote) {
            return Some(end);
        }
        from = end + 1;
    }
}

/// Is there more to come before it can be asked?
pub(super) fn is_incomplete(text: &str) -> bool {
    let pieces = pieces(text);
    let is_blank = |(piece, text, _): &&(Piece, &str, bool)| *piece == Piece::Comment || text.trim().is_empty();
    match pieces.iter().rev().find(|piece| !is_blank(piece)) {
        None => false,
        Some((piece, _, is_cut)) => *piece != Piece::End || *is_cut,
    }
}

/// The statements of a text, without the `;` after each.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut start, mut at) = (0, 0);
    for (piece, this, _) in pieces(text) {
        if piece == Piece::End {
            statements.push(&text[start..at]);
            start = at + this.len();
        }
        at += this.len();
    }
    statements.push(&text[start..]);
    let has_more_than_comments = |statement: &&str| {
        pieces(statement).iter().any(|(piece, this, _)| *piece != Piece::Comment && !this.trim().is_empty())
    };
    statements.into_iter().filter(has_more_than_comments).collect()
}
