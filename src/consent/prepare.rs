//! Before any browser opens, and before anything is recorded: what could fail only after a person has consented is tried now.

use crate::custody::Custody;
use crate::error::Result;
use crate::model::plan::PlannedLicense;
use crate::oauth::ProviderClient;
use crate::system::Env;
use crate::web::ListeningSession;

/// Prepares for answers that come to this process. The whole order, in which an error comes before the next step:
///
/// 1. The command connects: the provider answers, and the client is built with its trust store and its secret.
/// 2. The vault takes a probe, and gives it back.
/// 3. The listener is bound, and keeps its port: the flows' redirect address names it.
/// 4. The rehearsal: every endpoint that an exchange needs answers, and the client is accepted. `first` is the first of the
///    licenses that are asked about.
/// 5. What an earlier command left is finished (`finish_left_over`), for a code lives minutes. One license's is finished right
///    after (1): where that stores a grant nobody is to be asked, and neither a port that is taken nor a client that is refused
///    may keep it from being stored. A run's is finished here, once the run is in the ledger and its reporter can tell of it.
///
/// Then the flows are recorded, with all that their answers will need (`consent/flows.rs`), and the browser opens.
pub fn prepare_session(
    env: &Env,
    custody: &mut Custody<'_>,
    client: &ProviderClient,
    first: &PlannedLicense,
    port: Option<u16>,
) -> Result<ListeningSession> {
    prepare(custody, first, || ListeningSession::bind(env, client.clone(), port))
}

/// The same where no answer comes to this process: for links that are handed out, and before an old grant is ended.
pub fn prepare_without_session(custody: &mut Custody<'_>, first: &PlannedLicense) -> Result<()> {
    prepare(custody, first, || Ok(()))
}

fn prepare<L>(
    custody: &mut Custody<'_>,
    first: &PlannedLicense,
    bind: impl FnOnce() -> Result<L>,
) -> Result<L> {
    custody.probe()?;
    let listener = bind()?;
    custody.rehearse(&first.key, &first.username)?;
    Ok(listener)
}
