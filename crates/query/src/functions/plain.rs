//! JSON functions over JSON as all commands understand it: of equal keys of one object the last counts, and a value that
//! only part of all readers takes hides no other.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray, StringViewArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;
use regex::Regex;

use emp_event::plain_json;

/// The functions that take a value out of JSON. What makes JSON of values is none of them.
const FUNCTIONS: [&str; 11] = [
    "json_get",
    "json_get_bool",
    "json_get_float",
    "json_get_int",
    "json_get_json",
    "json_get_str",
    "json_get_array",
    "json_as_text",
    "json_contains",
    "json_length",
    "json_object_keys",
];

/// Puts [`Plain`] around each JSON function, after these have been folded into each other, by which their own rewriter
/// knows them.
#[derive(Debug)]
pub struct OverPlainJson;

impl AnalyzerRule for OverPlainJson {
    fn name(&self) -> &str {
        "over_plain_json"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let around = |expr: Expr| {
            Ok(match expr {
                Expr::ScalarFunction(called) if is_of_json(&called.func) => {
                    let func = Arc::new(ScalarUDF::from(Plain { inner: called.func }));
                    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: called.args }))
                }
                expr => Transformed::no(expr),
            })
        };
        let of_node = |node: LogicalPlan| node.map_expressions(|expr| expr.transform_up(around));
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn is_of_json(func: &ScalarUDF) -> bool {
    FUNCTIONS.contains(&func.name()) && !func.inner().is::<Plain>()
}

/// A JSON function, called by its own name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Plain {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Plain {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some((json, path)) = args.args.split_first_mut() {
            let doubt = Doubt::of(path);
            match json {
                ColumnarValue::Array(array) => *array = plain_array(array, &doubt),
                ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => *text = plain_json(text).into_owned(),
                ColumnarValue::Scalar(_) => {}
            }
        }
        self.inner.invoke_with_args(args)
    }
}

fn plain_array(array: &ArrayRef, doubt: &Doubt) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let plain = || texts.iter().map(|text| text.map(|text| doubt.plain(text))).collect::<StringArray>();
            if texts.iter().flatten().any(|text| doubt.is_about(text)) { Arc::new(plain()) } else { Arc::clone(array) }
        }
        DataType::Utf8View => {
            let texts = array.as_string_view();
            let plain = || texts.iter().map(|text| text.map(|text| doubt.plain(text))).collect::<StringViewArray>();
            if texts.iter().flatten().any(|text| doubt.is_about(text)) { Arc::new(plain()) } else { Arc::clone(array) }
        }
        // What another JSON function has made is plain already.
        _ => Arc::clone(array),
    }
}

/// Which JSON may say something else than it seems to: found out in a fraction of the time that taking it apart takes.
struct Doubt {
    /// The keys that are asked for, in quotes; `None` where each JSON is to be looked at.
    keys: Option<Vec<Regex>>,
}

impl Doubt {
    fn of(path: &[ColumnarValue]) -> Self {
        let key = |part: &ColumnarValue| match part {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(key)) | ScalarValue::Utf8View(Some(key))) => quoted(key),
            _ => None,
        };
        let keys: Option<Vec<Regex>> = path.iter().map(key).collect();
        Self { keys: keys.filter(|keys| !keys.is_empty()) }
    }

    /// Is a key there twice, or is a character escaped, which may be one of a key, or half of one?
    fn is_about(&self, json: &str) -> bool {
        let Some(keys) = &self.keys else { return true };
        json.contains("\\u") || keys.iter().any(|key| key.find_iter(json).nth(1).is_some())
    }

    fn plain<'a>(&self, json: &'a str) -> std::borrow::Cow<'a, str> {
        if self.is_about(json) { plain_json(json) } else { json.into() }
    }
}

/// A key as it stands in JSON, unless it may stand there otherwise, too.
fn quoted(key: &str) -> Option<Regex> {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'/'));
    is_plain.then(|| Regex::new(&format!("\"{}\"", regex::escape(key))).ok()).flatten()
}
