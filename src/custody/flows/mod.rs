//! A consent's flow in the ledger, stage by stage: recorded before anybody is asked, claimed with its answer, noted as it's sent.

pub(super) mod claim_flow;
pub(super) mod flow_stages;
pub(super) mod in_flight;
pub(super) mod listening_hosts;
pub(super) mod open_flow_cache;
pub(super) mod open_flows;
pub(super) mod quarantine;
pub(super) mod record_flows;
