//! Passwords: argon2id hashes in the PHC string format. The empty password is nobody's.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use uuid::Uuid;

use crate::error::ApiError;

/// Hashes a password for the configuration. Takes tens of milliseconds, on purpose.
pub fn hash_password(password: &str) -> Result<String, ApiError> {
    if password.is_empty() {
        return Err(ApiError::BadPassword("is empty".to_owned()));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|e| ApiError::BadPassword(e.to_string()))
}

/// A user's password as it is kept.
#[derive(Debug)]
pub(super) struct StoredPassword(PasswordHash);

impl StoredPassword {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let hash =
            PasswordHash::new(text).map_err(|e| format!("the password hash is not a PHC string: {e}"))?;
        if !hash.algorithm.as_str().starts_with("argon2") {
            return Err(format!("the password hash is of {}, not of argon2", hash.algorithm.as_str()));
        }
        let stored = Self(hash);
        if stored.matches("") {
            return Err("the password hash is of the empty password".to_owned());
        }
        Ok(stored)
    }

    /// A password that nobody has.
    pub(super) fn unknowable() -> Result<Self, ApiError> {
        let hash = Argon2::default().hash_password(Uuid::new_v4().as_bytes());
        hash.map(Self).map_err(|e| ApiError::BadPassword(e.to_string()))
    }

    /// Whether `password` is the one that was hashed. The comparison takes the same time wherever they differ.
    pub(super) fn matches(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

/// A hash that costs little, for tests.
#[cfg(test)]
pub(super) fn quick_hash(password: &str) -> String {
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let quick = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    quick.hash_password(password.as_bytes()).unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_only() {
        let hash = hash_password("pass word ü").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let stored = StoredPassword::parse(&hash).unwrap();
        assert!(stored.matches("pass word ü") && !stored.matches("pass word u") && !stored.matches(""));
    }

    #[test]
    fn the_empty_password_cannot_be_hashed() {
        assert!(hash_password("").is_err());
    }
}
