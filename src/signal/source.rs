//! Opening a file with clear errors, noticing its end, and running decoders that may panic.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use super::SignalError;

/// The number of first bytes that are looked at to tell the kind of a file.
const HEAD: u64 = 64;

/// An open file that is not empty, with its first bytes.
pub(super) struct Source {
    pub path: PathBuf,
    pub head: Vec<u8>,
    /// The content from the first byte on.
    pub reader: Reader,
}

impl Source {
    /// What the name ends with, without the dot; nothing of a name without one.
    pub fn extension(&self) -> String {
        let extension = self.path.extension().unwrap_or_default();
        extension.to_string_lossy().into()
    }

    /// Opens a regular file.
    pub fn open(path: &Path) -> Result<Source, SignalError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SignalError::Missing { path: path.into() },
            _ => SignalError::Unreadable {
                path: path.into(),
                source,
            },
        };
        // Asked before the file is opened, because opening a pipe waits for its other end.
        let metadata = path.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(SignalError::Folder { path: path.into() });
        }
        if !metadata.is_file() {
            return Err(SignalError::NotAFile { path: path.into() });
        }
        let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut head = Vec::new();
        reader
            .by_ref()
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        reader.rewind().map_err(unreadable)?;
        if head.is_empty() {
            return Err(SignalError::Empty { path: path.into() });
        }
        Ok(Source {
            path: path.into(),
            head,
            reader: Reader {
                file: reader,
                end: Arc::default(),
            },
        })
    }
}

/// A buffered file that remembers whether someone asked for more than it has.
///
/// Decoders report a cut-off file in as many ways as there are formats; what they have in common is the vain read.
pub(super) struct Reader {
    file: BufReader<File>,
    end: Arc<AtomicBool>,
}

impl Reader {
    /// Becomes true with the first read at the end of the file.
    pub fn end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.end)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.end.store(true, Ordering::Relaxed);
        }
        Ok(count)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.file.fill_buf()?;
        if bytes.is_empty() {
            self.end.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.file.consume(amount);
    }
}

impl Seek for Reader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }

    /// Keeps what is buffered.
    fn seek_relative(&mut self, offset: i64) -> io::Result<()> {
        self.file.seek_relative(offset)
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static>;

thread_local! {
    /// Whether a panic of this thread is about to be caught by [`catch_panic`] and must not be reported.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs foreign code that may panic on damaged input; `None` says that it did.
///
/// The report of such a panic would reach the user, since the hook that writes it runs before the panic is caught, and the hook
/// belongs to the whole process. Therefore a wrapper goes around the present hook once and for all: it says nothing on
/// a thread that is inside this function and hands every other panic on. Nothing is swapped per call, so calls on several
/// threads cannot restore each other's hooks.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    static WRAP: Once = Once::new();
    // The hook cannot be changed while this thread unwinds, which it does if a destructor loads a file.
    if !thread::panicking() {
        WRAP.call_once(|| panic::set_hook(unless_expected(panic::take_hook())));
    }
    let outer = EXPECTED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(outer);
    result.ok()
}

fn unless_expected(report: Hook) -> Hook {
    Box::new(move |info| {
        if !EXPECTED.get() {
            report(info);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    // One test, because the hook is shared by all tests of the process.
    #[test]
    fn a_caught_panic_is_silent_and_others_are_reported() {
        static REPORTS: AtomicUsize = AtomicUsize::new(0);
        const MARK: &str = "a panic of this test";
        // The wrapper goes in first, so that the counter below is certain to be under a wrapper of its own.
        catch_panic(|| ());
        let before = panic::take_hook();
        panic::set_hook(unless_expected(Box::new(move |info| {
            match info.payload_as_str() {
                Some(MARK) => {
                    REPORTS.fetch_add(1, Ordering::SeqCst);
                }
                _ => before(info),
            }
        })));

        assert_eq!(catch_panic(|| 7), Some(7));
        assert_eq!(catch_panic(|| -> u8 { panic!("{MARK}") }), None);
        assert_eq!(REPORTS.load(Ordering::SeqCst), 0);

        // A panic on another thread is reported while this one is inside.
        catch_panic(|| {
            let other = thread::spawn(|| panic!("{MARK}"));
            assert!(other.join().is_err());
        });
        assert_eq!(REPORTS.load(Ordering::SeqCst), 1);

        // And so is a panic of this thread afterwards.
        let later = panic::catch_unwind(|| panic!("{MARK}"));
        assert!(later.is_err());
        assert_eq!(REPORTS.load(Ordering::SeqCst), 2);
    }
}
