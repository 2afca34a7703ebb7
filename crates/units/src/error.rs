/// A text is not what it should be. The message shows what is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No time.
    #[error(
        "`{0}` is not a time: try `1h` or `-3d` (ago), `yesterday`, `friday 14:00`, `2025-09-27T14:00Z`, \
         epoch milliseconds, or an entry ID"
    )]
    NotATime(String),
    /// No duration.
    #[error("`{0}` is not a duration: try `500ms`, `5s`, `1m30s`, `2h` or `3d`")]
    NotADuration(String),
    /// A duration of nothing, where one is needed that is longer.
    #[error("`{0}` is too short: a duration above zero is needed, such as `5s`")]
    NoDuration(String),
    /// No size.
    #[error("`{0}` is not a size: try `50GiB`, `500MB` or `1000` (bytes)")]
    NotASize(String),
    /// Outside the years that every reader of the store can show.
    #[error("`{0}` lies outside the years 1 to 9999")]
    OutOfRange(String),
}
