//! The grammar: `name` or `name(argument, ...)`, an argument being a number or again a shape; numbers come first.

use super::{Analytic, Vector};
use crate::signal::shape::vector::{norm, scale};

/// Shapes inside shapes; deeper ones would exhaust the stack.
const DEEPEST: usize = 64;

/// Every name, with the number of its numbers and the least number of its shapes.
const NAMES: [(&str, usize, usize); 13] = [
    ("sphere", 1, 0),
    ("box", 3, 0),
    ("torus", 2, 0),
    ("cylinder", 2, 0),
    ("capsule", 2, 0),
    ("plane", 4, 0),
    ("union", 0, 1),
    ("intersection", 0, 1),
    ("difference", 0, 2),
    ("smooth_union", 1, 1),
    ("translate", 3, 1),
    ("rotate", 3, 1),
    ("scale", 1, 1),
];

pub(super) fn parse(text: &str) -> Result<Analytic, String> {
    let mut rest = text.trim();
    let shape = shape(&mut rest, 0)?;
    match rest {
        "" => Ok(shape),
        _ => Err(format!("{rest:?} follows after the shape")),
    }
}

/// Takes what a word is made of.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    *rest = behind.trim_start();
    word
}

/// Takes `symbol` if it is next.
fn took(rest: &mut &str, symbol: char) -> bool {
    match rest.strip_prefix(symbol) {
        Some(behind) => {
            *rest = behind.trim_start();
            true
        }
        None => false,
    }
}

fn shape(rest: &mut &str, depth: usize) -> Result<Analytic, String> {
    if depth > DEEPEST {
        return Err(format!("it is more than {DEEPEST} shapes deep"));
    }
    let name = word(rest);
    let Some(&(name, count, least)) = NAMES.iter().find(|known| known.0 == name) else {
        return Err(unknown(name, rest));
    };
    let (mut numbers, mut parts) = (Vec::new(), Vec::new());
    if took(rest, '(') && !took(rest, ')') {
        loop {
            let begins_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
            if rest.starts_with(begins_number) {
                let word = word(rest);
                let number = word.parse().ok().filter(|x: &f64| x.is_finite());
                numbers.push(number.ok_or_else(|| format!("{word:?} is not a number"))?);
            } else {
                parts.push(shape(rest, depth + 1)?);
            }
            if took(rest, ')') {
                break;
            }
            if !took(rest, ',') {
                return Err(match *rest {
                    "" => format!("{name} ends without \")\""),
                    _ => format!("{name} needs \",\" or \")\" before {rest:?}"),
                });
            }
        }
    }
    if numbers.is_empty() && parts.is_empty() && least == 0 {
        numbers = usual(name);
    }
    if numbers.len() != count {
        let plural = if count == 1 { "" } else { "s" };
        return Err(format!(
            "{name} takes {count} number{plural}, not {}",
            numbers.len()
        ));
    }
    let single = matches!(name, "translate" | "rotate" | "scale");
    if parts.len() < least || (least == 0 || single) && parts.len() > least {
        let takes = match (least, single) {
            (0, _) => "no shapes".into(),
            (_, true) => "one shape".into(),
            (1, _) => "at least one shape".into(),
            _ => format!("at least {least} shapes"),
        };
        return Err(format!("{name} takes {takes}, not {}", parts.len()));
    }
    build(name, &numbers, parts)
}

fn unknown(name: &str, rest: &str) -> String {
    if name.is_empty() {
        return match rest {
            "" => "it ends where a shape should be".into(),
            _ => format!("{rest:?} stands where a shape should be"),
        };
    }
    let names = NAMES.map(|known| known.0);
    let near = names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min();
    let near = match near {
        Some((distance, known)) if distance <= 2 => format!("; did you mean {known}?"),
        _ => String::new(),
    };
    format!("{name:?} is no shape; there are {}{near}", names.join(", "))
}

/// The numbers of a shape that is only named.
fn usual(name: &str) -> Vec<f64> {
    match name {
        "sphere" => vec![0.7],
        "box" => vec![0.6, 0.5, 0.4],
        "torus" => vec![0.6, 0.25],
        "cylinder" => vec![0.4, 0.7],
        "capsule" => vec![0.3, 0.5],
        _ => Vec::new(),
    }
}

fn build(name: &str, numbers: &[f64], mut parts: Vec<Analytic>) -> Result<Analytic, String> {
    let sized = !matches!(name, "plane" | "translate" | "rotate");
    if let Some(number) = numbers.iter().find(|&&x| sized && x <= 0.0) {
        return Err(format!(
            "the numbers of {name} must be positive, not {number}"
        ));
    }
    Ok(match (name, numbers) {
        ("sphere", &[radius]) => Analytic::Sphere(radius),
        ("box", &[x, y, z]) => Analytic::Box([x, y, z]),
        ("torus", &[ring, tube]) => Analytic::Torus(ring, tube),
        ("cylinder", &[radius, half]) => Analytic::Cylinder(radius, half),
        ("capsule", &[radius, half]) => Analytic::Capsule(radius, half),
        ("plane", &[x, y, z, offset]) => {
            let normal: Vector = [x, y, z];
            match norm(normal) {
                0.0 => return Err("the normal of plane has no length".into()),
                length if length.is_infinite() => {
                    return Err("the normal of plane is too long".into());
                }
                length => Analytic::Plane(scale(normal, 1.0 / length), offset / length),
            }
        }
        ("intersection", _) => Analytic::Intersection(parts),
        ("difference", _) => Analytic::Difference(parts),
        ("smooth_union", &[width]) => Analytic::SmoothUnion(width, parts),
        ("translate", &[x, y, z]) => Analytic::Translate([x, y, z], Box::new(parts.remove(0))),
        ("rotate", &[x, y, z]) => Analytic::rotated([x, y, z], parts.remove(0)),
        ("scale", &[factor]) => Analytic::Scale(factor, Box::new(parts.remove(0))),
        _ => Analytic::Union(parts),
    })
}
