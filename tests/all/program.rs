//! The program as its user meets it: a working folder with small pictures, command lines, and what came of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::DynamicImage;
use serde_json::Value;
use tempfile::TempDir;

/// A budget that takes a fraction of a second.
pub const TINY: &str = "--params 2k --steps 20 --batch 512 --device cpu";

/// The prefix of files that are still being written.
const UNFINISHED: &str = ".inr-";

/// The pictures that every working folder holds: 64x64 RGB, 160x160 RGBA, 128x96 grey of 16 bit.
pub const PICTURES: [&str; 3] = ["icon.png", "leaf.png", "gradient16.png"];

/// Says that something is not tested and why, past the test harness, which shows nothing of a test that passes.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A folder of its own for each test, which commands run in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in PICTURES {
            std::fs::copy(repository().join("assets").join(name), place.path(name)).unwrap();
        }
        place
    }

    /// Makes a picture its negative, which is as large and varies as fast.
    pub fn negate(&self, name: &str) {
        let mut picture = image::open(self.path(name)).unwrap();
        picture.invert();
        picture.save(self.path(name)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with the words of `line`, none of which holds a space.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inr"));
        command.args(line.split_whitespace());
        self.prepare(&mut command);
        command
    }

    /// A line for the shell, to which `inr` is the program.
    #[cfg(unix)]
    pub fn shell(&self, line: &str) -> Ended {
        let folder = Path::new(env!("CARGO_BIN_EXE_inr")).parent().unwrap();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others));
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .env("PATH", std::env::join_paths(path).unwrap());
        self.prepare(&mut command);
        self.end(line, &mut command)
    }

    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Without it graphics drivers complain on standard error when adapters are listed.
            .env("XDG_RUNTIME_DIR", self.0.path());
    }

    /// Runs the program to its end.
    pub fn run(&self, line: &str) -> Ended {
        self.end(line, &mut self.command(line))
    }

    pub fn end(&self, line: &str, command: &mut Command) -> Ended {
        self.judge(line, command.output().unwrap())
    }

    /// Sends Ctrl-C to a command as soon as a file is there.
    #[cfg(unix)]
    pub fn interrupt(&self, line: &str, file: &str) -> Ended {
        let child = self.command(line).spawn().unwrap();
        while !self.path(file).exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let kill = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        self.judge(line, child.wait_with_output().unwrap())
            .coded(130)
    }

    /// What holds however a command ended: no panic, and no file that is still being written.
    pub fn judge(&self, line: &str, output: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ended = Ended {
            line: line.to_string(),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!ended.stderr.contains(word), "{ended:?}");
        }
        let unfinished = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(UNFINISHED)
        };
        assert!(!self.files("").keys().any(unfinished), "{ended:?}");
        ended
    }

    /// Fits with the tiny budget; the answer is the output folder, relative to this one.
    pub fn fit(&self, arguments: &str) -> String {
        let ended = self.run(&format!("fit {arguments} {TINY}")).done();
        ended.stdout.trim_end().to_string()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub fn picture(&self, name: &str) -> DynamicImage {
        image::open(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Every file and folder below `folder`, with the bytes of files.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(folder), &mut files);
        files
    }

    /// The names in `folder`, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
            files.insert(path, Vec::new());
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
}

/// The folder of the sources.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What came of a command.
pub struct Ended {
    /// The command line.
    pub line: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{line}\nended with {code:?}\n--- standard output\n{stdout}\n--- standard error\n{stderr}"
        )
    }
}

impl Ended {
    /// It went well.
    #[track_caller]
    pub fn done(self) -> Self {
        self.coded(0)
    }

    #[track_caller]
    pub fn coded(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// It failed with one sentence that holds every one of `words`.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        self.refused(code, words);
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
    }

    /// It failed with an error that may show the usage as well.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:?}");
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}
