//! What can be asked of a running agent. A command can be sent to `medibloc serve` as it is; paths in it are absolute.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use medibloc_journey::Day;
use medibloc_record::Category;
use serde::{Deserialize, Serialize};

/// A command over an open home.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Shows the own account and addresses, or sets the credential.
    #[command(subcommand)]
    Account(Account),
    /// Pairs with a provider or a person.
    #[command(subcommand)]
    Contact(Contact),
    /// Asks for access, or answers who asks.
    #[command(subcommand)]
    Request(Request),
    /// Writes and keeps records.
    #[command(subcommand)]
    Record(Record),
    /// Gives and takes back consent.
    #[command(subcommand)]
    Grant(Grant),
    /// Opens a record of somebody else, with a receipt on the chain.
    Read(Read),
    /// Fetches what is new and goes on with unfinished work.
    Sync,
    /// Shows who was cleared to read what, when and on what basis, and what was refused.
    Audit(Audit),
    /// Checks a proof file, or an own record, and says what it proves.
    Verify(Verify),
    /// Shows the account, the chain, what waits and what is unfinished.
    Status,
    /// Checks the home, the chain, the node and the keepers, and says what to do.
    Doctor,
    /// Compares what this home, its node and the keepers read of the chain.
    #[command(subcommand)]
    Chain(Chain),
}

impl Command {
    /// Whether it takes something back: it waits for no sync.
    pub const fn takes_back(&self) -> bool {
        matches!(
            self,
            Self::Grant(Grant::Revoke { .. })
                | Self::Record(Record::Erase { .. } | Record::Retract { .. })
                | Self::Account(Account::Rotate { signing: true, .. })
        )
    }
}

/// `medibloc chain …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// Shows the last block of the chain, of this home, of its node and of each keeper, and whether they are of one history.
    Show,
    /// Goes on with the chain as it stands, where it has not what this home read: for a home that followed an older copy.
    Accept {
        /// Even if too few keepers say that they read this chain.
        #[arg(long)]
        anyway: bool,
    },
}

/// `medibloc account …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    /// Shows the public account and the addresses in use.
    Show,
    /// Registers the public account on the chain (providers and researchers; a person needs none for own records).
    Register {
        /// As a person: says that it may be seen for ever; without it, the agent says what is.
        #[arg(long)]
        #[serde(default)]
        yes: bool,
    },
    /// Gives an address its next sealing key and seals what is kept under it anew.
    Rotate {
        /// The address (its begin is enough); the account if it is not given.
        address: Option<String>,
        /// The signing key instead: whoever stole the present one acts for nobody from then on. Nothing moves.
        #[arg(long)]
        #[serde(default)]
        signing: bool,
        /// How soon.
        #[command(flatten)]
        #[serde(default)]
        haste: Haste,
    },
    /// Says who you are, as documents name you: what names another person is marked, and no consent to a class or to all passes it
    /// on. Nobody else is told. What you leave out stays as you said it before; without a name and a day, shows it.
    Person {
        /// Your name, as your documents have it.
        #[arg(long)]
        #[serde(default)]
        name: Option<String>,
        /// Your day of birth, like 1980-02-03.
        #[arg(long, value_name = "DAY", value_parser = day)]
        #[serde(default)]
        born: Option<Day>,
    },
    /// Lists what own accounts did on the chain and this device did not, and what to do.
    Acts {
        /// Says that the acts that are listed were made by other devices of yours: they are told no more.
        #[arg(long)]
        mine: bool,
    },
    /// Keeps the credential that the authority gave (a JWT), to be shown when pairing.
    Credential {
        /// The file with the credential; without it, the own node is asked.
        file: Option<PathBuf>,
    },
}

/// `medibloc contact …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contact {
    /// Makes an invitation under a fresh address; give it to one provider.
    Invite {
        /// Also writes it to a file. `-` is standard output, without the picture.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Answers an invitation.
    Accept {
        /// The invitation, or a file that holds it.
        invitation: String,
    },
    /// Lists contacts, and who invited this agent.
    List,
    /// Gives an owner that invited this agent a name for this home alone: lists show it and commands take it. Nobody else is told.
    Label {
        /// The owner: the begin of the address, or of its label.
        owner: String,
        /// The label; an empty one takes it away.
        text: String,
    },
    /// Says that the name in a contact's credential is the right one.
    Confirm {
        /// The contact: its name, or the begin of its account or address.
        contact: String,
    },
}

/// `medibloc request …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Asks an owner for access.
    Create {
        /// The owner that invited this agent (the begin of the address is enough).
        owner: String,
        /// What for: treatment if it is not given, research of a researcher.
        #[arg(long, value_enum)]
        #[serde(default)]
        purpose: Option<Purpose>,
        /// In words, for the person who decides.
        #[arg(long, default_value = "")]
        reason: String,
        /// Only records about this, like `laboratory` or `medications`; may be given again. Any, if it is not given.
        #[arg(long = "category", value_name = "CATEGORY", value_parser = category)]
        #[serde(default)]
        categories: Vec<Category>,
        /// Only records that were written on this day or later, like 2026-01-31.
        #[arg(long, value_name = "DATE", value_parser = day)]
        #[serde(default)]
        since: Option<Day>,
        /// Only records that were written before this day.
        #[arg(long, value_name = "DATE", value_parser = day)]
        #[serde(default)]
        before: Option<Day>,
        /// For how many days.
        #[arg(long, default_value_t = 7)]
        days: u32,
        /// How soon.
        #[command(flatten)]
        #[serde(default)]
        haste: Haste,
    },
    /// Lists requests that wait for an answer.
    List,
    /// Grants what is asked: for its purpose, until its end, and with --all or --class only of its categories and dates. What goes
    /// beyond is told, and given with --yes alone.
    Approve {
        /// The request: the begin of its id, or of the name that asks.
        request: String,
        /// What may be read.
        #[command(flatten)]
        scope: Scope,
        /// For how many days; until the end that was asked for, if it is not given.
        #[arg(long)]
        #[serde(default)]
        days: Option<u32>,
        /// How soon.
        #[command(flatten)]
        #[serde(default)]
        haste: Haste,
    },
    /// Drops a request; the other side is told nothing.
    Deny {
        /// The request: the begin of its id, or of the name that asks.
        request: String,
    },
}

/// Why somebody wants to read (HL7 v3 PurposeOfUse).
#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// TREAT.
    Treatment,
    /// HPAYMT.
    Payment,
    /// HRESCH.
    Research,
    /// FAMRQT.
    FamilyRequest,
    /// PUBHLTH.
    PublicHealth,
}

/// `medibloc record …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Seals, stores and anchors a document: an own record, or one for a patient who allows it.
    Import {
        /// The document: CDA (C-CDA and others), or FHIR (R4 or R5, as JSON or XML, a bundle or one resource).
        file: PathBuf,
        /// The owner it is written for; none for an own record.
        #[arg(long = "for")]
        owner: Option<String>,
        /// Its class on chain, 0 to 63, which everybody sees and consents to classes match (`grant create --class`). The numbers
        /// have no meaning of their own: agree on some with who writes for you. 0 says nothing and no class covers it.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..64))]
        class: u8,
        /// The record that it corrects, of the same owner (the begin of its id is enough).
        #[arg(long)]
        #[serde(default)]
        amends: Option<String>,
        /// Write it although this very document is a record of that owner here already.
        #[arg(long)]
        #[serde(default)]
        again: bool,
        /// With --for: write it although it names another person than what was written here for that owner before.
        #[arg(long, requires = "owner")]
        #[serde(default)]
        other_person: bool,
        /// With --for: whom the document names is the patient of that owner. Without it, a document of whom neither the owner's
        /// label nor an earlier record says so is shown and not written.
        #[arg(long, requires = "owner")]
        #[serde(default)]
        yes: bool,
        /// How carefully it must be shared, if its own labels do not say it: a consent to several records gives it only if it
        /// says so (`--up-to`). What its labels say is never lowered.
        #[arg(long)]
        #[serde(default)]
        sensitivity: Option<Sensitive>,
    },
    /// Lists own records, or those that were written for others.
    List {
        /// Those that were written here for others: whose, when, and what became of them.
        #[arg(long)]
        #[serde(default)]
        written: bool,
    },
    /// Shows one record.
    Show {
        /// The record (the begin of its id is enough).
        record: String,
    },
    /// Says that an own record is about you although it names another person than your other records: after a change of name,
    /// in another script, say. It is passed on like the others then, and its name is yours from then on, until its author takes
    /// it back or you erase it.
    Confirm {
        /// The record.
        record: String,
    },
    /// Recomputes everything of a record from the node and the chain.
    Verify {
        /// The record.
        record: String,
    },
    /// Stores an own record at the node again, from the copy that is here, and gives keepers their share again: for a node
    /// or a keeper that lost some of it.
    Store {
        /// The record.
        record: Option<String>,
        /// All own records of which the node or a keeper that answers lacks something.
        #[arg(long, conflicts_with = "record")]
        #[serde(default)]
        all: bool,
    },
    /// Writes a part of an own record to a file, after the chain was asked what its author said of it since; if the chain does
    /// not answer, that is told, and what this home heard counts.
    Export {
        /// The record.
        record: String,
        /// Which part.
        #[arg(long, value_enum, default_value_t = Part::Original)]
        part: Part,
        /// Writes a Crypt4GH file (.c4gh) for the owner of this public key file instead of the plain bytes.
        #[arg(long)]
        crypt4gh: Option<PathBuf>,
        /// The file; it must not exist. `-` is standard output.
        #[arg(long)]
        out: PathBuf,
        /// Although its author took it back or corrected it, or it names another person than your other records; without it, the
        /// agent says which, and writes nothing.
        #[arg(long)]
        #[serde(default)]
        yes: bool,
    },
    /// Takes back a record that you wrote for somebody: filed under the wrong person, or wrong as a whole.
    ///
    /// The chain says for ever that its author took it back; its owner and whoever may read it are told at their next sync and
    /// read. It stays its owner's, who alone can erase it, so tell the owner over another way, too. What is only partly
    /// wrong is corrected by `record import --amends`.
    Retract {
        /// The record.
        record: String,
        /// Says that it is meant.
        #[arg(long)]
        yes: bool,
        /// Now, although another of your addresses did something of the kind within the day, which shows that they belong
        /// together.
        #[arg(long, requires = "yes")]
        #[serde(default)]
        now: bool,
    },
    /// Erases a record: here, at the keepers, at the nodes, on the owner's other devices and at its readers.
    ///
    /// The chain says it first and for ever. Then this home forgets content, keys and description, and deletes files that
    /// it exported if they are unchanged; keepers destroy their shares and sign that; nodes delete; your other devices,
    /// readers and the author's agent forget it at their next sync and say so. A tombstone stays: id, time, who was
    /// cleared to read it. What nobody can undo: copies that a reader made, and ciphertext that somebody copied together
    /// with a key that was released or with the phrase. The chain keeps for ever that the record existed: accounts of
    /// owner and author, kind, class, digests, times, acceptance, grants, receipts and the erasure itself.
    Erase {
        /// The record.
        record: String,
        /// Says that it is meant.
        #[arg(long)]
        yes: bool,
        /// Now, although another of your addresses did something of the kind within the day, which shows that they belong
        /// together.
        #[arg(long, requires = "yes")]
        #[serde(default)]
        now: bool,
        /// Leaves the files that were exported.
        #[arg(long)]
        #[serde(default)]
        keep_exports: bool,
    },
}

/// A part of a record.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The source, byte for byte.
    Original,
    /// Its FHIR R4 form.
    Fhir,
    /// What the conversion kept and lost.
    Report,
}

/// `medibloc grant …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Lets a contact read, or write.
    Create(CreateGrant),
    /// Lists consents given and held.
    List,
    /// Takes back one consent, all of one contact, or everything. One to write ends all that this contact has to write for
    /// the address; --contact drops what it asked for, too.
    #[command(group(clap::ArgGroup::new("what").required(true).args(["grant", "contact", "everything"])))]
    Revoke {
        /// The consent, to read or to write (the begin of its id is enough).
        grant: Option<String>,
        /// Takes back everything that this contact was given: its name or the begin of its address.
        #[arg(long, conflicts_with = "grant")]
        contact: Option<String>,
        /// Takes back every consent, at once: all addresses that gave one act, which shows that they belong together.
        #[arg(long, conflicts_with_all = ["grant", "contact"])]
        everything: bool,
        /// With --everything: at once, as it is without it.
        #[arg(long, requires = "everything", hide = true)]
        #[serde(default)]
        now: bool,
        /// With --everything: one address at once, the others within the hour, so that nobody sees that they belong
        /// together; says who can read and write until when.
        #[arg(long, requires = "everything", conflicts_with = "now")]
        #[serde(default)]
        later: bool,
    },
}

/// `medibloc grant create …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct CreateGrant {
    /// The contact: its name or the begin of its address.
    #[arg(long)]
    pub to: String,
    /// Lets it write medical records.
    #[arg(long, conflicts_with = "scope")]
    pub write: bool,
    /// What may be read.
    #[command(flatten)]
    pub scope: Option<Scope>,
    /// For how many days.
    #[arg(long, default_value_t = 7)]
    pub days: u32,
    /// What for: treatment if it is not given. It must be said for a researcher.
    #[arg(long, value_enum)]
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// How soon.
    #[command(flatten)]
    #[serde(default)]
    pub haste: Haste,
}

/// How soon something goes to the chain.
#[derive(Clone, Copy, Debug, Default, Args, Serialize, Deserialize)]
pub struct Haste {
    /// At once, because somebody waits; without it, at random times.
    #[arg(long)]
    pub now: bool,
    /// Although it shows something to whoever watches the chain (with --now), or gives more than was asked for; without it, the
    /// agent says what.
    #[arg(long)]
    pub yes: bool,
}

/// What may be read.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[group(id = "scope")]
pub struct Scope {
    /// One record (the begin of its id is enough).
    #[arg(long, group = "which")]
    pub record: Option<String>,
    /// All records whose class on chain is one of these numbers, those that come later too. It is the number that `record
    /// import --class` gave, 1 to 63; `record show` tells a record's. The numbers have no meaning of their own. As for --all,
    /// further consents follow by themselves.
    #[arg(long = "class", id = "classes", group = "which", value_parser = clap::value_parser!(u8).range(1..64))]
    pub classes: Vec<u8>,
    /// Also what names another person than your other records: after a change of name, say. Without it, the agent says which.
    #[arg(long)]
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub other_person: bool,
    /// With --record: although its author took it back, because you know that it is right, say. The reader is told, and opens it
    /// only by saying that it is meant.
    #[arg(long, requires = "record", conflicts_with_all = ["all", "classes"])]
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub retracted: bool,
    /// With --record: although its author corrected it. Without it, the agent says which record stands now, and gives nothing.
    #[arg(long, requires = "record", conflicts_with_all = ["all", "classes"])]
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub corrected: bool,
    /// All records, those that come later too. Each address that you get for a new contact later gives such a consent, too,
    /// by itself: the reader learns that the address is yours, and the ends of these consents match.
    #[arg(long, group = "which")]
    pub all: bool,
    /// The most sensitive that is meant, also of --record: what is more sensitive is not given.
    #[arg(long, value_enum, default_value_t = UpTo::Normal)]
    pub up_to: UpTo,
}

/// How sensitive records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpTo {
    /// The usual.
    Normal,
    /// Mental health, sexual and reproductive, substance use, HIV, genetic.
    Restricted,
    /// The owner said so.
    VeryRestricted,
}

/// How much more carefully than the usual a record must be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sensitive {
    /// Mental health, sexual and reproductive, substance use, HIV, genetic.
    Restricted,
    /// The owner said so.
    VeryRestricted,
}

/// `medibloc verify …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Verify {
    /// A proof file, or an own record (the begin of its id is enough).
    pub what: String,
    /// Checks a proof file against this block hash and asks no chain. What only the chain has, the consent's terms, stays
    /// unproven: it ends with 5.
    #[arg(long)]
    pub block: Option<String>,
    /// Checks a proof file by the chain and the authority that this deployment file names: needs no home.
    #[arg(long)]
    #[serde(default)]
    pub deployment: Option<PathBuf>,
}

/// `medibloc read …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Read {
    /// The record (the begin of its id is enough).
    pub record: String,
    /// Writes the original to this file; it must not exist. It is deleted when the consent ends or the record is erased.
    /// `-` is standard output: what becomes of it then is yours to answer for.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// How soon.
    #[command(flatten)]
    #[serde(default)]
    pub haste: Haste,
    /// Not now: opens it at a random time of the next day and keeps it for --kept. Now shows the hour to whoever
    /// watches the chain.
    #[arg(long, conflicts_with_all = ["out", "now"])]
    #[serde(default)]
    pub later: bool,
    /// From the copy that is kept of an earlier read; no new receipt. Where none is kept, nothing is read. The chain is asked
    /// whether it may still be shown: while it does not answer, nothing is.
    #[arg(long, conflicts_with = "later")]
    #[serde(default)]
    pub kept: bool,
    /// Although its author took it back: it is not to be relied on, and the receipt says that it was opened.
    #[arg(long, conflicts_with = "later")]
    #[serde(default)]
    pub retracted: bool,
    /// The file stays then, because a law or a rule says so; the owner is told that it does.
    #[arg(long, requires = "out")]
    #[serde(default)]
    pub keep: bool,
    /// On this consent (the begin of its id is enough). Must be said where several for different purposes open the record: what it is
    /// read for stands on the chain.
    #[arg(long, value_name = "CONSENT", conflicts_with = "kept")]
    #[serde(default)]
    pub on: Option<String>,
}

/// `medibloc audit …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Audit {
    /// Writes a proof file for every line into this folder.
    #[arg(long)]
    pub proofs: Option<PathBuf>,
    /// Only reads by this contact, or of this owner's records: name, label or address.
    #[arg(long, value_name = "CONTACT")]
    #[serde(default)]
    pub of: Option<String>,
    /// Only reads on this day (UTC) or later, like 2026-01-31.
    #[arg(long, value_name = "DATE", value_parser = day)]
    #[serde(default)]
    pub from: Option<Day>,
    /// Only reads before this day.
    #[arg(long, value_name = "DATE", value_parser = day)]
    #[serde(default)]
    pub until: Option<Day>,
}

impl Command {
    /// The same command with absolute paths, so that another process understands it.
    ///
    /// # Errors
    /// If the working directory cannot be read.
    pub fn absolute(mut self) -> std::io::Result<Self> {
        let path = match &mut self {
            Self::Account(Account::Credential { file }) => file.as_mut(),
            Self::Contact(Contact::Invite { out }) => out.as_mut(),
            Self::Record(Record::Import { file, .. }) => Some(file),
            Self::Record(Record::Export { out, crypt4gh, .. }) => {
                if let Some(key) = crypt4gh {
                    *key = std::path::absolute(&*key)?;
                }
                Some(out)
            }
            Self::Read(read) => read.out.as_mut(),
            Self::Audit(audit) => audit.proofs.as_mut(),
            Self::Contact(Contact::Accept { invitation: text })
            | Self::Verify(Verify { what: text, .. }) => {
                let path = PathBuf::from(&*text);
                if path.exists() {
                    *text = std::path::absolute(path)?.to_string_lossy().into_owned();
                }
                None
            }
            _ => None,
        };
        if let Some(path) = path.filter(|path| !is_standard_output(path)) {
            *path = std::path::absolute(&*path)?;
        }
        Ok(self)
    }

    /// Whether bytes are to go to standard output in place of words.
    pub fn is_for_standard_output(&self) -> bool {
        let out = match self {
            Self::Contact(Contact::Invite { out }) => out.as_deref(),
            Self::Record(Record::Export { out, .. }) => Some(out.as_path()),
            Self::Read(read) => read.out.as_deref(),
            _ => None,
        };
        out.is_some_and(is_standard_output)
    }
}

/// `-`, as everywhere; a file of that name is `./-`.
pub(crate) fn is_standard_output(path: &std::path::Path) -> bool {
    path.as_os_str() == "-"
}

/// A category by its name in the glossary.
fn category(text: &str) -> Result<Category, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn day(text: &str) -> Result<Day, String> {
    text.parse::<Day>().map_err(|error| error.to_string())
}
