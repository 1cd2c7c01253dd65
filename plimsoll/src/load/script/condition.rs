//! Whether conditions hold.

use super::expression;
use super::run::Shared;
use super::template;
use super::user::User;
use crate::config::bench::model::Condition;

/// Whether a condition holds for a user now.
pub(super) fn holds(
    condition: &Condition,
    user: &mut User,
    shared: &Shared,
) -> Result<bool, String> {
    Ok(match condition {
        Condition::True(text) => {
            template::text(text, user, shared)?.trim().eq_ignore_ascii_case("true")
        }
        Condition::Compare(left, comparison, right) => {
            let left = template::text(left, user, shared)?;
            let right = template::text(right, user, shared)?;
            expression::compare(&left, *comparison, &right)
        }
        Condition::Matches(text, pattern) => {
            let text = template::text(text, user, shared)?;
            shared.matches_whole(pattern, &text)
        }
        Condition::All(of) => {
            for one in of {
                if !holds(one, user, shared)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Any(of) => {
            for one in of {
                if holds(one, user, shared)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Not(one) => !holds(one, user, shared)?,
        Condition::LastSucceeded => user.last_succeeded,
    })
}
