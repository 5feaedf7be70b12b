//! `corridor record`: what can be done with records.
//!
//! **Invariant:** the arguments and nothing else; [`draft`] and [`write`] change records, [`read`]
//! does not.

mod draft;
mod find;
mod read;
mod told;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use corridor_proto::kinds::Kind;

use super::fail::Failure;
use super::proof;
use super::screen::Screen;
use super::session::Session;
use super::table;
use crate::body;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor record template practice > new.json     an example to write your own from
  corridor record draft practice new.json          save it; nobody else sees it
  corridor record publish k3v7qa --circle public   sign it and share it
  corridor record show k3v7qa                      read it, verified here";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prints an example of a record, to write your own from
    #[command(before_help = "Examples:\n  \
        corridor record template practice > new.json\n  \
        corridor record template practice --xlsx practices.xlsx --language fr")]
    Template(TemplateArgs),
    /// Saves a draft and says what it still needs; nobody else sees it
    #[command(before_help = "Examples:\n  \
        corridor record draft practice new.json\n  \
        corridor record draft lesson - < new.json")]
    Draft(DraftArgs),
    /// Replaces a draft, or begins a new version of a published record
    #[command(before_help = "Examples:\n  corridor record edit k3v7qa new.json")]
    Edit(EditArgs),
    /// Lists your drafts and what each still needs
    #[command(
        before_help = "Examples:\n  corridor record drafts\n  corridor record drafts --asked"
    )]
    Drafts(DraftsArgs),
    /// Asks that a draft be cleared for release
    #[command(before_help = "Examples:\n  \
        corridor record ask k3v7qa\n  \
        corridor record ask k3v7qa --note \"the dates are those of the letter\"")]
    Ask(NotedArgs),
    /// Clears a draft for release, in exactly the text that it has now
    #[command(before_help = "Examples:\n  \
        corridor record clear k3v7qa\n  \
        corridor record clear k3v7qa --role chair --reference NV/2026/114\n  \
        corridor record clear k3v7qa --role member-state --on-behalf-of \"Ministry of Labour\"")]
    Clear(ClearArgs),
    /// Gives a draft back to whoever wrote it, with what is to be changed
    #[command(
        name = "return",
        before_help = "Examples:\n  \
        corridor record return k3v7qa --note \"the second paragraph names a person\""
    )]
    Return(NotedArgs),
    /// Discards a draft; its text is erased
    #[command(before_help = "Examples:\n  \
        corridor record discard k3v7qa\n  \
        corridor record discard k3v7qa --yes")]
    Discard(DiscardArgs),
    /// Signs a draft and shares it with circles
    #[command(before_help = "Examples:\n  \
        corridor record publish k3v7qa --circle public\n  \
        corridor record publish k3v7qa --circle federation --circle observers --dry-run\n  \
        corridor record publish k3v7qa")]
    Publish(PublishArgs),
    /// Shares a published record with more circles
    #[command(before_help = "Examples:\n  corridor record share k3v7qa --circle federation")]
    Share(CirclesArgs),
    /// Takes a record back from circles; their readers erase it
    #[command(before_help = "Examples:\n  corridor record narrow k3v7qa --circle federation")]
    Narrow(CirclesArgs),
    /// Withdraws a record everywhere, for ever
    #[command(before_help = "Examples:\n  \
        corridor record withdraw k3v7qa --reason error\n  \
        corridor record withdraw k3v7qa --reason superseded --replacement m4xw2b --yes\n  \
        corridor record withdraw k3v7qa --reason expired --note \"en=See the new guide.\"")]
    Withdraw(WithdrawArgs),
    /// Lists records, yours and those that partners share with you
    #[command(before_help = "Examples:\n  \
        corridor record list\n  \
        corridor record list --rcp \"Bali Process\"\n  \
        corridor record list --filter \"kind = practice AND countries:PH\"\n  \
        corridor record list --all --json")]
    List(ListArgs),
    /// Finds records by words in any language, the best first
    #[command(before_help = "Examples:\n  \
        corridor record search orientation\n  \
        corridor record search \"labour market\" --filter \"gcm_objectives:18\"\n  \
        corridor record search --newest")]
    Search(SearchArgs),
    /// Reads all records with what proves them, into a folder or as JSON
    #[command(before_help = "Examples:\n  \
        corridor record read-all proofs\n  \
        corridor record read-all --json > records.ndjson\n  \
        corridor record read-all proofs --cursor CURSOR   (one that --json gave)")]
    ReadAll(ReadAllArgs),
    /// Shows a record, after verifying it here
    #[command(before_help = "Examples:\n  \
        corridor record show k3v7qa\n  \
        corridor record show k3v7qa --json")]
    Show(ShowArgs),
    /// Verifies a record from the charter of its RCP alone, and saves what proves it
    #[command(before_help = "Examples:\n  \
        corridor record verify k3v7qa\n  \
        corridor record verify k3v7qa --save proofs   (corridor verify FILE needs no node)")]
    Verify(VerifyArgs),
    /// Follows changes of records as they come
    #[command(before_help = "Examples:\n  \
        corridor record watch\n  \
        corridor record watch --until-now --json\n  \
        corridor record watch --cursor CURSOR   (one that --json gave)")]
    Watch(WatchArgs),
    #[command(flatten)]
    Table(table::Command),
}

#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    /// practice, lesson, recommendation, guideline or profile
    kind: String,
    #[command(flatten)]
    pub(super) workbook: table::WorkbookArgs,
}

#[derive(Debug, Args)]
pub(super) struct RecordArg {
    /// At least six letters of its identifier, or its whole name
    record: String,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    record: RecordArg,
    /// Write the proof to a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DraftArgs {
    /// practice, lesson, meeting or another kind of record
    kind: String,
    /// The record as JSON; - for standard input
    #[arg(value_name = "FILE|-")]
    file: String,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    #[command(flatten)]
    record: RecordArg,
    /// The whole record as JSON; - for standard input
    #[arg(value_name = "FILE|-")]
    file: String,
    /// Its kind, where no text is left that tells it
    #[arg(long)]
    kind: Option<String>,
    /// Only if the draft is still the one with this etag, which --json tells
    #[arg(long, default_value = "")]
    etag: String,
}

#[derive(Debug, Args)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    record: RecordArg,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct PublishArgs {
    /// At least six letters of its identifier, or its whole name
    #[arg(required = true)]
    record: String,
    /// A circle to share it with, or private/PARTNER for one partner alone; repeat for more.
    /// Without one, a new version goes to every circle in which the record stands
    #[arg(long = "circle", value_name = "CIRCLE")]
    circles: Vec<String>,
    /// Check everything and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Only if the draft is still the one with this etag, which record show tells
    #[arg(long, default_value = "")]
    etag: String,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    record: RecordArg,
    /// The text that is not yet published, if there is one
    #[arg(long)]
    draft: bool,
}

#[derive(Debug, Args)]
pub(super) struct DraftsArgs {
    /// Only those that somebody asked to be cleared
    #[arg(long)]
    asked: bool,
}

#[derive(Debug, Args)]
pub(super) struct NotedArgs {
    #[command(flatten)]
    record: RecordArg,
    /// What you say to it; it stays in this office
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

/// Who releases a record.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ClearedBy {
    /// The secretariat of the process
    Secretariat,
    /// The chair or a co-chair
    Chair,
    /// A member State
    MemberState,
    /// A partner organisation
    Partner,
}

impl ClearedBy {
    const fn code(self) -> v1::AuthorRole {
        match self {
            Self::Secretariat => v1::AuthorRole::Secretariat,
            Self::Chair => v1::AuthorRole::Chair,
            Self::MemberState => v1::AuthorRole::MemberState,
            Self::Partner => v1::AuthorRole::Partner,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ClearArgs {
    #[command(flatten)]
    record: RecordArg,
    /// In whose name it is released: readers are told, with what follows
    #[arg(long, value_enum, value_name = "WORD")]
    role: Option<ClearedBy>,
    /// For whom the role speaks, such as a ministry or a committee
    #[arg(long, value_name = "TEXT", requires = "role")]
    on_behalf_of: Option<String>,
    /// Where the release is written down, such as a letter's number
    #[arg(long, value_name = "TEXT", requires = "role")]
    reference: Option<String>,
    /// When it was given, YYYY-MM-DD; without it, today
    #[arg(long, value_name = "DATE", requires = "role")]
    date: Option<String>,
    /// A word that stays in this office
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Only the draft with this etag, which record show tells
    #[arg(long)]
    etag: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct CirclesArgs {
    #[command(flatten)]
    record: RecordArg,
    /// The circle, or private/PARTNER for that of one partner; repeat for more
    #[arg(long = "circle", value_name = "CIRCLE", required = true)]
    circles: Vec<String>,
}

/// Why a record is withdrawn.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reason {
    /// A newer text replaces it
    Superseded,
    /// It was wrong
    Error,
    /// A State asked for it
    StateRequest,
    /// It is out of date
    Expired,
    /// It held personal data
    PersonalData,
    /// Another reason
    Other,
}

impl Reason {
    const fn code(self) -> v1::WithdrawalCode {
        match self {
            Self::Superseded => v1::WithdrawalCode::Superseded,
            Self::Error => v1::WithdrawalCode::Error,
            Self::StateRequest => v1::WithdrawalCode::StateRequest,
            Self::Expired => v1::WithdrawalCode::Expired,
            Self::PersonalData => v1::WithdrawalCode::PersonalData,
            Self::Other => v1::WithdrawalCode::Other,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    #[command(flatten)]
    record: RecordArg,
    /// Why
    #[arg(long, value_enum, value_name = "WORD")]
    reason: Reason,
    /// A note to its readers; en=TEXT names the language, repeat for more languages
    #[arg(long = "note", value_name = "[TAG=]TEXT")]
    notes: Vec<String>,
    /// The record of yours that replaces it
    #[arg(long, value_name = "RECORD")]
    replacement: Option<String>,
    /// Only versions up to this one; without it, the whole record
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
    up_to: Option<u64>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Only those of this partner, by its name or identifier; "own" for yours
    #[arg(long, value_name = "RCP")]
    rcp: Option<String>,
    /// Only those of which this is true, such as "language:ar AND first_year >= 2020"
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "",
        hide_default_value = true
    )]
    filter: String,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Withdrawn ones and those in no circle as well
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Words, each of which has to occur
    words: Vec<String>,
    #[command(flatten)]
    which: WhichArgs,
    /// The newest first
    #[arg(long)]
    newest: bool,
    /// The page after the one that ended with this word
    #[arg(long, value_name = "PAGE")]
    page: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReadAllArgs {
    /// Write a file that proves it for each record into this folder
    folder: Option<PathBuf>,
    /// Only those of this partner, by its name or identifier; "own" for yours
    #[arg(long, value_name = "RCP")]
    rcp: Option<String>,
    /// Go on after this point, which an earlier reading named
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Begin after this point, which an earlier watch named
    #[arg(long)]
    cursor: Option<String>,
    /// Stop when all that is there now was shown
    #[arg(long)]
    until_now: bool,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Template(args) => match &args.workbook.xlsx {
            Some(path) => table::template(session, &args.kind, &args.workbook, path).await,
            None => template(&args, session.screen, session.json),
        },
        Command::Table(command) => table::run(session, command).await,
        Command::Draft(args) => draft::draft(session, args).await,
        Command::Edit(args) => draft::edit(session, args).await,
        Command::Drafts(args) => draft::drafts(session, args).await,
        Command::Ask(args) => draft::ask(session, args).await,
        Command::Clear(args) => draft::clear(session, args).await,
        Command::Return(args) => draft::give_back(session, args).await,
        Command::Discard(args) => draft::discard(session, args).await,
        Command::Publish(args) => write::publish(session, args).await,
        Command::Share(args) => write::share(session, args).await,
        Command::Narrow(args) => write::narrow(session, args).await,
        Command::Withdraw(args) => write::withdraw(session, args).await,
        Command::List(args) => read::list(session, args).await,
        Command::Search(args) => find::search(session, args).await,
        Command::ReadAll(args) => find::read_all(session, args).await,
        Command::Show(args) => read::show(session, args).await,
        Command::Verify(args) => {
            proof::ask(session, &args.record.record, args.save.as_deref()).await
        }
        Command::Watch(args) => read::watch(session, args).await,
    }
}

/// Prints an example; needs no node.
pub(super) fn template(
    args: &TemplateArgs,
    screen: &mut Screen,
    json: bool,
) -> Result<(), Failure> {
    let kind = kind(&args.kind)?;
    let text = body::template(kind);
    if json {
        let wrong = |source| body::BodyError::Json { kind, source };
        screen.json(&serde_json::from_str(text).map_err(wrong)?);
        return Ok(());
    }
    screen.data(text.trim_end());
    screen.next(format!(
        "write your own text for each REPLACE, then corridor record draft {kind} FILE"
    ));
    Ok(())
}

fn kind(word: &str) -> Result<Kind, Failure> {
    Ok(word.parse::<Kind>()?)
}
