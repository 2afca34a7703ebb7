//! Who hands jobs to whom.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use emp_units as units;

use super::{Area, ChartError, Drawn, INK, MAIN, SLOW, WIDTH, anchored, color_of, draw, fitting};
use crate::data::Report;

/// Who hands jobs to whom: services on a circle, an arrow from each to the next.
pub(crate) fn handoffs(report: &Report) -> Result<String, ChartError> {
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
    let control = bend(from, to);
    let mix = |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
    (mix(from.0, control.0, to.0), mix(from.1, control.1, to.1))
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
