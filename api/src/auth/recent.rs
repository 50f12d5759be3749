//! Credentials that were right a moment ago, so that not every request pays for argon2.
//!
//! What is kept is a tag: a keyed hash of name and password under a key that exists only in this process. It is
//! argon2 itself with the least memory it takes (a few microseconds), so that no second hash function is needed.
//! At most [`TAGS_MAX`] tags are kept, the oldest go first. Wrong credentials leave no trace.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use uuid::Uuid;

use crate::error::ApiError;

const TAGS_MAX: usize = 64;
const TAG_BYTES: usize = 32;
/// What separates name from password. Names hold no colon.
const SEPARATOR: char = ':';

pub(super) type Tag = [u8; TAG_BYTES];

pub(super) struct Recent {
    params: Params,
    key: [u8; 32],
    tags: Mutex<VecDeque<Tag>>,
}

impl Recent {
    pub(super) fn new() -> Result<Self, ApiError> {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        let params = Params::new(Params::MIN_M_COST, 1, 1, Some(TAG_BYTES));
        let params = params.map_err(|e| ApiError::Random(e.to_string()))?;
        Ok(Self { params, key, tags: Mutex::default() })
    }

    /// The tag of a pair; `None` for one that is too long to be hashed, which is then never kept.
    pub(super) fn tag(&self, name: &str, password: &str) -> Option<Tag> {
        let keyed =
            Argon2::new_with_secret(&self.key, Algorithm::Argon2id, Version::V0x13, self.params.clone())
                .ok()?;
        let mut tag = [0; TAG_BYTES];
        let pair = format!("{name}{SEPARATOR}{password}");
        keyed.hash_password_into(pair.as_bytes(), b"recent credentials", &mut tag).ok()?;
        Some(tag)
    }

    /// Looks at every tag, whatever it finds: the time taken tells nothing.
    pub(super) fn contains(&self, tag: &Tag) -> bool {
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        tags.iter().fold(false, |found, known| found | equal(known, tag))
    }

    pub(super) fn insert(&self, tag: Tag) {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        if tags.len() == TAGS_MAX {
            tags.pop_front();
        }
        tags.push_back(tag);
    }
}

fn equal(a: &Tag, b: &Tag) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_only_for_the_pair_and_the_process() {
        let recent = Recent::new().unwrap();
        recent.insert(recent.tag("a", "b").unwrap());
        assert!(recent.contains(&recent.tag("a", "b").unwrap()));
        assert!(!recent.contains(&recent.tag("a", "c").unwrap()));
        assert!(!recent.contains(&recent.tag("a:b", "").unwrap()));
        assert!(!recent.contains(&Recent::new().unwrap().tag("a", "b").unwrap()));
    }

    #[test]
    fn the_oldest_tags_go_first() {
        let recent = Recent::new().unwrap();
        for i in 0..=TAGS_MAX {
            recent.insert(recent.tag("user", &i.to_string()).unwrap());
        }
        assert!(!recent.contains(&recent.tag("user", "0").unwrap()));
        assert!(recent.contains(&recent.tag("user", "1").unwrap()));
        assert_eq!(recent.tags.lock().unwrap().len(), TAGS_MAX);
    }
}
