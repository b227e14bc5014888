//! TOML tables laid over each other, and paths into them.

use toml::{Table, Value};

/// Lays `over` over `under`: tables meet key by key, everything else is replaced.
pub(super) fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// What lies in `value` at `path` (keys and list positions joined by dots), or nothing.
pub(super) fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |place, key| match place {
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        place => place.get(key),
    })
}

/// Sets the value at `path` (keys and list positions joined by dots), making tables on the way.
///
/// # Errors
/// A sentence naming the path when it leads through something that is neither table nor list, or past the end of a list.
pub(super) fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let mut keys = path.split('.').peekable();
    let first = keys.next().filter(|k| !k.is_empty());
    let first = first.ok_or_else(|| {
        format!("{path:?} is not a path; write for instance training.batch_size=4096")
    })?;
    if keys.peek().is_none() {
        table.insert(first.to_string(), value);
        return Ok(());
    }
    let mut place = table
        .entry(first)
        .or_insert_with(|| Value::Table(Table::new()));
    let mut above = first;
    while let Some(key) = keys.next() {
        let parent = std::mem::replace(&mut above, key);
        place = match place {
            Value::Table(table) if keys.peek().is_none() => {
                table.insert(key.to_string(), value);
                return Ok(());
            }
            Value::Table(table) => table
                .entry(key)
                .or_insert_with(|| Value::Table(Table::new())),
            Value::Array(list) => {
                let length = list.len();
                key.parse::<usize>()
                    .ok()
                    .and_then(|index| list.get_mut(index))
                    .ok_or_else(|| {
                        format!(
                            "{path}: {key:?} is not a position in a list of {length}; count from 0"
                        )
                    })?
            }
            _ => return Err(format!("{path}: there is nothing below {parent:?}")),
        };
    }
    *place = value;
    Ok(())
}

/// The path and the value of a `path=value` pair.
///
/// # Errors
/// A sentence when there is no `=`.
pub(super) fn parse_pair(pair: &str) -> Result<(String, Value), String> {
    let (path, value) = pair.split_once('=').ok_or_else(|| {
        format!("{pair}: write path=value, for instance training.batch_size=4096")
    })?;
    Ok((path.trim().to_string(), parse_value(value.trim())))
}

/// The value of a `path=value` pair: TOML if it is that, else the text itself, so that quotes are not needed in a shell.
fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_string()))
}

/// The candidate most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn tables_meet_key_by_key() {
        let mut under = table("[a]\nx = 1\ny = 2\n[b]\nz = [1, 2]");
        merge(&mut under, table("[a]\ny = 3\n[b]\nz = [9]\n[c]\nw = 4"));
        assert_eq!(under, table("[a]\nx = 1\ny = 3\n[b]\nz = [9]\n[c]\nw = 4"));
    }

    #[test]
    fn paths_reach_into_lists_and_make_tables() {
        let mut t = table("[[model.layers]]\nkind = \"sine\"");
        set(&mut t, "model.layers.0.omega_0", parse_value("20")).unwrap();
        set(&mut t, "training.loss", parse_value("l1")).unwrap();
        set(
            &mut t,
            "training.optimizer.learning_rate",
            parse_value("1e-3"),
        )
        .unwrap();
        let expected = "[[model.layers]]\nkind = \"sine\"\nomega_0 = 20\n[training]\nloss = \"l1\"\noptimizer.learning_rate = 1e-3";
        assert_eq!(t, table(expected));
        assert!(
            set(&mut t, "model.layers.7.omega_0", parse_value("1"))
                .unwrap_err()
                .contains("list of 1")
        );
        assert!(set(&mut t, "", parse_value("1")).is_err());
        assert_eq!(
            set(&mut t, "training.loss.deeper.still", parse_value("1")),
            Err("training.loss.deeper.still: there is nothing below \"loss\"".into())
        );
    }

    #[test]
    fn near_names_are_found() {
        let names = ["siren", "wire", "fourier-kan"];
        assert_eq!(nearest("siern", names.into_iter()), Some("siren"));
        assert_eq!(
            nearest("fourierkan", names.into_iter()),
            Some("fourier-kan")
        );
        assert_eq!(nearest("zzz", names.into_iter()), None);
    }
}
