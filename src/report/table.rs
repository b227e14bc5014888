//! Tables that read well both as text and as Markdown, and the same cells for other programs.

/// Named columns and rows of cells, one cell a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// How many columns, from the left, hold words and not numbers.
    pub words: usize,
    /// Row and column of the cells that are bold in Markdown and LaTeX: the best ones.
    pub bold: Vec<[usize; 2]>,
}

impl Table {
    /// Markdown with aligned columns: words to the left, numbers to the right.
    pub fn markdown(&self) -> String {
        let escaped = |cells: &[String]| -> Vec<String> {
            cells.iter().map(|cell| markdown_cell(cell)).collect()
        };
        let rows = self.rows.iter().map(|row| escaped(row)).collect();
        let rows = self.emphasized(rows, |cell| format!("**{cell}**"));
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .chain([self.header[column].chars().count(), 3])
                .max()
                .unwrap_or(3)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).enumerate();
            let cells: Vec<String> = cells
                .map(|(column, (cell, &width))| match column {
                    column if column < self.words => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = widths.iter().enumerate();
        let rule: Vec<String> = rule
            .map(|(column, &width)| match column {
                column if column < self.words => "-".repeat(width),
                _ => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        let lines = [&self.header, &rule].into_iter().chain(&rows);
        lines.map(|cells| line(cells)).collect()
    }

    /// Comma-separated values with a header line (RFC 4180, with plain line feeds).
    pub fn csv(&self) -> String {
        let line = |cells: &Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
            format!("{}\n", cells.join(","))
        };
        [&self.header]
            .into_iter()
            .chain(&self.rows)
            .map(line)
            .collect()
    }

    /// A LaTeX `tabular` that needs no package; a dash stands alone in its cell.
    pub fn latex(&self) -> String {
        let line = |cells: &Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let escaped = |cells: &Vec<String>| cells.iter().map(|cell| latex_cell(cell)).collect();
        let rows = self.rows.iter().map(escaped).collect();
        let rows = self.emphasized(rows, |cell| format!("\\textbf{{{cell}}}"));
        let columns = (0..self.header.len()).map(|column| match column < self.words {
            true => 'l',
            false => 'r',
        });
        let rows: String = rows.iter().map(line).collect();
        format!(
            "\\begin{{tabular}}{{{}}}\n\\hline\n{}\\hline\n{rows}\\hline\n\\end{{tabular}}\n",
            columns.collect::<String>(),
            line(&escaped(&self.header))
        )
    }

    /// Rows like [`Self::rows`], with the cells changed that are bold.
    fn emphasized(
        &self,
        mut rows: Vec<Vec<String>>,
        bold: impl Fn(&str) -> String,
    ) -> Vec<Vec<String>> {
        for &[row, column] in &self.bold {
            rows[row][column] = bold(&rows[row][column]);
        }
        rows
    }
}

/// A Markdown table with aligned columns: the first `words` of them to the left, the others, which hold numbers, to the right.
pub fn markdown_table(header: &[&str], rows: &[Vec<String>], words: usize) -> String {
    let table = Table {
        header: header.iter().map(|name| (*name).to_string()).collect(),
        rows: rows.to_vec(),
        words,
        bold: Vec::new(),
    };
    table.markdown()
}

fn markdown_cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn csv_cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

pub(super) fn latex_cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => cell.extend(['\\', c]),
            '\\' => cell += "\\textbackslash{}",
            '~' => cell += "\\textasciitilde{}",
            '^' => cell += "\\textasciicircum{}",
            '<' => cell += "\\textless{}",
            '>' => cell += "\\textgreater{}",
            '|' => cell += "\\textbar{}",
            // Behind the end of a row they would belong to it.
            '[' | '*' => cell.extend(['{', c, '}']),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = [["siren", "31.40"], ["fourier-kan", "2.00"]];
        Table {
            header: vec!["model".into(), "psnr_db".into()],
            rows: rows.map(|row| row.map(String::from).to_vec()).to_vec(),
            words: 1,
            bold: Vec::new(),
        }
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "\
| model       | psnr_db |
| ----------- | ------: |
| siren       |   31.40 |
| fourier-kan |    2.00 |
";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn other_programs_get_the_same_cells() {
        let mut table = table();
        table.rows[0][0] = "a|b".into();
        assert!(table.markdown().contains("| a\\|b "));
        table.rows[0][0] = "a\nb".into();
        assert!(table.markdown().contains("| a b "));
        table.rows[0][0] = "a, \"b\" & 50%_".into();
        assert_eq!(
            table.csv(),
            "model,psnr_db\n\"a, \"\"b\"\" & 50%_\",31.40\nfourier-kan,2.00\n"
        );
        let expected = "\
\\begin{tabular}{lr}
\\hline
model & psnr\\_db \\\\
\\hline
a, \"b\" \\& 50\\%\\_ & 31.40 \\\\
fourier-kan & 2.00 \\\\
\\hline
\\end{tabular}
";
        assert_eq!(table.latex(), expected);
        assert_eq!(
            latex_cell(r"~\^{x}$#"),
            r"\textasciitilde{}\textbackslash{}\textasciicircum{}\{x\}\$\#"
        );
        assert_eq!(
            latex_cell("[a]|<*>"),
            r"{[}a]\textbar{}\textless{}{*}\textgreater{}"
        );
    }
}
