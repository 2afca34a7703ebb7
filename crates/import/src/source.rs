use std::fs::File;
use std::io::{self, BufRead, Read, Seek as _};

use crate::pieces::{End, Pieces};
use crate::rows::Rows;
use crate::{ImportError, input};

/// What events are read from, piece by piece: each is an event as JSON, or should be.
pub(crate) enum Source<'a> {
    /// Lines of text, or the elements of an array.
    Text(Pieces<Box<dyn BufRead + 'a>>),
    /// Rows of a Parquet file.
    Rows(Rows),
}

impl<'a> Source<'a> {
    /// What can be read from its beginning to its end alone.
    ///
    /// # Errors
    /// [`ImportError::Foreign`] for what is recognised and cannot be read so.
    pub fn of_stream(stream: impl Read + 'a) -> Result<Self, ImportError> {
        Ok(Self::Text(Pieces::new(input::open(stream)?)))
    }

    /// A file, which may be a Parquet one: its end is read first.
    ///
    /// # Errors
    /// [`ImportError::Foreign`] for what is recognised and cannot be read, [`ImportError::Parquet`].
    pub fn of_file(mut file: File) -> Result<Self, ImportError> {
        let mut mark = Vec::new();
        // A pipe has a name, too, and cannot be wound back.
        if file.metadata()?.is_file() {
            (&file).take(input::PARQUET.len() as u64).read_to_end(&mut mark)?;
            file.rewind()?;
        }
        if mark == input::PARQUET { Ok(Self::Rows(Rows::open(file)?)) } else { Self::of_stream(file) }
    }

    /// Reads the next piece into `piece`; `None` where there is none.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Option<End>> {
        match self {
            Self::Text(pieces) => pieces.next(piece),
            Self::Rows(rows) => rows.next(piece),
        }
    }

    /// How many bytes were read so far.
    pub fn bytes_read(&self) -> u64 {
        match self {
            Self::Text(pieces) => pieces.bytes_read(),
            Self::Rows(rows) => rows.bytes_read(),
        }
    }
}
