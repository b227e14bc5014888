//! How fast the CPU multiplies matrices at best: what the speed of a network is held against.

use std::time::{Duration, Instant};

use crate::kernels::matmul::{MatrixMut, MatrixRef, matmul};

/// [m, k, n] of products [m, k] · [k, n] whose three matrices together fit in a second-level cache of 1 MB.
const SHAPES: [[usize; 3]; 2] = [[256, 256, 256], [192, 256, 256]];
const ROUNDS_A_SHAPE: usize = 5;
const ROUND: Duration = Duration::from_millis(50);

/// 10⁹ floating-point operations a second of independent products on all threads at once, a multiply-add counting as two; the best
/// round of the best shape.
pub(super) fn matrix_product_gflops() -> f64 {
    let rounds = SHAPES.iter().flat_map(|shape| [shape; ROUNDS_A_SHAPE]);
    rounds.map(round).fold(0.0, f64::max)
}

fn round(&[m, k, n]: &[usize; 3]) -> f64 {
    let start = Instant::now();
    let products = rayon::broadcast(|_| {
        let (a, b, mut c) = (vec![0.5; m * k], vec![0.5; k * n], vec![0.0; m * n]);
        let mut products = 0;
        while start.elapsed() < ROUND {
            let (a, b) = (MatrixRef::new(&a, k), MatrixRef::new(&b, n));
            matmul(m, k, n, a, b, MatrixMut::new(&mut c, n), false);
            products += 1;
        }
        products
    });
    let operations = 2 * m * k * n * products.iter().sum::<usize>();
    operations as f64 / start.elapsed().as_secs_f64() / 1e9
}
