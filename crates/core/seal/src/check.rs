//! Every check of design 02 before a record is accepted or shown. Each failure has its own words.

use medibloc_keys::{Dealing, recover};
use medibloc_record::{
    AccountId, Address, ClassId, Committee, KeySet, Kind, Manifest, Package, RecordId, Sealed,
    SignedAttestation, TypedDomain,
};
use subtle::ConstantTimeEq;

use crate::manifest::open_manifest;
use crate::{CapsuleContent, MasterKey, OwnerHalf, SealError};

/// What final chain state says of a record.
#[derive(Clone, Copy, Debug)]
pub struct Expectations {
    /// The record.
    pub record: RecordId,
    /// Who wrote it.
    pub author: AccountId,
    /// The address that acts for the author.
    pub author_address: Address,
    /// Whose it is.
    pub owner: AccountId,
    /// Kind.
    pub kind: Kind,
    /// Class.
    pub class: ClassId,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
}

const fn ensure(holds: bool, otherwise: &'static str) -> Result<(), SealError> {
    if holds {
        Ok(())
    } else {
        Err(SealError::Check(otherwise))
    }
}

/// All checks before `accept`: with s the owner recomputes everything. Gives the manifest.
///
/// # Errors
/// The first check that fails.
pub fn check_for_owner(
    sealed: &Sealed,
    attestation: &SignedAttestation,
    content: &CapsuleContent,
    committee: Committee,
    expected: &Expectations,
    domain: &TypedDomain,
) -> Result<Manifest, SealError> {
    let key_set = sealed.key_set();
    ensure(
        sealed.record() == expected.record,
        "the package is another record's",
    )?;
    ensure(
        key_set.committee == committee,
        "the key set names another committee than the chain",
    )?;
    let dealing = Dealing::from_seed(&content.dealer_seed, expected.record, committee.threshold);
    let recomputed = dealing.commitments();
    ensure(
        recomputed.len() == key_set.commitments.len()
            && recomputed
                .iter()
                .zip(&key_set.commitments)
                .all(|(own, given)| own[..] == given[..]),
        "the commitments do not follow from the capsule's seed",
    )?;
    let master =
        MasterKey::from_halves(expected.record, &content.owner_half, &dealing.keeper_half());
    let view = ReaderView {
        package: sealed.package(),
        package_digest: sealed.package_digest(),
        key_set,
        attestation,
        owner_half: &content.owner_half,
    };
    check_for_reader(&view, &master, expected, domain)
}

/// What a reader holds when the keepers have answered.
#[derive(Clone, Copy, Debug)]
pub struct ReaderView<'a> {
    /// The package.
    pub package: &'a Package,
    /// Its digest.
    pub package_digest: medibloc_record::Digest,
    /// The key set.
    pub key_set: &'a KeySet,
    /// The attestation.
    pub attestation: &'a SignedAttestation,
    /// k_o, from the grant.
    pub owner_half: &'a OwnerHalf,
}

/// All checks of a reader: H(k_o), key commitment, attestation, partsRoot, so that two people can never be shown two
/// records under one id. Gives the manifest.
///
/// # Errors
/// The first check that fails.
pub fn check_for_reader(
    view: &ReaderView<'_>,
    master: &MasterKey,
    expected: &Expectations,
    domain: &TypedDomain,
) -> Result<Manifest, SealError> {
    let hash = KeySet::owner_half_hash(expected.record, view.owner_half.expose());
    ensure(
        bool::from(hash[..].ct_eq(&view.key_set.owner_half[..])),
        "the owner's half is not the one of the key set",
    )?;
    ensure(
        view.package.record == expected.record,
        "the package is another record's",
    )?;
    let manifest = open_manifest(view.package, master)?;
    let signed = view.attestation;
    let said = &signed.attestation;
    ensure(
        recover(&signed.signed_digest(domain), &signed.signature)? == expected.author_address
            && signed.author == expected.author,
        "the attestation is not signed by the author that the anchor names",
    )?;
    ensure(
        said.record == expected.record,
        "the attestation is another record's",
    )?;
    ensure(
        said.owner == expected.owner,
        "the attestation names another owner",
    )?;
    ensure(
        said.package == view.package_digest,
        "the attestation is for another package",
    )?;
    let (kind, class, amends) = (expected.kind, expected.class, expected.amends);
    ensure(
        said.kind == kind && manifest.kind == kind,
        "kind is not the anchor's",
    )?;
    ensure(
        said.class == class && manifest.class == class,
        "class is not the anchor's",
    )?;
    ensure(
        said.amends == amends && manifest.amends == amends,
        "the amended record is not the anchor's",
    )?;
    ensure(
        manifest.author == expected.author,
        "the manifest names another author",
    )?;
    ensure(
        manifest.times.authored_at == said.authored_at,
        "manifest and attestation name different times",
    )?;
    ensure(
        manifest.parts_root() == said.parts_root,
        "the parts are not the attested ones",
    )?;
    Ok(manifest)
}
