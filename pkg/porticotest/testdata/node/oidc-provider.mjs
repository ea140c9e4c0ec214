// An OpenID provider where people of a test sign in: node oidc-provider.mjs
// CALLBACK LOGGED_OUT BACK_CHANNEL. It asks nobody anything: whoever comes is
// dora. It says where it is on standard output, and ends with standard input.
import { createServer } from 'node:http';
import { once } from 'node:events';
import Provider from 'oidc-provider';

const [callback, loggedOut, backChannel] = process.argv.slice(2);
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'portico', client_secret: 'a secret of the test that is long enough', redirect_uris: [callback],
    post_logout_redirect_uris: [loggedOut], backchannel_logout_uri: backChannel, backchannel_logout_session_required: true,
  }],
  // Its own fetch calls no address of this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ['a key of the test'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@example.test`, email_verified: true, name: 'Dora Keller' }),
  }),
});

// interact signs dora in and allows what is asked.
async function interact(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') return provider.interactionFinished(req, res, { login: { accountId: 'dora' } });
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const answer = provider.callback();
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/')) return answer(req, res);
  return interact(req, res).catch((err) => { res.statusCode = 500; res.end(String(err)); });
});
for (const event of ['server_error', 'backchannel.error', 'authorization.error', 'grant.error']) {
  provider.on(event, (ctx, err) => console.error(event, err));
}
console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume();
