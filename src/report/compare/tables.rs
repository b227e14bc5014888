//! The tables of a comparison: those for people, as text or LaTeX, and one for programs.

use super::super::table::{Table, latex_cell};
use super::super::{format_count, format_deviation, format_metric};
use super::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedMean, ComparedModel,
    ComparedRank, OffSize, distinct,
};
use crate::metrics::smaller_is_better;
use crate::render::Metric;

/// The column of [`ComparedFit::running_psnr_db`].
pub(in crate::report) const RUNNING: &str = "running_psnr_db";
/// What the name of a metric ends with in the column of its deviation over the seeds.
const DEVIATION: &str = " sd";

impl CompareReport {
    /// For people, as Markdown: the tables of [`Self::tables`], the best in bold, with headings where there are several, and why fits failed.
    pub fn markdown(&self) -> String {
        let tables = self.text(Table::markdown, |title, table| {
            // What stands between < and > would be taken for a tag.
            let title = title.replace('<', "\\<");
            format!("## {title}\n\n{}", table.markdown())
        });
        let failures = self.failures().into_iter();
        let failures = failures.map(|failure| format!("\nFailed: {}\n", one_line(&failure)));
        tables + &failures.collect::<String>()
    }

    /// The same for LaTeX, one `tabular` each, with captions where there are several, the best in bold, and failures as comments.
    pub fn latex(&self) -> String {
        let tables = self.text(Table::latex, |title, table| {
            format!(
                "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n{}\\end{{table}}\n",
                latex_cell(title),
                table.latex()
            )
        });
        let failures = self.failures().into_iter();
        let failures = failures.map(|failure| format!("% Failed: {}\n", one_line(&failure)));
        tables + &failures.collect::<String>()
    }

    fn text(&self, only: fn(&Table) -> String, titled: fn(&str, &Table) -> String) -> String {
        let parts: Vec<String> = match &self.tables()[..] {
            [(_, table)] if self.inputs.len() == 1 => vec![only(table)],
            several => several
                .iter()
                .map(|(title, table)| titled(title, table))
                .collect(),
        };
        parts.join("\n")
    }

    /// For people, with rounded numbers, a dash for what there is not, and titles: a table of every input, then one of the means over the inputs
    /// of each kind of which there are several, and one of the places among inputs of several kinds.
    pub fn tables(&self) -> Vec<(String, Table)> {
        let kinds = distinct(self.inputs.iter().map(|input| input.input.kind()));
        let is_several = |kind: &str| self.of_kind(kind).count() > 1;
        let several = kinds.iter().copied().filter(|&kind| is_several(kind));
        let several: Vec<&str> = several.collect();
        let of_inputs = self.inputs.iter().zip(self.names()).map(|(input, name)| {
            let kind = input.input.kind();
            // The means over the seeds; those of the only input of a kind are the kind's.
            let means: Vec<&ComparedMean> = match several.contains(&kind) {
                true => input.means.iter().collect(),
                false => self.means_of(kind).collect(),
            };
            let rows = input.models.iter().map(Row::new);
            let failures = input.failures.iter().map(Row::failed);
            let rows = rows.chain(failures);
            let rows: Vec<Row> = rows.chain(means.into_iter().map(Row::over_seeds)).collect();
            (name, self.table(&rows, self.seeds.len() > 1))
        });
        let of_kinds = several.iter().map(|kind| {
            let rows: Vec<Row> = self.means_of(kind).map(Row::mean).collect();
            (self.title_of_means(kind), self.table(&rows, false))
        });
        let of_ranks = [(self.title_of_ranks(), self.table_of_ranks())];
        of_inputs
            .chain(of_kinds)
            .chain(of_ranks)
            // Of inputs that were not reached there is nothing to say yet.
            .filter(|(_, table)| !table.rows.is_empty())
            .collect()
    }

    /// The inputs of a kind.
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &ComparedInput> {
        let inputs = self.inputs.iter();
        inputs.filter(move |input| input.input.kind() == kind)
    }

    /// The means over the inputs of a kind.
    fn means_of(&self, kind: &str) -> impl Iterator<Item = &ComparedMean> {
        self.means.iter().filter(move |mean| mean.kind == kind)
    }

    /// The models with rows or failures of a kind that are in none of its means.
    fn without_means(&self, kind: &str) -> Vec<&str> {
        let models = self.of_kind(kind).flat_map(|input| {
            let rows = input.models.iter().map(|row| &*row.model);
            rows.chain(failed(input))
        });
        let mut names = distinct(models);
        names.retain(|name| self.means_of(kind).all(|mean| mean.model != *name));
        names
    }

    /// `Means over 3 inputs and 2 seeds (image)`, without what there is one of. Of a comparison that was cut short, or in which a run failed, they
    /// are over fewer inputs than there are.
    pub(in crate::report) fn title_of_means(&self, kind: &str) -> String {
        let without = without(&self.without_means(kind));
        let all = self.of_kind(kind).count();
        let some = self.means_of(kind).next().map_or(all, |mean| mean.inputs);
        let inputs = match (some, all) {
            (_, 1) => None,
            (some, all) if some < all => Some(format!("{some} of {all} inputs")),
            (_, all) => Some(format!("{all} inputs")),
        };
        let seeds = (self.seeds.len() > 1).then(|| format!("{} seeds", self.seeds.len()));
        let over: Vec<String> = [inputs, seeds].into_iter().flatten().collect();
        let kind = match all == self.inputs.len() {
            true => String::new(),
            false => format!(" ({kind})"),
        };
        format!("Means over {}{kind}{without}", over.join(" and "))
    }

    /// `Places among 5 inputs of all kinds`, of which some may be left out, as may models.
    pub(in crate::report) fn title_of_ranks(&self) -> String {
        let mut missing = distinct(self.inputs.iter().flat_map(|input| {
            let fitted = input.models.iter().filter(|row| row.fit.is_some());
            fitted.map(|row| &*row.model).chain(failed(input))
        }));
        missing.retain(|name| self.ranks.iter().all(|rank| rank.model != *name));
        let all = self.inputs.len();
        let inputs = match self.ranks.first().map_or(all, |rank| rank.inputs) {
            some if some < all => format!("{some} of {all}"),
            _ => all.to_string(),
        };
        let without = without(&missing);
        format!("Places among {inputs} inputs of all kinds{without}")
    }

    /// Nothing where there are no places.
    fn table_of_ranks(&self) -> Table {
        let row = |rank: &ComparedRank| {
            vec![
                rank.model.clone(),
                format!("{:.2}", rank.rank),
                rank.wins.to_string(),
            ]
        };
        Table {
            header: ["model", "rank", "wins"].map(String::from).into(),
            rows: self.ranks.iter().map(row).collect(),
            words: 1,
            bold: Vec::new(),
        }
    }

    /// Whether the running PSNR, which most authors quote, stands beside what is measured: where a recipe of theirs is followed, and both are
    /// of the same samples.
    pub(in crate::report) fn quotes_running_psnr(&self) -> bool {
        let rows = self.inputs.iter().flat_map(|input| &input.models);
        let mut recipes = rows.filter_map(|row| row.fit.as_ref()?.recipe.as_ref());
        self.holdout.is_none() && (self.recipe.is_some() || recipes.next().is_some())
    }

    /// With a column of seeds, if that is asked for.
    fn table(&self, rows: &[Row], with_seed: bool) -> Table {
        let names = metric_names(rows.iter().map(|row| row.metrics));
        let means = || rows.iter().filter_map(|row| row.mean);
        let ranked = means().any(|mean| mean.rank.is_some());
        let spread = means().find(|mean| mean.standard_deviation.is_some());
        let leading = spread.and_then(|mean| mean.metrics.0.first());
        let is_leading = |name: &str| leading.is_some_and(|(leading, _)| leading == name);

        let mut header: Vec<String> = Vec::new();
        let mut columns = |names: &[&str]| header.extend(names.iter().map(|name| (*name).into()));
        columns(&["model"]);
        columns(if with_seed { &["seed"] } else { &[] });
        columns(&["parameters", "bytes", "steps", "seconds"]);
        let is_running =
            self.quotes_running_psnr() && rows.iter().any(|row| row.running_psnr_db.is_some());
        columns(if is_running { &[RUNNING] } else { &[] });
        for name in &names {
            columns(&[name]);
            if is_leading(name) {
                columns(&[&format!("{name}{DEVIATION}")]);
            }
        }
        columns(if ranked { &["rank", "wins"] } else { &[] });
        let cells = |row: &Row| -> Vec<String> {
            let cell = |name: &String| match &**name {
                "model" => match &row.remark {
                    Some(remark) => format!("{} ({remark})", row.model),
                    None => row.model.to_string(),
                },
                "seed" => cell(row.seed.as_ref(), String::clone),
                "parameters" => cell(row.parameters, |count| format_count(count as u64)),
                "bytes" => cell(row.bytes, |bytes| format_count(bytes as u64)),
                "steps" => cell(row.steps, format_count),
                "seconds" => cell(row.seconds, |seconds| format!("{seconds:.1}")),
                RUNNING => cell(row.running_psnr_db, |value| format_metric(RUNNING, value)),
                "rank" => cell(row.mean.and_then(|mean| mean.rank), |rank| {
                    format!("{rank:.2}")
                }),
                "wins" => cell(row.mean.and_then(|mean| mean.wins), |wins| wins.to_string()),
                name if let Some(metric) = name.strip_suffix(DEVIATION) => {
                    cell(row.deviation(metric), |value| {
                        format_deviation(metric, value)
                    })
                }
                name => cell(find(row.metrics, name), |value| format_metric(name, value)),
            };
            header.iter().map(cell).collect()
        };
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let bold = best_cells(rows, &cells, &header, &names);
        Table {
            bold,
            rows: cells,
            words: 1,
            header,
        }
    }

    /// For programs: one row a fit or filter, without means, with numbers as they are; what there is not is empty. `failure` says why there is no fit.
    pub fn data(&self) -> Table {
        let models = self.inputs.iter().flat_map(|input| &input.models);
        let names = metric_names(models.map(|model| &*model.metrics.0));
        let fixed = [
            "input",
            "kind",
            "model",
            "recipe",
            "stopped_by",
            "seed",
            "parameters",
            "off_size",
            "recipe_changes",
            "restorations",
            "bytes",
            "steps",
            "samples_seen",
            "seconds",
            RUNNING,
        ];
        let row = |input: &ComparedInput,
                   model: &str,
                   recipe: Option<&String>,
                   ended: [String; 2],
                   fit: Option<&ComparedFit>,
                   metrics: &[Metric]| {
            let of = |text: &dyn Fn(&ComparedFit) -> String| fit.map(text).unwrap_or_default();
            let mut cells = vec![
                input.input.path.clone(),
                input.input.kind().to_string(),
                model.to_string(),
            ];
            cells.push(recipe.cloned().unwrap_or_default());
            cells.extend(ended);
            cells.extend([
                of(&|fit| fit.parameters.to_string()),
                of(&|fit| fit.caveats.off_size.map_or("", OffSize::name).to_string()),
                of(&|fit| fit.caveats.recipe_changes.join(" ")),
                of(&|fit| fit.caveats.restorations.to_string()),
                of(&|fit| fit.bytes.to_string()),
                of(&|fit| fit.steps.to_string()),
                of(&|fit| fit.samples_seen.to_string()),
                of(&|fit| fit.seconds.to_string()),
                of(&|fit| {
                    fit.running_psnr_db
                        .map_or_else(String::new, |db| db.to_string())
                }),
            ]);
            cells.extend(names.iter().map(|name| {
                let value = find(metrics, name);
                value.map_or_else(String::new, |value| value.to_string())
            }));
            cells.push(String::new());
            cells
        };
        let mut rows = Vec::new();
        for input in &self.inputs {
            for model in &input.models {
                let fit = model.fit.as_ref();
                let ended = fit.map(|fit| [fit.stopped_by.name().into(), fit.seed.to_string()]);
                let ended = ended.unwrap_or_default();
                // Of a filter there is none.
                let recipe = fit.and_then(|fit| fit.recipe.as_ref().or(self.recipe.as_ref()));
                rows.push(row(
                    input,
                    &model.model,
                    recipe,
                    ended,
                    fit,
                    &model.metrics.0,
                ));
            }
            for failure in &input.failures {
                let ended = [ComparedFailure::REMARK.into(), failure.seed.to_string()];
                let recipe = failure.recipe.as_ref().or(self.recipe.as_ref());
                let mut cells = row(input, &failure.model, recipe, ended, None, &[]);
                if let Some(reason) = cells.last_mut() {
                    *reason = one_line(&failure.reason);
                }
                rows.push(cells);
            }
        }
        Table {
            rows,
            words: 4,
            bold: Vec::new(),
            header: fixed
                .iter()
                .chain(&names)
                .chain(&["failure"])
                .map(|name| (*name).to_string())
                .collect(),
        }
    }
}

/// What one line of the tables for people shows.
struct Row<'a> {
    model: &'a str,
    seed: Option<String>,
    parameters: Option<usize>,
    bytes: Option<usize>,
    steps: Option<u64>,
    seconds: Option<f64>,
    running_psnr_db: Option<f64>,
    metrics: &'a [Metric],
    /// Said of the fit behind the name of the model.
    remark: Option<String>,
    /// Of a row that is a mean.
    mean: Option<&'a ComparedMean>,
}

impl<'a> Row<'a> {
    fn new(model: &'a ComparedModel) -> Self {
        let fit = model.fit.as_ref();
        Self {
            model: &model.model,
            seed: fit.map(|fit| fit.seed.to_string()),
            parameters: fit.map(|fit| fit.parameters),
            bytes: fit.and_then(ComparedFit::known_bytes),
            steps: fit.map(|fit| fit.steps),
            seconds: fit.map(|fit| fit.seconds),
            running_psnr_db: fit.and_then(|fit| fit.running_psnr_db),
            metrics: &model.metrics.0,
            remark: fit.and_then(ComparedFit::remark),
            mean: None,
        }
    }

    fn failed(failure: &'a ComparedFailure) -> Self {
        Self {
            model: &failure.model,
            seed: Some(failure.seed.to_string()),
            parameters: None,
            bytes: None,
            steps: None,
            seconds: None,
            running_psnr_db: None,
            metrics: &[],
            remark: Some(ComparedFailure::REMARK.into()),
            mean: None,
        }
    }

    /// Of one input.
    fn over_seeds(mean: &'a ComparedMean) -> Self {
        Self {
            seed: Some("mean".into()),
            ..Self::mean(mean)
        }
    }

    /// Of all inputs of a kind.
    fn mean(mean: &'a ComparedMean) -> Self {
        Self {
            model: &mean.model,
            seed: None,
            parameters: mean.parameters,
            bytes: mean.bytes,
            steps: mean.steps,
            seconds: mean.seconds,
            running_psnr_db: mean.running_psnr_db,
            metrics: &mean.metrics.0,
            remark: mean.caveats.remark(),
            mean: Some(mean),
        }
    }

    /// Of a metric, over the seeds.
    fn deviation(&self, metric: &str) -> Option<f64> {
        self.mean?.standard_deviation.as_ref()?.get(metric)
    }
}

/// The names of all metrics, in the order in which they first appear.
fn metric_names<'a>(rows: impl Iterator<Item = &'a [Metric]>) -> Vec<&'a str> {
    distinct(rows.flatten().map(|(name, _)| &**name))
}

/// Row and column of the best value of every metric, and of those that are rounded to the same text: among fits, and among means.
fn best_cells(
    rows: &[Row],
    cells: &[Vec<String>],
    header: &[String],
    names: &[&str],
) -> Vec<[usize; 2]> {
    let mut best = Vec::new();
    for is_mean in [false, true] {
        let group = (0..rows.len()).filter(|&row| rows[row].mean.is_some() == is_mean);
        let group: Vec<usize> = group.collect();
        for (column, name) in header.iter().enumerate() {
            let value = |row: usize| find(rows[row].metrics, name);
            if !names.contains(&&**name) || group.len() < 2 {
                continue;
            }
            let better = |a: f64, b: f64| match smaller_is_better(name) {
                true => a.min(b),
                false => a.max(b),
            };
            let Some(most) = group.iter().filter_map(|&row| value(row)).reduce(better) else {
                continue;
            };
            let first = group.iter().find(|&&row| value(row) == Some(most));
            let text = first.map(|&row| &cells[row][column]);
            let equal = group
                .iter()
                .filter(|&&row| Some(&cells[row][column]) == text);
            best.extend(equal.map(|&row| [row, column]));
        }
    }
    best
}

fn find(metrics: &[Metric], name: &str) -> Option<f64> {
    metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
}

/// The models that failed on an input.
fn failed(input: &ComparedInput) -> impl Iterator<Item = &str> {
    input.failures.iter().map(|failure| &*failure.model)
}

fn without(names: &[&str]) -> String {
    match names.is_empty() {
        true => String::new(),
        false => format!(
            ", without {}, whose fits are not all there",
            names.join(", ")
        ),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or("-".into(), text)
}
