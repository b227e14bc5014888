//! Picture files put together byte by byte, for what an encoder does not write.

/// CRC-32 as in PNG (ISO 3309), bit by bit.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |mut crc, byte| {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
        crc
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(data);
    let crc = crc32(kind.iter().chain(data).copied());
    out.extend(crc.to_be_bytes());
    out
}

/// A PNG with the given header fields, extra chunks before the data, and packed rows without filter bytes.
pub fn png(
    (width, height): (u32, u32),
    (bits, colour_type): (u8, u8),
    extra: &[(&[u8; 4], &[u8])],
    rows: &[&[u8]],
) -> Vec<u8> {
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([bits, colour_type, 0, 0, 0]);
    let mut raw = Vec::new();
    for row in rows {
        raw.push(0);
        raw.extend(*row);
    }
    // zlib: one stored block.
    let length = raw.len() as u16;
    let mut zlib = vec![0x78, 0x01, 0x01];
    zlib.extend(length.to_le_bytes());
    zlib.extend((!length).to_le_bytes());
    zlib.extend(&raw);
    zlib.extend(adler32(&raw).to_be_bytes());

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(chunk(b"IHDR", &header));
    for (kind, data) in extra {
        file.extend(chunk(kind, data));
    }
    file.extend(chunk(b"IDAT", &zlib));
    file.extend(chunk(b"IEND", &[]));
    file
}

/// The EXIF block of one entry: tag 0x0112, orientation.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut out = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    out.extend([orientation, 0, 0, 0, 0, 0, 0]);
    out
}

/// Puts an EXIF segment behind the start marker of a JPEG.
pub fn jpeg_with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut body = b"Exif\0\0".to_vec();
    body.extend(exif(orientation));
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xE1];
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
    out.extend(&jpeg[2..]);
    out
}

/// What a TIFF entry says beside the size.
pub struct Tiff {
    pub bits: u16,
    pub photometric: u16,
    pub samples: u16,
    /// 1 for whole numbers, 3 for float.
    pub sample_format: u16,
    pub orientation: u16,
    /// 64-bit offsets.
    pub big: bool,
}

impl Tiff {
    /// 8-bit grey, upright.
    pub const GREY: Tiff = Tiff {
        bits: 8,
        photometric: 1,
        samples: 1,
        sample_format: 1,
        orientation: 1,
        big: false,
    };

    /// A little-endian TIFF with one strip, behind which the directory lies.
    pub fn file(&self, width: u16, height: u16, strip: &[u8]) -> Vec<u8> {
        let header: u32 = if self.big { 16 } else { 8 };
        let directory = header + strip.len() as u32;
        let strip_bytes = strip.len() as u32;
        let entries: [(u16, u32); 11] = [
            (256, width.into()),
            (257, height.into()),
            (258, self.bits.into()),
            (259, 1),
            (262, self.photometric.into()),
            (273, header),
            (274, self.orientation.into()),
            (277, self.samples.into()),
            (278, height.into()),
            (279, strip_bytes),
            (339, self.sample_format.into()),
        ];
        let mut out = b"II".to_vec();
        if self.big {
            out.extend([43, 0, 8, 0, 0, 0]);
            out.extend(u64::from(directory).to_le_bytes());
        } else {
            out.extend([42, 0]);
            out.extend(directory.to_le_bytes());
        }
        out.extend(strip);
        match self.big {
            true => out.extend((entries.len() as u64).to_le_bytes()),
            false => out.extend((entries.len() as u16).to_le_bytes()),
        }
        for (tag, value) in entries {
            out.extend(tag.to_le_bytes());
            // One value per sample for bits and format; up to four 16-bit values fit only in the field of a big TIFF.
            let count = match tag {
                258 | 339 if self.big || self.samples <= 2 => self.samples,
                _ => 1,
            };
            let words = value.to_le_bytes();
            let kind: u16 = if count > 1 { 3 } else { 4 };
            out.extend(kind.to_le_bytes());
            let mut field = Vec::new();
            for _ in 0..count {
                field.extend(if count > 1 { &words[..2] } else { &words[..] });
            }
            if self.big {
                out.extend(u64::from(count).to_le_bytes());
                field.resize(8, 0);
            } else {
                out.extend(u32::from(count).to_le_bytes());
                field.resize(4, 0);
            }
            out.extend(field);
        }
        out.extend([0; 8]);
        out
    }
}
