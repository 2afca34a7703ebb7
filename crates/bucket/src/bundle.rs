//! Several small files as one object.

use super::error::BucketError;

const MAGIC: &[u8; 8] = b"EMPBUND1";

/// Puts files together, each under its name.
pub(crate) fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (name, content) in files {
        for part in [name.as_bytes(), content] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

/// Takes them apart.
pub(crate) fn unpack(bytes: &[u8], place: &str) -> Result<Vec<(String, Vec<u8>)>, BucketError> {
    let damaged = || BucketError::Damaged { place: place.to_owned(), detail: "it is no bundle of files".to_owned() };
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let mut files = Vec::new();
    while !rest.is_empty() {
        let name = take(&mut rest).and_then(|name| String::from_utf8(name.to_vec()).ok()).ok_or_else(damaged)?;
        // It becomes a file of that name.
        let is_name = !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
        let content = take(&mut rest).filter(|_| is_name).ok_or_else(damaged)?;
        files.push((name, content.to_vec()));
    }
    Ok(files)
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (part, behind) = behind.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_out_as_they_went_in() {
        let files = vec![("a.v1".to_owned(), b"one".to_vec()), ("b".to_owned(), Vec::new())];
        assert_eq!(unpack(&pack(&files), "x").unwrap(), files);
        assert!(unpack(b"EMPBUND2", "x").is_err());
        assert!(unpack(&pack(&files)[..12], "x").is_err());
        assert!(unpack(&pack(&[("../a".to_owned(), Vec::new())]), "x").is_err());
    }
}
