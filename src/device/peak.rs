//! How fast the CPU multiplies matrices at best: what the speed of a network is held against.

use std::time::{Duration, Instant};

use crate::kernels::Buffer;
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};

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
        let (a, mut c) = (Buffer::zeros(m * k), Buffer::zeros(m * n));
        let mut b = Buffer::zeros(packed_len(k, n));
        pack(k, n, MatrixRef::new(&vec![0.5; k * n], n), &mut b);
        let mut products = 0;
        while start.elapsed() < ROUND {
            let (a, c) = (MatrixRef::new(&a, k), MatrixMut::new(&mut c, n));
            matmul([m, k, n], a, Right::Packed(&b), c, Start::Zero);
            products += 1;
        }
        products
    });
    let operations = 2 * m * k * n * products.iter().sum::<usize>();
    operations as f64 / start.elapsed().as_secs_f64() / 1e9
}
