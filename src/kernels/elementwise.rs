//! Elementwise passes over a tile, and sums over its rows.

use super::{LANES, dispatch, for_each, mul_add};

/// y[r, :] += b for every row of y `[rows, d]`; `bias`: `[d]`.
pub fn add_bias_rows(y: &mut [f32], bias: &[f32]) {
    check_rows(y, bias);
    dispatch!(add_bias_rows_body(y: &mut [f32], bias: &[f32]));
}

#[inline(always)]
fn add_bias_rows_body<const FMA: bool>(y: &mut [f32], bias: &[f32]) {
    for row in y.chunks_exact_mut(bias.len().max(1)) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y += b;
        }
    }
}

/// sum += Σ_r y[r, :] for y `[rows, d]`: the gradient of a bias; `sum`: `[d]`.
pub fn sum_rows(y: &[f32], sum: &mut [f32]) {
    check_rows(y, sum);
    dispatch!(sum_rows_body(y: &[f32], sum: &mut [f32]));
}

#[inline(always)]
fn sum_rows_body<const FMA: bool>(y: &[f32], sum: &mut [f32]) {
    for row in y.chunks_exact(sum.len().max(1)) {
        for (sum, y) in sum.iter_mut().zip(row) {
            *sum += y;
        }
    }
}

/// out[r, :] = Σ_i table[places[r, i], :]; `table`: `[n, d]`, `places`: `[rows, terms]`, `out`: `[rows, d]`.
pub fn sum_of_rows_at(table: &[f32], d: usize, places: &[u32], terms: usize, out: &mut [f32]) {
    assert_eq!(places.len() * d, out.len() * terms, "out must be [rows, d]");
    dispatch!(sum_of_rows_at_body(
        table: &[f32], d: usize, places: &[u32], terms: usize, out: &mut [f32]
    ));
}

#[inline(always)]
fn sum_of_rows_at_body<const FMA: bool>(
    table: &[f32],
    d: usize,
    places: &[u32],
    terms: usize,
    out: &mut [f32],
) {
    for (out, places) in out.chunks_exact_mut(d).zip(places.chunks_exact(terms)) {
        out.copy_from_slice(&table[places[0] as usize * d..][..d]);
        for &place in &places[1..] {
            for (out, term) in out.iter_mut().zip(&table[place as usize * d..][..d]) {
                *out += term;
            }
        }
    }
}

/// table[places[r, i], :] += x[r, :] for every i: the gradient of [`sum_of_rows_at`].
pub fn add_rows_at(x: &[f32], d: usize, places: &[u32], terms: usize, table: &mut [f32]) {
    assert_eq!(places.len() * d, x.len() * terms, "x must be [rows, d]");
    dispatch!(add_rows_at_body(
        x: &[f32], d: usize, places: &[u32], terms: usize, table: &mut [f32]
    ));
}

#[inline(always)]
fn add_rows_at_body<const FMA: bool>(
    x: &[f32],
    d: usize,
    places: &[u32],
    terms: usize,
    table: &mut [f32],
) {
    for (x, places) in x.chunks_exact(d).zip(places.chunks_exact(terms)) {
        for &place in places {
            for (sum, x) in table[place as usize * d..][..d].iter_mut().zip(x) {
                *sum += x;
            }
        }
    }
}

fn check_rows(y: &[f32], row: &[f32]) {
    assert!(
        y.is_empty() || (!row.is_empty() && y.len().is_multiple_of(row.len())),
        "the tile must be whole rows of the vector's length"
    );
}

/// y *= x, element by element.
pub fn multiply_in_place(y: &mut [f32], x: &[f32]) {
    dispatch!(multiply_in_place_body(y: &mut [f32], x: &[f32]));
}

#[inline(always)]
fn multiply_in_place_body<const FMA: bool>(y: &mut [f32], x: &[f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], [y]| [x * y],
    );
}

/// product = x y, element by element.
pub fn multiply(x: &[f32], y: &[f32], product: &mut [f32]) {
    dispatch!(multiply_body(x: &[f32], y: &[f32], product: &mut [f32]));
}

#[inline(always)]
fn multiply_body<const FMA: bool>(x: &[f32], y: &[f32], product: &mut [f32]) {
    for_each(
        [x, y],
        [product],
        #[inline(always)]
        |[x, y], _| [x * y],
    );
}

/// sum += x y, element by element.
pub fn add_product(x: &[f32], y: &[f32], sum: &mut [f32]) {
    dispatch!(add_product_body(x: &[f32], y: &[f32], sum: &mut [f32]));
}

#[inline(always)]
fn add_product_body<const FMA: bool>(x: &[f32], y: &[f32], sum: &mut [f32]) {
    for_each(
        [x, y],
        [sum],
        #[inline(always)]
        |[x, y], [sum]| [mul_add::<FMA>(x, y, sum)],
    );
}

/// sum += x y z, element by element.
pub fn multiply_add([x, y, z]: [&[f32]; 3], sum: &mut [f32]) {
    dispatch!(multiply_add_body(x: &[f32], y: &[f32], z: &[f32], sum: &mut [f32]));
}

#[inline(always)]
fn multiply_add_body<const FMA: bool>(x: &[f32], y: &[f32], z: &[f32], sum: &mut [f32]) {
    for_each(
        [x, y, z],
        [sum],
        #[inline(always)]
        |[x, y, z], [sum]| [mul_add::<FMA>(x * y, z, sum)],
    );
}

/// product[r, m·d + i] = x[r, m·d + i] y[r, i] for every m; `x` and `product`: `[rows, M·d]`, `y`: `[rows, d]`.
pub fn multiply_repeated(x: &[f32], y: &[f32], d: usize, product: &mut [f32]) {
    assert_eq!(x.len(), product.len(), "product must be as long as x");
    dispatch!(multiply_repeated_body(x: &[f32], y: &[f32], d: usize, product: &mut [f32]));
}

#[inline(always)]
fn multiply_repeated_body<const FMA: bool>(x: &[f32], y: &[f32], d: usize, product: &mut [f32]) {
    let columns = x.len() / (y.len() / d).max(1);
    let rows = x
        .chunks_exact(columns)
        .zip(product.chunks_exact_mut(columns));
    for ((x, product), y) in rows.zip(y.chunks_exact(d)) {
        for (x, product) in x.chunks_exact(d).zip(product.chunks_exact_mut(d)) {
            for ((x, y), product) in x.iter().zip(y).zip(product) {
                *product = x * y;
            }
        }
    }
}

/// sum[r, i] = Σ_m x[r, m·d + i] y[r, m·d + i]: the gradient of `y` in [`multiply_repeated`]; `sum`: `[rows, d]`.
pub fn sum_of_products(x: &[f32], y: &[f32], d: usize, sum: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "x must be as long as y");
    dispatch!(sum_of_products_body(x: &[f32], y: &[f32], d: usize, sum: &mut [f32]));
}

#[inline(always)]
fn sum_of_products_body<const FMA: bool>(x: &[f32], y: &[f32], d: usize, sum: &mut [f32]) {
    let columns = x.len() / (sum.len() / d).max(1);
    let rows = x.chunks_exact(columns).zip(y.chunks_exact(columns));
    for ((x, y), sum) in rows.zip(sum.chunks_exact_mut(d)) {
        sum.fill(0.0);
        for (x, y) in x.chunks_exact(d).zip(y.chunks_exact(d)) {
            for ((x, y), sum) in x.iter().zip(y).zip(sum.iter_mut()) {
                *sum = mul_add::<FMA>(*x, *y, *sum);
            }
        }
    }
}

/// sum = x + y and difference = x − y, element by element.
pub fn sum_and_difference(x: &[f32], y: &[f32], sum: &mut [f32], difference: &mut [f32]) {
    dispatch!(sum_and_difference_body(
        x: &[f32], y: &[f32], sum: &mut [f32], difference: &mut [f32]
    ));
}

#[inline(always)]
fn sum_and_difference_body<const FMA: bool>(
    x: &[f32],
    y: &[f32],
    sum: &mut [f32],
    difference: &mut [f32],
) {
    for_each(
        [x, y],
        [sum, difference],
        #[inline(always)]
        |[x, y], _| [x + y, x - y],
    );
}

/// difference = x − y, element by element.
pub fn subtract(x: &[f32], y: &[f32], difference: &mut [f32]) {
    dispatch!(subtract_body(x: &[f32], y: &[f32], difference: &mut [f32]));
}

#[inline(always)]
fn subtract_body<const FMA: bool>(x: &[f32], y: &[f32], difference: &mut [f32]) {
    for_each(
        [x, y],
        [difference],
        #[inline(always)]
        |[x, y], _| [x - y],
    );
}

/// y += α x.
pub fn axpy(alpha: f32, x: &[f32], y: &mut [f32]) {
    dispatch!(axpy_body(alpha: f32, x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn axpy_body<const FMA: bool>(alpha: f32, x: &[f32], y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], [y]| [mul_add::<FMA>(alpha, x, y)],
    );
}

/// y = α x + β y.
pub fn axpby(alpha: f32, x: &[f32], beta: f32, y: &mut [f32]) {
    dispatch!(axpby_body(alpha: f32, x: &[f32], beta: f32, y: &mut [f32]));
}

#[inline(always)]
fn axpby_body<const FMA: bool>(alpha: f32, x: &[f32], beta: f32, y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], [y]| [mul_add::<FMA>(alpha, x, beta * y)],
    );
}

/// y *= α.
pub fn scale(alpha: f32, y: &mut [f32]) {
    dispatch!(scale_body(alpha: f32, y: &mut [f32]));
}

#[inline(always)]
fn scale_body<const FMA: bool>(alpha: f32, y: &mut [f32]) {
    for_each(
        [],
        [y],
        #[inline(always)]
        |[], [y]| [alpha * y],
    );
}

/// Σ x², kept in f64, in an order that depends on the length alone.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    dispatch!(sum_of_squares_body(x: &[f32]) -> f64)
}

#[inline(always)]
fn sum_of_squares_body<const FMA: bool>(x: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*x) * f64::from(*x);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    #[test]
    fn rows_take_a_bias_and_are_summed() {
        for_every_instruction_set(|_| {
            let mut y = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            add_bias_rows(&mut y, &[10.0, 20.0, 30.0]);
            assert_eq!(y, [11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
            let mut sum = vec![1.0, 0.0, 0.0];
            sum_rows(&y, &mut sum);
            assert_eq!(sum, [26.0, 47.0, 69.0]);
        });
    }

    #[test]
    #[should_panic(expected = "whole rows")]
    fn a_bias_of_another_width_is_refused() {
        add_bias_rows(&mut [0.0; 7], &[1.0, 2.0]);
    }

    #[test]
    fn rows_of_a_table_are_summed_and_added_to() {
        for_every_instruction_set(|_| {
            let table = [1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
            let places = [0, 1, 2, 2, 1, 0];
            let mut out = [7.0; 6];
            sum_of_rows_at(&table, 2, &places, 2, &mut out);
            assert_eq!(out, [11.0, 22.0, 200.0, 400.0, 11.0, 22.0]);
            let mut sums = [0.5; 6];
            add_rows_at(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &places, 2, &mut sums);
            assert_eq!(sums, [6.5, 8.5, 6.5, 8.5, 6.5, 8.5]);
        });
    }

    #[test]
    fn products_and_sums_of_vectors() {
        for_every_instruction_set(|_| {
            let n = 77;
            let (x, y) = (
                scattered(n, -4.0, 4.0),
                scattered(2 * n, -4.0, 4.0).split_off(n),
            );
            let mut out = y.clone();
            multiply_in_place(&mut out, &x);
            let (mut sum, mut difference, mut only) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            sum_and_difference(&x, &y, &mut sum, &mut difference);
            subtract(&x, &y, &mut only);
            assert_eq!(difference, only);
            let mut scaled = y.clone();
            axpy(0.5, &x, &mut scaled);
            let mut both = y.clone();
            axpby(2.0, &x, -3.0, &mut both);
            let mut halves = y.clone();
            scale(0.5, &mut halves);
            let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            assert!((sum_of_squares(&x) - squares).abs() <= 1e-12 * squares);
            for i in 0..n {
                let (x, y) = (f64::from(x[i]), f64::from(y[i]));
                assert_eq!(out[i], (x * y) as f32);
                assert_eq!(sum[i], (x + y) as f32);
                assert_eq!(halves[i], (0.5 * y) as f32);
                assert_eq!(difference[i], (x - y) as f32);
                assert!((f64::from(scaled[i]) - (0.5 * x + y)).abs() <= 1e-6);
                assert!((f64::from(both[i]) - (2.0 * x - 3.0 * y)).abs() <= 3e-6);
            }
        });
    }
}
