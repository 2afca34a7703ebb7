//! A job's timeline.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use emp_job::{History, JobEvent};
use emp_units as units;

use super::{BAD, ChartError, GRID, INK, MAIN, SLOW, SOFT, WIDTH, anchored, draw, fitting, text};
use crate::axis::TimeAxis;
use crate::data::SlowJob;

/// A bar of a job's timeline.
struct Bar {
    name: String,
    from_ms: i64,
    until_ms: i64,
    color: RGBColor,
}

impl Bar {
    fn ms(&self) -> i64 {
        self.until_ms.saturating_sub(self.from_ms)
    }
}

/// One of the slowest jobs: its spans and its unusual gaps as bars, its events as ticks below.
///
/// Of more ticks than `ticks_max` those of errors are drawn, and a part of the others.
pub(crate) fn timeline(job: &SlowJob, ticks_max: usize) -> Result<String, ChartError> {
    const ROW: i32 = 24;
    const LEFT: i32 = 210;
    let (bars, cut) = bars_of(job);
    let start_ms = job.history.start_ms();
    let last_ms = bars.iter().map(|bar| bar.until_ms).chain([last_ms(&job.history)]).max().unwrap_or(start_ms);
    let rows = bars.len() as i32 + 1;
    let axis = TimeAxis::since_beginning(last_ms - start_ms);
    draw("timeline of a job", (WIDTH, (48 + ROW * rows) as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(80)
            .x_label_area_size(26)
            .y_label_area_size(LEFT as u32)
            .build_cartesian_2d(axis, 0.0..f64::from(rows))?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(TRANSPARENT)
            .label_style(text(13, &INK))
            .y_labels(0)
            .x_labels(7)
            .draw()?;
        for (index, bar) in bars.iter().enumerate() {
            let top = f64::from(rows) - index as f64;
            // What began before the job did is drawn from its beginning on.
            let (from, until) = (bar.from_ms.saturating_sub(start_ms).max(0), bar.until_ms - start_ms);
            chart.draw_series([Rectangle::new([(from, top - 0.8), (until, top - 0.2)], bar.color.filled())])?;
            // So that what takes no time is seen as well.
            chart.draw_series([PathElement::new([(from, top - 0.8), (from, top - 0.2)], bar.color.stroke_width(2))])?;
            let y = 10 + index as i32 * ROW + ROW / 2;
            let name = fitting(&bar.name, LEFT as usize);
            area.draw(&Text::new(name, (LEFT, y), anchored(13, &INK, HPos::Right)))?;
            let (x, _) = chart.backend_coord(&(until, top));
            let length = units::millis(bar.ms() as f64);
            area.draw(&Text::new(length, (x + 6, y), anchored(12, &SOFT, HPos::Left)))?;
        }
        let one_in = job.history.events().len().div_ceil(ticks_max.max(1)).max(1);
        let is_drawn = |(at, event): &(usize, &JobEvent)| at % one_in == 0 || event.is_error();
        for (_, event) in job.history.events().iter().enumerate().filter(is_drawn) {
            let at = event.happened_ms() - start_ms;
            let color = if event.is_error() { BAD } else { SOFT };
            chart.draw_series([PathElement::new([(at, 0.2), (at, 0.8)], color.stroke_width(2))])?;
        }
        let name = if cut == 0 { "events".to_owned() } else { format!("events ({cut} more spans)") };
        let y = 10 + bars.len() as i32 * ROW + ROW / 2;
        area.draw(&Text::new(name, (LEFT, y), anchored(13, &SOFT, HPos::Right)))?;
        Ok(())
    })
}

fn last_ms(history: &History) -> i64 {
    history.events().iter().map(JobEvent::happened_ms).max().unwrap_or_default().max(history.end_ms())
}

/// Spans and flagged gaps by their beginning, and how many do not fit.
fn bars_of(job: &SlowJob) -> (Vec<Bar>, usize) {
    const MOST: usize = 16;
    let history = &job.history;
    let spans = history.spans().iter().map(|span| Bar {
        name: span.name.clone(),
        from_ms: span.start_ms,
        until_ms: span.end_ms.unwrap_or(history.end_ms()).max(span.start_ms),
        color: if span.has_failed { BAD } else { MAIN },
    });
    let gaps = job.judgement.gaps.iter().map(|gap| {
        let times = gap.times_typical.map(|times| format!(" ×{}", units::decimal(times.round()))).unwrap_or_default();
        Bar { name: format!("{}{times}", gap.kind), from_ms: gap.start_ms, until_ms: gap.end_ms, color: SLOW }
    });
    let mut bars: Vec<Bar> = spans.chain(gaps).collect();
    let cut = bars.len().saturating_sub(MOST);
    // The longest tell where the time went.
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.ms()));
    bars.truncate(MOST);
    bars.sort_by(|a, b| (a.from_ms, a.until_ms, &a.name).cmp(&(b.from_ms, b.until_ms, &b.name)));
    (bars, cut)
}
