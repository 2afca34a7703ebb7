//! An application of Express and BullMQ that is observed, not instrumented, and what is said of its faults.

mod aged;
mod app;
mod run;
