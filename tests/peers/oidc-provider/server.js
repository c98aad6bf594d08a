// An OAuth server that isn't ours: code with S256, rotating refresh tokens, revocation (RFC 7009), introspection (RFC
// 7662), RFC 8414 metadata and `iss` (RFC 9207), with its own development pages for login and consent. It takes a free
// port, and prints a line of JSON once it listens, then one for each thing that happens to a token.
// The argument is the folder that `npm ci` filled: outside the tree, so that nothing of it is ever committed.
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const library = resolve(process.argv[2], 'node_modules/oidc-provider/lib/index.js');
const { Provider } = await import(pathToFileURL(library));

const tell = (event, what = {}) => process.stdout.write(`${JSON.stringify({ event, ...what })}\n`);

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'biotrack-auth',
      // RFC 8252 7.3: a native client's loopback redirect may have any port.
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, RefreshToken: 100 * 24 * 3600, Grant: 100 * 24 * 3600, Interaction: 600, Session: 600 },
  });
  provider.on('grant.success', (ctx) => tell('issued', { by: ctx.oidc.params.grant_type }));
  provider.on('grant.error', (ctx, error) => tell('refused', { error: error.error, why: error.error_detail }));
  provider.on('grant.revoked', () => tell('grant_revoked'));
  provider.on('refresh_token.destroyed', () => tell('refresh_token_destroyed'));
  provider.on('server_error', (ctx, error) => tell('failed', { error: String(error) }));
  // What it has answered, before the answer is whole: what a test asks about later has been told by then.
  server.on('request', (request, answer) => {
    const end = answer.end.bind(answer);
    answer.end = (...rest) => {
      tell('answered', { method: request.method, path: request.url.split('?')[0], status: answer.statusCode });
      return end(...rest);
    };
  });
  server.on('request', provider.callback());
  tell('listening', { issuer });
});

// It ends with whoever started it.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
