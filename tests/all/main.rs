//! All integration tests in one program, so that the library is linked once.

mod metrics;
mod picture_files;
mod signals;
