//! A mailbox at any node.

use async_trait::async_trait;
use medibloc_api::{Code, KeepNote, LetterPage, LettersDone, Note, NotePage, limits, paths};
use medibloc_journey::{Letter, Mailbox, PortError};
use medibloc_record::Digest;
use reqwest::Method;

use crate::peer::{Failure, Peer, Repeat};

/// Pages that one fetch follows; a node that always has more does not keep it for ever.
const PAGES: usize = 64;

pub(crate) struct HttpMailbox(pub(crate) Peer);

impl HttpMailbox {
    fn error(&self, failure: Failure) -> PortError {
        self.0
            .port_error(&format!("the mailbox at {}", self.0.url()), failure)
    }
}

#[async_trait]
impl Mailbox for HttpMailbox {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        self.0
            .post(paths::MAILBOX, &to_wire(letter), Repeat::Safe)
            .await
            .map(drop)
            .map_err(|failure| self.error(failure))
    }

    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        let mut letters = Vec::new();
        let (mut after, mut bytes) = (0, 0_usize);
        for _ in 0..PAGES {
            let page: LetterPage = self
                .0
                .get_object(&paths::letters(after))
                .await
                .map_err(|failure| self.error(failure))?;
            if page.letters.len() > limits::LETTERS {
                let why = format!("a page of {} letters", page.letters.len());
                return Err(self.error(Failure::Corrupt(why.into())));
            }
            for letter in page.letters {
                bytes = letter.wrapped.ciphertext.len().saturating_add(bytes);
                if bytes > limits::MAILBOX {
                    // More than a mailbox holds: what is here is dealt with first.
                    return Ok(letters);
                }
                letters.push(from_wire(letter));
            }
            match page.next {
                Some(next) if next > after => after = next,
                _ => break,
            }
        }
        Ok(letters)
    }

    async fn done_all(&self, ids: &[[u8; 32]]) -> Result<(), PortError> {
        for ids in ids.chunks(limits::DONE) {
            let body = LettersDone::of_ids(ids);
            self.0
                .post(paths::LETTERS_DONE, &body, Repeat::Safe)
                .await
                .map_err(|failure| self.error(failure))?;
        }
        Ok(())
    }

    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        let target = paths::letter(&id);
        match self
            .0
            .send(Method::DELETE, &target, Vec::new(), Repeat::Safe)
            .await
        {
            Ok(_) => Ok(()),
            Err(Failure::Problem(problem)) if problem.code == Code::NotFound => Ok(()),
            Err(failure) => Err(self.error(failure)),
        }
    }

    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        let (mut notes, mut from) = (Vec::new(), 0);
        for _ in 0..limits::PLACES {
            let page: NotePage = self
                .0
                .get_object(&paths::notes(from))
                .await
                .map_err(|failure| self.error(failure))?;
            if page.version != 1 || page.notes.len() > limits::PLACES.into() {
                let why = "a page of notes that is none of version 1";
                return Err(self.error(Failure::Corrupt(why.into())));
            }
            for kept in page.notes {
                notes.push(note(kept).map_err(|failure| self.error(failure))?);
            }
            match page.next {
                Some(next) if next > from => from = next,
                _ => break,
            }
        }
        Ok(notes)
    }

    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        let body = KeepNote::new(place, follows.map(|digest| *digest.as_bytes()), sealed);
        self.0
            .ask(paths::NOTES, &body, Repeat::Safe)
            .await
            .map_err(|failure| self.error(failure))
    }
}

/// Notes as a node gives them: within the bounds of what was put there.
fn note(note: Note) -> Result<(u8, Vec<u8>), Failure> {
    if note.place >= limits::PLACES || !limits::NOTES.contains(&note.sealed.len()) {
        return Err(Failure::Corrupt("a note of no known place or size".into()));
    }
    Ok((note.place, note.sealed))
}

fn to_wire(letter: &Letter) -> medibloc_api::Letter {
    medibloc_api::Letter {
        version: letter.version,
        sender: letter.sender,
        recipient: letter.recipient,
        id: letter.id,
        wrapped: letter.wrapped.clone(),
        tag: letter.tag,
    }
}

fn from_wire(letter: medibloc_api::Letter) -> Letter {
    Letter {
        version: letter.version,
        sender: letter.sender,
        recipient: letter.recipient,
        id: letter.id,
        wrapped: letter.wrapped,
        tag: letter.tag,
    }
}
