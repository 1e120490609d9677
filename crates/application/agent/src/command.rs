//! What can be asked of a running agent. A command can be sent to `medibloc serve` as it is; paths in it are absolute.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
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
    /// Shows who was given a key to what, when and on what basis, and what was refused.
    Audit(Audit),
    /// Shows the account, the chain and what waits.
    Status,
    /// Checks the home, the chain, the node and the keepers, and says what to do.
    Doctor,
}

/// `medibloc account …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    /// Shows the public account and the addresses in use.
    Show,
    /// Registers the public account on the chain (providers and researchers; a person needs none).
    Register,
    /// Keeps the credential that the authority gave (a JWT), to be shown when pairing.
    Credential {
        /// The file with the credential.
        file: PathBuf,
    },
}

/// `medibloc contact …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contact {
    /// Makes an invitation under a fresh address; give it to one provider.
    Invite {
        /// Also writes it to a file.
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
    /// Says that the name in a contact's credential is the right one.
    Confirm {
        /// The contact: its name or the begin of its address.
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
        /// What for.
        #[arg(long, value_enum, default_value_t = Purpose::Treatment)]
        purpose: Purpose,
        /// In words, for the person who decides.
        #[arg(long, default_value = "")]
        reason: String,
        /// For how many days.
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
    /// Lists requests that wait for an answer.
    List,
    /// Grants what is asked for one record.
    Approve {
        /// The request: the begin of its id, or of the name that asks.
        request: String,
        /// The record (the begin of its id is enough).
        #[arg(long)]
        record: String,
        /// For how many days.
        #[arg(long, default_value_t = 7)]
        days: u32,
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
        /// The document (C-CDA or FHIR R4 JSON).
        file: PathBuf,
        /// The owner it is written for; none for an own record.
        #[arg(long = "for")]
        owner: Option<String>,
    },
    /// Lists own records.
    List,
    /// Shows one record.
    Show {
        /// The record (the begin of its id is enough).
        record: String,
    },
    /// Recomputes everything of a record from the node and the chain.
    Verify {
        /// The record.
        record: String,
    },
    /// Writes a part of an own record to a file.
    Export {
        /// The record.
        record: String,
        /// Which part.
        #[arg(long, value_enum, default_value_t = Part::Original)]
        part: Part,
        /// The file; it must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Erases a record everywhere, for ever.
    Erase {
        /// The record.
        record: String,
        /// Says that it is meant.
        #[arg(long)]
        yes: bool,
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
}

/// `medibloc grant …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Lets a contact read one record, or write.
    Create(CreateGrant),
    /// Lists consents given and held.
    List,
    /// Takes back one consent, or everything.
    Revoke {
        /// The consent (the begin of its id is enough).
        #[arg(required_unless_present = "everything")]
        grant: Option<String>,
        /// Takes back every consent.
        #[arg(long, conflicts_with = "grant")]
        everything: bool,
    },
}

/// `medibloc grant create …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct CreateGrant {
    /// The contact: its name or the begin of its address.
    #[arg(long)]
    pub to: String,
    /// Lets it write medical records.
    #[arg(long, conflicts_with = "record", required_unless_present = "record")]
    pub write: bool,
    /// Lets it read this record.
    #[arg(long)]
    pub record: Option<String>,
    /// For how many days.
    #[arg(long, default_value_t = 7)]
    pub days: u32,
    /// What for.
    #[arg(long, value_enum, default_value_t = Purpose::Treatment)]
    pub purpose: Purpose,
}

/// `medibloc read …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Read {
    /// The record (the begin of its id is enough).
    pub record: String,
    /// Writes the original to this file; it must not exist.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// `medibloc audit …`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Audit {
    /// Writes a proof file for every line into this folder.
    #[arg(long)]
    pub proofs: Option<PathBuf>,
}

impl Command {
    /// The same command with absolute paths, so that another process understands it.
    ///
    /// # Errors
    /// If the working directory cannot be read.
    pub fn absolute(mut self) -> std::io::Result<Self> {
        let path = match &mut self {
            Self::Account(Account::Credential { file }) => Some(file),
            Self::Contact(Contact::Invite { out }) => out.as_mut(),
            Self::Record(Record::Import { file, .. }) => Some(file),
            Self::Record(Record::Export { out, .. }) => Some(out),
            Self::Read(read) => read.out.as_mut(),
            Self::Audit(audit) => audit.proofs.as_mut(),
            Self::Contact(Contact::Accept { invitation }) => {
                let path = PathBuf::from(&*invitation);
                if path.exists() {
                    *invitation = std::path::absolute(path)?.to_string_lossy().into_owned();
                }
                None
            }
            _ => None,
        };
        if let Some(path) = path {
            *path = std::path::absolute(&*path)?;
        }
        Ok(self)
    }
}
