//! A field as a function, and its gradient.

/// Evaluates a field: coordinates `[n, 3]` in, values `[n]` out, negative inside.
pub type Evaluate<'a, E> = dyn FnMut(&[f32], &mut [f32]) -> Result<(), E> + 'a;

/// Points evaluated in one call: enough for every thread, and a few megabytes of coordinates.
pub(super) const CHUNK: usize = 1 << 17;

/// The values at `points`. A value that is no number counts as far outside.
pub(super) fn evaluate<E>(field: &mut Evaluate<E>, points: &[[f32; 3]]) -> Result<Vec<f32>, E> {
    let mut values = vec![0.0; points.len()];
    for (points, values) in points.chunks(CHUNK).zip(values.chunks_mut(CHUNK)) {
        field(points.as_flattened(), values)?;
    }
    for value in &mut values {
        if value.is_nan() {
            *value = f32::INFINITY;
        }
    }
    Ok(values)
}

/// The gradients of the field at `points`, by central differences (f(x + s eₐ) − f(x − s eₐ)) / 2s with `step` s.
///
/// # Errors
/// Those of the field.
pub fn gradients<E>(
    field: &mut Evaluate<E>,
    points: &[[f32; 3]],
    step: f32,
) -> Result<Vec<[f32; 3]>, E> {
    let mut gradients = Vec::with_capacity(points.len());
    for points in points.chunks(CHUNK / 6) {
        let probes: Vec<[f32; 3]> = points
            .iter()
            .flat_map(|point| {
                (0..6).map(|i| {
                    let mut probe = *point;
                    probe[i / 2] += if i % 2 == 0 { step } else { -step };
                    probe
                })
            })
            .collect();
        let values = evaluate(field, &probes)?;
        gradients.extend(
            values
                .as_chunks::<6>()
                .0
                .iter()
                .map(|v| [0, 2, 4].map(|i| (v[i] - v[i + 1]) / (2.0 * step))),
        );
    }
    Ok(gradients)
}
