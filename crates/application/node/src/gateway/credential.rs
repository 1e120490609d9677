//! Handing out credentials: the authority keeps them here, and each account gets its own.

use std::io::{self, Read as _};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use medibloc_api::Code;

use crate::credential::credential_path;
use crate::fault::Fault;
use crate::gateway::Parts;

/// Largest credential.
const LARGEST: u64 = 16 * 1024;

pub(super) async fn own(State(on): State<Arc<Parts>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let missing = || Fault::not_found("credential");
    let folder = on.config.folder.as_deref().ok_or_else(missing)?;
    let path = credential_path(folder, admitted.account);
    let kept = tokio::task::spawn_blocking(move || -> io::Result<String> {
        let mut jwt = String::new();
        std::fs::File::open(path)?
            .take(LARGEST)
            .read_to_string(&mut jwt)?;
        Ok(jwt)
    })
    .await;
    match kept {
        Ok(Ok(jwt)) => Ok(([(CONTENT_TYPE, "application/jwt")], jwt).into_response()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn core::fmt::Display) -> Fault {
    tracing::error!(%error, "a credential");
    Fault::new(Code::Internal, "a kept credential cannot be read")
}
