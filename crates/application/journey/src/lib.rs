//! The record's journey: import → normalise → seal → store → anchor → grant → read → audit.
//!
//! One file a step; each sees ports only, so the same code runs in tests over memory, in the demo and in the agent.
//! A [`Party`] is one phrase with its vault; the messages between parties are docs/format/messages.md. This crate
//! never decides a rule of consent (that is `consent`) and never opens a cipher itself (that is `seal`).

//!
//! ```
//! use medibloc_consent::Purpose;
//! use medibloc_journey::{medical_only, memory::World, Party};
//! use medibloc_keys::{Language, Phrase, SeededEntropy};
//! use medibloc_record::{Draft, LossReport, PartRole, Role};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! // One chain, one node, seven keepers; three parties, each with its own phrase and vault.
//! let world = World::new(1);
//! let phrase = |seed| Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
//! let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
//! let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
//! let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
//! let credential = |party: &Party, name| world.accredit(party.account().id(), name);
//! hospital.register_account().await?;
//! clinic.register_account().await?;
//! let (hospital_jwt, clinic_jwt) = (credential(&hospital, "Hana Hospital"), credential(&clinic, "Bit Clinic"));
//!
//! // Pairing: an invitation for each provider, under a fresh address each.
//! let for_hospital = patient.invite().await?;
//! let for_clinic = patient.invite().await?;
//! let owner = hospital.answer(&for_hospital, Some(&hospital_jwt)).await?.owner;
//! let clinics_view = clinic.answer(&for_clinic, Some(&clinic_jwt)).await?.owner;
//! patient.sync().await?;
//! for contact in patient.contacts()? {
//!     patient.confirm(contact.own)?;
//! }
//!
//! // Import → normalise → seal → store → anchor, by the hospital with the patient's consent.
//! let until = world.ports().clock.now().plus(7 * 86_400);
//! patient.grant_write(owner, medical_only(), until).await?;
//! let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
//! let draft = Draft::new("application/cda+xml", b"<ClinicalDocument/>".to_vec(), bundle, LossReport::default());
//! let record = hospital.write_for(owner, draft).await?.record;
//! assert_eq!(patient.sync().await?.accepted, [record]);
//!
//! // Grant: the clinic asks, the patient allows one record for a week.
//! clinic.ask(clinics_view, Purpose::Treatment, "second opinion", until).await?;
//! patient.sync().await?;
//! let grant = patient.approve(&patient.requests()?[0], record, until).await?;
//!
//! // Read: receipt first, then four of seven keepers.
//! clinic.sync().await?;
//! let read = clinic.read(record).await?;
//! let mut original = Vec::new();
//! clinic.open_read_part(&read, PartRole::Original, &mut original)?;
//! assert_eq!(original, b"<ClinicalDocument/>");
//!
//! // Audit: the patient sees who.
//! let trail = patient.audit().await?;
//! assert_eq!((trail.len(), trail[0].name.as_str()), (1, "Bit Clinic"));
//!
//! // Revoke: from the next block on nothing is released.
//! patient.revoke(grant).await?;
//! assert!(clinic.read(record).await.is_err());
//! # Ok::<(), medibloc_journey::JourneyError>(()) }).unwrap();
//! ```

mod accept;
mod acts;
mod after;
mod amends;
mod apart;
mod aside;
mod audit;
mod author;
mod authored;
mod authorities;
mod blocks;
mod bounds;
mod called;
mod caught;
pub mod contract;
mod copies;
mod counted;
mod credential;
mod dates;
mod deadline;
mod decline;
mod doors;
mod dropped;
mod elsewhere;
mod ended;
mod erase;
mod errand;
mod error;
mod exports;
mod fair;
mod feed;
mod fetch;
#[cfg(test)]
mod golden;
mod grant;
mod handed;
mod label;
mod labelled;
mod leaving;
mod left;
mod looks;
mod mail;
pub mod memory;
mod missed;
mod moment;
#[cfg(test)]
mod mutated;
mod nodes;
mod notes;
mod outbox;
mod pace;
mod pairing;
mod party;
mod patience;
mod ports;
mod post;
mod proof;
mod reach;
mod read;
mod restore;
mod retract;
mod revoke;
mod rotate;
mod said;
mod secret;
mod serving;
mod set_back;
mod settle;
mod shown;
mod stage;
mod still;
mod subject;
mod sync;
mod times;
mod together;
mod tombstone;
mod twice;
mod unopened;
mod unseen;
mod verify;
mod views;
mod waiting;
mod whose;
mod wider;
mod wipe;
mod write;

pub use accept::{KeptRecord, Standing};
pub use acts::{Act, UnknownAct};
pub use aside::SetAside;
pub use audit::{KeptReceipt, NamedLine, OwnRead};
pub use authored::WrittenView;
pub use authorities::{Authorities, EarlierAuthority};
pub use called::Names;
pub use counted::{counted, counted_as};
pub use credential::Credential;
pub use dates::{BadDates, Dates, Day};
pub use doors::Pairing;
pub use dropped::DroppedConsent;
pub use erase::{ErasedNow, ErasedWritten, Erasure, Exports, Purge, Signed};
pub use error::JourneyError;
pub use exports::ExportedFile;
pub use feed::KeeperFeed;
pub use grant::{
    AllGranted, Artefact, ClosedRequest, EndOfGrant, Extent, GivenAgain, GivenGrant, HeldBack,
    HeldGrant, LostConsents, PendingRequest, Said, WhyClosed, left_out::Limits, medical_only,
};
pub use handed::HandedOn;
pub use labelled::{GivenBefore, Labelled};
pub use left::{Left, Outputs};
pub use mail::{AccessRequest, Message, Question, WhyDeclined};
pub use medibloc_record::{compared, on_one_line};
pub use notes::{KeptAtNode, Note, Noted, NotesAgain};
pub use outbox::LettersAgain;
pub use pace::{Haste, Pace, Planned, Sooner};
pub use pairing::{Contact, ContactCard, Invitation, Patron};
pub use party::{AddressUse, OwnAddress, Party, Watcher};
pub use patience::{Urgency, Urgent};
pub use ports::{
    Change, Clock, FileFate, Keepers, Letter, Mailbox, Network, PortError, Ports, Row, VaultPort,
};
pub use proof::{
    ProofFile, ProofReport, ProvedChain, ProvedGrant, ProvedPurpose, ProvedReader, ProvedReceipt,
    ProvedRotation, ProvenEvent, confirm_proof, verify_proof, verify_proof_with,
};
pub use reach::{Reach, Shares};
pub use read::ReadRecord;
pub use restore::RestoreReport;
pub use revoke::StillGiven;
pub use said::{Corrected, Correction, Corrections, OnChain, SaidOf, TakenBack, WithoutCorrection};
pub use set_back::{Accepted, AsOf, Says, Witness};
pub use still::StillStanding;
pub use subject::{Named, Subject, Unread};
pub use sync::{NotTaken, SyncReport};
pub use times::{Came, ConsentTimes, InBlock};
pub use tombstone::{CANNOT_BE_UNDONE, ErasedView, FormerReader};
pub use unseen::Unseen;
pub use verify::{CheckLine, ExportedPart, ExportedRecord, VerifyReport};
pub use views::{
    ContactView, GrantState, GrantView, InvitationView, JobView, PartView, RecordView, RequestView,
    StatusView,
};
pub use waiting::Lacks;
pub use write::{Before, SentRecord, WriteOptions, Written};
