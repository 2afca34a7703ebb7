//! Parameters of a statement, from the form that a client sends them in to text.

use jiff::civil::date;
use jiff::{Span, Timestamp};
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::error::PgWireResult;

use super::database::{Parameter, Refused};

/// Between 1970, from which we count, and 2000, from which PostgreSQL does.
const MICROS_UNTIL_2000: i64 = 946_684_800_000_000;

/// The types whose names are known to both sides.
const TYPES: [Type; 17] = [
    Type::BOOL,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::OID,
    Type::FLOAT4,
    Type::FLOAT8,
    Type::NUMERIC,
    Type::TEXT,
    Type::VARCHAR,
    Type::BPCHAR,
    Type::NAME,
    Type::CHAR,
    Type::UNKNOWN,
    Type::DATE,
    Type::TIMESTAMP,
    Type::TIMESTAMPTZ,
];

/// A type by its name; what is left open is taken for text, which becomes what it has to be.
pub(crate) fn type_named(name: Option<&str>) -> Type {
    TYPES.into_iter().find(|known| Some(known.name()) == name).unwrap_or(Type::TEXT)
}

/// What was bound; `types` are those that client and server have agreed on.
pub(crate) fn bound<S: Clone>(portal: &Portal<S>, types: &[Option<String>]) -> PgWireResult<Vec<Parameter>> {
    let formats = &portal.parameter_format;
    if matches!(formats, Format::Individual(each) if each.len() != portal.parameters.len()) {
        return Err(Refused::new("08P01", "there is not one format for each parameter").into());
    }
    let one = |(index, bytes): (usize, Option<&[u8]>)| {
        let of = types.get(index).cloned().flatten();
        let text =
            bytes.map(|bytes| text_of(bytes, formats.is_binary(index), &type_named(of.as_deref()))).transpose()?;
        Ok(Parameter { of, text })
    };
    portal.parameters.iter().map(|bytes| bytes.as_deref()).enumerate().map(one).collect()
}

fn text_of(bytes: &[u8], is_binary: bool, of: &Type) -> Result<String, Refused> {
    let wrong = || {
        let name = of.name();
        Refused::new("22P03", format!("a parameter of the type {name} is not understood in this form: send it as text"))
    };
    let is_text = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN, Type::CHAR].contains(of);
    if !is_binary || is_text {
        let no_text = |_| Refused::new("22021", "a parameter is no UTF-8");
        return String::from_utf8(bytes.to_vec()).map_err(no_text);
    }
    let number = || -> Option<i64> {
        Some(match bytes {
            [a] => i64::from(*a),
            [a, b] => i16::from_be_bytes([*a, *b]).into(),
            [a, b, c, d] => i32::from_be_bytes([*a, *b, *c, *d]).into(),
            bytes => i64::from_be_bytes(bytes.try_into().ok()?),
        })
    };
    let text = match *of {
        Type::BOOL => number().map(|value| (value != 0).to_string()),
        Type::INT2 | Type::INT4 | Type::INT8 => number().map(|value| value.to_string()),
        Type::OID => bytes.try_into().ok().map(|bytes| u32::from_be_bytes(bytes).to_string()),
        Type::FLOAT4 => bytes.try_into().ok().map(|bytes| f32::from_be_bytes(bytes).to_string()),
        Type::FLOAT8 => bytes.try_into().ok().map(|bytes| f64::from_be_bytes(bytes).to_string()),
        Type::DATE => number().and_then(|days| {
            let span = Span::new().try_days(days).ok()?;
            Some(date(2000, 1, 1).checked_add(span).ok()?.to_string())
        }),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => number().and_then(|micros| {
            let moment = Timestamp::from_microsecond(micros.checked_add(MICROS_UNTIL_2000)?).ok()?;
            Some(moment.to_string())
        }),
        _ => None,
    };
    text.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_binary_are_read_by_their_type() {
        let read = |of: Type, bytes: &[u8]| text_of(bytes, true, &of).unwrap();
        assert_eq!(read(Type::BOOL, &[1]), "true");
        assert_eq!(read(Type::INT2, &(-2i16).to_be_bytes()), "-2");
        assert_eq!(read(Type::INT8, &i64::MIN.to_be_bytes()), i64::MIN.to_string());
        assert_eq!(read(Type::OID, &u32::MAX.to_be_bytes()), "4294967295");
        assert_eq!(read(Type::FLOAT8, &0.5f64.to_be_bytes()), "0.5");
        assert_eq!(read(Type::TIMESTAMPTZ, &0i64.to_be_bytes()), "2000-01-01T00:00:00Z");
        assert_eq!(read(Type::TIMESTAMP, &1_500_000i64.to_be_bytes()), "2000-01-01T00:00:01.5Z");
        assert_eq!(read(Type::DATE, &(-1i32).to_be_bytes()), "1999-12-31");
        assert_eq!(read(Type::TEXT, "ä'".as_bytes()), "ä'");
        assert!(text_of(&[1, 2, 3], true, &Type::INT8).is_err());
        assert!(text_of(&[0; 8], true, &Type::NUMERIC).is_err());
        assert!(text_of(&[0xff], false, &Type::TEXT).is_err());
        assert!(text_of(&[0xff; 8], true, &Type::TIMESTAMPTZ).is_ok());
        assert!(text_of(&i64::MAX.to_be_bytes(), true, &Type::TIMESTAMPTZ).is_err(), "no calendar has it");
    }

    #[test]
    fn what_is_left_open_is_a_text() {
        assert_eq!(type_named(Some("int8")), Type::INT8);
        assert_eq!(type_named(Some("timestamptz")), Type::TIMESTAMPTZ);
        assert_eq!(type_named(Some("point")), Type::TEXT);
        assert_eq!(type_named(None), Type::TEXT);
    }
}
