//! Answers that come from elsewhere: to a flow that was handed out, or whose process has ended before it came.

use super::in_flight::InFlight;
use crate::custody::writer::{Custody, unknown};
use crate::error::{Error, HandoffError, ProviderError, Result, UnsealError, VaultError, shell};
use crate::model::authorization::{ask_again_command, hand_out_again};
use crate::model::flow::{Flow, FlowOwner, FlowStage};
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;
use crate::model::secret::{Secret, fingerprint};
use crate::oauth::{self, Endpoints, FlowSecrets, PastedCandidates, ReturnedAddress, is_from_issuer};
use crate::vault::Envelope;

/// A flow, found by its answer.
#[derive(Debug)]
pub enum FoundFlow {
    Waiting(Box<Flow>),
    /// The answer came before, to a process that has ended since: what it left is recovered first.
    Left(Box<Flow>),
}

impl Custody<'_> {
    /// The flow that an answer belongs to: by its state, at its redirect address, in time, and nobody's at work.
    /// Nothing is changed by looking.
    pub fn find(&mut self, returned: &ReturnedAddress) -> Result<FoundFlow> {
        let Some((flow, state)) = self.flow_of_answer(returned)? else {
            return Err(self.unknown_answer_error(returned)?);
        };
        let license = flow.key.license.to_string();
        if flow.profile != self.provider.profile {
            let (theirs, ours) = (flow.profile, self.provider.profile.clone());
            return Err(HandoffError::OtherProfile { license, theirs, ours }.into());
        }
        if self.ledger.is_worked_on(&flow)? {
            let holder = flow.owner.map(|owner| owner.label).unwrap_or_default();
            return Err(match flow.stage {
                FlowStage::Asked => HandoffError::WaitedFor { license, holder }.into(),
                // It has the answer already.
                _ => Error::busy(license, holder),
            });
        }
        if flow.stage != FlowStage::Asked {
            return Ok(FoundFlow::Left(Box::new(flow)));
        }
        if !returned.is_at(&flow.redirect_uri) {
            let problem = "it isn't at the redirect address of this request";
            return Err(ProviderError::Redirect { license, problem }.into());
        }
        if flow.deadline <= self.env.clock.now() {
            return Err(HandoffError::Lapsed { license, next: self.hand_off_command(&flow.key)? }.into());
        }
        // The fingerprint found it; what decides is the state itself.
        let (memo, _) = match self.reopen_memo(&flow) {
            Ok(unfolded) => unfolded,
            Err(e) if is_sealed_to_others(&e) => {
                return Err(HandoffError::SealedElsewhere {
                    license,
                    next: self.hand_off_command(&flow.key)?,
                }
                .into());
            }
            Err(e) => return Err(e),
        };
        if !memo.state.is(state.expose()) {
            return Err(HandoffError::Stranger.into());
        }
        Ok(FoundFlow::Waiting(Box::new(flow)))
    }

    /// Which of the addresses in a paste is the answer to an open flow; where the provider was reached, one of its issuer. Where
    /// none is, the likeliest.
    pub fn recognize(
        &mut self,
        pasted: &PastedCandidates,
        endpoints: Option<&Endpoints>,
    ) -> Result<ReturnedAddress> {
        let picked = pasted.pick(|returned| self.fits(returned, endpoints))?;
        picked.map_err(|problem| HandoffError::Unreadable { problem }.into())
    }

    /// Whether an address is the answer to an open flow.
    pub fn fits(&mut self, returned: &ReturnedAddress, endpoints: Option<&Endpoints>) -> Result<bool> {
        if endpoints.is_some_and(|endpoints| !is_from_issuer(&returned.callback, endpoints)) {
            return Ok(false);
        }
        Ok(self.flow_of_answer(returned)?.is_some_and(|(flow, _)| returned.is_at(&flow.redirect_uri)))
    }

    /// Whether an answer has a code that wasn't sent before.
    pub fn is_new(&self, returned: &ReturnedAddress) -> Result<bool> {
        let Some(code) = returned.callback.code() else { return Ok(false) };
        Ok(self.ledger.flow_that_sent(&fingerprint(code.expose()))?.is_none())
    }

    fn flow_of_answer(&mut self, returned: &ReturnedAddress) -> Result<Option<(Flow, Secret)>> {
        for state in returned.states() {
            if let Some(flow) = self.flow_of(&fingerprint(state.expose()))? {
                return Ok(Some((flow, state.clone())));
            }
        }
        Ok(None)
    }

    fn unknown_answer_error(&self, returned: &ReturnedAddress) -> Result<Error> {
        for state in returned.states() {
            let Some(spent) = self.ledger.closed_flow(&fingerprint(state.expose()))? else { continue };
            let license = spent.key.license.to_string();
            if spent.profile == self.provider.profile && self.standing(&spent.key)?.is_none() {
                let next = self.about_license("history", &license);
                return Ok(HandoffError::Removed { license, next }.into());
            }
            return Ok(match spent.replaced {
                true => HandoffError::Replaced { license, next: self.hand_off_command(&spent.key)? }.into(),
                false
                    if spent.profile == self.provider.profile
                        && self.is_new(returned)?
                        && self.ended_without_grant(&spent.key)? =>
                {
                    HandoffError::Ended { license, next: self.next_consent(&spent.key)? }.into()
                }
                false if spent.profile == self.provider.profile => self.used(&spent.key),
                false => {
                    let next = shell(["biotrack-auth", "status", "--profile", &spent.profile, &license]);
                    HandoffError::Used { license, next }.into()
                }
            });
        }
        Ok(HandoffError::Stranger.into())
    }

    /// Whether the last consent about a license that has come to an end brought none.
    fn ended_without_grant(&self, key: &LicenseId) -> Result<bool> {
        use HistoryEventKind::{Adopted, Failed, Granted, Held, Imported, Renewed};
        const LOOKED_THROUGH: u32 = 20;
        let lines = self.ledger.last_lines(&self.provider.profile, key, LOOKED_THROUGH)?;
        let ends = [Failed, Granted, Renewed, Held, Imported, Adopted].map(HistoryEventKind::word);
        let last = lines.iter().rfind(|line| ends.contains(&line.event.as_str()));
        Ok(last.is_some_and(|line| line.event == Failed.word()))
    }

    /// An answer that counts no more, because another one of its flow did, or is being finished.
    pub(super) fn used(&self, key: &LicenseId) -> Error {
        let license = key.license.to_string();
        let next = self.about_license("status", &license);
        HandoffError::Used { license, next }.into()
    }

    /// A command that only shows a license.
    fn about_license(&self, command: &str, license: &str) -> String {
        let profile = self.provider.other().map(|profile| ["--profile", profile]);
        shell(["biotrack-auth", command].into_iter().chain(profile.into_iter().flatten()).chain([license]))
    }

    fn hand_off_command(&self, key: &LicenseId) -> Result<String> {
        let other = self.provider.other_profile;
        let record = self.record(key)?.record;
        Ok(hand_out_again(&record, other))
    }

    /// Claims a flow with its answer, whose code is sealed and noted, and to be [sent](Self::sending). A refusal closes
    /// the flow; an answer that isn't to be trusted leaves it open.
    pub fn claim_flow(
        &mut self,
        flow: Flow,
        returned: ReturnedAddress,
        endpoints: &Endpoints,
    ) -> Result<Secret> {
        let (id, license) = (flow.id.clone(), flow.key.license.to_string());
        let judged = oauth::code_of(returned.callback, license, endpoints);
        let code = match judged {
            Ok(code) => code,
            // Nothing but a refusal that carries its state ends a flow.
            Err(wrong) if !wrong.is_refusal() => return Err(wrong.into()),
            Err(refused) => {
                let (memo, _) = self.reopen_memo(&flow)?;
                self.put_in_flight(&flow, memo, None, None)?;
                return Err(self.record_end(&id, refused.into()));
            }
        };
        let (memo, opener) = self.reopen_memo(&flow)?;
        let envelope = self.vault.another_envelope(&opener)?;
        self.reserve_room(self.in_flight.len() + 1)?;
        self.spool.iter_mut().for_each(|spool| spool.about(&flow));
        self.put_in_flight(&flow, memo, Some(envelope), Some(flow.owner.clone()))?;
        self.record_code(&id, &code).inspect_err(|_| drop(self.in_flight.remove(&id)))?;
        Ok(code)
    }

    fn put_in_flight(
        &mut self,
        flow: &Flow,
        memo: FlowSecrets,
        envelope: Option<Envelope>,
        from: Option<Option<FlowOwner>>,
    ) -> Result<()> {
        let kept = flow.memo.clone().ok_or_else(unknown)?;
        let (code_seal, answer_seal) = envelope.map(|it| (it.code, it.answer)).unzip();
        let asked = InFlight::of(flow, Some(memo), kept, self.memo_row(flow)?);
        let in_flight = InFlight { code_seal, answer_seal, from, ..asked };
        self.in_flight.insert(flow.id.clone(), in_flight);
        Ok(())
    }

    /// The command that asks about a license again, for a flow whose answer is lost.
    pub fn next_consent(&self, key: &LicenseId) -> Result<String> {
        let record = self.record(key)?.record;
        Ok(ask_again_command(&record, self.provider.other_profile))
    }
}

/// Whether other hosts alone open it.
fn is_sealed_to_others(e: &Error) -> bool {
    matches!(
        e,
        Error::Vault(
            VaultError::Foreign { .. } | VaultError::Sealed { reason: UnsealError::OtherIdentity, .. }
        )
    )
}
