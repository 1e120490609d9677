//! Handing an account on to the phrase's next signing key (design 02, 03): whoever stole the one before acts for nobody from that
//! block on. Account, records and consents stay where they are. The phrase makes all of these keys: who has it has them too.

use medibloc_ledger::Call;
use medibloc_record::{AccountId, Address};

use crate::errand::{Errand, Luggage, errand_key};
use crate::outbox::Outgoing;
use crate::party::{ACCOUNT_SIGNER, change, table};
use crate::ports::Change;
use crate::{JourneyError, OwnAddress, Party};

/// For how long the next key's consent holds, in seconds: a relay that is away for a while does not make it worthless.
const CONSENT: u64 = 30 * 86_400;
/// Signing keys looked at beyond the known one.
const AHEAD: u32 = 20;

/// What a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOn {
    /// The address that signs for the account from now on.
    pub signer: Address,
    /// Version of its key.
    pub version: u32,
    /// Letters that the key before had signed, that had not left, and that nobody takes any more.
    pub letters_lost: usize,
}

impl Party {
    /// Hands an own address, or the account, on to its next signing key. Gives it when that is final. Letters that wait are sent
    /// before, as far as they can be.
    ///
    /// # Errors
    /// If the address is not registered, or nobody carries the call: it is kept then, and `sync` goes on with it.
    pub async fn rotate_signing_key(&self, id: AccountId) -> Result<HandedOn, JourneyError> {
        self.ports.vault.free_reserve();
        let own = self.own_address(id)?;
        // Another device may have done it: the next key is the one after that.
        self.follow_signer(&own).await?;
        let own = self.own_address(id)?;
        let version = own.signing_version + 1;
        let key = errand_key("hand on", &[id.as_bytes(), &version.to_be_bytes()]);
        // Whoever recipients are: what is told now is from a key that counts.
        self.resume_letters(&mut Vec::new()).await?;
        let letters_lost = self.letters_of(&own)?;
        if self.errand(&key)?.is_some() {
            self.finish(&key).await?;
        } else {
            let next = self.key_at(own.slot(), version);
            let (address, deadline) = (next.address(), self.deadline_after(CONSENT).await?);
            let submit = &self.ports.submit;
            let digest = submit.rotation_digest(id, address, deadline).await?;
            let call = Call::RotateAddress {
                next: address,
                deadline,
                consent: next.sign_digest(&digest),
            };
            let what = format!("signing key {version} of {}", own.address);
            self.begin(key, what, id, call, Luggage::default()).await?;
        }
        let own = self.own_address(id)?;
        Ok(HandedOn {
            signer: self.signing_address(&own),
            version: own.signing_version,
            letters_lost,
        })
    }

    /// Letters of an own address that have not left, those of errands among them.
    fn letters_of(&self, own: &OwnAddress) -> Result<usize, JourneyError> {
        let waiting: Vec<Outgoing> = self.rows(table::LETTERS)?;
        let waiting = waiting
            .iter()
            .filter(|it| it.from == own.id() && it.sent.is_none() && it.question.is_none());
        let errands = self.errands()?;
        let errands = errands.iter().filter(|errand| errand.own == own.id());
        Ok(waiting.count() + errands.map(Errand::letters).sum::<usize>())
    }

    /// Rows that change when another of the phrase's keys signs for an own address; none if it is not the phrase's.
    pub(crate) fn handed_on(
        &self,
        id: AccountId,
        to: Address,
    ) -> Result<Vec<Change>, JourneyError> {
        let own = self.own_address(id)?;
        let Some(version) = self.version_of(&own, to) else {
            return Ok(Vec::new());
        };
        // A chain that is read again tells of earlier ones, too.
        if version <= own.signing_version {
            return Ok(Vec::new());
        }
        let own = OwnAddress {
            signing_version: version,
            ..own
        };
        let mut rows = vec![match own.index {
            Some(_) => change(table::ADDRESSES, own.address.as_bytes(), &own),
            None => change(table::CURSOR, ACCOUNT_SIGNER, &version),
        }];
        for errand in self.errands()? {
            let rotates = matches!(errand.call, Call::RotateAddress { .. });
            if errand.own == id && !rotates {
                let key = errand.key;
                rows.push(change(table::ERRANDS, &key, &errand.unsigned()));
            }
        }
        for (key, letter) in self.keyed_rows::<Outgoing>(table::LETTERS)? {
            // A request that waits is asked anew.
            if letter.from == id && letter.letter.sender != to && letter.question.is_none() {
                rows.push(Change::Delete {
                    table: table::LETTERS,
                    key,
                });
            }
        }
        Ok(rows)
    }

    /// Which of the phrase's keys signs for an own address, as the last final block has it: keeps it, and says whether it is
    /// another than was known.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub(crate) async fn follow_signer(&self, own: &OwnAddress) -> Result<bool, JourneyError> {
        let Some(facts) = self.ports.facts.account(own.id()).await? else {
            return Ok(false);
        };
        let rows = self.handed_on(own.id(), facts.signer)?;
        let is_moved = !rows.is_empty();
        self.ports.vault.apply(rows)?;
        Ok(is_moved)
    }

    /// An own address with the key that signs for it now, whichever device of the phrase handed it on: what is signed with a
    /// key of before is worth nothing to others.
    ///
    /// # Errors
    /// [`JourneyError::HandedAway`] if no key of this phrase signs for it any more; if the chain does not answer.
    pub(crate) async fn signed_for_now(&self, id: AccountId) -> Result<OwnAddress, JourneyError> {
        let own = self.own_address(id)?;
        // One that is not registered is signed for by its first key.
        let Some(facts) = self.ports.facts.account(id).await? else {
            return Ok(own);
        };
        if self.version_of(&own, facts.signer).is_none() {
            return Err(JourneyError::HandedAway {
                account: id,
                to: facts.signer,
            });
        }
        self.ports.vault.apply(self.handed_on(id, facts.signer)?)?;
        self.own_address(id)
    }

    /// Takes in that another of the phrase's keys signs for an own address.
    pub(crate) fn take_rotated(
        &self,
        own: &mut OwnAddress,
        to: Address,
    ) -> Result<(), JourneyError> {
        self.ports.vault.apply(self.handed_on(own.id(), to)?)?;
        *own = self.own_address(own.id())?;
        Ok(())
    }

    /// What the person must know if no key of this phrase signs for an own address any more.
    pub(crate) fn check_rotated(
        &self,
        own: &OwnAddress,
        to: Address,
    ) -> Result<Option<String>, JourneyError> {
        if self.version_of(own, to).is_some() {
            return Ok(None);
        }
        let alarm = format!(
            "{} was handed on to {to}, which is no key of this phrase: somebody had its signing key and acts for it now. What it gave \
             stays given. Tell your contacts over another way, and pair with them anew",
            own.address
        );
        let key = [own.address.as_bytes().as_slice(), to.as_bytes()].concat();
        self.put(table::ALARMS, &key, &alarm)?;
        Ok(Some(alarm))
    }

    fn version_of(&self, own: &OwnAddress, signer: Address) -> Option<u32> {
        let last = own.signing_version.saturating_add(AHEAD);
        (1..=last).find(|version| self.key_at(own.slot(), *version).address() == signer)
    }
}
