//! The receiver of the other tests.

#![allow(dead_code, reason = "the other tests need the rest of it")]

#[path = "../suite/forwarding/http.rs"]
mod http;
#[path = "../suite/forwarding/otlp.rs"]
pub mod otlp;
#[path = "../suite/forwarding/stub.rs"]
pub mod stub;
