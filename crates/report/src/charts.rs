//! The charts of a report, as SVG without any background: the page's style gives the colours of
//! text and lines, so that one drawing serves light, dark and paper.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::TimeAxis;
use super::data::{Course, GapClass, Latency, Rates, Report, SlowJob};
use emp_job::History;
use emp_units as units;

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart `{chart}` cannot be drawn: {reason}")]
pub struct ChartError {
    chart: &'static str,
    reason: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// Text and axes: `style.css` turns this colour into the page's.
const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
/// Secondary text.
const SOFT: RGBColor = RGBColor(0x66, 0x66, 0x66);
/// Lines behind the data.
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// What went wrong, and what took long.
const BAD: RGBColor = RGBColor(0xd9, 0x3a, 0x3a);
const SLOW: RGBColor = RGBColor(0xe0, 0x8a, 0x1e);
const MAIN: RGBColor = RGBColor(0x3b, 0x7d, 0xd8);
/// Colours that can be told apart on light and on dark, also by most who see colours otherwise
/// (after Okabe and Ito's set).
const PALETTE: [RGBColor; 8] = [
    RGBColor(0x3b, 0x7d, 0xd8),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x8c, 0x6b, 0xd6),
    RGBColor(0x99, 0x99, 0x99),
];
const WIDTH: u32 = 960;

fn draw(chart: &'static str, size: (u32, u32), paint: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, ChartError> {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paint(&area).and_then(|()| Ok(area.present()?))
    };
    drawn.map_err(|error| ChartError { chart, reason: error.to_string() })?;
    Ok(svg)
}

fn text(size: i32, color: &'static RGBColor) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size)).color(color)
}

fn anchored(size: i32, color: &'static RGBColor, horizontal: HPos) -> TextStyle<'static> {
    text(size, color).pos(Pos::new(horizontal, VPos::Center))
}

/// Text that fits in so many pixels of about seven a character.
fn fitting(name: &str, pixels: usize) -> String {
    let most = pixels / 7;
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Events a minute, one service on top of the other.
pub(super) fn rates(report: &Report) -> Result<String, ChartError> {
    let Rates { from_ms, bucket_ms, services } = &report.rates.content;
    let buckets = services.first().map_or(0, |(_, rates)| rates.len());
    let mut sums = vec![vec![0.0; buckets]];
    for (_, rates) in services {
        let below = &sums[sums.len() - 1];
        sums.push(below.iter().zip(rates).map(|(below, rate)| below + rate).collect());
    }
    let highest = sums.last().into_iter().flatten().copied().fold(1.0, f64::max);
    let until_ms = from_ms + bucket_ms * buckets as i64;
    draw("events per minute", (WIDTH, 280), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(28)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(TimeAxis::of_clock(*from_ms..until_ms, &report.zone), 0.0..highest * 1.05)?;
        let label = |value: &f64| units::decimal(*value);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(14, &INK))
            .y_label_formatter(&label)
            .y_labels(5)
            .x_labels(9)
            .draw()?;
        // From the top down, each covers what is not its own.
        for ((service, _), heights) in services.iter().zip(&sums[1..]).rev() {
            let color = color_of(report, service);
            let points = heights.iter().enumerate().flat_map(|(bucket, height)| {
                let at = from_ms + bucket as i64 * bucket_ms;
                [(at, *height), (at + bucket_ms, *height)]
            });
            chart.draw_series(AreaSeries::new(points, 0.0, color.filled()))?;
        }
        Ok(())
    })
}

/// Milliseconds from left to right on a logarithmic axis, a row for each name.
struct Rows {
    chart: &'static str,
    names: Vec<String>,
    /// Pixels on the left that names may take.
    names_width: u32,
    range: Range<f64>,
}

type RowsChart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;

impl Rows {
    /// Draws the frame, and each row by its index and where its middle is.
    fn draw(&self, row: impl Fn(&mut RowsChart<'_, '_>, usize, f64) -> Drawn) -> Result<String, ChartError> {
        const HEIGHT: u32 = 26;
        const MARGIN: u32 = 10;
        let rows = self.names.len();
        draw(self.chart, (WIDTH, 50 + HEIGHT * rows as u32), |area| {
            let mut chart = ChartBuilder::on(area)
                .margin(MARGIN)
                .margin_right(30)
                .x_label_area_size(28)
                .y_label_area_size(self.names_width)
                .build_cartesian_2d(self.range.clone().log_scale(), 0.0..rows as f64)?;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(TRANSPARENT)
                .label_style(text(14, &INK))
                .x_label_formatter(&|ms| units::millis(*ms))
                .x_labels(4)
                .y_labels(0)
                .draw()?;
            for (index, name) in self.names.iter().enumerate() {
                row(&mut chart, index, rows as f64 - index as f64 - 0.5)?;
                let y = MARGIN + index as u32 * HEIGHT + HEIGHT / 2;
                let name = fitting(name, self.names_width as usize);
                area.draw(&Text::new(name, (self.names_width as i32, y as i32), anchored(13, &INK, HPos::Right)))?;
            }
            Ok(())
        })
    }
}

/// How long events of each type take: 5 to 95 of 100 as a line, the middle half as a bar, the median
/// as a tick, 99 of 100 as a dot.
pub(super) fn latencies(latencies: &[Latency]) -> Result<String, ChartError> {
    let greatest = latencies.iter().map(|one| one.quantiles[5]).fold(10.0, f64::max);
    let least = latencies.iter().map(|one| one.quantiles[0].max(0.1)).fold(greatest / 10.0, f64::min);
    let names = latencies.iter().map(|one| one.event_type.clone()).collect();
    let rows = Rows { chart: "latency by event type", names, names_width: 230, range: least * 0.9..greatest * 1.15 };
    rows.draw(|chart, index, middle| {
        let [p5, p25, p50, p75, p95, p99, _] = latencies[index].quantiles.map(|ms| ms.max(least));
        let bar =
            |from, until, half: f64| Rectangle::new([(from, middle - half), (until, middle + half)], MAIN.filled());
        chart.draw_series([bar(p25, p75.max(p25 * 1.005), 0.3)])?;
        chart.draw_series([PathElement::new([(p5, middle), (p95, middle)], MAIN.stroke_width(2))])?;
        chart.draw_series([PathElement::new([(p50, middle - 0.38), (p50, middle + 0.38)], INK.stroke_width(3))])?;
        chart.draw_series([Circle::new((p99, middle), 4, SLOW.filled())])?;
        Ok(())
    })
}

/// Median and p95 of one event type over time.
pub(super) fn course(report: &Report, course: &Course, index: usize) -> Result<String, ChartError> {
    let (_, points) = &course.event_types[index];
    let highest = points.iter().map(|(_, _, p95)| *p95).fold(1.0, f64::max);
    let Range { start, end } = report.question.since_ms..report.question.until_ms;
    draw("latency over time", (470, 170), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(28)
            .x_label_area_size(26)
            .y_label_area_size(64)
            .build_cartesian_2d(TimeAxis::of_clock(start..end, &report.zone), 0.0..highest * 1.08)?;
        let label = |value: &f64| if *value == 0.0 { "0".to_owned() } else { units::millis(*value) };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(13, &INK))
            .y_label_formatter(&label)
            .y_labels(4)
            .x_labels(5)
            .draw()?;
        let bounded = |at: i64| at.clamp(start, end);
        chart.draw_series(LineSeries::new(
            points.iter().map(|(at, _, p95)| (bounded(*at), *p95)),
            SLOW.stroke_width(2),
        ))?;
        chart.draw_series(LineSeries::new(
            points.iter().map(|(at, p50, _)| (bounded(*at), *p50)),
            MAIN.stroke_width(2),
        ))?;
        // A line needs two points: one alone is a dot.
        if let [(at, p50, p95)] = points.as_slice() {
            chart.draw_series([Circle::new((bounded(*at), *p50), 3, MAIN.filled())])?;
            chart.draw_series([Circle::new((bounded(*at), *p95), 3, SLOW.filled())])?;
        }
        Ok(())
    })
}

/// The colour of a service, the same in all charts.
pub(super) fn color_of(report: &Report, service: &str) -> RGBColor {
    let index = report.rates.content.services.iter().position(|(name, _)| name == service);
    PALETTE[index.unwrap_or(PALETTE.len() - 1).min(PALETTE.len() - 1)]
}

/// Who hands jobs to whom: services on a circle, an arrow from each to the next.
pub(super) fn handoffs(report: &Report) -> Result<String, ChartError> {
    const HEIGHT: u32 = 460;
    let handoffs = &report.handoffs.content;
    let mut names: Vec<&str> = handoffs.iter().flat_map(|one| [one.from.as_str(), one.to.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let place = |name: &str| {
        let index = names.iter().position(|one| *one == name).unwrap_or(0);
        let angle = std::f64::consts::TAU * (index as f64 / names.len() as f64 - 0.25);
        (f64::from(WIDTH) / 2.0 + 330.0 * angle.cos(), f64::from(HEIGHT) / 2.0 + 175.0 * angle.sin())
    };
    let most = handoffs.iter().map(|one| one.count).max().unwrap_or(1).max(1) as f64;
    let slowest = handoffs.iter().filter_map(|one| one.p95_ms).fold(0.0, f64::max);
    draw("handoffs between services", (WIDTH, HEIGHT), |area| {
        for one in handoffs {
            let is_slow = slowest > 0.0 && one.p95_ms.is_some_and(|p95| p95 >= slowest / 2.0);
            let color = if is_slow { SLOW } else { MAIN };
            let width = (1.0 + 5.0 * (1.0 + one.count as f64).ln() / (1.0 + most).ln()) as u32;
            arrow(area, place(&one.from), place(&one.to), color, width)?;
        }
        for one in handoffs {
            let at = beside(place(&one.from), place(&one.to));
            let p95 = one.p95_ms.map_or_else(|| "skewed".to_owned(), |ms| format!("p95 {}", units::millis(ms)));
            let label = format!("{} · {p95}", units::count(one.count as u64));
            area.draw(&Text::new(label, at, anchored(13, &INK, HPos::Center)))?;
        }
        for name in &names {
            let (x, y) = place(name);
            let (x, y) = (x as i32, y as i32);
            let half = (name.chars().count() as i32 * 4 + 14).min(120);
            let color = color_of(report, name);
            area.draw(&Rectangle::new([(x - half, y - 15), (x + half, y + 15)], color.filled()))?;
            area.draw(&Text::new(fitting(name, 220), (x, y), anchored(15, &WHITE, HPos::Center)))?;
        }
        Ok(())
    })
}

/// The control point of the curve between two places: beside the straight line, so that the way
/// back does not lie upon it.
fn bend((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> (f64, f64) {
    let (dx, dy) = (x2 - x1, y2 - y1);
    ((x1 + x2) / 2.0 - dy * 0.22, (y1 + y2) / 2.0 + dx * 0.22)
}

fn on_curve(from: (f64, f64), to: (f64, f64), t: f64) -> (f64, f64) {
    let by = bend(from, to);
    let mix = |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
    (mix(from.0, by.0, to.0), mix(from.1, by.1, to.1))
}

/// Where the words of an arrow stand: beside it, on the outer side of its bend.
fn beside(from: (f64, f64), to: (f64, f64)) -> (i32, i32) {
    let (x, y) = on_curve(from, to, 0.5);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1.0);
    // Words are wider than high: beside an upright arrow they have to stand further away.
    ((x - dy / length * 58.0) as i32, (y + dx / length * 18.0) as i32)
}

fn arrow(area: &Area<'_>, from: (f64, f64), to: (f64, f64), color: RGBColor, width: u32) -> Drawn {
    // It ends before the box of the service that it points to.
    let end = (0..100).map(|step| 1.0 - f64::from(step) / 100.0).find(|t| {
        let (x, y) = on_curve(from, to, *t);
        (x - to.0).abs() > 90.0 || (y - to.1).abs() > 26.0
    });
    let end = end.unwrap_or(1.0);
    let rounded = |(x, y): (f64, f64)| (x.round() as i32, y.round() as i32);
    let points: Vec<_> = (0..=24).map(|step| rounded(on_curve(from, to, end * f64::from(step) / 24.0))).collect();
    area.draw(&PathElement::new(points, color.mix(0.7).stroke_width(width)))?;
    let (tip, before) = (on_curve(from, to, end), on_curve(from, to, end - 0.03));
    let length = ((tip.0 - before.0).powi(2) + (tip.1 - before.1).powi(2)).sqrt().max(0.1);
    let (dx, dy) = ((tip.0 - before.0) / length, (tip.1 - before.1) / length);
    let size = 7.0 + f64::from(width);
    let head = [
        (tip.0 + dx * size, tip.1 + dy * size),
        (tip.0 - dy * size * 0.6, tip.1 + dx * size * 0.6),
        (tip.0 + dy * size * 0.6, tip.1 - dx * size * 0.6),
    ];
    Ok(area.draw(&Polygon::new(head.map(rounded), color.filled()))?)
}

/// A bar of a job's timeline.
struct Bar {
    name: String,
    from_ms: i64,
    until_ms: i64,
    color: RGBColor,
}

/// One of the slowest jobs: its spans and its unusual gaps as bars, its events as ticks below.
pub(super) fn timeline(job: &SlowJob) -> Result<String, ChartError> {
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
            let (from, until) = (bar.from_ms - start_ms, bar.until_ms - start_ms);
            chart.draw_series([Rectangle::new([(from, top - 0.8), (until, top - 0.2)], bar.color.filled())])?;
            // So that what takes no time is seen as well.
            chart.draw_series([PathElement::new([(from, top - 0.8), (from, top - 0.2)], bar.color.stroke_width(2))])?;
            let y = 10 + index as i32 * ROW + ROW / 2;
            let name = fitting(&bar.name, LEFT as usize);
            area.draw(&Text::new(name, (LEFT, y), anchored(13, &INK, HPos::Right)))?;
            let (x, _) = chart.backend_coord(&(until, top));
            let length = units::millis((bar.until_ms - bar.from_ms) as f64);
            area.draw(&Text::new(length, (x + 6, y), anchored(12, &SOFT, HPos::Left)))?;
        }
        for event in job.history.events() {
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
    history.events().iter().map(emp_job::JobEvent::happened_ms).max().unwrap_or_default().max(history.end_ms())
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
    let gaps = history.gaps().iter().filter_map(|gap| {
        let flagged = job.judgement.gaps_after.get(&history.events()[gap.before].id)?;
        let times =
            flagged.times_typical.map(|times| format!(" ×{}", units::decimal(times.round()))).unwrap_or_default();
        let name = format!("{}{times}", flagged.kind);
        Some(Bar { name, from_ms: gap.start_ms, until_ms: gap.end_ms, color: SLOW })
    });
    let mut bars: Vec<Bar> = spans.chain(gaps).collect();
    let cut = bars.len().saturating_sub(MOST);
    // The longest tell where the time went.
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.until_ms - bar.from_ms));
    bars.truncate(MOST);
    bars.sort_by(|a, b| (a.from_ms, a.until_ms, &a.name).cmp(&(b.from_ms, b.until_ms, &b.name)));
    (bars, cut)
}

/// Between which events jobs are silent: from the median to the longest as a line.
pub(super) fn gaps(gaps: &[GapClass]) -> Result<String, ChartError> {
    let greatest = gaps.iter().map(|one| one.max_ms).fold(10.0, f64::max);
    let least = gaps.iter().map(|one| one.p50_ms).fold(greatest / 2.0, f64::min).max(1.0);
    let names = gaps.iter().map(|one| format!("{} → {}", one.from_event, one.to_event)).collect();
    let rows = Rows { chart: "gaps", names, names_width: 400, range: least * 0.8..greatest * 1.2 };
    rows.draw(|chart, index, middle| {
        let one = &gaps[index];
        chart.draw_series([PathElement::new([(one.p50_ms, middle), (one.max_ms, middle)], MAIN.stroke_width(3))])?;
        chart.draw_series([Circle::new((one.p50_ms, middle), 5, MAIN.filled())])?;
        chart.draw_series([Circle::new((one.p95_ms, middle), 5, SLOW.filled())])?;
        chart.draw_series([Circle::new((one.max_ms, middle), 5, BAD.filled())])?;
        Ok(())
    })
}
