//! The page's files: those that the program carries, or those of a folder while somebody works on them.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};
use xxhash_rust::xxh3::xxh3_128;

use super::routes::Shared;
use super::{Kind, Refusal};

static CARRIED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/page");

const INDEX: &str = "index.html";
/// What is shorter is sent as it is.
const PACKED_FROM_BYTES: usize = 512;

/// The page's files.
pub(crate) enum Assets {
    /// Packed once, when the server starts.
    Carried(HashMap<String, File>),
    /// Read each time.
    Folder(PathBuf),
}

/// One file, ready to be sent.
#[derive(Clone)]
pub(crate) struct File {
    content_type: &'static str,
    etag: String,
    plain: Arc<[u8]>,
    packed: Option<Arc<[u8]>>,
}

impl Assets {
    /// Those of the folder, else those that the program carries, below that path.
    pub fn new(folder: Option<PathBuf>, base_path: &str) -> Self {
        if let Some(folder) = folder {
            return Self::Folder(folder);
        }
        let mut files = HashMap::new();
        add(&CARRIED, base_path, &mut files);
        Self::Carried(files)
    }

    /// The file of that path inside the page's folder, which has no way out of it.
    fn file(&self, path: &str, base_path: &str) -> Option<File> {
        match self {
            Self::Carried(files) => files.get(path).cloned(),
            Self::Folder(folder) => {
                let relative = Path::new(path);
                let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
                let is_hidden = path.split('/').any(|part| part.starts_with('.'));
                let bytes = (is_inside && !is_hidden).then(|| std::fs::read(folder.join(relative)).ok())??;
                Some(File::new(path, bytes, base_path))
            }
        }
    }
}

fn add(folder: &Dir<'_>, base_path: &str, files: &mut HashMap<String, File>) {
    for file in folder.files() {
        let path = file.path().to_string_lossy().into_owned();
        let made = File::new(&path, file.contents().to_vec(), base_path);
        files.insert(path, made);
    }
    folder.dirs().for_each(|inner| add(inner, base_path, files));
}

impl File {
    fn new(path: &str, mut bytes: Vec<u8>, base_path: &str) -> Self {
        if path == INDEX {
            bytes = with_base(&bytes, base_path);
        }
        let content_type = content_type(path);
        let is_text =
            content_type.starts_with("text/") || content_type == "application/json" || content_type == "image/svg+xml";
        let packed = (is_text && bytes.len() >= PACKED_FROM_BYTES).then(|| packed(&bytes)).flatten();
        let etag = format!("\"{:032x}\"", xxh3_128(&bytes));
        Self { content_type, etag, plain: bytes.into(), packed: packed.map(Into::into) }
    }

    /// As the request can take it.
    fn response(&self, asked: &HeaderMap) -> Response {
        let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let is_known =
            text(header::IF_NONE_MATCH).split(',').any(|known| known.trim().trim_start_matches("W/") == self.etag);
        let headers = [
            (header::ETAG, self.etag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "Accept-Encoding"),
        ];
        if is_known {
            return (axum::http::StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = [(header::CONTENT_TYPE, self.content_type)];
        let takes_packed =
            text(header::ACCEPT_ENCODING).split(',').any(|one| one.trim().split(';').next() == Some("gzip"));
        match self.packed.as_ref().filter(|_| takes_packed) {
            Some(packed) => {
                let encoding = [(header::CONTENT_ENCODING, "gzip")];
                (headers, kind, encoding, packed.to_vec()).into_response()
            }
            None => (headers, kind, self.plain.to_vec()).into_response(),
        }
    }
}

/// Any view of the page: which one its script reads from the address.
pub(crate) async fn view(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Refusal> {
    send(&shared, INDEX, request.headers())
}

/// A file of the page.
pub(crate) async fn asset(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Refusal> {
    // Here the path before all others has been taken off already.
    send(&shared, request.uri().path().trim_start_matches('/'), request.headers())
}

fn send(shared: &Shared, path: &str, asked: &HeaderMap) -> Result<Response, Refusal> {
    let file = shared.assets.file(path, &shared.base_path);
    let missing = || Refusal::new(Kind::NotFound, format!("the page has no file {path}"));
    Ok(file.ok_or_else(missing)?.response(asked))
}

/// The same page with the path below which its links lie: they are relative, and a view may lie deeper.
fn with_base(page: &[u8], base_path: &str) -> Vec<u8> {
    let page = String::from_utf8_lossy(page);
    page.replacen("<head>", &format!("<head>\n<base href=\"{base_path}/\">"), 1).into_bytes()
}

fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().filter(|packed| packed.len() < bytes.len())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest" | "map") => "application/json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
