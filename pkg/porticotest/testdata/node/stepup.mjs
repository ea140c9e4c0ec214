// Step-up as an application does it with openid-client: an API says that the
// token is not strong or not fresh enough (RFC 9470), and the application asks
// for what it says.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import * as client from 'openid-client';
import { run, visit } from './browser.mjs';

const callback = 'http://127.0.0.1:65124/callback';
const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];

// api is a resource server that takes tokens of class 2, not older than
// maxAge seconds when it says so.
async function api(issuer) {
  const metadata = await (await fetch(new URL('/.well-known/openid-configuration', issuer))).json();
  const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri));
  const server = createServer(async (req, res) => {
    const maxAge = new URL(req.url, 'http://api').searchParams.get('max_age');
    const token = (req.headers.authorization ?? '').replace(/^Bearer /, '');
    const { payload } = await jose.jwtVerify(token, keys, { issuer: metadata.issuer, typ: 'at+jwt' });
    const stale = maxAge && payload.auth_time + Number(maxAge) < Date.now() / 1000;
    if (payload.acr === '2' && !stale) {
      res.end(JSON.stringify({ acr: payload.acr, auth_time: payload.auth_time }));
      return;
    }
    const asks = maxAge ? `, max_age="${maxAge}"` : '';
    res.writeHead(401, { 'WWW-Authenticate': `Bearer error="insufficient_user_authentication", error_description="A stronger or fresher authentication is needed", acr_values="2"${asks}` }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: new URL(`http://127.0.0.1:${server.address().port}/`), close: () => { server.closeAllConnections(); server.close(); } };
}

async function login(config, parameters = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const to = client.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope: 'openid', code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), state: expectedState, nonce: expectedNonce, ...parameters,
  });
  return client.authorizationCodeGrant(config, await visit(to), {
    pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true,
    ...(parameters.max_age ? { maxAge: Number(parameters.max_age) } : {}),
  });
}

// challenge reads what an API asks for.
async function challenge(config, tokens, url) {
  try {
    const res = await client.fetchProtectedResource(config, tokens.access_token, url, 'GET');
    return { answer: await res.json() };
  } catch (err) {
    assert.ok(err instanceof client.WWWAuthenticateChallengeError, String(err));
    const { parameters } = err.cause[0];
    assert.equal(parameters.error, 'insufficient_user_authentication');
    return { asks: { acr_values: parameters.acr_values, ...(parameters.max_age ? { max_age: parameters.max_age } : {}) } };
  }
}

await run({
  async stepUp(issuer) {
    const config = await client.dynamicClientRegistration(issuer, { client_name: 'stepper', redirect_uris: [callback] }, undefined, { execute });
    const resource = await api(issuer);
    try {
      let tokens = await login(config);
      assert.equal(tokens.claims().acr, '1');
      assert.deepEqual(tokens.claims().amr, ['pwd']);
      const { asks } = await challenge(config, tokens, resource.url);
      assert.deepEqual(asks, { acr_values: '2' });

      const first = tokens.claims();
      tokens = await login(config, asks);
      assert.equal(tokens.claims().acr, '2');
      assert.deepEqual(tokens.claims().amr, ['pwd', 'otp', 'mfa']);
      assert.equal(tokens.claims().sid, first.sid);
      assert.equal(tokens.claims().auth_time, first.auth_time);
      assert.equal((await challenge(config, tokens, resource.url)).answer.acr, '2');

      // Nothing is young enough for this API: both factors anew.
      const old = await challenge(config, tokens, new URL('?max_age=-1', resource.url));
      assert.deepEqual(old.asks, { acr_values: '2', max_age: '-1' });
      tokens = await login(config, { acr_values: '2', max_age: '1' });
      assert.equal(tokens.claims().acr, '2');
      assert.equal((await challenge(config, tokens, new URL('?max_age=60', resource.url))).answer.acr, '2');
    } finally {
      resource.close();
    }
  },
});
