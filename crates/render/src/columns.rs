//! Which columns of a table a screen has room for, and how wide they are.

/// Places between two columns.
pub(super) const GAP: usize = 2;

/// What a column asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    /// Places to show everything whole.
    pub natural: usize,
    /// Places below which it says too little, and is better hidden.
    pub least: usize,
    /// Places that it should have before columns of little worth get any.
    pub ample: usize,
    /// What is lost without it.
    pub worth: Worth,
}

/// In which order columns go where there isn't room for all: those of less worth first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Null in every row that is shown.
    Empty,
    /// Another column says nearly the same.
    Repeated,
    /// Everything else goes from the middle outwards.
    Own,
    /// What a reader looks for first.
    Telling,
}

/// The columns of a table that are shown, each with its width, and those that are hidden.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub shown: Vec<(usize, usize)>,
    pub hidden: Vec<usize>,
}

/// Fits columns into a width. Columns of little worth are hidden until the others have ample
/// room, further ones until each has the least it needs, then the widest are cut.
pub(super) fn plan(wants: &[Want], width: Option<usize>) -> Plan {
    let mut shown: Vec<usize> = (0..wants.len()).collect();
    let Some(width) = width else {
        return Plan { shown: wants.iter().map(|want| want.natural).enumerate().collect(), hidden: Vec::new() };
    };
    for worth in [Worth::Empty, Worth::Repeated] {
        if room(wants, &shown, |want| want.ample) > width && shown.iter().any(|&column| wants[column].worth > worth) {
            shown.retain(|&column| wants[column].worth != worth);
        }
    }
    while let Some(position) = dispensable(wants, &shown, width) {
        shown.remove(position);
    }
    let gaps = GAP * shown.len().saturating_sub(1);
    let widths = share(wants, &shown, width.saturating_sub(gaps).max(1));
    let hidden = (0..wants.len()).filter(|column| !shown.contains(column)).collect();
    Plan { shown: shown.into_iter().zip(widths).collect(), hidden }
}

fn room(wants: &[Want], shown: &[usize], width: impl Fn(&Want) -> usize) -> usize {
    let widths: usize = shown.iter().map(|&column| width(&wants[column])).sum();
    widths + GAP * shown.len().saturating_sub(1)
}

/// The position in `shown` of the column to hide next: of the least worth, and among those
/// the one nearest to the middle. `None` where nothing has to go, or just one column is left.
fn dispensable(wants: &[Want], shown: &[usize], width: usize) -> Option<usize> {
    let middle = shown.len() / 2;
    let position = (0..shown.len())
        .min_by_key(|&position| (wants[shown[position]].worth, position.abs_diff(middle)))
        .filter(|_| shown.len() > 1)?;
    // While there are others to hide, telling columns have ample room and not just the least.
    let others_left = wants[shown[position]].worth < Worth::Telling;
    let asked = |want: &Want| if others_left && want.worth == Worth::Telling { want.ample } else { want.least };
    (room(wants, shown, asked) > width).then_some(position)
}

/// Widths that fill at most `places`: all columns above a common limit are cut to it, so that
/// the widest give first.
fn share(wants: &[Want], shown: &[usize], places: usize) -> Vec<usize> {
    if let [only] = shown {
        return vec![wants[*only].natural.min(places)];
    }
    // Telling columns keep ample room if that is possible: `data` is cut before an event's type.
    let floors =
        |width: fn(&Want) -> usize| -> Vec<usize> { shown.iter().map(|&column| width(&wants[column])).collect() };
    let ample = floors(|want| if want.worth == Worth::Telling { want.ample } else { want.least });
    let floors = if ample.iter().sum::<usize>() <= places { ample } else { floors(|want| want.least) };
    let capped = |cap: usize| -> Vec<usize> {
        shown.iter().zip(&floors).map(|(&column, floor)| wants[column].natural.min(cap.max(*floor))).collect()
    };
    let widest = shown.iter().map(|&column| wants[column].natural).max().unwrap_or(0).min(places);
    let cap = (1..=widest).rev().find(|&cap| capped(cap).iter().sum::<usize>() <= places).unwrap_or(1);
    let mut widths = capped(cap);
    // Places that the common limit leaves over go to the first columns that can use them.
    let mut left = places.saturating_sub(widths.iter().sum());
    for (width, &column) in widths.iter_mut().zip(shown) {
        let more = usize::from(*width < wants[column].natural).min(left);
        *width += more;
        left -= more;
    }
    widths
}
