//! Ctrl-C as a flag.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::print_error;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What to say when the program can end at once.
static FAREWELL: Mutex<Option<String>> = Mutex::new(None);

/// From now on the first Ctrl-C (or a polite kill) only raises the flag, unless [`AtOnce`] says otherwise; the second one ends the program
/// at once.
pub(super) fn listen() {
    // A handler may be there already when several fits run in one program.
    let _ = ctrlc::set_handler(|| {
        let farewell = farewell().take();
        if let Some(farewell) = &farewell {
            if stderr().is_terminal() {
                // Behind the progress line.
                print_error("");
            }
            print_error(farewell);
        }
        if INTERRUPTED.swap(true, Ordering::SeqCst) || farewell.is_some() {
            std::process::exit(130);
        }
    });
}

/// Whether Ctrl-C was pressed.
pub(super) fn requested() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// As long as it lives, the first Ctrl-C ends the program: what goes on can be done again from files.
pub(super) struct AtOnce;

impl AtOnce {
    /// With the sentence to say then.
    pub fn new(sentence: String) -> Self {
        *farewell() = Some(sentence);
        Self
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        *farewell() = None;
    }
}

fn farewell() -> MutexGuard<'static, Option<String>> {
    FAREWELL.lock().unwrap_or_else(PoisonError::into_inner)
}
