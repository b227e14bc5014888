//! Where the time of an engine goes.

use std::time::Duration;

/// Where the time of training steps went.
///
/// The time of work that threads share is summed over the threads and divided by their number, so that the parts add up to no more
/// than the time on the wall; what is missing is waiting.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// The forward pass of each layer.
    pub forward: Vec<Duration>,
    /// The backward pass of each layer.
    pub backward: Vec<Duration>,
    /// The loss and its derivative.
    pub loss: Duration,
    /// Preparing the parameters for all tiles.
    pub preparation: Duration,
    /// Adding up the gradients of the parts of a batch.
    pub gradient_sum: Duration,
}

impl Profile {
    /// No time yet, for so many layers.
    pub(super) fn new(layers: usize) -> Self {
        Self {
            forward: vec![Duration::ZERO; layers],
            backward: vec![Duration::ZERO; layers],
            ..Self::default()
        }
    }

    /// Adds the time of one of `threads` threads and sets it back to nothing.
    pub(super) fn take_thread(&mut self, thread: &mut Self, threads: usize) {
        let layers = self.forward.len();
        let thread = std::mem::replace(thread, Self::new(layers));
        for layer in 0..layers {
            self.forward[layer] += thread.forward[layer] / threads as u32;
            self.backward[layer] += thread.backward[layer] / threads as u32;
        }
        self.loss += thread.loss / threads as u32;
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        let layers: Duration = self.forward.iter().chain(&self.backward).sum();
        layers + self.loss + self.preparation + self.gradient_sum
    }
}
