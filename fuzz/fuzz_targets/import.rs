//! Files that are imported: each line is taken at most once, however often and in whatever part the file is read.
//!
//! The first line says how: the name of a format (`wire` for events in the wire's names, `toml` for a mapping that
//! stands in the lines up to `---`), then `gzip` or `zstd` where the file is to be packed, then at which byte of what
//! was packed it is broken off. The rest is the file.

#![no_main]

use std::io::Write as _;
use std::sync::OnceLock;

use emp_fuzz::{events, is_object, new_folder};
use emp_import::{Format, ImportError, Importer, Preview, Summary, preview};
use emp_store::Layout;
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;

struct Input<'a> {
    format: Format,
    text: &'a [u8],
    packing: Packing,
    cut: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl<'a> Input<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (line, mut text) = split_line(bytes)?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let format = match words.next()? {
            "wire" => Format::default(),
            "toml" => {
                let (mapping, rest) = split_mapping(text)?;
                text = rest;
                mapping_file(mapping)?
            }
            // Never a file of that name.
            name if name.contains('.') => return None,
            name => Format::named(name).ok()?,
        };
        let mut words = words.peekable();
        let packing = match words.peek() {
            Some(&"gzip") => Packing::Gzip,
            Some(&"zstd") => Packing::Zstd,
            _ => Packing::None,
        };
        let cut = words.nth(usize::from(packing != Packing::None)).and_then(|word| word.parse().ok());
        Some(Self { format, text, packing, cut })
    }

    /// The file, and what of it is there once it is broken off.
    fn files(&self) -> (Vec<u8>, Vec<u8>) {
        let whole = match self.packing {
            Packing::None => self.text.to_vec(),
            Packing::Gzip => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(self.text).and_then(|()| packer.finish()).expect("it is packed")
            }
            Packing::Zstd => zstd::encode_all(self.text, 1).expect("it is packed"),
        };
        let mut begun = self.cut.map_or(whole.as_slice(), |cut| &whole[..cut.min(whole.len())]).to_vec();
        if self.packing == Packing::None {
            // A line that is cut may be whole all the same, and another one than it will be.
            begun.truncate(begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        }
        (whole, begun)
    }
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn split_mapping(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const END: &[u8] = b"---\n";
    let at = bytes.windows(END.len()).position(|window| window == END)?;
    Some((&bytes[..at], &bytes[at + END.len()..]))
}

/// A mapping is read from a file.
fn mapping_file(mapping: &[u8]) -> Option<Format> {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let path = FOLDER.get_or_init(new_folder).path().join("mapping.toml");
    std::fs::write(&path, mapping).expect("a file");
    Format::named(path.to_str()?).ok()
}

fn import(layout: &Layout, format: &Format, file: &[u8]) -> (Summary, Result<(), ImportError>) {
    let mut importer = Importer::new(layout, format.clone()).expect("a store");
    let added = importer.add(file, &mut |_| {});
    let (summary, stored) = importer.finish();
    stored.expect("the disk takes it");
    (summary, added)
}

/// What a preview shows is what an import takes.
fn check_preview(shown: &Preview, taken: &Summary) {
    assert_eq!(
        shown.events + shown.not_understood,
        taken.events + taken.quarantined + taken.already_there + taken.incomplete
    );
    assert!(shown.events >= taken.events, "{shown:?} {taken:?}");
}

/// So many events are there, and whatever the lines said, each can be read.
fn check_events(layout: &Layout, expected: u64) {
    let events = events(layout).expect("it is read");
    assert_eq!(events.len() as u64, expected);
    for event in &events {
        assert!(!event.service.is_empty() && !event.event_type.is_empty(), "{event:?}");
        assert!(is_object(&event.data), "{event:?}");
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(input) = Input::parse(bytes) else { return Corpus::Reject };
    let (whole, begun) = input.files();
    let (once, twice) = (new_folder(), new_folder());
    let layouts = [&once, &twice].map(|folder| Layout::new(folder.path()));

    let (taken, added) = import(&layouts[0], &input.format, &whole);
    check_events(&layouts[0], taken.events);
    if let (Ok(()), Ok(shown)) = (&added, preview(whole.as_slice(), &input.format, 3)) {
        check_preview(&shown, &taken);
    }
    let (again, _) = import(&layouts[0], &input.format, &whole);
    assert_eq!((again.events, again.quarantined), (0, 0), "a second time nothing is new");

    // A part of it first, as of a file that grows, or that came broken.
    let (part, _) = import(&layouts[1], &input.format, &begun);
    let (rest, _) = import(&layouts[1], &input.format, &whole);
    assert!(part.events + rest.events == taken.events, "{part:?}, then {rest:?}; at once {taken:?}");
    check_events(&layouts[1], taken.events);
    Corpus::Keep
});
