//! A relay that drops, doubles, delays, reorders and alters calls, and says that something happened which did not.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use medibloc_ledger::{LedgerError, Outcome, Refusal, Relay, SignedCall};

/// What it does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Sends it.
    Sends,
    /// Loses it.
    Drops,
    /// Sends it and loses the answer.
    Swallows,
    /// Sends it twice.
    Doubles,
    /// Holds it back, to be sent later and in another order.
    Holds,
    /// Changes a byte of it.
    Alters,
    /// Says that it is in a block, and does not send it.
    Lies,
    /// Says that the contracts refuse it, and does not send it.
    Refuses,
}

/// A relay between an agent and an honest one.
pub struct Crooked {
    inner: Arc<dyn Relay>,
    does: Mutex<Does>,
    held: Mutex<Vec<SignedCall>>,
}

impl core::fmt::Debug for Crooked {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Crooked")
    }
}

impl Crooked {
    /// Before an honest relay.
    pub fn before(inner: Arc<dyn Relay>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            does: Mutex::new(Does::Sends),
            held: Mutex::default(),
        })
    }

    /// From now on it does this.
    pub fn set(&self, does: Does) {
        *self.does.lock().unwrap_or_else(PoisonError::into_inner) = does;
    }

    /// Sends what it holds back, the last first; gives how many were executed.
    pub async fn send_held(&self) -> usize {
        let held = core::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        let mut executed = 0;
        for call in held.iter().rev() {
            executed += usize::from(self.inner.relay(call).await.is_ok());
        }
        executed
    }
}

#[async_trait]
impl Relay for Crooked {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        let silent = || LedgerError::Unreachable {
            from: "the relay".into(),
            why: "no answer".into(),
        };
        let does = *self.does.lock().unwrap_or_else(PoisonError::into_inner);
        match does {
            Does::Sends => self.inner.relay(call).await,
            Does::Drops => Err(silent()),
            Does::Swallows => {
                self.inner.relay(call).await?;
                Err(silent())
            }
            Does::Doubles => {
                self.inner.relay(call).await?;
                self.inner.relay(call).await
            }
            Does::Holds => {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.push(call.clone());
                Err(silent())
            }
            Does::Alters => {
                let mut call = call.clone();
                if let Some(byte) = call.bytes.last_mut() {
                    *byte ^= 1;
                }
                self.inner.relay(&call).await
            }
            Does::Refuses => Err(LedgerError::Refused(Refusal::NotRegistered)),
            Does::Lies => Ok(Outcome {
                block: 1,
                transaction: [0xee; 32],
            }),
        }
    }
}
