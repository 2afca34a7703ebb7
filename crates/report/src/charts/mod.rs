//! The charts of a report, as SVG without any background: the page's style gives the colours of
//! text and lines, so that one drawing serves light, dark and paper.

mod handoffs;
mod over_time;
mod rows;
mod timeline;

use std::error::Error;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::TimeAxis;
use super::data::Report;

pub(super) use handoffs::handoffs;
pub(super) use over_time::{course, rates};
pub(super) use rows::{gaps, latencies};
pub(super) use timeline::timeline;

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
/// Thirty thousand years. What is longer is drawn as that: an event may claim any number, and an axis up
/// to the greatest of all has no end.
const DRAWN_MS_MAX: f64 = 1e15;

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

/// The frame of a chart of values from 0 up over a report's time, with so many labels on its axes.
fn frame_over_time<'a, 'b>(
    area: &'a Area<'b>,
    axis: TimeAxis,
    highest: f64,
    label: &dyn Fn(&f64) -> String,
    layout: &Layout,
) -> Result<ChartContext<'a, SVGBackend<'b>, Cartesian2d<TimeAxis, RangedCoordf64>>, Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(28)
        .x_label_area_size(layout.below)
        .y_label_area_size(layout.left)
        .build_cartesian_2d(axis, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(text(layout.text, &INK))
        .y_label_formatter(&label)
        .y_labels(layout.values)
        .x_labels(layout.times)
        .draw()?;
    Ok(chart)
}

/// How a chart over time is laid out.
struct Layout {
    /// Pixels for labels below it, and on its left.
    below: u32,
    left: u32,
    /// The size of labels.
    text: i32,
    /// How many labels there are for values, and for times.
    values: usize,
    times: usize,
}

/// The colour of a service, the same in all charts.
pub(super) fn color_of(report: &Report, service: &str) -> RGBColor {
    let index = report.rates.content.services.iter().position(|(name, _)| name == service);
    PALETTE[index.unwrap_or(PALETTE.len() - 1).min(PALETTE.len() - 1)]
}
