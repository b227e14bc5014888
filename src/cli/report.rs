//! `inr report`, and the page that `inr fit --html` and `inr compare` leave: made from nothing but the files in folders.

mod found;
mod gather;

use std::path::PathBuf;

use clap::Args;

use super::flags::TalkFlags;
use super::folder::{self, Folder, check_file, write_file};
use super::talk::Talk;
use super::{CliError, Outcome, print};
use crate::report::{self, to_json};

use gather::Gathered;

/// Make one HTML page of a comparison or of runs, to be opened in any browser
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr report out/harbour-hash-kan
  inr report out/harbour-compare --force
  inr report out/harbour-hash-kan out/harbour-siren -o two-models.html
  inr report out/harbour-compare out/harbour-hash-kan -o all.html

The page is one file that needs neither other files nor a network. It is made of what lies in
the folders and of the fitted files, if they are still where they were. Pictures have at most
1500 pixels a side there, and all that is shown about 20 MB. It goes to report.html in the
folder unless -o is given; its path is printed.")]
pub(super) struct Report {
    /// The folder of a run or a comparison, or several, whose runs are compared
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Where the page goes
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    talk: TalkFlags,
}

impl Report {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.talk);
        let gathered = Gathered::from_folders(&self.folders)?;
        let path = match (&self.output, &*self.folders) {
            (Some(path), _) => path.clone(),
            (None, [folder]) => folder.join(folder::REPORT_PAGE),
            (None, _) => {
                return Err(CliError::Usage(
                    "a page of several folders belongs to none of them; give -o FILE".into(),
                ));
            }
        };
        check_file(&path, self.force)?;
        let page = page(&gathered, &talk)?;
        write_file(&path, page.as_bytes(), self.force)?;
        let path = path.display().to_string();
        if self.talk.json {
            print(&to_json(&serde_json::json!({ "file": path })))?;
        } else {
            print(&format!("{path}\n"))?;
        }
        Ok(Outcome::Done)
    }
}

/// Writes the page of a run or of a comparison into its folder.
pub(super) fn write_page(folder: &Folder, talk: &Talk) -> Result<(), CliError> {
    let gathered = Gathered::from_folders(&[folder.path().to_owned()])?;
    let page = page(&gathered, talk)?;
    Ok(folder.write(folder::REPORT_PAGE, page.as_bytes())?)
}

fn page(gathered: &Gathered, talk: &Talk) -> Result<String, CliError> {
    let inputs = gathered.inputs(&mut |fraction| talk.working("page", fraction));
    talk.clear();
    Ok(report::page(&report::Page {
        report: &gathered.report,
        inputs: &inputs?,
    }))
}
