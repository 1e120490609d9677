//! What travels over HTTP: headers, problems, deployments, batches, letters.

use medibloc_api::{
    Authorization, Deployment, KeepNote, Letter, LetterPage, NotePage, Problem, PutBlocks,
    RelayCall, RelayOutcome,
};

/// Headers and bodies of requests and answers.
pub fn wire(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(header) = text.parse::<Authorization>()
    {
        assert_eq!(
            header.to_string().parse::<Authorization>().ok(),
            Some(header)
        );
    }
    if let Some(problem) = Problem::parse(data) {
        assert!(Problem::parse(&problem.to_json()).is_some());
    }
    if let Ok(deployment) = Deployment::parse(data) {
        Deployment::parse(&deployment.to_json()).expect("its own form");
    }
    crate::object::<PutBlocks>(data);
    crate::object::<Letter>(data);
    crate::object::<LetterPage>(data);
    crate::object::<KeepNote>(data);
    crate::object::<NotePage>(data);
    crate::object::<RelayCall>(data);
    crate::object::<RelayOutcome>(data);
}
