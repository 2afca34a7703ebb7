//! Charts of a row for each name, with durations from left to right on a logarithmic axis.

use std::ops::Range;

use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use emp_units as units;

use super::{BAD, ChartError, DRAWN_MS_MAX, Drawn, GRID, INK, MAIN, SLOW, WIDTH, anchored, draw, fitting, text};
use crate::data::{GapClass, Latency};

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
pub(crate) fn latencies(latencies: &[Latency]) -> Result<String, ChartError> {
    let greatest = latencies.iter().map(|one| one.quantiles[5]).fold(10.0, f64::max).min(DRAWN_MS_MAX);
    let least = latencies.iter().map(|one| one.quantiles[0].max(0.1)).fold(greatest / 10.0, f64::min);
    let names = latencies.iter().map(|one| one.event_type.clone()).collect();
    let rows = Rows { chart: "latency by event type", names, names_width: 230, range: least * 0.9..greatest * 1.15 };
    rows.draw(|chart, index, middle| {
        let [p5, p25, p50, p75, p95, p99, _] = latencies[index].quantiles.map(|ms| ms.clamp(least, greatest));
        let bar =
            |from, until, half: f64| Rectangle::new([(from, middle - half), (until, middle + half)], MAIN.filled());
        chart.draw_series([bar(p25, p75.max(p25 * 1.005), 0.3)])?;
        chart.draw_series([PathElement::new([(p5, middle), (p95, middle)], MAIN.stroke_width(2))])?;
        chart.draw_series([PathElement::new([(p50, middle - 0.38), (p50, middle + 0.38)], INK.stroke_width(3))])?;
        chart.draw_series([Circle::new((p99, middle), 4, SLOW.filled())])?;
        Ok(())
    })
}

/// Between which events jobs are silent: from the median to the longest as a line.
pub(crate) fn gaps(gaps: &[GapClass]) -> Result<String, ChartError> {
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
