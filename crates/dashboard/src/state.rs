//! What is on the screen, and what keys do to it.

use jiff::tz::TimeZone;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Text;

use super::overview::{Overview, StoreState};

/// What has to be done for the person at the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Nothing but to show it.
    Show,
    /// To look at the store now.
    Look,
    /// To find out what happened to a job, or what is wrong with it, and [`Dashboard::open`] that.
    Job {
        /// The job.
        job_id: String,
        /// The verdict, not the timeline.
        is_diagnosis: bool,
    },
    /// To say all that changed, and [`Dashboard::open_changes`] that.
    Changes,
    /// To end.
    Quit,
}

/// What is on the screen.
#[derive(Debug)]
pub struct Dashboard {
    pub(super) zone: TimeZone,
    pub(super) colors: bool,
    pub(super) overview: Option<Overview>,
    pub(super) state: StoreState,
    /// Why the last look failed.
    pub(super) failure: Option<String>,
    pub(super) is_paused: bool,
    /// Of the jobs that need a look.
    pub(super) selected: usize,
    pub(super) view: View,
}

#[derive(Debug, Clone)]
pub(super) enum View {
    Overview,
    /// The name of a job is being typed.
    Asking(String),
    Text {
        title: String,
        /// The job that it is about.
        job_id: Option<String>,
        text: Text<'static>,
        scroll: u16,
    },
    Help,
}

impl Dashboard {
    /// A dashboard that has not seen anything yet, with times of that zone.
    pub fn new(zone: TimeZone, colors: bool) -> Self {
        Self {
            zone,
            colors,
            overview: None,
            state: StoreState::default(),
            failure: None,
            is_paused: false,
            selected: 0,
            view: View::Overview,
        }
    }

    /// Takes what a look at the store has found.
    pub fn update(&mut self, looked: Result<(Overview, StoreState), String>) {
        match looked {
            Ok((overview, state)) => {
                // The same job stays selected, wherever it is now.
                let selected = self.selected_job();
                let jobs = &overview.judged.unhealthy;
                let place = selected.and_then(|job| jobs.iter().position(|one| one.job_id == job));
                self.selected = place.unwrap_or(self.selected).min(jobs.len().saturating_sub(1));
                (self.overview, self.state, self.failure) = (Some(overview), state, None);
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    /// Shows what was asked about a job.
    pub fn open(&mut self, job_id: String, text: Text<'static>) {
        self.view = View::Text { title: job_id.clone(), job_id: Some(job_id), text, scroll: 0 };
    }

    /// Shows all that changed.
    pub fn open_changes(&mut self, text: Text<'static>) {
        self.view = View::Text { title: "what changed".to_owned(), job_id: None, text, scroll: 0 };
    }

    /// Was it stopped, so that it can be read?
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// What a key asks for.
    pub fn press(&mut self, key: KeyEvent) -> Request {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Request::Quit;
        }
        match &mut self.view {
            View::Overview => self.press_in_overview(key.code),
            View::Asking(typed) => {
                match key.code {
                    KeyCode::Char(character) => typed.push(character),
                    KeyCode::Backspace => drop(typed.pop()),
                    KeyCode::Enter if !typed.trim().is_empty() => {
                        let job_id = typed.trim().to_owned();
                        self.view = View::Overview;
                        return Request::Job { job_id, is_diagnosis: false };
                    }
                    KeyCode::Enter | KeyCode::Esc => self.view = View::Overview,
                    _ => {}
                }
                Request::Show
            }
            View::Text { job_id, text, scroll, .. } => {
                let last = u16::try_from(text.lines.len()).unwrap_or(u16::MAX).saturating_sub(1);
                match key.code {
                    KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
                    KeyCode::Down | KeyCode::Char('j') => *scroll = (*scroll + 1).min(last),
                    KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
                    KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(10).min(last),
                    KeyCode::Home | KeyCode::Char('g') => *scroll = 0,
                    KeyCode::End | KeyCode::Char('G') => *scroll = last,
                    KeyCode::Char(which @ ('t' | 'd')) => {
                        if let Some(job_id) = job_id {
                            return Request::Job { job_id: job_id.clone(), is_diagnosis: which == 'd' };
                        }
                    }
                    KeyCode::Esc | KeyCode::Char('q') | KeyCode::Backspace | KeyCode::Left => {
                        self.view = View::Overview
                    }
                    _ => {}
                }
                Request::Show
            }
            View::Help => {
                self.view = View::Overview;
                Request::Show
            }
        }
    }

    fn press_in_overview(&mut self, key: KeyCode) -> Request {
        let jobs = self.overview.as_ref().map_or(0, |overview| overview.judged.unhealthy.len());
        match key {
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(jobs.saturating_sub(1)),
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = jobs.saturating_sub(1),
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('t' | 'd') => {
                if let Some(job_id) = self.selected_job().map(str::to_owned) {
                    return Request::Job { job_id, is_diagnosis: key == KeyCode::Char('d') };
                }
            }
            KeyCode::Char('/') => self.view = View::Asking(String::new()),
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('r') => return Request::Look,
            KeyCode::Char('c') => return Request::Changes,
            KeyCode::Char('?' | 'h') => self.view = View::Help,
            KeyCode::Char('q') | KeyCode::Esc => return Request::Quit,
            _ => {}
        }
        Request::Show
    }

    fn selected_job(&self) -> Option<&str> {
        let jobs = &self.overview.as_ref()?.judged.unhealthy;
        jobs.get(self.selected).map(|one| one.job_id.as_str())
    }
}
