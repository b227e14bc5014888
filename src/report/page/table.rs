//! The ranking of an input's models and the means over inputs and seeds, as tables.

use super::html::escape;
use super::style::Styles;
use crate::config::SAME_SIZE;
use crate::metrics::smaller_is_better;
use crate::render::Metric;
use crate::report::compare::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedMean, ComparedRank,
    RUNNING, distinct,
};
use crate::report::{format_count, format_deviation, format_metric};

/// A column of numbers.
struct Column {
    name: String,
    /// What is shown and what it is compared by; nothing where a row has none.
    cells: Vec<Option<(String, f64)>>,
    order: Order,
}

/// Which value of a column is best.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Lowest,
    Highest,
    /// The lowest, when it is noticeably so.
    Smallest,
    /// None is the best.
    Unranked,
}

fn order(metric: &str) -> Order {
    match smaller_is_better(metric) {
        true => Order::Lowest,
        false => Order::Highest,
    }
}

/// The name of a metric in words: `PSNR, dB`.
fn heading(metric: &str) -> String {
    let (words, unit) = match metric.strip_suffix("_db") {
        Some(words) => (words, ", dB"),
        None => (metric, ""),
    };
    let word = |word| match word {
        "psnr" | "ssim" | "snr" | "lsd" | "sdf" | "mae" | "l1" | "l2" => str::to_uppercase(word),
        "iou" => "IoU".to_string(),
        word => word.to_string(),
    };
    let words = match words {
        "si_sdr" => "SI-SDR".to_string(),
        words => words.split('_').map(word).collect::<Vec<_>>().join(" "),
    };
    words + unit
}

/// The models of an input, the best first; of several inputs and seeds first their means over the seeds, and then every fit.
pub(super) fn ranking(input: &ComparedInput, report: &CompareReport, styles: &Styles) -> String {
    if input.means.is_empty() {
        return fits(input, "Models, the best first", report, styles);
    }
    let means: Vec<&ComparedMean> = input.means.iter().collect();
    let means = mean_table(
        &means,
        "Means over the seeds, the best first",
        report,
        styles,
    );
    let fits = fits(input, "Every fit, the best first", report, styles);
    format!("<h3>Means over the seeds</h3>\n{means}<h3>Every fit</h3>\n{fits}")
}

fn fits(input: &ComparedInput, caption: &str, report: &CompareReport, styles: &Styles) -> String {
    let seeded = report.seeds.len() > 1;
    let is_running = report.quotes_running_psnr();
    let rows = &input.models;
    // Behind the models the fits that failed, which have a name alone.
    let count = rows.len() + input.failures.len();
    let mut columns = Vec::new();
    let mut column = |name: &str, order, cell: &dyn Fn(usize) -> Option<(String, f64)>| {
        let cells = (0..count).map(cell).collect();
        columns.push(Column {
            name: name.to_string(),
            cells,
            order,
        });
    };
    let fit = |row: usize| rows.get(row)?.fit.as_ref();
    column(&heading(RUNNING), order(RUNNING), &|row| {
        let psnr_db = fit(row)?.running_psnr_db.filter(|_| is_running)?;
        Some((format_metric(RUNNING, psnr_db), psnr_db))
    });
    let number = |count: u64| (format_count(count), count as f64);
    column("parameters", Order::Smallest, &|row| {
        Some(number(fit(row)?.parameters as u64))
    });
    column("bytes", Order::Smallest, &|row| {
        Some(number(fit(row)?.known_bytes()? as u64))
    });
    // Of a budget of seconds the slowest model makes the fewest steps.
    column("steps", Order::Unranked, &|row| {
        Some(number(fit(row)?.steps))
    });
    column("seconds", Order::Smallest, &|row| {
        let seconds = fit(row)?.seconds;
        Some((format!("{seconds:.1}"), seconds))
    });
    let metrics = rows.iter().map(|row| &*row.metrics.0);
    let metrics: Vec<&[Metric]> = metrics
        .chain(input.failures.iter().map(|_| &[][..]))
        .collect();
    // First, for a phone shows a few columns alone.
    columns.splice(..0, metric_columns(&metrics));
    let places = places(count, &metrics);
    let name = |row: usize| {
        let (model, seed, remark, swatch) = match rows.get(row) {
            Some(row) => {
                let fit = row.fit.as_ref();
                let swatch = styles.swatch(&row.model);
                (
                    &row.model,
                    fit.map(|fit| fit.seed),
                    fit.and_then(ComparedFit::remark),
                    swatch,
                )
            }
            None => {
                let failure = &input.failures[row - rows.len()];
                // It has no line in the charts.
                let (remark, swatch) = (ComparedFailure::REMARK.to_string(), String::new());
                (&failure.model, Some(failure.seed), Some(remark), swatch)
            }
        };
        let seed = seed.filter(|_| seeded);
        let seed = seed.map_or_else(String::new, |seed| small("seed", &format!("seed {seed}")));
        let remark = remark.map_or_else(String::new, |remark| small("remark", &remark));
        format!("{swatch}{}{seed}{remark}", escape(model))
    };
    table(caption, &places, &name, &columns)
}

/// The means over the inputs of each kind and the seeds, and the places among inputs of several kinds; nothing when there are none.
pub(super) fn means(report: &CompareReport, styles: &Styles) -> String {
    let kinds = distinct(report.means.iter().map(|mean| &*mean.kind));
    let means = kinds.into_iter().map(|kind| means_of(report, kind, styles));
    means.chain([ranks(report, styles)]).collect()
}

fn ranks(report: &CompareReport, styles: &Styles) -> String {
    let rows = &report.ranks;
    if rows.is_empty() {
        return String::new();
    }
    let column = |name: &str, order, cell: &dyn Fn(&ComparedRank) -> (String, f64)| Column {
        name: name.to_string(),
        cells: rows.iter().map(|row| Some(cell(row))).collect(),
        order,
    };
    let columns = [
        column("rank", Order::Lowest, &|row| {
            (format!("{:.2}", row.rank), row.rank)
        }),
        column("wins", Order::Highest, &|row| {
            (row.wins.to_string(), row.wins as f64)
        }),
    ];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| rows[a].rank.total_cmp(&rows[b].rank));
    let name = |row: usize| named(&rows[row].model, styles);
    let table = table("Places, the best first", &order, &name, &columns);
    titled(&report.title_of_ranks(), &table)
}

fn titled(title: &str, table: &str) -> String {
    let title = escape(title);
    format!("<section class=\"means\">\n<h2>{title}</h2>\n{table}</section>\n")
}

fn named(model: &str, styles: &Styles) -> String {
    format!("{}{}", styles.swatch(model), escape(model))
}

fn means_of(report: &CompareReport, kind: &str, styles: &Styles) -> String {
    let rows = report.means.iter().filter(|mean| mean.kind == kind);
    let rows: Vec<&ComparedMean> = rows.collect();
    let table = mean_table(&rows, "Means, the best first", report, styles);
    titled(&report.title_of_means(kind), &table)
}

/// Means, with their deviations over the seeds.
fn mean_table(
    rows: &[&ComparedMean],
    caption: &str,
    report: &CompareReport,
    styles: &Styles,
) -> String {
    let is_running = report.quotes_running_psnr();
    let metrics: Vec<&[Metric]> = rows.iter().map(|row| &*row.metrics.0).collect();
    let mut columns = Vec::new();
    let mut column = |name: &str, order, cell: &dyn Fn(&ComparedMean) -> Option<(String, f64)>| {
        let cells = rows.iter().map(|row| cell(row)).collect();
        let name = name.to_string();
        columns.push(Column { name, cells, order });
    };
    let count = |count: u64| (format_count(count), count as f64);
    column(&heading(RUNNING), order(RUNNING), &|row| {
        let psnr_db = row.running_psnr_db.filter(|_| is_running)?;
        Some((format_metric(RUNNING, psnr_db), psnr_db))
    });
    column("rank", Order::Lowest, &|row| {
        row.rank.map(|rank| (format!("{rank:.2}"), rank))
    });
    column("wins", Order::Highest, &|row| {
        row.wins.map(|wins| count(wins as u64))
    });
    column("parameters", Order::Smallest, &|row| {
        Some(count(row.parameters? as u64))
    });
    column("bytes", Order::Smallest, &|row| {
        Some(count(row.bytes? as u64))
    });
    column("steps", Order::Unranked, &|row| Some(count(row.steps?)));
    column("seconds", Order::Smallest, &|row| {
        row.seconds.map(|s| (format!("{s:.1}"), s))
    });
    columns.splice(..0, metric_columns(&metrics));
    for column in &mut columns {
        for (row, cell) in rows.iter().zip(&mut column.cells) {
            let deviations = row.standard_deviation.iter().flat_map(|metrics| &metrics.0);
            let mut own = deviations.filter(|(name, _)| heading(name) == column.name);
            if let (Some((text, _)), Some((name, deviation))) = (cell, own.next()) {
                let deviation = format_deviation(name, *deviation);
                *text += &format!(" <span class=\"deviation\">± {deviation}</span>");
            }
        }
    }
    let places = places(rows.len(), &metrics);
    let name = |row: usize| {
        let remark = rows[row]
            .caveats
            .remark()
            .map(|remark| small("remark", &remark));
        named(&rows[row].model, styles) + &remark.unwrap_or_default()
    };
    table(caption, &places, &name, &columns)
}

/// Words behind a name.
fn small(class: &str, text: &str) -> String {
    format!(" <span class=\"{class}\">{text}</span>")
}

fn metric_columns(rows: &[&[Metric]]) -> Vec<Column> {
    let names = distinct(rows.iter().copied().flatten().map(|(name, _)| &**name));
    let cell = |metrics: &[Metric], name: &str| {
        let (_, value) = metrics.iter().find(|(n, _)| n == name)?;
        Some((format_metric(name, *value), *value))
    };
    let column = |name| Column {
        name: heading(name),
        cells: rows.iter().map(|metrics| cell(metrics, name)).collect(),
        order: order(name),
    };
    names.into_iter().map(column).collect()
}

/// The name of the best model of an input.
pub(super) fn best(input: &ComparedInput) -> Option<&str> {
    let metrics: Vec<&[Metric]> = input.models.iter().map(|row| &*row.metrics.0).collect();
    let best = *places(metrics.len(), &metrics).first()?;
    Some(&input.models[best].model)
}

/// The rows by their leading metric, the best first.
fn places(count: usize, metrics: &[&[Metric]]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    let Some((name, _)) = metrics.iter().find_map(|metrics| metrics.first()) else {
        return places;
    };
    let value = |row: usize| {
        metrics[row]
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| *v)
    };
    let order = order(name);
    places.sort_by(|&a, &b| match (value(a), value(b)) {
        (Some(a), Some(b)) if order == Order::Highest => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    places
}

/// Rows in the order of `places`, with the best value of every column marked where there is something to choose.
fn table(
    caption: &str,
    places: &[usize],
    name: &dyn Fn(usize) -> String,
    columns: &[Column],
) -> String {
    let columns: Vec<&Column> = columns
        .iter()
        .filter(|column| column.cells.iter().any(Option::is_some))
        .collect();
    let ranked = places.len() > 1;
    let mut html =
        format!("<div class=\"scroll\">\n<table>\n<caption>{caption}</caption>\n<thead><tr>");
    if ranked {
        html += "<th scope=\"col\" class=\"number\">#</th>";
    }
    html += "<th scope=\"col\">model</th>";
    for column in &columns {
        html += &format!("<th scope=\"col\" class=\"number\">{}</th>", column.name);
    }
    html += "</tr></thead>\n<tbody>\n";
    let best: Vec<Option<&str>> = columns.iter().map(|column| column.best()).collect();
    for (place, &row) in places.iter().enumerate() {
        html += "<tr>";
        if ranked {
            html += &format!("<td class=\"number place\">{}</td>", place + 1);
        }
        html += &format!("<th scope=\"row\">{}</th>", name(row));
        for (column, best) in columns.iter().zip(&best) {
            html += &match &column.cells[row] {
                None => "<td class=\"number\">–</td>".to_string(),
                Some((text, _)) if Some(&**text) == *best => {
                    format!("<td class=\"number best\"><strong>{text}</strong></td>")
                }
                Some((text, _)) => format!("<td class=\"number\">{text}</td>"),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

impl Column {
    /// The best value as it is shown, unless all look the same.
    fn best(&self) -> Option<&str> {
        let numbers = self
            .cells
            .iter()
            .flatten()
            .filter(|(_, value)| !value.is_nan());
        let shown = |text: &str| numbers.clone().filter(|(other, _)| other == text).count();
        let lowest = numbers.clone().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let highest = numbers.clone().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let best = match self.order {
            Order::Unranked => return None,
            Order::Smallest if lowest.1 > highest.1 * (1.0 - SAME_SIZE) => return None,
            // Rounded, others may look the same.
            Order::Smallest if shown(&lowest.0) > 1 => return None,
            Order::Lowest | Order::Smallest => lowest,
            Order::Highest => highest,
        };
        (lowest.0 != highest.0).then_some(&best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_names_in_words() {
        for (name, expected) in [
            ("psnr_db", "PSNR, dB"),
            ("fitted_psnr_db", "fitted PSNR, dB"),
            ("si_sdr_db", "SI-SDR, dB"),
            ("iou_random", "IoU random"),
            ("chamfer_l1", "chamfer L1"),
            ("normal_consistency", "normal consistency"),
        ] {
            assert_eq!(heading(name), expected);
        }
    }

    #[test]
    fn rows_are_ranked_and_the_best_of_every_column_is_marked() {
        let metric = |name: &str, value: f64| (name.to_string().into(), value);
        let rows: [&[Metric]; 3] = [
            &[metric("snr_db", 10.0), metric("lsd", 0.5)],
            &[metric("snr_db", 20.0), metric("lsd", 0.25)],
            &[metric("snr_db", f64::INFINITY)],
        ];
        let ranked = places(3, &rows);
        assert_eq!(ranked, [2, 1, 0]);
        let columns = metric_columns(&rows);
        let html = table("t", &ranked, &|row| format!("m{row}"), &columns);
        let lines: Vec<&str> = html
            .lines()
            .filter(|line| line.contains("scope=\"row\""))
            .collect();
        assert!(
            lines[0].contains("<strong>inf</strong>") && lines[0].contains("–"),
            "{html}"
        );
        assert!(
            lines[1].contains(">20.00<") && lines[1].contains("<strong>0.2500</strong>"),
            "{html}"
        );
        assert!(!lines[2].contains("strong"), "{html}");
    }

    #[test]
    fn a_column_of_one_value_has_no_best_and_sizes_may_differ_a_little() {
        let column = |values: [f64; 2], order| Column {
            name: "x".into(),
            cells: values.map(|v| Some((v.to_string(), v))).into(),
            order,
        };
        assert_eq!(column([30.0, 30.0], Order::Highest).best(), None);
        assert_eq!(column([30.0, 30.5], Order::Lowest).best(), Some("30"));
        assert_eq!(column([30.0, 30.5], Order::Highest).best(), Some("30.5"));
        assert_eq!(column([30.0, 30.5], Order::Smallest).best(), None);
        assert_eq!(column([30.0, 32.0], Order::Smallest).best(), Some("30"));
        assert_eq!(column([30.0, 32.0], Order::Unranked).best(), None);
        let seconds = Column {
            name: "seconds".into(),
            cells: [("0.0", 0.01), ("0.0", 0.02), ("0.1", 0.1)]
                .map(|(text, value)| Some((text.into(), value)))
                .into(),
            order: Order::Smallest,
        };
        assert_eq!(seconds.best(), None);
    }
}
