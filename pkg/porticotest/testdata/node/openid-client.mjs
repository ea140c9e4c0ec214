// openid-client as an application uses it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import * as client from 'openid-client';
import { look, run, visit } from './browser.mjs';

const callback = 'http://127.0.0.1:65124/callback';
const signedOut = 'http://127.0.0.1:65124/signed-out';

// Signatures are verified everywhere, though a direct connection would do.
const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];

function register(issuer, metadata = {}, authentication = undefined) {
  return client.dynamicClientRegistration(issuer, {
    client_name: 'openid-client', redirect_uris: [callback], post_logout_redirect_uris: [signedOut],
    grant_types: ['authorization_code', 'refresh_token'], ...metadata,
  }, authentication, { execute });
}

// login runs the code flow with PKCE, state, nonce and the iss check.
async function login(config, parameters = {}, options = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const to = client.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope: 'openid profile email offline_access', code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    state: expectedState, nonce: expectedNonce, ...parameters,
  });
  const answer = await visit(to, options);
  const tokens = await client.authorizationCodeGrant(config, fromFragment(answer), {
    pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, ...options.checks,
  }, parameters.resource ? { resource: parameters.resource } : undefined);
  return { tokens, answer };
}

// A page reads a fragment and hands it on as a query.
function fromFragment(answer) {
  if (!(answer instanceof URL) || !answer.hash) return answer;
  const url = new URL(answer);
  [url.search, url.hash] = [url.hash.slice(1), ''];
  return url;
}

async function theWholeWay(config) {
  const { tokens, answer } = await login(config);
  assert.equal(answer.searchParams.get('iss'), config.serverMetadata().issuer);
  assert.equal(tokens.token_type, 'bearer');
  assert.ok(tokens.expiresIn() > 840 && tokens.expiresIn() <= 900, `expires in ${tokens.expiresIn()}`);
  const { sub, sid, auth_time: authTime } = tokens.claims();
  assert.equal(typeof sid, 'string');
  assert.equal(typeof authTime, 'number');

  const info = await client.fetchUserInfo(config, tokens.access_token, sub);
  assert.equal(info.email, 'alice@example.com');
  assert.equal(info.email_verified, true);
  assert.equal(typeof info.updated_at, 'number');

  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(next.claims().sub, sub);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  assert.notEqual(next.access_token, tokens.access_token);
  return { tokens: next, sub };
}

// inspect introspects and revokes; a public client may only do the latter.
async function inspect(config, { tokens, sub }) {
  const metadata = config.clientMetadata();
  const alive = await client.tokenIntrospection(config, tokens.access_token);
  assert.equal(alive.active, true);
  assert.equal(alive.sub, sub);
  assert.equal(alive.client_id, metadata.client_id);
  await client.tokenRevocation(config, tokens.refresh_token);
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
  assert.equal((await client.tokenIntrospection(config, tokens.refresh_token)).active, false);
}

async function refused(promise, code) {
  await assert.rejects(promise, (err) => {
    assert.equal(err.error ?? err.cause?.[0]?.parameters?.error ?? bodyError(err), code, `${err} ${JSON.stringify(err.cause)}`);
    return true;
  });
}

// Basic authentication that failed is answered with a challenge, and the
// library shows that and not the body.
function bodyError(err) {
  return err.cause?.[0]?.scheme === 'basic' ? 'invalid_client' : undefined;
}

async function keyPair(alg, options = {}) {
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true, ...options });
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: `key-of-${alg}`, use: 'sig', alg };
  return { key: { key: privateKey, kid: jwk.kid }, jwk };
}

async function serveKeys(keys) {
  const server = createServer((_, res) => res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: keys() })));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { uri: `http://127.0.0.1:${server.address().port}/jwks`, close: () => { server.closeAllConnections(); server.close(); } };
}

const privateKeyJWT = (extra) => ({ token_endpoint_auth_method: 'private_key_jwt', ...extra });

await run({
  // A client that says nothing of how it authenticates may do it either way.
  async default(issuer) {
    const config = await register(issuer);
    await inspect(config, await theWholeWay(config));
    const { client_id: id, client_secret: secret } = config.clientMetadata();
    const basic = await client.discovery(issuer, id, secret, client.ClientSecretBasic(), { execute });
    await inspect(basic, await theWholeWay(basic));
  },

  async oauthMetadata(issuer) {
    const { client_id: id, client_secret: secret } = (await register(issuer)).clientMetadata();
    const config = await client.discovery(issuer, id, secret, undefined, { execute, algorithm: 'oauth2' });
    await theWholeWay(config);
  },

  async basic(issuer) {
    const config = await register(issuer, { token_endpoint_auth_method: 'client_secret_basic' }, client.ClientSecretBasic());
    await inspect(config, await theWholeWay(config));
    const { client_id: id, client_secret: secret } = config.clientMetadata();
    const post = await client.discovery(issuer, id, secret, client.ClientSecretPost(), { execute });
    await refused(login(post), 'invalid_client');
    const wrong = await client.discovery(issuer, id, secret, client.ClientSecretBasic('wrong'), { execute });
    await refused(login(wrong), 'invalid_client');
  },

  async post(issuer) {
    const config = await register(issuer, { token_endpoint_auth_method: 'client_secret_post' }, client.ClientSecretPost());
    await inspect(config, await theWholeWay(config));
    const { client_id: id, client_secret: secret } = config.clientMetadata();
    const basic = await client.discovery(issuer, id, secret, client.ClientSecretBasic(), { execute });
    await refused(login(basic), 'invalid_client');
    const wrong = await client.discovery(issuer, id, secret, client.ClientSecretPost('wrong'), { execute });
    await refused(login(wrong), 'invalid_client');
  },

  async public(issuer) {
    const config = await register(issuer, { token_endpoint_auth_method: 'none' }, client.None());
    assert.equal(config.clientMetadata().client_secret, undefined);
    const { tokens, sub } = await theWholeWay(config);
    await client.tokenRevocation(config, tokens.refresh_token);
    await refused(client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant');
    await refused(client.fetchUserInfo(config, tokens.access_token, sub), 'invalid_token');
    await refused(client.tokenIntrospection(config, tokens.access_token), 'invalid_client');
    await refused(client.clientCredentialsGrant(config), 'unauthorized_client');
  },

  async privateKey(issuer, alg) {
    const { key, jwk } = await keyPair(alg);
    const stranger = await keyPair(alg);
    const auth = client.PrivateKeyJwt(key, ...remap(alg));
    const config = await register(issuer, privateKeyJWT({
      jwks: { keys: [jwk] }, token_endpoint_auth_signing_alg: jwk.alg,
    }), auth);
    assert.equal(config.clientMetadata().client_secret, undefined);
    await inspect(config, await theWholeWay(config));
    const { client_id: id } = config.clientMetadata();
    const wrong = await client.discovery(issuer, id, undefined, client.PrivateKeyJwt(stranger.key, ...remap(alg)), { execute });
    await refused(login(wrong), 'invalid_client');
    const none = await client.discovery(issuer, id, undefined, client.None(), { execute });
    await refused(login(none), 'invalid_client');
  },

  // The keys are fetched, and fetched again when the client has a new one.
  async jwksURI(issuer) {
    const [old, fresh] = [await keyPair('ES256'), await keyPair('PS256')];
    let keys = [old.jwk];
    const server = await serveKeys(() => keys);
    try {
      const config = await register(issuer, privateKeyJWT({ jwks_uri: server.uri }), client.PrivateKeyJwt(old.key));
      await inspect(config, await theWholeWay(config));
      keys = [fresh.jwk];
      const { client_id: id } = config.clientMetadata();
      const moved = await client.discovery(issuer, id, undefined, client.PrivateKeyJwt(fresh.key), { execute });
      await inspect(moved, await theWholeWay(moved));
    } finally {
      server.close();
    }
  },

  // Keys that cannot be fetched are no reason to believe an assertion.
  async jwksURIGone(issuer) {
    const { key, jwk } = await keyPair('ES256');
    const server = await serveKeys(() => [jwk]);
    server.close();
    const config = await register(issuer, privateKeyJWT({ jwks_uri: server.uri }), client.PrivateKeyJwt(key));
    await assert.rejects(login(config), (err) => {
      assert.equal(err.cause?.status, 503, String(err));
      assert.ok(Number(err.cause.headers.get('retry-after')) > 0);
      return true;
    });
  },

  async idTokenAlgorithm(issuer, alg) {
    const config = await register(issuer, { id_token_signed_response_alg: alg });
    const { tokens } = await login(config);
    assert.equal(jose.decodeProtectedHeader(tokens.id_token).alg, alg);
  },

  async signedAnswers(issuer, alg) {
    const config = await register(issuer, { userinfo_signed_response_alg: alg, introspection_signed_response_alg: alg });
    await inspect(config, await theWholeWay(config));
  },

  async formPost(issuer) {
    const { answer } = await login(await register(issuer), { response_mode: 'form_post' });
    assert.equal(answer.method, 'POST');
    assert.equal(answer.url, callback);
  },

  async fragment(issuer) {
    const { answer } = await login(await register(issuer), { response_mode: 'fragment' });
    assert.equal(answer.search, '');
    assert.match(answer.hash, /[#&]code=/);
  },

  // As older libraries do it: no PKCE, no state, no nonce.
  async bare(issuer) {
    const config = await register(issuer);
    const answer = await visit(client.buildAuthorizationUrl(config, { redirect_uri: callback, scope: 'openid' }));
    const tokens = await client.authorizationCodeGrant(config, answer, { idTokenExpected: true });
    assert.equal(tokens.claims().nonce, undefined);
  },

  async freshLogin(issuer) {
    const config = await register(issuer);
    await login(config);
    await login(config, { prompt: 'login' }, { checks: { maxAge: 60 } });
    await login(config, { max_age: '1' }, { checks: { maxAge: 1 } });
    await login(config, { prompt: 'none' });
  },

  async refusals(issuer) {
    const config = await register(issuer);
    await refused(login(config, { prompt: 'none' }), 'login_required');
    await refused(login(config, {}, { decision: 'deny' }), 'access_denied');
    await refused(login(config, { scope: 'openid orders:read', resource: 'https://nowhere.example' }), 'invalid_target');
    await refused(login(config, {}, { checks: { pkceCodeVerifier: client.randomPKCECodeVerifier() } }), 'invalid_grant');
    await refused(client.refreshTokenGrant(config, 'nothing'), 'invalid_grant');
    await refused(client.clientCredentialsGrant(config), 'unauthorized_client');
    await refused(client.genericGrantRequest(config, 'password', { username: 'alice', password: 'x' }), 'unsupported_grant_type');
    const { tokens } = await login(config);
    await client.refreshTokenGrant(config, tokens.refresh_token).then((next) => client.refreshTokenGrant(config, next.refresh_token));
    await refused(client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant');
  },

  async machine(issuer) {
    const config = await register(issuer, { grant_types: ['client_credentials'], redirect_uris: [], post_logout_redirect_uris: [] });
    const audience = 'https://orders.example.test';
    const tokens = await client.clientCredentialsGrant(config, { scope: 'orders:read', resource: audience });
    assert.equal(tokens.refresh_token, undefined);
    const keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
    const { payload } = await jose.jwtVerify(tokens.access_token, keys, { issuer: issuer.href.replace(/\/$/, ''), audience, typ: 'at+jwt' });
    assert.equal(payload.scope, 'orders:read');
    assert.equal(payload.sub, config.clientMetadata().client_id);
  },

  // An API of the developer's own machine, which nobody has registered.
  async loopbackResource(issuer) {
    const config = await register(issuer);
    const resource = 'http://localhost:3000/api';
    const { tokens } = await login(config, { resource });
    const keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
    const { payload } = await jose.jwtVerify(tokens.access_token, keys, { issuer: config.serverMetadata().issuer, audience: resource, typ: 'at+jwt' });
    assert.ok(payload.jti && payload.client_id);
  },

  async logout(issuer) {
    const config = await register(issuer);
    const { tokens } = await login(config);
    const back = await visit(client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: signedOut, id_token_hint: tokens.id_token, state: 'after',
    }));
    assert.equal(back.href, `${signedOut}?state=after`);
    await refused(login(config, { prompt: 'none' }), 'login_required');
    const page = await look(client.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://nowhere.example/' }));
    assert.equal(page.status, 400);
    assert.match(page.text, /cannot continue/);
  },
});

// The library names Ed25519 as RFC 9864 does, and documents how to name it as
// the older RFC 8037 does.
function remap(alg) {
  if (alg !== 'EdDSA') return [];
  return [{ [client.modifyAssertion]: (header) => { header.alg = 'EdDSA'; } }];
}
