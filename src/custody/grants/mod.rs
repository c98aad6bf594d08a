//! A grant that came: compared with what was asked, stored, proved, accepted or refused; and the one that is live.

pub(super) mod accept_grant;
pub(super) mod discard_grant;
pub(super) mod granted_record;
pub(super) mod live_grant;
pub(super) mod proof;
pub(super) mod received_grant;
pub(super) mod refused_grant;
pub(super) mod reject_grant;
pub(super) mod store_grant;
pub(super) mod token_sets;
