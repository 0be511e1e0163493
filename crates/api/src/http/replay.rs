//! Answers given before, for requests that are sent again.

use std::collections::HashMap;
use std::collections::VecDeque;

use vpc_model::resource::{AccountId, Region};

use crate::wire::Timestamp;
use crate::{ApiError, Caller, Request};

/// How long an answer is kept.
const LIFETIME_MS: i64 = 24 * 3_600 * 1_000;
/// How many answers are kept.
const MOST: usize = 10_000;

/// Answers by the `ClientToken` of their requests.
#[derive(Debug, Default)]
pub(super) struct Replays {
    answers: HashMap<Token, Answer, foldhash::fast::FixedState>,
    order: VecDeque<(Timestamp, Token)>,
}

/// What makes a request the same as an earlier one's repetition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token {
    account: AccountId,
    region: Region,
    action: &'static str,
    text: String,
}

#[derive(Debug)]
struct Answer {
    parameters: Vec<(String, String)>,
    body: String,
}

impl Token {
    /// The token of a request that has one.
    pub(super) fn of(caller: &Caller, request: &Request) -> Option<Self> {
        let takes = request.operation.takes(request.service, "ClientToken");
        let text = if takes { request.input.text("ClientToken") } else { None };
        text.filter(|text| !text.is_empty()).map(|text| Self {
            account: caller.account,
            region: caller.region.clone(),
            action: request.operation.name,
            text: text.to_owned(),
        })
    }
}

impl Replays {
    /// The answer to the same request; an error if the token was another request's.
    pub(super) fn find(&self, token: &Token, parameters: &[(String, String)]) -> Result<Option<&str>, ApiError> {
        match self.answers.get(token) {
            None => Ok(None),
            Some(answer) if answer.parameters == sorted(parameters) => Ok(Some(&answer.body)),
            Some(_) => {
                let message = format!("The client token '{}' was used before with other parameters", token.text);
                Err(ApiError::new("IdempotentParameterMismatch", message))
            }
        }
    }

    /// Keeps an answer, and forgets those that are too old or too many.
    pub(super) fn keep(&mut self, token: Token, parameters: &[(String, String)], body: String, now: Timestamp) {
        let old = |front: &(Timestamp, Token)| now.0 - front.0.0 > LIFETIME_MS;
        while self.order.len() >= MOST || self.order.front().is_some_and(old) {
            if let Some((_, token)) = self.order.pop_front() {
                self.answers.remove(&token);
            }
        }
        self.order.push_back((now, token.clone()));
        self.answers.insert(token, Answer { parameters: sorted(parameters), body });
    }
}

fn sorted(parameters: &[(String, String)]) -> Vec<(String, String)> {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    sorted
}
