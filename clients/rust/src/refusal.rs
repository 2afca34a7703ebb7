use redis::ServerError;

/// What an error of the server means for an event: it was not written, and then?
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It never will be.
    Final,
    /// It may be, once the server has changed its mind or another has taken over.
    Later,
    /// It may be, once there is memory.
    OutOfMemory,
    /// It will be, at that node of the cluster.
    Elsewhere(String, u16),
}

pub(crate) fn judge(error: &ServerError) -> Verdict {
    match error.code() {
        "OOM" => Verdict::OutOfMemory,
        "MOVED" => moved(error.details().unwrap_or_default()).unwrap_or(Verdict::Later),
        // While a slot is on its way to another node, its events wait.
        "ASK" | "READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "NOREPLICAS"
        | "MISCONF" | "NOAUTH" => Verdict::Later,
        _ => Verdict::Final,
    }
}

/// `3999 127.0.0.1:6381`
fn moved(details: &str) -> Option<Verdict> {
    let (host, port) = details.rsplit(' ').next()?.rsplit_once(':')?;
    Some(Verdict::Elsewhere(host.to_owned(), port.parse().ok()?))
}
