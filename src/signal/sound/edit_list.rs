//! Which part of an MP4 sound is to be heard: its edit list leaves out what the encoder put before and behind it (ISO 14496-12, 8.6.6).

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// Most bytes of the box with all that is not sound.
const MOST_BYTES: u64 = 1 << 26;

/// The frames at `sample_rate` to be heard; none when nothing, or more than one part, is said of them.
pub(super) fn heard(content: &[u8], sample_rate: u32) -> Option<Range<u64>> {
    let track = boxes(content).find(|(name, track)| {
        let handler = find(track, &[b"mdia", b"hdlr"]);
        name == b"trak" && handler.and_then(|h| h.get(8..12)) == Some(b"soun")
    })?;
    let media_scale = time_scale(find(track.1, &[b"mdia", b"mdhd"])?)?;
    let movie_scale = time_scale(find(content, &[b"mvhd"])?)?;
    let list = find(track.1, &[b"edts", b"elst"])?;
    let is_wide = *list.first()? == 1;
    let number = |at: usize| match is_wide {
        true => list.get(at..at + 8).map(be_u64),
        false => list.get(at..at + 4).map(be_u64),
    };
    let width = if is_wide { 8 } else { 4 };
    // More edits would cut the sound to pieces; an empty one only shifts it.
    let (1, Some(duration), Some(start)) = (
        be_u64(list.get(4..8)?),
        number(8),
        number(8 + width).filter(|start| *start < 1 << 31),
    ) else {
        return None;
    };
    let frames = |time: u64, scale: u64| {
        let frames = u128::from(time) * u128::from(sample_rate);
        u64::try_from(frames.div_ceil(u128::from(scale))).ok()
    };
    let start = frames(start, media_scale)?;
    let length = match duration {
        0 => u64::MAX,
        _ => frames(duration, movie_scale)?,
    };
    Some(start..start.saturating_add(length))
}

/// The content of the box `moov` of an MP4 file; none when it has none.
pub(super) fn read_movie(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut place = 0;
    while place + 8 <= end {
        file.seek(SeekFrom::Start(place))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let mut header = 8;
        let size = match be_u64(&head[..4]) {
            0 => end - place,
            1 => {
                let mut size = [0; 8];
                file.read_exact(&mut size)?;
                header = 16;
                u64::from_be_bytes(size)
            }
            size => size,
        };
        let Some(length) = size.checked_sub(header) else {
            break;
        };
        if &head[4..] == b"moov" {
            let mut content = Vec::new();
            file.take(length.min(MOST_BYTES))
                .read_to_end(&mut content)?;
            return Ok(Some(content));
        }
        place = place.saturating_add(size);
    }
    Ok(None)
}

/// The boxes that lie one after the other in `content`, as name and content.
fn boxes(mut content: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let size = usize::try_from(be_u64(content.get(..4)?)).ok()?;
        let (one, rest) = content.split_at_checked(size)?;
        content = rest;
        Some((one.get(4..8)?, &one[8..]))
    })
}

/// The content of the first box at the end of `path`.
fn find<'a>(content: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(content, |content, wanted| {
        let found = boxes(content).find(|(name, _)| name == *wanted);
        found.map(|(_, content)| content)
    })
}

/// Units a second of a header of movie or media.
fn time_scale(header: &[u8]) -> Option<u64> {
    // Two times before it are wider in version 1.
    let place = if *header.first()? == 1 { 20 } else { 12 };
    header
        .get(place..place + 4)
        .map(be_u64)
        .filter(|scale| *scale > 0)
}

/// At most eight bytes as a number.
fn be_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (content.len() as u32 + 8).to_be_bytes();
        [size.as_slice(), name, content].concat()
    }

    fn numbers(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_be_bytes()).collect()
    }

    /// A file of a movie in milliseconds with a sound at 44,100 Hz and these edits, an edit in three numbers.
    fn file(edits: &[u32]) -> Vec<u8> {
        let handler = boxed(b"hdlr", &[&[0; 8], b"soun".as_slice(), &[0; 12]].concat());
        let header = boxed(b"mdhd", &numbers(&[0, 0, 0, 44_100, 0, 0]));
        let list = numbers(&[&[0, edits.len() as u32 / 3], edits].concat());
        let track = [
            boxed(b"mdia", &[header, handler].concat()),
            boxed(b"edts", &boxed(b"elst", &list)),
        ];
        let movie = [
            boxed(b"mvhd", &numbers(&[0, 0, 0, 1000, 0])),
            boxed(b"trak", &track.concat()),
        ];
        let sound = boxed(b"mdat", &[7; 100]);
        let head = boxed(b"ftyp", b"M4A ");
        [head, sound, boxed(b"moov", &movie.concat())].concat()
    }

    fn heard_of(file: &[u8], sample_rate: u32) -> Option<Range<u64>> {
        let movie = read_movie(&mut Cursor::new(file)).ok()??;
        heard(&movie, sample_rate)
    }

    #[test]
    fn one_edit_says_what_is_heard() {
        // 3 s from frame 1024 on.
        let one = file(&[3000, 1024, 1 << 16]);
        assert_eq!(heard_of(&one, 44_100), Some(1024..133_324));
        assert_eq!(heard_of(&one, 22_050), Some(512..66_662));
        let open = file(&[0, 1024, 1 << 16]);
        assert_eq!(heard_of(&open, 44_100), Some(1024..u64::MAX));
    }

    #[test]
    fn other_lists_and_damaged_files_say_nothing() {
        let pause = u32::MAX;
        for edits in [
            &[][..],
            &[3000, pause, 1 << 16],
            &[10, 0, 1 << 16, 10, 900, 1 << 16],
        ] {
            assert_eq!(heard_of(&file(edits), 44_100), None, "{edits:?}");
        }
        let whole = file(&[3000, 1024, 1 << 16]);
        for length in 0..whole.len() {
            assert_eq!(heard_of(&whole[..length], 44_100), None, "{length}");
        }
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 0xff;
            heard_of(&damaged, 44_100);
        }
    }
}
