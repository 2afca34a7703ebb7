use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, TimestampMillisecondArray, TimestampNanosecondArray};
use arrow::datatypes::Int64Type;
use insta::assert_snapshot;

use super::fixtures::*;
use crate::{AnswerWriter, Format, Screen, write_answer};

fn mixed() -> RecordBatch {
    batch(vec![
        ("job_id", maybe(&[Some("job_1"), None, Some("a|b <i>\n\"c\"")])),
        ("at", times(&[0, 41, 880])),
        ("count", integers([1, 22, 333])),
        ("p95", floats(&[Some(2.0), None, Some(0.125)])),
        ("data", texts(&[r#"{"a":1}"#, "{}", "日本語"])),
    ])
}

#[test]
fn json_is_one_array() {
    assert_snapshot!(answer(Format::Json, &Screen::plain(), &[mixed()]), @r#"
[{"job_id":"job_1","at":"2025-09-27T12:03:05.120Z","count":1,"p95":2.0,"data":{"a":1}},
 {"job_id":null,"at":"2025-09-27T12:03:05.161Z","count":22,"p95":null,"data":{}},
 {"job_id":"a|b <i>\n\"c\"","at":"2025-09-27T12:03:06.000Z","count":333,"p95":0.125,"data":"日本語"}]
"#);
}

#[test]
fn ndjson_is_one_object_a_line() {
    assert_snapshot!(answer(Format::Ndjson, &Screen::plain(), &[mixed()]), @r#"
{"job_id":"job_1","at":"2025-09-27T12:03:05.120Z","count":1,"p95":2.0,"data":{"a":1}}
{"job_id":null,"at":"2025-09-27T12:03:05.161Z","count":22,"p95":null,"data":{}}
{"job_id":"a|b <i>\n\"c\"","at":"2025-09-27T12:03:06.000Z","count":333,"p95":0.125,"data":"日本語"}
"#);
}

#[test]
fn csv_has_a_header_and_empty_fields_for_nulls() {
    assert_snapshot!(answer(Format::Csv, &Screen::plain(), &[mixed()]), @r#"
job_id,at,count,p95,data
job_1,2025-09-27T12:03:05.120Z,1,2.0,"{""a"":1}"
,2025-09-27T12:03:05.161Z,22,,{}
"a|b <i>
""c""",2025-09-27T12:03:06.000Z,333,0.125,日本語
"#);
}

#[test]
fn markdown_keeps_everything_and_escapes_pipes() {
    assert_snapshot!(answer(Format::Markdown, &Screen::plain(), &[mixed()]), @r#"
| job_id | at | count | p95 | data |
| --- | --- | ---: | ---: | --- |
| job_1 | 2025-09-27T12:03:05.120Z | 1 | 2 | {"a":1} |
|  | 2025-09-27T12:03:05.161Z | 22 |  | {} |
| a\|b &lt;i>\n"c" | 2025-09-27T12:03:06.000Z | 333 | 0.125 | 日本語 |
"#);
}

#[test]
fn an_answer_without_rows_still_has_its_columns() {
    let empty = RecordBatch::new_empty(mixed().schema());
    let all = Format::ALL
        .map(|format| format!("{format}:\n{}", answer(format, &Screen::plain(), std::slice::from_ref(&empty))));
    assert_snapshot!(all.join("\n"), @"
table:
job_id  at  count  p95  data
──────  ──  ─────  ───  ────
0 rows in 12 ms

json:
[]

ndjson:

csv:
job_id,at,count,p95,data

markdown:
| job_id | at | count | p95 | data |
| --- | --- | ---: | ---: | --- |
");
}

#[test]
fn several_batches_are_one_answer() {
    for format in Format::ALL {
        let whole = answer(format, &Screen::plain(), &[mixed()]);
        let parts = [mixed().slice(0, 1), mixed().slice(1, 0), mixed().slice(1, 2)];
        assert_eq!(answer(format, &Screen::plain(), &parts), whole, "{format}");
    }
}

#[test]
fn long_batches_are_parsed_back_whole() {
    let rows = 5_000;
    let long = batch(vec![("n", integers(0..rows))]);
    let parsed: Vec<serde_json::Value> =
        serde_json::from_str(&answer(Format::Json, &Screen::plain(), &[long.clone(), long.clone()])).expect("JSON");
    assert_eq!(parsed.len() as i64, 2 * rows);
    assert_eq!(answer(Format::Csv, &Screen::plain(), &[long]).lines().count() as i64, rows + 1);
}

#[test]
fn times_of_other_zones_are_written_in_utc_and_times_of_none_without_a_z() {
    let offset = TimestampMillisecondArray::from(vec![START_MS]).with_timezone("+02:00");
    let none = TimestampNanosecondArray::from(vec![START_MS * 1_000_000]);
    let times = batch(vec![("offset", Arc::new(offset)), ("none", Arc::new(none))]);
    assert_snapshot!(answer(Format::Ndjson, &Screen::plain(), std::slice::from_ref(&times)), @r#"{"offset":"2025-09-27T12:03:05.120Z","none":"2025-09-27T12:03:05.120"}"#);
    assert_snapshot!(answer(Format::Csv, &Screen::plain(), std::slice::from_ref(&times)), @"
offset,none
2025-09-27T12:03:05.120Z,2025-09-27T12:03:05.120
");
    assert_snapshot!(answer(Format::Markdown, &Screen::plain(), &[times]), @"
| offset | none |
| --- | --- |
| 2025-09-27T12:03:05.120Z | 2025-09-27T12:03:05.120 |
");
}

#[test]
fn lists_become_text_where_a_format_has_none() {
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]));
    let lists = batch(vec![("list", list)]);
    assert_snapshot!(answer(Format::Csv, &Screen::plain(), std::slice::from_ref(&lists)), @r#"
list
"[1, null]"
""
"#);
    assert_snapshot!(answer(Format::Json, &Screen::plain(), std::slice::from_ref(&lists)), @r#"
[{"list":[1,null]},
 {"list":null}]
"#);
    assert_snapshot!(answer(Format::Table, &Screen::plain(), &[lists]), @"
list
─────────
[1, null]
·
2 rows in 12 ms
");
}

/// A pipe that closes after so many bytes.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_told_as_it_is() {
    for format in Format::ALL {
        for room in [0, 100] {
            let error =
                write_answer(&mut Closing(room), format, &Screen::plain(), events().schema(), &[events()], None)
                    .expect_err("no room for the answer");
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format} after {room} bytes");
        }
    }
}

#[test]
fn rows_are_written_as_they_come() {
    let screen = Screen::plain();
    for format in [Format::Json, Format::Ndjson, Format::Csv, Format::Markdown] {
        let one = batch(vec![("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
        let mut closed = Closing(0);
        let written = AnswerWriter::new(&mut closed, format, &screen, one.schema()).write(&one);
        let error = written.expect_err("the first row is written at once");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format}");
    }
}
