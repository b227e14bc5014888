//! Vectors of three numbers.

pub(super) type Vector = [f64; 3];

pub(super) fn widen(v: [f32; 3]) -> Vector {
    v.map(f64::from)
}

pub(super) fn narrow(v: Vector) -> [f32; 3] {
    v.map(|x| x as f32)
}

pub(super) fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn scale(a: Vector, factor: f64) -> Vector {
    a.map(|x| x * factor)
}

pub(super) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(super) fn norm(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// The vector of length 1 in the direction of `a`; zeros for zeros.
pub(super) fn unit(a: Vector) -> Vector {
    let length = norm(a);
    match length > 0.0 {
        true => scale(a, 1.0 / length),
        false => [0.0; 3],
    }
}
