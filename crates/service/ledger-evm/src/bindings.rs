//! The contracts' ABI and bytecode as `contracts/abi` has them, one module each: their structs share names.

#![allow(
    missing_docs,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    clippy::nursery,
    reason = "generated"
)]

pub(crate) mod accounts {
    alloy::sol!(
        #[derive(Debug)]
        Accounts,
        "../../../contracts/abi/Accounts.json"
    );
}
pub(crate) mod authority {
    alloy::sol!(
        #[derive(Debug)]
        Authority,
        "../../../contracts/abi/Authority.json"
    );
}
pub(crate) mod consent {
    alloy::sol!(
        #[derive(Debug)]
        Consent,
        "../../../contracts/abi/Consent.json"
    );
}
pub(crate) mod forwarder {
    alloy::sol!(
        #[derive(Debug)]
        Forwarder,
        "../../../contracts/abi/Forwarder.json"
    );
}
pub(crate) mod keepers {
    alloy::sol!(
        #[derive(Debug)]
        Keepers,
        "../../../contracts/abi/Keepers.json"
    );
}
pub(crate) mod receipts {
    alloy::sol!(
        #[derive(Debug)]
        Receipts,
        "../../../contracts/abi/Receipts.json"
    );
}
pub(crate) mod records {
    alloy::sol!(
        #[derive(Debug)]
        Records,
        "../../../contracts/abi/Records.json"
    );
}
