//! oauth2's client, as a profile proves itself.

use super::answer::TokenAnswer;
use crate::model::provider::{ClientAuth, Provider};
use crate::model::secret::Secret;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{AuthType, ClientId, ClientSecret, StandardRevocableToken};

/// oauth2's client with our token answer, which takes a provider's extra fields and no nonsense.
pub(super) type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// The client with its way of proving itself.
pub(super) fn client(provider: &Provider, secret: Option<&Secret>) -> Client {
    let client =
        Client::new(ClientId::new(provider.client_id.clone())).set_auth_type(match provider.client_auth {
            ClientAuth::Basic => AuthType::BasicAuth,
            ClientAuth::Post | ClientAuth::None => AuthType::RequestBody,
        });
    match (provider.client_auth, secret) {
        (ClientAuth::None, _) | (_, None) => client,
        (_, Some(secret)) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
    }
}
