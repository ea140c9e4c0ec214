// oauth4webapi, which checks every byte of an answer that a specification
// speaks of.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { run, visit } from './browser.mjs';

const callback = 'http://127.0.0.1:65125/callback';
const insecure = { [oauth.allowInsecureRequests]: true };
const orders = 'https://orders.example.test';

async function discover(issuer, algorithm = 'oidc') {
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...insecure }));
}

async function register(as, metadata = {}) {
  const response = await oauth.dynamicClientRegistrationRequest(as, {
    client_name: 'oauth4webapi', redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], ...metadata,
  }, insecure);
  return oauth.processDynamicClientRegistrationResponse(response);
}

async function login(as, client, auth, scope) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: callback, response_type: 'code', scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }).toString();
  const parameters = oauth.validateAuthResponse(as, client, await visit(to), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, verifier, insecure);
  const openid = scope.split(' ').includes('openid');
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, openid ? { expectedNonce: nonce, requireIdToken: true } : undefined);
  if (openid) await oauth.validateApplicationLevelSignature(as, response, insecure);
  return { tokens, parameters, verifier };
}

function asRequest(token) {
  return new Request(`${orders}/orders`, { headers: { authorization: `Bearer ${token}` } });
}

async function challenged(promise, status, scheme, expected) {
  await assert.rejects(promise, (err) => {
    assert.equal(err.code, oauth.WWW_AUTHENTICATE_CHALLENGE, String(err));
    assert.equal(err.status, status);
    assert.equal(err.cause.length, 1);
    assert.equal(err.cause[0].scheme, scheme);
    for (const [name, value] of Object.entries(expected)) assert.equal(err.cause[0].parameters[name], value);
    return true;
  });
}

async function refused(promise, status, error) {
  await assert.rejects(promise, (err) => {
    assert.equal(err.code, oauth.RESPONSE_BODY_ERROR, String(err));
    assert.deepEqual([err.status, err.error], [status, error]);
    return true;
  });
}

async function openid(issuer, algorithm, alg) {
  const as = await discover(issuer, algorithm);
  const signed = alg ? { id_token_signed_response_alg: alg, userinfo_signed_response_alg: 'ES256', introspection_signed_response_alg: 'ES256' } : {};
  const client = await register(as, signed);
  const auth = oauth.ClientSecretBasic(client.client_secret);
  const { tokens } = await login(as, client, auth, 'openid email offline_access orders:read');
  const claims = oauth.getValidatedIdTokenClaims(tokens);

  const userinfo = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
  const verify = userinfo.clone();
  const info = await oauth.processUserInfoResponse(as, client, claims.sub, userinfo);
  assert.equal(info.email, 'alice@example.com');
  if (alg) await oauth.validateApplicationLevelSignature(as, userinfo, insecure);
  else assert.match(verify.headers.get('content-type'), /^application\/json/);

  const access = await oauth.validateJwtAccessToken(as, asRequest(tokens.access_token), orders, insecure);
  assert.equal(access.sub, claims.sub);
  assert.equal(access.client_id, client.client_id);
  assert.ok(access.scope.split(' ').includes('orders:read'));
  await assert.rejects(oauth.validateJwtAccessToken(as, asRequest(tokens.id_token), orders, insecure));
  await assert.rejects(oauth.validateJwtAccessToken(as, asRequest(tokens.access_token), 'https://other.example', insecure));

  const refreshed = await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, insecure));
  assert.equal(oauth.getValidatedIdTokenClaims(refreshed).sub, claims.sub);

  const introspect = async () => oauth.processIntrospectionResponse(as, client,
    await oauth.introspectionRequest(as, client, auth, refreshed.access_token, insecure));
  assert.equal((await introspect()).active, true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, refreshed.access_token, insecure));
  assert.equal((await introspect()).active, false);
}

await run({
  openid: (issuer) => openid(issuer, 'oidc'),
  oauthMetadata: (issuer) => openid(issuer, 'oauth2'),
  signed: (issuer, alg) => openid(issuer, 'oidc', alg),

  // OAuth without OpenID: the audience is the API alone.
  async plain(issuer) {
    const as = await discover(issuer, 'oauth2');
    const client = await register(as, { token_endpoint_auth_method: 'none' });
    const { tokens } = await login(as, client, oauth.None(), 'orders:read');
    assert.equal(tokens.id_token, undefined);
    const access = await oauth.validateJwtAccessToken(as, asRequest(tokens.access_token), orders, insecure);
    assert.equal(access.aud, orders);
    const response = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
    await assert.rejects(oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, response), (err) => {
      assert.equal(err.code, oauth.WWW_AUTHENTICATE_CHALLENGE);
      return true;
    });
  },

  async machine(issuer) {
    const as = await discover(issuer);
    const client = { client_id: 'demo-service' };
    for (const auth of [oauth.ClientSecretBasic('demo-service-secret'), oauth.ClientSecretPost('demo-service-secret')]) {
      const response = await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'orders:read' }, insecure);
      assert.match(response.headers.get('cache-control'), /no-store/);
      const tokens = await oauth.processClientCredentialsResponse(as, client, response);
      const access = await oauth.validateJwtAccessToken(as, asRequest(tokens.access_token), orders, insecure);
      assert.equal(access.sub, 'demo-service');
    }
  },

  async challenges(issuer) {
    const as = await discover(issuer);
    const client = await register(as);
    const response = await oauth.userInfoRequest(as, client, 'garbage', insecure);
    await challenged(oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, response), 401, 'bearer', { error: 'invalid_token' });
    for (const bad of ['Bearer garbage', 'Bearer', '']) {
      const bare = await fetch(as.userinfo_endpoint, bad ? { headers: { authorization: bad } } : {});
      assert.equal(bare.status, 401);
      assert.match(bare.headers.get('www-authenticate'), /^Bearer/);
    }
    const wrong = oauth.ClientSecretBasic('wrong');
    const code = new URLSearchParams({ code: 'x', iss: as.issuer });
    const parameters = oauth.validateAuthResponse(as, client, code, oauth.expectNoState);
    const tokens = await oauth.authorizationCodeGrantRequest(as, client, wrong, parameters, callback, 'v'.repeat(43), insecure);
    await challenged(oauth.processAuthorizationCodeResponse(as, client, tokens), 401, 'basic', {});
    const introspection = await oauth.introspectionRequest(as, client, wrong, 'x', insecure);
    await challenged(oauth.processIntrospectionResponse(as, client, introspection), 401, 'basic', {});
    const revocation = await oauth.revocationRequest(as, client, wrong, 'x', insecure);
    await challenged(oauth.processRevocationResponse(revocation), 401, 'basic', {});
  },

  async refusals(issuer) {
    const as = await discover(issuer);
    const client = await register(as);
    const auth = oauth.ClientSecretPost(client.client_secret);
    const { tokens, parameters, verifier } = await login(as, client, auth, 'openid offline_access');

    const again = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, verifier, insecure);
    await refused(oauth.processAuthorizationCodeResponse(as, client, again), 400, 'invalid_grant');
    // RFC 6749 §4.1.2: the second use ended what the first one gave.
    const dead = await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, insecure);
    await refused(oauth.processRefreshTokenResponse(as, client, dead), 400, 'invalid_grant');
    const response = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
    await challenged(oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, response), 401, 'bearer', { error: 'invalid_token' });

    const bad = await oauth.dynamicClientRegistrationRequest(as, { redirect_uris: ['https://app.example/#fragment'] }, insecure);
    await refused(oauth.processDynamicClientRegistrationResponse(bad), 400, 'invalid_redirect_uri');
  },
});
