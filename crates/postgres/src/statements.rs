//! What a client says that is no question: transactions that change nothing, settings that nobody keeps.

/// What a statement is, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A transaction begins.
    Begin,
    /// It ends, as it was meant to.
    Commit,
    /// It ends, and what was done in it is not.
    Rollback,
    /// It is done, and has no rows: the word that says so.
    Done(&'static str),
    /// It asks.
    Question,
}

/// What a statement is.
pub(crate) fn kind(statement: &str) -> Kind {
    let word = statement.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    match word.to_ascii_uppercase().as_str() {
        "BEGIN" | "START" => Kind::Begin,
        "COMMIT" | "END" => Kind::Commit,
        "ROLLBACK" | "ABORT" => match statement.to_ascii_uppercase().split_whitespace().any(|word| word == "TO") {
            true => Kind::Done("ROLLBACK"),
            false => Kind::Rollback,
        },
        "SET" => Kind::Done("SET"),
        "RESET" => Kind::Done("RESET"),
        "DISCARD" => Kind::Done("DISCARD ALL"),
        "DEALLOCATE" => Kind::Done("DEALLOCATE"),
        "SAVEPOINT" => Kind::Done("SAVEPOINT"),
        "RELEASE" => Kind::Done("RELEASE"),
        "LISTEN" => Kind::Done("LISTEN"),
        "UNLISTEN" => Kind::Done("UNLISTEN"),
        _ => Kind::Question,
    }
}

/// How a text of SQL reads at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    Text,
    Name,
    Line,
    /// A comment, and how many lie around it.
    Block(usize),
}

/// The statements of a text, without the semicolons between them, and without those that hold nothing.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut within, mut begin, mut statements) = (Within::Code, 0, Vec::new());
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let is_pair = matches!((within, character, next), (Within::Block(_), '*', Some('/')) | (_, '/', Some('*')));
        within = match (within, character, next) {
            (Within::Code, ';', _) => {
                statements.push(&text[begin..at]);
                begin = at + 1;
                within
            }
            (Within::Code, '\'', _) => Within::Text,
            (Within::Code, '"', _) => Within::Name,
            (Within::Code, '-', Some('-')) => Within::Line,
            (Within::Code, '/', Some('*')) => Within::Block(0),
            (Within::Block(around), '/', Some('*')) => Within::Block(around + 1),
            (Within::Block(0), '*', Some('/')) => Within::Code,
            (Within::Block(around), '*', Some('/')) => Within::Block(around - 1),
            (Within::Text, '\'', _) | (Within::Name, '"', _) | (Within::Line, '\n', _) => Within::Code,
            (same, ..) => same,
        };
        if is_pair && !matches!(within, Within::Text | Within::Name | Within::Line) {
            characters.next();
        }
    }
    statements.push(&text[begin..]);
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_semicolons_that_stand_in_no_text() {
        assert_eq!(split("select ';' ; -- a;b\nselect $1;; "), ["select ';' ", " -- a;b\nselect $1"]);
        assert_eq!(split("select 'it''s;' as \"a;b\"; select 2"), ["select 'it''s;' as \"a;b\"", " select 2"]);
        assert_eq!(split("/* a; /* b; */ c; */ select 1; select 2"), ["/* a; /* b; */ c; */ select 1", " select 2"]);
        assert_eq!(split("select '/*'; select '*/'"), ["select '/*'", " select '*/'"]);
        assert_eq!(split("select 4 /*/ ; */ / 2"), ["select 4 /*/ ; */ / 2"]);
        assert_eq!(split(" ; "), [""; 0]);
    }

    #[test]
    fn what_is_no_question_is_known_by_its_first_word() {
        assert_eq!(kind(" begin isolation level serializable"), Kind::Begin);
        assert_eq!(kind("ROLLBACK"), Kind::Rollback);
        assert_eq!(kind("rollback to savepoint a"), Kind::Done("ROLLBACK"));
        assert_eq!(kind("set application_name = 'x'"), Kind::Done("SET"));
        assert_eq!(kind("select 1"), Kind::Question);
        assert_eq!(kind("(select 1)"), Kind::Question);
        assert_eq!(kind("-- set\nselect 1"), Kind::Question);
    }
}
