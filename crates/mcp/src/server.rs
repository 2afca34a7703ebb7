use std::sync::Arc;

use futures::future::BoxFuture;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, ToolAnnotations,
};
use rmcp::service::{QuitReason, RequestContext, RoleServer, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::io::stdio_pipes;
use rmcp::{ErrorData, ServerHandler, serve_server};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

/// Of one message; a longer one is left out, and a warning says so.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A tool, as an assistant is told of it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// By which it is called.
    pub name: &'static str,
    /// What it answers, and when to use it.
    pub description: &'static str,
    /// What it takes: a schema of JSON, which is an object.
    pub takes: Value,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Does it say why there is no answer?
    pub is_error: bool,
}

/// What can be called.
pub trait Tools: Send + Sync + 'static {
    /// All of them.
    fn tools(&self) -> Vec<Tool>;

    /// What to know before calling any.
    fn instructions(&self) -> &'static str;

    /// Calls one of them. The call is dropped where the assistant takes it back.
    fn call(&self, name: &str, arguments: JsonObject) -> BoxFuture<'_, Answer>;
}

/// Why nobody is answered.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// Whoever is at the other end does not speak the protocol.
    #[error(
        "what came at stdin is not the beginning of the Model Context Protocol: {0}; an assistant starts this command"
    )]
    NotSpoken(String),
    /// It broke.
    #[error("the work on messages has broken off: {0}")]
    Broken(String),
}

/// Answers what comes at stdin to stdout, until stdin ends or `ended` does.
///
/// # Errors
/// [`McpError`].
pub async fn serve(tools: impl Tools, ended: impl Future<Output = ()>) -> Result<(), McpError> {
    let (input, output) = stdio_pipes();
    serve_over(tools, input, output, ended).await
}

async fn serve_over(
    tools: impl Tools,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    ended: impl Future<Output = ()>,
) -> Result<(), McpError> {
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MESSAGE_BYTES_MAX);
    let served = Served { tools, turn: Mutex::new(()) };
    let answer = async {
        let running = match serve_server(served, transport).await {
            Ok(running) => running,
            // Whoever was there has gone before saying anything.
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
            Err(error) => return Err(McpError::NotSpoken(error.to_string())),
        };
        match running.waiting().await {
            Ok(QuitReason::JoinError(error)) | Err(error) => Err(McpError::Broken(error.to_string())),
            Ok(_) => Ok(()),
        }
    };
    tokio::select! {
        () = ended => Ok(()),
        answered = answer => answered,
    }
}

/// Tools behind the protocol.
struct Served<T> {
    tools: T,
    /// One question has the machine's memory at a time; pings and the like do not wait for it.
    turn: Mutex<()>,
}

impl<T: Tools> ServerHandler for Served<T> {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("emp-events", env!("CARGO_PKG_VERSION"));
        config.with_instructions(self.tools.instructions())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.tools().into_iter().map(described).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name;
        if !self.tools.tools().iter().any(|tool| tool.name == name) {
            return Err(ErrorData::invalid_params(format!("there is no tool `{name}`"), None));
        }
        let call = async {
            let _turn = self.turn.lock().await;
            self.tools.call(&name, request.arguments.unwrap_or_default()).await
        };
        let Answer { text, is_error } = tokio::select! {
            // Nobody is sent this: who takes a call back waits for no answer.
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("the call was taken back", None)),
            answer = call => answer,
        };
        let content = vec![ContentBlock::text(text)];
        Ok(if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) }.into())
    }
}

fn described(tool: Tool) -> rmcp::model::Tool {
    let takes = match tool.takes {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    let annotations = ToolAnnotations::from_raw(None, Some(true), None, None, Some(false));
    rmcp::model::Tool::new(tool.name, tool.description, Arc::new(takes)).with_annotations(annotations)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    use futures::FutureExt as _;
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
    use tokio::sync::Notify;

    use super::*;

    /// Says again what it is told; or waits, until it is dropped.
    #[derive(Default)]
    struct Echo {
        waits: Arc<Notify>,
        was_dropped: Arc<Dropped>,
    }

    #[derive(Default)]
    struct Dropped(AtomicBool, Notify);

    struct Guard(Arc<Dropped>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.0.store(true, SeqCst);
            self.0.1.notify_one();
        }
    }

    impl Tools for Echo {
        fn tools(&self) -> Vec<Tool> {
            let tool = |name, description| Tool { name, description, takes: json!({"type": "object"}) };
            vec![tool("echo", "Says it again."), tool("wait", "Never answers.")]
        }

        fn instructions(&self) -> &'static str {
            "none"
        }

        fn call(&self, name: &str, arguments: JsonObject) -> BoxFuture<'_, Answer> {
            if name == "wait" {
                let guard = Guard(Arc::clone(&self.was_dropped));
                self.waits.notify_one();
                return async move {
                    let _guard = guard;
                    std::future::pending().await
                }
                .boxed();
            }
            let text = Value::Object(arguments).to_string();
            async { Answer { text, is_error: false } }.boxed()
        }
    }

    /// The other end.
    struct Client {
        lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
        input: WriteHalf<DuplexStream>,
    }

    impl Client {
        fn of(tools: Echo) -> (Self, tokio::task::JoinHandle<Result<(), McpError>>) {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let (input, output) = tokio::io::split(theirs);
            let server = tokio::spawn(serve_over(tools, input, output, std::future::pending()));
            let (lines, input) = tokio::io::split(ours);
            (Self { lines: BufReader::new(lines).lines(), input }, server)
        }

        async fn say(&mut self, line: &str) {
            self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }

        async fn hear(&mut self) -> Value {
            serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
        }

        async fn begin(&mut self, version: &str) -> Value {
            let client = json!({"name": "test", "version": "1"});
            let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
            self.say(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()).await;
            let begun = self.hear().await;
            self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
            begun["result"].clone()
        }
    }

    #[tokio::test]
    async fn a_version_that_both_know_is_spoken() {
        for (asked, spoken) in [
            ("2024-11-05", "2024-11-05"),
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("1999-01-01", "2025-11-25"),
        ] {
            let (mut client, _server) = Client::of(Echo::default());
            let begun = client.begin(asked).await;
            assert_eq!(begun["protocolVersion"], spoken, "asked for {asked}");
            assert_eq!(begun["serverInfo"]["name"], "emp-events");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_and_what_is_no_message_is_passed_over() {
        let (mut client, server) = Client::of(Echo::default());
        client.begin("2025-11-25").await;
        client.say("nonsense").await;
        client.say("{\"jsonrpc\":\"2.0\",").await;
        client.say("").await;
        client.say(&"x".repeat(MESSAGE_BYTES_MAX + 1)).await;
        client.say(r#"{"jsonrpc":"2.0","id":1,"method":"resources/nothing"}"#).await;
        let answer = client.hear().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32_601)), "{answer}");
        client.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"rm"}}"#).await;
        let answer = client.hear().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(2), &json!(-32_602)), "{answer}");
        client
            .say(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","arguments":{"x":1}}}"#)
            .await;
        let answer = client.hear().await;
        assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!("a"), &json!("{\"x\":1}")));
        drop(client);
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_call_is_given_up_when_it_is_taken_back_and_others_go_on_meanwhile() {
        let tools = Echo::default();
        let (waits, was_dropped) = (Arc::clone(&tools.waits), Arc::clone(&tools.was_dropped));
        let (mut client, _server) = Client::of(tools);
        client.begin("2025-11-25").await;
        client.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}"#).await;
        waits.notified().await;
        client.say(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
        assert_eq!(client.hear().await["id"], 2);
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
        was_dropped.1.notified().await;
        assert!(was_dropped.0.load(SeqCst));
        client.say(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#).await;
        assert_eq!(client.hear().await["id"], 3, "nothing is said of what was taken back");
    }

    #[tokio::test]
    async fn who_does_not_begin_is_told_so_and_who_goes_is_no_failure() {
        let (mut client, server) = Client::of(Echo::default());
        client.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
        drop(client);
        let _ = server.await.unwrap();
        let (client, server) = Client::of(Echo::default());
        drop(client);
        server.await.unwrap().unwrap();
    }
}
