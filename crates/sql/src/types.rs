use arrow::datatypes::{DataType, TimeUnit};

/// The types that have a name on both sides.
const NAMED: [(&str, DataType); 10] = [
    ("bool", DataType::Boolean),
    ("int2", DataType::Int16),
    ("int4", DataType::Int32),
    ("int8", DataType::Int64),
    ("float4", DataType::Float32),
    ("float8", DataType::Float64),
    ("text", DataType::Utf8),
    ("date", DataType::Date32),
    ("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None)),
    // A number of at most 32 bits without a sign.
    ("oid", DataType::Int64),
];

/// A type by PostgreSQL's name; `None` where the engine has to find out what is meant.
pub fn postgres_type(name: &str) -> Option<DataType> {
    match name {
        "timestamptz" => Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        "numeric" => Some(DataType::Float64),
        "varchar" | "bpchar" | "name" | "char" => Some(DataType::Utf8),
        // A text whose type nobody has said may be anything.
        "unknown" => None,
        _ => NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, of)| of),
    }
}

/// PostgreSQL's name for a type.
pub fn postgres_name(of: &DataType) -> &'static str {
    match of {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "int2",
        DataType::Int32 | DataType::UInt16 => "int4",
        of if of.is_integer() => "int8",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float8",
        DataType::Decimal128(..) | DataType::Decimal256(..) => "numeric",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(..) => "timestamptz",
        _ => "text",
    }
}
