//! Parameters of a statement, put into it as literals.

/// How a text of SQL reads at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    Text,
    Name,
    Line,
    Block,
}

/// The statement with each `$1` outside of texts, names and comments replaced by the literal of that parameter; `None` where it
/// has a parameter that was not given.
pub(crate) fn filled(statement: &str, parameters: &[Option<String>]) -> Option<String> {
    let mut filled = String::with_capacity(statement.len());
    for_each(statement, |piece| {
        match piece {
            Piece::Code(character) => filled.push(character),
            Piece::End => filled.push(';'),
            Piece::Parameter(number) => filled.push_str(&literal(parameters.get(number.checked_sub(1)?)?.as_deref())),
        }
        Some(())
    })?;
    Some(filled)
}

/// How many parameters a statement has: the highest number.
pub(crate) fn count(statement: &str) -> usize {
    let mut highest = 0;
    let _ = for_each(statement, |piece| {
        if let Piece::Parameter(number) = piece {
            highest = highest.max(number);
        }
        Some(())
    });
    highest
}

/// The statements of a text, without the semicolons between them, and without those that hold nothing.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let _ = for_each(text, |piece| {
        match piece {
            Piece::End => statements.push(String::new()),
            Piece::Code(character) => last(&mut statements).push(character),
            Piece::Parameter(number) => last(&mut statements).push_str(&format!("${number}")),
        }
        Some(())
    });
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

fn last(statements: &mut Vec<String>) -> &mut String {
    if statements.is_empty() {
        statements.push(String::new());
    }
    let last = statements.len() - 1;
    &mut statements[last]
}

enum Piece {
    Code(char),
    Parameter(usize),
    /// A semicolon between two statements.
    End,
}

fn for_each(statement: &str, mut take: impl FnMut(Piece) -> Option<()>) -> Option<()> {
    let (mut within, mut characters) = (Within::Code, statement.chars().peekable());
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        if within == Within::Code && character == '$' && next.is_some_and(|next| next.is_ascii_digit()) {
            let mut number = 0usize;
            while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
                number = number.saturating_mul(10).saturating_add(digit as usize);
                characters.next();
            }
            take(Piece::Parameter(number))?;
            continue;
        }
        if within == Within::Code && character == ';' {
            take(Piece::End)?;
            continue;
        }
        within = match (within, character, next) {
            (Within::Code, '\'', _) => Within::Text,
            (Within::Code, '"', _) => Within::Name,
            (Within::Code, '-', Some('-')) => Within::Line,
            (Within::Code, '/', Some('*')) => Within::Block,
            (Within::Text, '\'', _) | (Within::Name, '"', _) | (Within::Line, '\n', _) => Within::Code,
            (Within::Block, '*', Some('/')) => {
                take(Piece::Code(character))?;
                characters.next();
                take(Piece::Code('/'))?;
                within = Within::Code;
                continue;
            }
            (same, ..) => same,
        };
        take(Piece::Code(character))?;
    }
    Some(())
}

/// As SQL has it, whatever is in it.
fn literal(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(statement: &str, values: &[&str]) -> Option<String> {
        filled(statement, &values.iter().map(|value| Some((*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn parameters_become_literals_and_nothing_else_does() {
        let all = "select $1, '$1', \"$2\" -- $1\n/* $2 */ where a = $2";
        let wanted = "select 'it''s', '$1', \"$2\" -- $1\n/* $2 */ where a = '; drop'";
        assert_eq!(with(all, &["it's", "; drop"]).unwrap(), wanted);
        assert_eq!(count(all), 2);
        assert_eq!(with("select '''$1' || $1", &["x"]).unwrap(), "select '''$1' || 'x'");
        assert_eq!(filled("select $1", &[None]).unwrap(), "select NULL");
    }

    #[test]
    fn statements_end_with_semicolons_that_stand_in_no_text() {
        assert_eq!(split("select ';' ; -- a;b\nselect $1;; "), ["select ';' ", " -- a;b\nselect $1"]);
        assert_eq!(split(" ; "), [""; 0]);
    }

    #[test]
    fn one_that_was_not_given_is_missed() {
        assert_eq!(with("select $2", &["x"]), None);
        assert_eq!(with("select $0", &["x"]), None);
        assert_eq!(with("select $99999999999999999999999", &["x"]), None);
    }
}
