//! Whether a keeper can do its work.

use medibloc_api::Code;

use super::Shell;
use crate::chain::soon;
use crate::fault::Fault;
use crate::readiness::{Part, Readiness, of_both, told, url};

impl Shell {
    /// The chain answers, and its committee has this keeper with these keys; what is not well though it serves.
    pub(crate) async fn readiness(&self) -> Readiness {
        let found = self.look().await;
        self.board.note(&found, &self.follower);
        found
    }

    /// The same in words, for the operator.
    pub(crate) async fn told_ready(&self) -> Result<String, Fault> {
        told(&self.readiness().await, &self.follower)
    }

    async fn look(&self) -> Readiness {
        let look = async {
            if !self.follower.has_just_looked() {
                self.refresh().await?;
            }
            match self.known_as().await? {
                // A rotation stands in the key file before it is on the chain, and that is looked at now and then.
                None => {
                    // What is wrong with the file the log hears elsewhere: here strangers would fill it.
                    let _ = self.mind_keys().await?;
                    self.known_as().await
                }
                known_as => Ok(known_as),
            }
        };
        let looked = soon(look).await.and_then(|looked| looked);
        let folder = self.folder.as_deref();
        let mut found = Readiness {
            degraded: of_both(&self.follower, &self.clock, folder, self.little_room),
            ..Readiness::default()
        };
        match looked {
            Ok(Some(known_as)) => {
                // A chain in memory has none.
                let known_as = Some(known_as).filter(|it| !it.is_empty());
                let url = url(self.guard.node(), known_as.as_slice());
                found.degraded.extend(url);
            }
            Ok(None) => {
                found.unseen.push(Part::Url);
                found.faults.push(Fault::new(
                    Code::Unavailable,
                    "the chain's committee does not have this keeper with these keys: another has its place, or its wrap key was rotated and its key file is an older one: \
                     put the newest there, it is read again",
                ));
            }
            Err(fault) => {
                found.unseen.push(Part::Url);
                found.faults.push(fault);
            }
        }
        found
    }
}
