// A single-page application on an origin of its own, with oauth4webapi in the
// browser: everything that it reads crosses origins.
import * as oauth from './oauth4webapi.js';

const { issuer, client_id } = document.documentElement.dataset;
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id };
const callback = location.origin + '/callback';

async function discover() {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
}

async function request(as, extra) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id, redirect_uri: callback, response_type: 'code', scope: 'openid email offline_access', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...extra,
  }).toString();
  return { to, verifier, state, nonce };
}

async function redeem(as, answer, { verifier, state, nonce }) {
  const parameters = oauth.validateAuthResponse(as, client, answer, state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), parameters, callback, verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  return tokens;
}

// silently asks in an iframe that nobody sees, and returns the answer.
async function silently(as, extra) {
  const pending = await request(as, { prompt: 'none', ...extra });
  const frame = document.createElement('iframe');
  frame.title = 'renewal';
  frame.hidden = true;
  const answered = new Promise((done) => { frame.onload = () => done(new URL(frame.contentWindow.location.href)); });
  frame.src = pending.to;
  document.body.append(frame);
  const answer = (await answered).searchParams;
  must(answer.get('state') === pending.state && answer.get('iss') === as.issuer, 'answer in the frame');
  return answer;
}

function must(condition, what) {
  if (!condition) throw new Error(what);
}

async function finish(as, pending) {
  const tokens = await redeem(as, new URL(location.href), pending);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const info = await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure));
  must(info.email === 'alice@example.com', 'userinfo');

  const refreshed = await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, insecure));
  must(oauth.getValidatedIdTokenClaims(refreshed).sub === sub, 'refresh');

  // A frame is answered by redirects alone. On this machine anybody could be a
  // public client, so that the person is asked each time (RFC 8252 §8.6); one
  // that can be told apart gets its code.
  must((await silently(as, {})).get('error') === 'consent_required', 'silent renewal of a client that anybody could be');
  must((await silently(as, { client_id: 'demo-web' })).get('code'), 'silent renewal');

  // Refusals can be read too, headers included.
  const bad = await oauth.userInfoRequest(as, client, 'garbage', insecure);
  must(bad.status === 401 && /invalid_token/.test(bad.headers.get('www-authenticate')), 'challenge of userinfo');
  must(bad.headers.get('x-request-id'), 'request id of a refusal');
  const again = await fetch(as.token_endpoint, { method: 'POST', body: new URLSearchParams({ grant_type: 'authorization_code', client_id, code: 'spent' }) });
  must(again.status === 400 && (await again.json()).error === 'invalid_grant', 'error of the token endpoint');

  const revoked = await oauth.revocationRequest(as, client, oauth.None(), refreshed.refresh_token, insecure);
  must(revoked.headers.get('content-type') === null, 'an empty answer has no type');
  await oauth.processRevocationResponse(revoked);
  const gone = await oauth.userInfoRequest(as, client, refreshed.access_token, insecure);
  must(gone.status === 401, 'revocation');
  // Others' pages may not read what is not for them.
  const closed = await fetch(as.introspection_endpoint, { method: 'POST', body: new URLSearchParams({ token: 'x', client_id }) }).catch(() => null);
  must(closed === null, 'introspection is for servers');
}

try {
  const as = await discover();
  if (window.top !== window) {
    // the renewal is read from outside
  } else if (location.pathname === '/callback') {
    const pending = JSON.parse(sessionStorage.getItem('pending'));
    await finish(as, pending);
    document.getElementById('app').dataset.result = 'done';
  } else {
    const pending = await request(as, {});
    sessionStorage.setItem('pending', JSON.stringify(pending));
    location.assign(pending.to);
  }
} catch (err) {
  document.getElementById('app').dataset.result = `${err} ${err.cause ?? ''} ${err.stack}`;
}
