//! How wide the columns of a timeline are.

use super::screen::{HEADER, Row};
use crate::columns::GAP;
use crate::grid::{self, Lane};

/// Details have a column of their own where it can be this wide; else they go below.
const DETAILS_WIDTH_MIN: usize = 20;
const SERVICE_WIDTH_MAX: usize = 18;

/// The columns: time, delta, service, event, details.
pub(super) type Lanes = [Lane; 5];

/// Times whole, services and types as wide as they are, and what is left for the details.
pub(super) fn lanes<'a>(rows: impl Iterator<Item = &'a Row>, width: Option<usize>) -> Lanes {
    let header = HEADER.map(str::to_owned);
    let rows = rows.map(|row| {
        let [time, delta, service, event, _] = row.cells.clone();
        [time, delta, service, event, row.details()]
    });
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
    let natural = grid::natural_widths(rows.iter().map(|row| row.iter().map(String::as_str).collect()));
    let mut widths = [0; 5];
    for (width, natural) in widths.iter_mut().zip(natural) {
        *width = natural;
    }
    if let Some(width) = width {
        narrow(&mut widths, &rows, width);
    }
    [(0, false), (1, true), (2, false), (3, false), (4, false)]
        .map(|(column, right)| Lane { width: widths[column], right })
}

/// Fits columns into a screen: services and types give way, and details get what is left.
fn narrow(widths: &mut [usize; 5], rows: &[[String; 5]], screen: usize) {
    // On a narrow screen the type of an event has twice the room of its service.
    let left = screen.saturating_sub(widths[0] + widths[1] + 3 * GAP);
    widths[2] = widths[2].min(SERVICE_WIDTH_MAX).min(left / 3).max(1);
    let left = screen.saturating_sub(widths[..3].iter().sum::<usize>() + 3 * GAP);
    widths[3] = widths[3].min(left).max(1);
    let left = left.saturating_sub(widths[3] + GAP);
    let details = || rows.iter().skip(1).map(|row| grid::width_of(&row[4])).filter(|&details| details > 0);
    let fitting = details().filter(|&details| details <= left).count();
    // One place for most details reads better than two, even if it is below.
    let has_room = left >= DETAILS_WIDTH_MIN.min(widths[4]) && 2 * fitting >= details().count();
    widths[4] = if has_room { left } else { 0 };
}
