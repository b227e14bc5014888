//! How far a reconstruction is from the original: pure functions of slices, which know nothing of files or models.
//!
//! Results do not depend on the number of threads: work is cut into pieces of fixed size and the partial sums are added in the
//! order of the pieces.

mod nearest;
mod psnr;
mod radial;
mod shape;
mod sound;
mod ssim;
mod stft;

pub use psnr::{psnr_db, squared_error_sum};
pub use radial::{RadialSpectrum, radial_spectrum};
pub use shape::{SurfaceDistance, SurfaceSamples, eikonal_share, iou, sdf_mae, surface_distance};
pub use sound::{log_spectral_distance, si_sdr_db, snr_db};
pub use ssim::ssim;
pub use stft::{BINS, HOP, Stft, WINDOW, hann};

/// Whether the metric called `name` is a distance, of which the smaller is the better; all others are the better the larger they are.
pub fn smaller_is_better(name: &str) -> bool {
    let name = name.strip_prefix("fitted_").unwrap_or(name);
    matches!(name, "lsd" | "chamfer_l1" | "chamfer_l2" | "sdf_mae")
}
