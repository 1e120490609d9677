//! Whose credentials count: the authority of today, and those before it for what they signed in their time. A hand-over of the
//! accreditor's role ends nothing that was true before it.

use medibloc_record::{Address, Timestamp};

/// The addresses that sign credentials, as the deployment file names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// The one of today.
    pub now: Address,
    /// Those of before.
    pub earlier: Vec<EarlierAuthority>,
}

/// An authority that handed its role on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierAuthority {
    /// Its address.
    pub address: Address,
    /// First second in which it was none any more: credentials that begin then or later do not count.
    pub until: Timestamp,
}

impl From<Address> for Authorities {
    fn from(now: Address) -> Self {
        Self {
            now,
            earlier: Vec::new(),
        }
    }
}

impl Authorities {
    /// Whether a credential of this signer that begins then counts.
    pub(crate) fn vouches(&self, signer: Address, from: Timestamp) -> bool {
        let mut earlier = self.earlier.iter();
        signer == self.now || earlier.any(|it| it.address == signer && from < it.until)
    }

    /// What a person is told of an authority that signed.
    pub(crate) fn name(&self, signer: Address) -> String {
        if signer == self.now {
            format!("the authority {signer}")
        } else {
            format!("{signer}, the authority of that time,")
        }
    }
}
