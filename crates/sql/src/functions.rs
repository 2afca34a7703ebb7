//! Functions that programs ask PostgreSQL's catalog with, and `datafusion-pg-catalog` lacks. Of a store that is only read
//! most have the same answer each time.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

/// The version of PostgreSQL for which clients choose their questions, and its number.
pub const POSTGRES_VERSION: (&str, &str) = ("15.0", "150000");

/// What is there of nothing.
const NOTHING: ScalarValue = ScalarValue::Utf8(None);
const NO_NUMBER: ScalarValue = ScalarValue::Int32(None);
const NO: ScalarValue = ScalarValue::Boolean(Some(false));
const YES: ScalarValue = ScalarValue::Boolean(Some(true));
const ZERO: ScalarValue = ScalarValue::Int64(Some(0));

/// Whatever they are asked about, they say that.
const SAME: [(&str, ScalarValue); 42] = [
    ("obj_description", NOTHING),
    ("col_description", NOTHING),
    ("shobj_description", NOTHING),
    ("pg_get_viewdef", NOTHING),
    ("pg_get_indexdef", NOTHING),
    ("pg_get_triggerdef", NOTHING),
    ("pg_get_ruledef", NOTHING),
    ("pg_get_functiondef", NOTHING),
    ("pg_get_function_result", NOTHING),
    ("pg_get_function_arguments", NOTHING),
    ("pg_get_function_identity_arguments", NOTHING),
    ("pg_get_serial_sequence", NOTHING),
    ("pg_tablespace_location", NOTHING),
    ("pg_describe_object", NOTHING),
    ("inet_server_addr", NOTHING),
    ("inet_client_addr", NOTHING),
    ("array_to_json", NOTHING),
    ("pg_is_in_recovery", NO),
    ("pg_is_other_temp_schema", NO),
    ("pg_function_is_visible", YES),
    ("pg_type_is_visible", YES),
    ("pg_opclass_is_visible", YES),
    ("pg_collation_is_visible", YES),
    ("has_column_privilege", YES),
    ("has_function_privilege", YES),
    ("has_sequence_privilege", NO),
    ("pg_has_role", YES),
    ("pg_my_temp_schema", ZERO),
    ("pg_table_size", ZERO),
    ("pg_indexes_size", ZERO),
    ("pg_database_size", ZERO),
    ("txid_current", ZERO),
    ("inet_server_port", ZERO),
    ("pg_relation_filenode", ZERO),
    ("pg_size_pretty", NOTHING),
    ("json_build_object", NOTHING),
    ("generate_subscripts", NO_NUMBER),
    ("to_regtype", NO_NUMBER),
    ("to_regproc", NO_NUMBER),
    ("to_regnamespace", NO_NUMBER),
    ("to_regrole", NO_NUMBER),
    ("to_regprocedure", NO_NUMBER),
];

/// Makes them known to a session.
///
/// # Errors
/// Where the engine does not know a type.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    for (name, value) in SAME {
        context.register_udf(ScalarUDF::from(Same::new(name, value)));
    }
    let said = format!("PostgreSQL {} (emp-events)", POSTGRES_VERSION.0);
    context.register_udf(ScalarUDF::from(Same::new("version", ScalarValue::Utf8(Some(said)))));
    context.register_udf(ScalarUDF::from(Setting::new("current_setting")));
    context.register_udf(ScalarUDF::from(Setting::new("set_config")));
    context.register_udf(ScalarUDF::from(Format::new()));
    let fields = ["x", "n"].map(|name| Field::new(name, DataType::Int32, true));
    let pair = ScalarValue::try_new_null(&DataType::Struct(fields.to_vec().into()))?;
    context.register_udf(ScalarUDF::from(Same::new("_pg_expandarray", pair)));
    Ok(())
}

/// A function whose answer is always the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Same {
    fn new(name: &'static str, value: ScalarValue) -> Self {
        let any = Signature::one_of(
            vec![
                datafusion::logical_expr::TypeSignature::Nullary,
                datafusion::logical_expr::TypeSignature::VariadicAny,
            ],
            Volatility::Stable,
        );
        Self { name, value, signature: any }
    }
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// `current_setting(name)` and `set_config(name, value, …)`, which changes nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Setting {
    name: &'static str,
    signature: Signature,
}

impl Setting {
    fn new(name: &'static str) -> Self {
        Self { name, signature: Signature::variadic_any(Volatility::Stable) }
    }
}

/// What settings say, of those that are asked for in SQL.
pub(super) const SETTINGS: [(&str, &str); 12] = [
    ("server_version", POSTGRES_VERSION.0),
    ("server_version_num", POSTGRES_VERSION.1),
    ("search_path", "public"),
    ("timezone", "UTC"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("default_transaction_read_only", "on"),
    ("is_superuser", "off"),
    ("max_index_keys", "32"),
    ("standard_conforming_strings", "on"),
];

fn setting(name: &str) -> Option<&'static str> {
    SETTINGS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl ScalarUDFImpl for Setting {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = match args.args.first() {
            Some(ColumnarValue::Scalar(name)) => name.try_as_str().flatten().and_then(setting),
            _ => None,
        };
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(text.map(str::to_owned))))
    }
}

/// `format(template, …)` with `%s`, `%I` for a name and `%L` for a literal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Format(Signature);

impl Format {
    fn new() -> Self {
        Self(Signature::variadic_any(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Format {
    fn name(&self) -> &str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays.iter().map(|values| cast(values, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
        let rows = texts.first().map_or(0, |values| values.len());
        let of = |column: &ArrayRef, row: usize| {
            let values = column.as_string::<i32>();
            values.is_valid(row).then(|| values.value(row).to_owned())
        };
        let filled = (0..rows).map(|row| {
            let mut given = texts.iter().map(|column| of(column, row));
            let template = given.next().flatten()?;
            Some(filled(&template, given))
        });
        let filled: ArrayRef = Arc::new(filled.collect::<StringArray>());
        Ok(ColumnarValue::Array(filled))
    }
}

fn filled(template: &str, mut given: impl Iterator<Item = Option<String>>) -> String {
    let mut text = String::new();
    let mut characters = template.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => text += &given.next().flatten().unwrap_or_default(),
            Some('I') => text += &as_name(&given.next().flatten().unwrap_or_default()),
            Some('L') => match given.next().flatten() {
                Some(value) => text += &format!("'{}'", value.replace('\'', "''")),
                None => text += "NULL",
            },
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

/// With quotes where it needs them.
fn as_name(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain && !name.starts_with(|first: char| first.is_ascii_digit()) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
