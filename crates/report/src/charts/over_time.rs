//! Charts with time from left to right.

use std::ops::Range;

use plotters::prelude::*;

use emp_units as units;

use super::{ChartError, DRAWN_MS_MAX, Layout, MAIN, SLOW, WIDTH, color_of, draw, frame_over_time};
use crate::axis::TimeAxis;
use crate::data::{Course, Point, Rates, Report};

/// Events a minute, one service on top of the other.
pub(crate) fn rates(report: &Report) -> Result<String, ChartError> {
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
        let axis = TimeAxis::of_clock(*from_ms..until_ms, &report.zone);
        let label = |value: &f64| units::decimal(*value);
        let layout = Layout { below: 28, left: 56, text: 14, values: 5, times: 9 };
        let mut chart = frame_over_time(area, axis, highest * 1.05, &label, &layout)?;
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

/// Median and p95 of one event type over time.
pub(crate) fn course(report: &Report, course: &Course, index: usize) -> Result<String, ChartError> {
    let (_, points) = &course.event_types[index];
    let drawn = |(at, p50, p95): &Point| (*at, p50.min(DRAWN_MS_MAX), p95.min(DRAWN_MS_MAX));
    let points: Vec<Point> = points.iter().map(drawn).collect();
    let highest = points.iter().map(|(_, _, p95)| *p95).fold(1.0, f64::max);
    let Range { start, end } = report.question.since_ms..report.question.until_ms;
    draw("latency over time", (470, 170), |area| {
        let axis = TimeAxis::of_clock(start..end, &report.zone);
        let label = |value: &f64| if *value == 0.0 { "0".to_owned() } else { units::millis(*value) };
        let layout = Layout { below: 26, left: 64, text: 13, values: 4, times: 5 };
        let mut chart = frame_over_time(area, axis, highest * 1.08, &label, &layout)?;
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
