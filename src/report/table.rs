//! Tables that read well both as text and as Markdown.

/// A Markdown table with aligned columns: the first `words` of them to the left, the others, which hold numbers, to the right.
pub fn markdown_table(header: &[&str], rows: &[Vec<String>], words: usize) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([header[column].chars().count(), 3])
            .max()
            .unwrap_or(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                column if column < words => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(&mut header.iter().copied());
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| match column {
            column if column < words => "-".repeat(width),
            _ => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    text += &line(&mut rule.iter().map(String::as_str));
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["siren".into(), "31.40".into()],
            vec!["fourier-kan".into(), "2.00".into()],
        ];
        let expected = "\
| model       | psnr_db |
| ----------- | ------: |
| siren       |   31.40 |
| fourier-kan |    2.00 |
";
        assert_eq!(markdown_table(&["model", "psnr_db"], &rows, 1), expected);
    }
}
