//! All integration tests in one program, so that the library is linked once.

mod metrics;
mod signals;
