//! Records by the table: templates, imports, exports.
//!
//! **Invariant:** a file with problems imports nothing unless the person says to take the good
//! rows, and an existing file is never written over.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::dates;
use super::fail::Failure;
use super::render::count;
use super::session::{SecretFile, Session, Whose};
use crate::body::message_json;
use crate::limits::TABLE_BYTES_MAX;
use crate::shown::safe_line;
use crate::v1;

/// Rows between two lines of progress.
const PROGRESS_ROWS: u32 = 5_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes drafts of the rows of a workbook, CSV or JSON; nobody else sees them
    #[command(before_help = "Examples:\n  \
        corridor record import practices.xlsx --dry-run\n  \
        corridor record import practices.xlsx\n  \
        corridor record import practices.csv --kind practice --take-good-rows")]
    Import(ImportArgs),
    /// Lists your last imports
    #[command(before_help = "Examples:\n  corridor record imports")]
    Imports,
    /// Takes an import back while nobody changed or shared its drafts
    #[command(before_help = "Examples:\n  corridor record undo-import 1764270000000-0a1b2c3d")]
    UndoImport(UndoArgs),
    /// Writes records that you may see to a file
    #[command(before_help = "Examples:\n  \
        corridor record export -o records.xlsx\n  \
        corridor record export k3v7qa --format json -o record.json\n  \
        corridor record export --rcp own --kind practice --drafts -o mine.csv")]
    Export(ExportArgs),
}

/// A workbook in place of an example.
#[derive(Debug, Args)]
pub(super) struct WorkbookArgs {
    /// Write a workbook to be filled in to this new file; KIND may be all
    #[arg(long, value_name = "FILE")]
    pub(super) xlsx: Option<PathBuf>,
    /// The language of the workbook: en, fr, es, ar or ru
    #[arg(long, value_name = "TAG", default_value = "en", requires = "xlsx")]
    language: String,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The workbook (.xlsx, .ods), CSV or JSON; - for standard input
    #[arg(value_name = "FILE|-")]
    file: String,
    /// Say of each row what would become of it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Only this sheet
    #[arg(long, value_name = "SHEET")]
    sheet: Option<String>,
    /// Only rows of this kind; the kind of a sheet that is not named after one
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Leave out a column that is not known, by its header; repeat for more
    #[arg(long, value_name = "COLUMN")]
    without: Vec<String>,
    /// Take the good rows where others have problems
    #[arg(long)]
    take_good_rows: bool,
    /// Take also rows that may be records which you have already
    #[arg(long)]
    take_duplicates: bool,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// Its identifier, as corridor record imports shows it
    import: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What sort of file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Xlsx,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Records, each by at least six letters of its identifier; none for all that you may see
    #[arg(value_name = "RECORD")]
    records: Vec<String>,
    /// The new file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What sort of file [default: what the name of the file ends with]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Only those of this partner, by its name or identifier; "own" for yours
    #[arg(long, value_name = "RCP")]
    rcp: Option<String>,
    /// Only records of this kind; repeat for more
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Your drafts as well, in place of what is published of the same record
    #[arg(long)]
    drafts: bool,
    /// The language of a workbook: en, fr, es, ar or ru
    #[arg(long, value_name = "TAG", default_value = "en")]
    language: String,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Import(args) => import(session, args).await,
        Command::Imports => imports(session).await,
        Command::UndoImport(args) => undo(session, args).await,
        Command::Export(args) => export(session, args).await,
    }
}

/// Writes a workbook to be filled in.
pub(super) async fn template(
    session: &mut Session<'_>,
    kind: &str,
    args: &WorkbookArgs,
    path: &Path,
) -> Result<(), Failure> {
    let file = SecretFile::create(path)?;
    let kinds: &[String] = match kind {
        "all" => &[],
        kind => &[kind.to_owned()],
    };
    let bytes = session.client.template(kinds, &args.language).await?;
    let path = file.write(&bytes)?;
    if session.print_json(|| Ok(json!({ "file": path })))? {
        return Ok(());
    }
    session.screen.data(&path);
    session.screen.next(format!(
        "fill it in, then corridor record import {path} --dry-run"
    ));
    Ok(())
}

async fn import(session: &mut Session<'_>, args: ImportArgs) -> Result<(), Failure> {
    let file = session.read_file(&args.file, TABLE_BYTES_MAX).await?;
    let header = v1::ImportHeader {
        file_name: args.file.clone(),
        kind: args.kind.clone().unwrap_or_default(),
        sheet: args.sheet.clone().unwrap_or_default(),
        leave_out: args.without.clone(),
        validate_only: args.dry_run,
        take_good_rows: args.take_good_rows,
        take_duplicates: args.take_duplicates,
    };
    let mut importing = session.client.import(header, file).await?;
    let (mut told, mut next) = (0, PROGRESS_ROWS);
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut ended = None;
    while let Some(answer) = importing.next().await? {
        told += u32::try_from(answer.rows.len()).unwrap_or(u32::MAX);
        if told >= next || answer.saved >= next {
            next = next.saturating_add(PROGRESS_ROWS);
            let what = if answer.saved > 0 { "saved" } else { "read" };
            let number = told.max(answer.saved);
            session
                .screen
                .say(format!("{} {what}", count(number, "row")));
        }
        if !session.json {
            answer
                .problems
                .iter()
                .for_each(|one| say_problem(session, one));
            answer.rows.iter().for_each(|row| say_row(session, row));
            ended = answer.import.or(ended);
            continue;
        }
        for one in &answer.problems {
            problems.push(message_json("TableProblem", one)?);
        }
        for row in &answer.rows {
            rows.push(message_json("RowOutcome", row)?);
        }
        ended = answer.import.or(ended);
    }
    let lacks = "does not say how the import ended; look with corridor record imports";
    let ended = ended.ok_or(crate::ClientError::Answer(lacks))?;
    if session.json {
        let import = import_json(&ended)?;
        let all = json!({ "import": import, "rows": rows, "problems": problems });
        session.screen.json(&all);
    } else {
        say_ended(session, &ended, args.take_good_rows);
    }
    outcome(&ended)
}

/// The exit code of an import.
fn outcome(import: &v1::Import) -> Result<(), Failure> {
    match import.state() {
        v1::ImportState::Interrupted => Err(Failure::Partial(format!(
            "the import ended early: {}; {} saved; bring the same file again, or take it back with \
             corridor record undo-import {}",
            import.stopped,
            count(import.saved_rows, "row"),
            id(import)
        ))),
        v1::ImportState::Complete if import.problems > 0 => Err(Failure::Partial(format!(
            "{} not taken because of problems; mend them, and bring the file again",
            count(import.problem_rows, "row")
        ))),
        _ if import.problems > 0 => Err(Failure::Problems(count(import.problems, "problem"))),
        _ => Ok(()),
    }
}

fn id(import: &v1::Import) -> String {
    let id = import.name.strip_prefix("imports/").unwrap_or_default();
    safe_line(id).to_string()
}

fn say_problem(session: &mut Session<'_>, problem: &v1::TableProblem) {
    let place = match (problem.sheet.as_str(), problem.cell.as_str()) {
        ("", cell) => cell.to_owned(),
        (sheet, cell) => format!("{sheet} {cell}"),
    };
    session
        .screen
        .data(safe_line(&format!("{place}: {}", problem.description)));
}

fn say_row(session: &mut Session<'_>, row: &v1::RowOutcome) {
    for problem in &row.problems {
        say_problem(session, problem);
    }
    if row.state() == v1::RowState::PossibleDuplicate {
        let of = match (row.record.as_str(), row.same_as) {
            ("", other) => format!("row {other}"),
            (record, _) => record.to_owned(),
        };
        let sheet = &row.sheet;
        let number = row.number;
        let line = format!("{sheet} row {number}: may be the same record as {of}");
        session.screen.data(safe_line(line.trim()));
    }
}

fn say_ended(session: &mut Session<'_>, import: &v1::Import, take_good_rows: bool) {
    if !import.encoding.is_empty() {
        let encoding = safe_line(&import.encoding);
        session
            .screen
            .say(format!("The file was read as {encoding}."));
    }
    session.screen.say(format!(
        "{} new, {} changed, {} unchanged, {} perhaps there already, {} with problems.",
        import.new_rows,
        import.changed_rows,
        import.unchanged_rows,
        import.possible_duplicates,
        import.problem_rows
    ));
    if import.possible_duplicates > 0 {
        let hint = "Rows that may be there already are left out; --take-duplicates takes them.";
        session.screen.say(hint);
    }
    match import.state() {
        v1::ImportState::Checked => session.screen.say("Nothing was changed."),
        v1::ImportState::Refused if !take_good_rows => {
            let hint = "Nothing was imported. Mend the file, or take the other rows with \
                        --take-good-rows.";
            session.screen.say(hint);
        }
        v1::ImportState::Complete if import.name.is_empty() => {
            session.screen.say("Nothing was to be saved.");
        }
        v1::ImportState::Complete => {
            let saved = count(import.saved_rows, "draft");
            let line = format!(
                "{saved} saved as import {}. Nobody else sees them.",
                id(import)
            );
            session.screen.say(line);
            session.screen.next("corridor record drafts");
        }
        _ => {}
    }
}

fn import_json(import: &v1::Import) -> Result<Value, Failure> {
    Ok(message_json("Import", import)?)
}

async fn imports(session: &mut Session<'_>) -> Result<(), Failure> {
    let imports = session.client.imports().await?;
    let json = || {
        let all = imports
            .iter()
            .map(import_json)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "imports": all }))
    };
    if session.print_json(json)? {
        return Ok(());
    }
    if imports.is_empty() {
        session.screen.say("No imports.");
        session
            .screen
            .next("corridor record template practice --xlsx practices.xlsx");
    }
    let row = |import: &v1::Import| {
        let state = match import.state() {
            v1::ImportState::Complete => "complete",
            v1::ImportState::Interrupted => "ended early",
            v1::ImportState::Undone => "taken back",
            _ => "not known",
        };
        vec![
            id(import),
            dates::minute(import.time_ms),
            import.by.clone(),
            count(import.saved_rows, "draft"),
            state.to_owned(),
            import.file_name.clone(),
        ]
    };
    session
        .screen
        .table(&imports.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn undo(session: &mut Session<'_>, args: UndoArgs) -> Result<(), Failure> {
    let name = match args.import.strip_prefix("imports/") {
        Some(_) => args.import.clone(),
        None => format!("imports/{}", args.import),
    };
    let question = "The drafts of this import will be discarded, and those it changed will be as \
                    they were.";
    session.agree(question, args.yes).await?;
    let undone = session.client.undo_import(&name).await?;
    let json = || {
        Ok(json!({
            "undone": name,
            "discarded": undone.discarded,
            "restored": undone.restored,
        }))
    };
    if session.print_json(json)? {
        return Ok(());
    }
    let (discarded, restored) = (
        count(undone.discarded, "draft"),
        count(undone.restored, "draft"),
    );
    session
        .screen
        .say(format!("{discarded} discarded, {restored} as before."));
    session.screen.next("corridor record drafts");
    Ok(())
}

impl Format {
    /// By what the name of a file ends with.
    fn of(path: &Path) -> Result<Self, Failure> {
        let end = path
            .extension()
            .and_then(|end| end.to_str())
            .unwrap_or_default();
        Self::from_str(end, true).map_err(|_| {
            let text = "say which sort of file it is to be: --format xlsx, csv or json";
            Failure::Usage(text.to_owned())
        })
    }

    const fn code(self) -> v1::TableFormat {
        match self {
            Self::Xlsx => v1::TableFormat::Xlsx,
            Self::Csv => v1::TableFormat::Csv,
            Self::Json => v1::TableFormat::Json,
        }
    }
}

async fn export(session: &mut Session<'_>, args: ExportArgs) -> Result<(), Failure> {
    let format = match args.format {
        Some(format) => format,
        None => Format::of(&args.output)?,
    };
    let mut names = Vec::new();
    for record in &args.records {
        names.push(session.record(record, Whose::Anybodys).await?.to_string());
    }
    let parent = match args.rcp.as_deref() {
        None => String::new(),
        Some("own") => format!("rcps/{}", session.own().await?),
        Some(rcp) => session.peer(rcp).await?.name,
    };
    let file = SecretFile::create(&args.output)?;
    let what = v1::ExportRecordsRequest {
        names,
        parent,
        kinds: args.kinds,
        format: format.code().into(),
        language: args.language,
        drafts: args.drafts,
    };
    let mut exporting = session.client.export(what).await?;
    let mut bytes = Vec::new();
    let mut last = v1::ExportRecordsResponse::default();
    while let Some(mut part) = exporting.next().await? {
        bytes.append(&mut part.chunk);
        last = part;
    }
    let path = file.write(&bytes)?;
    let json = || Ok(json!({ "file": path, "records": last.records, "leftOut": last.left_out }));
    if session.print_json(json)? {
        return Ok(());
    }
    session.screen.data(&path);
    session
        .screen
        .say(format!("{} written.", count(last.records, "record")));
    if last.left_out > 0 {
        let left_out = count(last.left_out, "record");
        let text = format!("{left_out} left out: their kinds have no table.");
        session.screen.say(text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_ends_with_the_code_of_what_became_of_it() {
        let import = |state: v1::ImportState, problems| v1::Import {
            state: state.into(),
            problems,
            ..Default::default()
        };
        let code = |import: &v1::Import| outcome(import).err().map_or(0, |one| one.exit_code());
        assert_eq!(code(&import(v1::ImportState::Complete, 0)), 0);
        assert_eq!(code(&import(v1::ImportState::Checked, 0)), 0);
        assert_eq!(code(&import(v1::ImportState::Checked, 3)), 7);
        assert_eq!(code(&import(v1::ImportState::Refused, 3)), 7);
        assert_eq!(code(&import(v1::ImportState::Complete, 3)), 8);
        assert_eq!(code(&import(v1::ImportState::Interrupted, 0)), 8);
    }

    #[test]
    fn the_name_of_a_file_says_what_it_is() {
        assert!(matches!(Format::of(Path::new("a.XLSX")), Ok(Format::Xlsx)));
        assert!(matches!(Format::of(Path::new("a.csv")), Ok(Format::Csv)));
        assert!(Format::of(Path::new("records")).is_err());
    }
}
