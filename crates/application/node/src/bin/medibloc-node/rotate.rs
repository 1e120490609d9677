//! A keeper's next wrap key: first in its file, then on the chain, then the end of the one before. Broken off at any
//! instant, it is simply run again.

use anyhow::{Context as _, bail};
use medibloc_ledger::Facts as _;
use medibloc_ledger_evm::AuthorityWallet;
use medibloc_node::{KeeperKeys, OsEntropy, system_clock};
use medibloc_record::Timestamp;

use crate::config::Config;
use crate::reaching::Reaching;
use crate::{Settings, say};

pub(crate) async fn run(settings: &Settings, reaching: &Reaching) -> anyhow::Result<()> {
    let config = Config::load(settings)?;
    let section = config
        .keeper
        .clone()
        .context("the configuration has no section [keeper]")?;
    let file = section.keys;
    let mut keys = KeeperKeys::read(&file)?;
    let reaching = reaching.clone().with(&config);
    let ledger = reaching.connect(&config.deployment()?).await??;
    let committee = ledger.committee().await?;
    let index = keys.index();
    let known = committee.keepers.iter().find(|it| it.index == index);
    let known = known.with_context(|| format!("the committee has no keeper {index}"))?;
    if known.signer != keys.signer() {
        bail!(
            "keeper {index} on the chain has another signer than {}",
            file.display()
        );
    }
    let wallet = AuthorityWallet::new(&ledger, keys.wallet());
    let signer = keys.signer();
    let pay = || {
        format!(
            "nothing was changed: give the keeper's signer {signer} coins, as with `medibloc-node chain fund --to {signer}`, and \
             run this again"
        )
    };
    // Any key but the one on the chain costs the same.
    wallet
        .can_rotate_wrap_key(index, known.wrap_key.key.map(|byte| byte ^ 1))
        .await
        .with_context(pay)?;
    if known.wrap_key == keys.wrap_key() {
        keys = KeeperKeys::change(&file, |keys| keys.rotated(&mut OsEntropy))?;
    }
    let next = keys.wrap_key();
    if next.version != known.wrap_key.version + 1 {
        bail!(
            "{} has version {} of the wrap key, the chain {}; restore the newest key file",
            file.display(),
            next.version,
            known.wrap_key.version
        );
    }
    let outcome = wallet.rotate_wrap_key(index, next.key).await.context(
        "the chain did not take the new key, which the key file has; run this again, it goes on",
    )?;
    // A clock that is behind must not end the key before early.
    let seen = ledger.head().await.map_or(Timestamp(0), |head| head.time);
    KeeperKeys::change(&file, |keys| keys.retire(system_clock()().max(seen)))?;
    say(&serde_json::json!({
        "keeper": index, "version": next.version, "key": hex::encode(next.key), "block": outcome.block,
    }));
    Ok(())
}
