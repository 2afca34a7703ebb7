//! What a worker refuses to do for those who know its token, and whom it does not help.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionConfig, SessionContext};
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{
    ChannelResolver, DistributedExt as _, SessionStateBuilderExt as _, WorkerChannel, WorkerResolver,
};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::transport::Channel;
use tower::ServiceExt as _;
use url::Url;

use emp_distribute::{Token, Worker, Workers, address, serve};
use emp_query::{Engine, Settings, Spread};
use emp_store::Layout;

const TOKEN: &str = "a-token-of-these-tests";

fn sample() -> Layout {
    Layout::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/sample"))
}

/// A worker of the sample store, until the runtime ends.
async fn worker() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let worker =
        Worker { layout: sample(), token: Token::chosen(TOKEN).unwrap(), certificate: None, memory_bytes: None };
    tokio::spawn(serve(listener, worker, std::future::pending()));
    url
}

/// Whoever knows the token, and has no good in mind.
#[derive(Clone)]
struct Stranger(Url);

#[async_trait]
impl WorkerResolver for Stranger {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(vec![self.0.clone(), self.0.clone()])
    }
}

#[async_trait]
impl ChannelResolver for Stranger {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let channel = Channel::from_shared(url.to_string()).unwrap().connect().await.unwrap();
        let channel = channel.map_request(|mut request: Request<Body>| {
            request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
            request
        });
        Ok(create_worker_client(BoxCloneSyncChannel::new(channel)))
    }
}

fn stranger(url: Url) -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(SessionConfig::new().with_target_partitions(2))
        .with_distributed_worker_resolver(Stranger(url.clone()))
        .with_distributed_channel_resolver(Stranger(url))
        .with_distributed_file_scan_config_bytes_per_partition(1)
        .unwrap()
        .with_distributed_planner();
    SessionContext::new_with_state(state.build())
}

async fn refusal(context: &SessionContext, sql: &str) -> String {
    match context.sql(sql).await.unwrap().collect().await {
        Ok(rows) => panic!("{sql}: {rows:?}"),
        Err(error) => error.to_string(),
    }
}

fn first_file(folder: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let is_sealed = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "parquet");
    entries.iter().find(|path| is_sealed(path)).cloned().unwrap_or_else(|| {
        let dated =
            |path: &std::path::PathBuf| path.is_dir() && path.file_name().unwrap().to_str().unwrap().contains('=');
        first_file(entries.iter().find(|path| dated(path)).unwrap())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reads_no_file_but_its_stores() {
    let context = stranger(worker().await);
    // Files of the machine that can be read: the client sees them, and the worker has to refuse.
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("private.parquet");
    std::fs::copy(first_file(sample().root()), &private).unwrap();
    std::fs::write(folder.path().join("private.csv"), "a,b\n1,2\n3,4\n").unwrap();
    context.register_parquet("private", private.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    let csv = folder.path().join("private.csv");
    context.register_csv("listed", csv.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    for table in ["private", "listed"] {
        let refused = refusal(&context, &format!("select count(*) from (select distinct * from {table})")).await;
        assert!(refused.contains("a worker reads its store's files and nothing else"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_out_of_the_store_is_none() {
    use datafusion::object_store::memory::InMemory;
    use datafusion::object_store::path::Path as ObjectPath;
    use datafusion::object_store::{ObjectStoreExt as _, PutPayload};

    let context = stranger(worker().await);
    let bytes = std::fs::read(first_file(sample().root())).unwrap();
    let places =
        ["private.parquet", "_quarantine/x.parquet", "date=2025-09-27/hour=14/other.parquet", "a/b/c/d.parquet"];
    for (number, place) in places.into_iter().enumerate() {
        let here = InMemory::new();
        here.put(&ObjectPath::from(place), PutPayload::from(bytes.clone())).await.unwrap();
        context.register_object_store(&Url::parse("emp-events://store").unwrap(), Arc::new(here));
        let name = format!("t{number}");
        let url = format!("emp-events://store/{place}");
        context.register_parquet(&name, url, ParquetReadOptions::default()).await.unwrap();
        let refused = refusal(&context, &format!("select count(*) from (select distinct id from {name})")).await;
        assert!(refused.contains("is no file of a store: a worker reads those alone"), "{place}: {refused}");
    }
}

async fn ask(url: Url, token: &str) -> (std::result::Result<usize, String>, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let tell = Arc::new(move |text: &str| tell.lock().unwrap().push(text.to_owned()));
    let workers = Workers::new(vec![url], &Token::chosen(token).unwrap(), 1, tell).unwrap();
    let spread = Some(Arc::new(workers) as Arc<dyn Spread>);
    let engine = Engine::open_with(&sample(), Settings { spread, ..Settings::default() }).unwrap();
    let answered = engine.sql("select distinct service from events").await;
    let rows = match answered {
        Ok(answer) => Ok(answer.batches().await.unwrap().iter().map(|batch| batch.num_rows()).sum()),
        Err(error) => Err(error.to_string()),
    };
    let told = told.lock().unwrap().clone();
    (rows, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_of_one_version() {
    let (rows, told) = ask(worker().await, TOKEN).await;
    assert!(rows.as_ref().is_ok_and(|rows| *rows > 1) && told.is_empty(), "{rows:?} {told:?}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let older = datafusion_distributed::Worker::default().with_version("0.0.9").into_worker_server();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(older).serve_with_incoming(incoming));
    let (rows, _) = ask(url.clone(), TOKEN).await;
    let ours = env!("CARGO_PKG_VERSION");
    let url = url.as_str().trim_end_matches('/');
    let expected = format!("the worker at {url} is version 0.0.9 and this is {ours}: both have to be the same");
    assert_eq!(rows, Err(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_is_refused() {
    let url = worker().await;
    let (rows, _) = ask(url.clone(), "a-token-of-somebody-else").await;
    assert!(rows.is_err_and(|error| error.contains("does not take this token")));
}

#[test]
fn addresses_are_those_of_servers() {
    for right in ["http://localhost:7400", "https://a.example", "http://[::1]:7400/"] {
        assert!(address(right).is_ok(), "{right}");
    }
    for wrong in ["", "localhost:7400", "ftp://a", "http://a/b", "http://u:p@a", "s3://b/p", "http://"] {
        assert!(address(wrong).is_err(), "{wrong}");
    }
}
