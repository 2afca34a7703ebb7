//! `emp-events watch`: what is told to people who are not looking, over webhooks that are slow, down or wrong, and over
//! restarts.

mod alertmanager;
mod backtest;
mod restarts;
mod scene;
mod telling;
