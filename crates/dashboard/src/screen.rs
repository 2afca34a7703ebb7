//! Drawing it.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Table, TableState, Wrap};

use emp_findings::{Changes, Severity, Verdict};
use emp_render::{fit_middle, sentence, visible};
use emp_units as units;

use super::overview::Overview;
use super::state::{Dashboard, View};

/// From so many columns on two panels stand side by side.
const WIDE: u16 = 78;
/// And from so many on ids are shown whole.
const ID_WIDE: u16 = 100;
/// From so many lines on there is room for more than one change.
const TALL: u16 = 32;
const CHANGES_MAX: usize = 8;
const HELP: &str = "\
↑ ↓  j k     choose a job          Enter  t   its timeline
/            a job by its id       d          what is wrong with it
c            all that changed      r          look now
p  Space     stop and go on        ?          this
q  Esc       back, or end

Rates are of the last 30 minutes, changes of the last two hours
beside the two before, the rest is of the last hour.";

impl Dashboard {
    /// Draws all of it.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let [title, body, keys] =
            Layout::vertical([Constraint::Length(self.title_lines()), Constraint::Min(1), Constraint::Length(1)])
                .areas(frame.area());
        frame.render_widget(self.title(), title);
        match (&self.view, &self.overview) {
            (View::Text { title, text, scroll, .. }, _) => {
                let block = self.panel(format!("{}  line {} of {}", visible(title), scroll + 1, text.lines.len()));
                frame.render_widget(Paragraph::new(text.clone()).scroll((*scroll, 0)).block(block), body);
            }
            (_, Some(overview)) => self.draw_overview(frame, body, overview),
            (_, None) => frame.render_widget(Paragraph::new(" looking at the store …"), body),
        }
        if matches!(self.view, View::Help) {
            let area = centered(body, 65, 11);
            frame.render_widget(Clear, area);
            frame.render_widget(Paragraph::new(HELP).block(self.panel("keys".to_owned())), area);
        }
        frame.render_widget(self.keys(), keys);
    }

    fn style(&self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }

    fn dim(&self) -> Style {
        self.style(Color::DarkGray)
    }

    fn panel(&self, title: String) -> Block<'static> {
        let title = Span::styled(format!(" {title} "), Style::new().add_modifier(Modifier::BOLD));
        Block::new().borders(Borders::TOP).border_style(self.dim()).title(title)
    }

    fn title_lines(&self) -> u16 {
        1 + u16::from(self.failure.is_some() || !self.state.troubles.is_empty())
    }

    fn title(&self) -> Paragraph<'static> {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let mut first =
            vec![Span::styled(" emp-events top", bold), Span::raw(format!("  {}", visible(&self.state.store)))];
        if let Some(overview) = &self.overview {
            first.push(Span::raw(format!("  {}", self.clock(overview.now_ms))));
        }
        if let Some(behind) = &self.state.behind {
            first.push(Span::raw(format!("  {behind}")));
        }
        if self.is_paused {
            first.push(Span::styled("  PAUSED", self.style(Color::Yellow).add_modifier(Modifier::BOLD)));
        }
        let mut lines = vec![Line::from(first)];
        let trouble = self.failure.clone().or_else(|| self.state.troubles.first().cloned());
        lines.extend(trouble.map(|trouble| Line::styled(format!(" ! {}", visible(&trouble)), self.style(Color::Red))));
        Paragraph::new(lines)
    }

    fn clock(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).map(|moment| moment.to_zoned_datetime(self.zone.clone()));
        moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
    }

    fn keys(&self) -> Paragraph<'static> {
        let words = match &self.view {
            View::Asking(typed) => return Paragraph::new(format!(" job: {}▏", visible(typed))),
            View::Text { job_id: Some(_), .. } => " ↑↓ scroll   t timeline   d diagnosis   q back",
            View::Text { .. } => " ↑↓ scroll   q back",
            _ => " ↑↓ choose  Enter timeline  d diagnosis  / job by id  c changes  ? help  q quit",
        };
        Paragraph::new(words).style(self.dim())
    }

    fn draw_overview(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        let services = overview.services.len().clamp(1, 7) as u16 + 1;
        let slow = overview.slow_types.len().clamp(1, 7) as u16 + 2;
        let is_wide = area.width >= WIDE;
        let (upper, middle) = if is_wide { (services, slow) } else { (services + 5, slow + 4) };
        let most = if area.height >= TALL { CHANGES_MAX } else { 1 };
        let changed = overview.trends.changes.changes.len().min(most) as u16 + 1;
        let rows = [Constraint::Max(upper), Constraint::Max(middle), Constraint::Length(changed), Constraint::Min(6)];
        let [upper, middle, changes, lower] = Layout::vertical(rows).areas(area);
        let halves = |area: Rect| -> [Rect; 2] {
            let even = [Constraint::Fill(1), Constraint::Fill(1)];
            if is_wide { Layout::horizontal(even).spacing(1).areas(area) } else { Layout::vertical(even).areas(area) }
        };
        let [rates, errors] = halves(upper);
        let [slow, anomalies] = halves(middle);
        self.draw_rates(frame, rates, overview);
        self.draw_errors(frame, errors, overview);
        self.draw_slow_types(frame, slow, overview);
        self.draw_anomalies(frame, anomalies, overview);
        self.draw_changes(frame, changes, &overview.trends.changes);
        self.draw_jobs(frame, lower, overview);
    }

    fn draw_rates(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        // The current minute is not over: the rate is that of the last whole one.
        let rate = |per_minute: &[u64]| per_minute.iter().rev().nth(1).copied().unwrap_or(0);
        let all: u64 = overview.services.iter().map(|one| rate(&one.per_minute)).sum();
        let figures_width = width_of(overview.services.iter().map(|one| rate(&one.per_minute)), 7);
        let bars = (super::overview::MINUTES as u16).min(area.width.saturating_sub(19 + figures_width));
        let rows = overview.services.iter().map(|one| {
            // Where there is no room for all, the last minutes are shown.
            let hidden = one.per_minute.len().saturating_sub(usize::from(bars));
            let values: Vec<f64> = one.per_minute[hidden..].iter().map(|events| *events as f64).collect();
            Row::new([
                Line::raw(visible(&one.service).into_owned()),
                Line::raw(units::count(rate(&one.per_minute))).right_aligned(),
                Line::styled(units::sparkline(&values), self.style(Color::Cyan)),
            ])
        });
        let widths = [Constraint::Fill(1), Constraint::Length(figures_width), Constraint::Length(bars)];
        let title = format!("events a minute: {}", units::count(all));
        frame.render_widget(Table::new(rows, widths).block(self.panel(title)), area);
    }

    fn draw_errors(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        let all: usize = overview.errors.iter().map(|one| one.count).sum();
        let figures_width = width_of(overview.errors.iter().map(|one| one.count as u64), 5);
        let type_width = area.width.saturating_sub(figures_width + 2) * 2 / 5;
        let rows = overview.errors.iter().map(|one| {
            Row::new([
                Line::styled(units::count(one.count as u64), self.style(Color::Red)).right_aligned(),
                Line::raw(fit_middle(&visible(&one.event_type), usize::from(type_width))),
                Line::raw(visible(&one.example).into_owned()),
            ])
        });
        let widths = [Constraint::Length(figures_width), Constraint::Length(type_width), Constraint::Fill(1)];
        let besides = match overview.without_level.events() {
            0 => String::new(),
            failures => format!(" and {} without a level", units::counted(failures as usize, "failure", "failures")),
        };
        let title = format!("errors in the last hour: {}{besides}", units::count(all as u64));
        frame.render_widget(Table::new(rows, widths).block(self.panel(title)), area);
    }

    fn draw_slow_types(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        let right = |text: String| Line::raw(text).right_aligned();
        let figures_width = width_of(overview.slow_types.iter().map(|one| one.count.unsigned_abs()), 5);
        let type_width = usize::from(area.width.saturating_sub(figures_width + 8 + 9 + 3));
        let rows = overview.slow_types.iter().map(|one| {
            Row::new([
                Line::raw(fit_middle(&visible(&one.event_type), type_width)),
                right(units::count(one.count as u64)),
                right(units::millis(one.p50_ms)),
                right(units::millis(one.p95_ms)),
            ])
        });
        let header =
            Row::new([Line::raw("slowest types"), right("n".into()), right("p50".into()), right("p95".into())]);
        let widths =
            [Constraint::Fill(1), Constraint::Length(figures_width), Constraint::Length(8), Constraint::Length(9)];
        let table = Table::new(rows, widths).header(header.style(self.dim())).block(self.panel("latency".to_owned()));
        frame.render_widget(table, area);
    }

    fn draw_anomalies(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        let found = &overview.trends.anomalies.found;
        let alerts = found.iter().filter(|one| one.severity == Severity::Alert).count();
        let lines: Vec<Line<'_>> = found
            .iter()
            .map(|one| {
                let color = if one.severity == Severity::Alert { Color::Red } else { Color::Yellow };
                let mark = if one.severity == Severity::Alert { "✗" } else { "·" };
                let kind = one.kind.as_str().replace('_', " ");
                let head = Span::styled(format!("{mark} {kind} "), self.style(color));
                Line::from(vec![head, Span::raw(sentence(&one.message, &self.zone))])
            })
            .collect();
        let nothing = overview.trends.anomalies.lack.clone().unwrap_or_else(|| "nothing unusual".to_owned());
        let text = if lines.is_empty() { vec![Line::styled(nothing, self.dim())] } else { lines };
        let title = units::counted(alerts, "alert", "alerts");
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }).block(self.panel(title)), area);
    }

    /// One line for each, the most important first.
    fn draw_changes(&self, frame: &mut Frame<'_>, area: Rect, changes: &Changes) {
        let lines: Vec<Line<'_>> = changes
            .changes
            .iter()
            .map(|one| {
                let color = if one.is_bad() { Color::Red } else { Color::Yellow };
                let head = Span::styled(format!("{} {} ", one.change.as_str(), one.kind.in_words()), self.style(color));
                Line::from(vec![head, Span::raw(sentence(&one.words, &self.zone))])
            })
            .collect();
        let title = match changes.changes.len() {
            0 if changes.can_compare() => "nothing significant changed in two hours".to_owned(),
            0 => "what changed: there is nothing to compare with".to_owned(),
            count => format!("{} in two hours", units::counted(count, "change", "changes")),
        };
        frame.render_widget(Paragraph::new(lines).block(self.panel(title)), area);
    }

    fn draw_jobs(&self, frame: &mut Frame<'_>, area: Rect, overview: &Overview) {
        let judged = &overview.judged;
        let title = format!("{} of {} need a look", judged.unhealthy.len(), units::counted(judged.jobs, "job", "jobs"));
        if judged.unhealthy.is_empty() {
            let line = Line::styled("all jobs of the last hour are well", self.style(Color::Green));
            frame.render_widget(Paragraph::new(line).block(self.panel(title)), area);
            return;
        }
        let rows = judged.unhealthy.iter().map(|one| {
            let is_mild =
                matches!(one.verdict, Verdict::Waiting | Verdict::RunningSlow | Verdict::DoneSlow | Verdict::NoData);
            let color = if is_mild { Color::Yellow } else { Color::Red };
            Row::new([
                Line::styled(one.verdict.as_str().replace('_', " "), self.style(color)),
                Line::raw(visible(&one.job_id).into_owned()),
                Line::raw(sentence(&one.reason, &self.zone)),
            ])
        });
        // An id is shown whole where the screen is wide; below, that of the chosen one always is.
        let id_width = judged.unhealthy.iter().map(|one| one.job_id.chars().count()).max().unwrap_or(0);
        let id_width = id_width.clamp(8, if area.width >= ID_WIDE { 36 } else { 24 }) as u16;
        let table = Table::new(rows, [Constraint::Length(19), Constraint::Length(id_width), Constraint::Fill(1)])
            .block(self.panel(title))
            .highlight_symbol("▶ ")
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        // The chosen one's reason as a whole, where there is room.
        let chosen = match area.height {
            0..=6 => 0,
            7..=8 => 2,
            _ => 3,
        };
        let rows = [Constraint::Max(judged.unhealthy.len() as u16 + 1), Constraint::Length(chosen)];
        let [area, below] = Layout::vertical(rows).areas(area);
        let reason = judged.unhealthy.get(self.selected).map(|one| format!("{}: {}", one.job_id, one.reason));
        let reason = sentence(&reason.unwrap_or_default(), &self.zone);
        frame.render_widget(Paragraph::new(reason).wrap(Wrap { trim: true }), below);
        frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(self.selected));
    }
}

/// How wide a column of counts has to be, and `least` at least: a count whose first digit is cut is another one.
fn width_of(counts: impl Iterator<Item = u64>, least: usize) -> u16 {
    counts.map(|count| units::count(count).len()).fold(least, usize::max) as u16
}

fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
