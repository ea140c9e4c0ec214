// Walks through the flows of Portico: sign-in, userinfo, client credentials,
// refresh, introspection, revocation, sign-out. What it has got is kept in this
// tab only, and everything it knows is demo data.
(function () {
  "use strict";

  const { jwt, http, show } = window.playground;
  const at = show.root.dataset;
  const step = (id) => document.getElementById(id);
  let metadata = null;
  let keys = [];

  // have is what this tab holds: tokens, and the sign-in that is under way.
  const have = JSON.parse(sessionStorage.getItem("playground") || "{}");
  function keep(changes) {
    Object.assign(have, changes);
    sessionStorage.setItem("playground", JSON.stringify(have));
    refill();
  }

  // identify adds how the client proves who it is.
  function identify(request, clientId) {
    if (clientId === at.web) { request.user = [at.web, at.webSecret]; }
    if (clientId === at.service) { request.user = [at.service, at.serviceSecret]; }
    if (!request.user) { request.form.push(["client_id", clientId]); }
    return request;
  }

  function post(url, clientId, form) {
    return identify({ method: "POST", url, form: Object.entries(form) }, clientId);
  }

  // exchange sends requests one after the other, shows all, and returns the
  // answers; null when one did not arrive.
  async function exchange(where, ...requests) {
    show.clear(where);
    show.request(where, requests);
    show.fill(show.part(where, "answer"), "");
    show.say(where, show.word("sending"));
    try {
      const answers = [];
      for (const r of requests) { answers.push(await http.send(r)); }
      show.answer(where, answers);
      return answers;
    } catch (error) {
      show.say(where, show.word("failed") + " " + error.message, true);
      return null;
    }
  }

  // --- what the tokens must prove ---

  async function signature(token, check) {
    try {
      const { ok, kid } = await jwt.verify(token, keys);
      check("signature", ok, token.header.alg + " " + (kid || ""));
    } catch (error) {
      check("signature", false, error.message);
    }
    check("issuer", token.claims.iss === metadata.issuer, token.claims.iss);
  }

  function audience(token, check, wanted) {
    const list = [].concat(token.claims.aud || []);
    check("audience", list.some((a) => wanted.includes(a)), list.join(" "));
  }

  function expiry(token, check) {
    const left = Math.round(token.claims.exp - Date.now() / 1000);
    check("expiry", left > 0, left + " " + show.word("seconds"));
  }

  // OIDC Core §3.1.3.7.
  function idToken(clientId, nonce, accessToken) {
    return async (token, check) => {
      await signature(token, check);
      audience(token, check, [clientId]);
      expiry(token, check);
      // After a refresh the nonce may be left out (OIDC Core §12.2).
      if (nonce || token.claims.nonce) { check("nonce", token.claims.nonce === (nonce || have.nonce), token.claims.nonce || ""); }
      if (token.claims.at_hash) {
        check("hash", token.claims.at_hash === await jwt.half(accessToken, token.header.alg), token.claims.at_hash);
      }
    };
  }

  // RFC 9068 §4.
  async function accessToken(token, check) {
    check("type", token.header.typ === "at+jwt", token.header.typ);
    await signature(token, check);
    audience(token, check, [at.api, metadata.issuer]);
    expiry(token, check);
  }

  // tokens shows and keeps what a token endpoint answered to a person's client.
  async function tokens(where, answer, nonce) {
    const got = answer.json;
    if (answer.status !== 200 || !got) { return; }
    keep({ access: got.access_token, refresh: got.refresh_token || have.refresh, id: got.id_token || have.id });
    if (got.id_token) { await show.token(where, show.word("id-token"), got.id_token, idToken(have.client, nonce, got.access_token)); }
    await show.token(where, show.word("access-token"), got.access_token, accessToken);
    if (got.refresh_token) { await show.token(where, show.word("refresh-token"), got.refresh_token); }
  }

  // --- the steps ---

  async function discover() {
    const answers = await exchange(step("discovery"),
      { method: "GET", url: at.issuer + "/.well-known/openid-configuration" }, { method: "GET", url: at.issuer + "/oauth2/jwks" });
    if (!answers) { return; }
    metadata = answers[0].json;
    keys = answers[1].json.keys;
  }

  async function leaveToSignIn(event) {
    event.preventDefault();
    const where = step("code"), form = event.target, verifier = jwt.random();
    keep({ client: form.elements.client.value, verifier, state: jwt.random(), nonce: jwt.random(), scope: form.elements.scope.value });
    const url = new URL(metadata.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: "code", client_id: have.client, redirect_uri: at.redirect, scope: have.scope, state: have.state, nonce: have.nonce,
      code_challenge: await jwt.challenge(verifier), code_challenge_method: "S256",
    });
    keep({ request: url.href });
    authorization();
    show.say(where, show.word("leaving"));
    location.assign(url);
  }

  // authorization shows the request that the browser was sent away with.
  function authorization() {
    const url = new URL(have.request);
    show.part(step("code"), "leaving").hidden = false;
    show.fill(show.part(step("code"), "authorize"), "GET " + url.pathname + "\n?" +
      [...url.searchParams].map(([n, v]) => new URLSearchParams([[n, v]]).toString()).join("\n&"));
  }

  // comeBack reads the answer in the address, and takes it out of there.
  async function comeBack() {
    const answer = new URLSearchParams(location.search);
    const where = step("code");
    if (!location.pathname.endsWith("/callback") || ![...answer].length) { return; }
    history.replaceState(null, "", at.home + "#code");
    if (!have.verifier || !have.request) {
      show.say(where, show.word("lost"), true);
      return;
    }
    authorization();
    show.part(where, "came").hidden = false;
    show.part(where, "came").scrollIntoView();
    show.part(where, "callback").textContent = [...answer].map(([n, v]) => n + " = " + v).join("\n");
    const list = show.part(where, "callback-checks");
    const own = answer.get("state") === have.state, ours = answer.get("iss") === metadata.issuer;
    show.check(list, "state", own, answer.get("state") || "");
    show.check(list, "iss", ours, answer.get("iss") || "");
    const { verifier, nonce } = have;
    keep({ verifier: null, state: null });
    if (answer.get("error")) { show.say(where, show.word("callback") + " " + answer.get("error"), true); }
    if (answer.get("error") || !own || !ours) { return; }
    for (const node of where.querySelectorAll("[data-by-hand]")) { node.hidden = true; } // the curl line is now that of this code
    const got = await exchange(where, post(metadata.token_endpoint, have.client,
      { grant_type: "authorization_code", code: answer.get("code"), redirect_uri: at.redirect, code_verifier: verifier }));
    if (got) { await tokens(where, got[0], nonce); }
  }

  async function userinfo() {
    const where = step("userinfo");
    const got = await exchange(where, { method: "GET", url: metadata.userinfo_endpoint, headers: { Authorization: "Bearer " + have.access } });
    const claims = have.id && jwt.decode(have.id);
    if (!got || got[0].status !== 200 || !claims) { return; }
    const list = show.make("ul", "checks");
    list.setAttribute("role", "list");
    // OIDC Core §5.3.2: sub is that of the ID token, or the answer is not used.
    show.check(list, "subject", got[0].json.sub === claims.claims.sub, got[0].json.sub);
    show.part(where, "tokens").append(list);
  }

  async function machine() {
    const where = step("machine");
    const got = await exchange(where, post(metadata.token_endpoint, at.service, { grant_type: "client_credentials" }));
    if (!got || got[0].status !== 200) { return; }
    keep({ machine: got[0].json.access_token });
    await show.token(where, show.word("machine-token"), have.machine, accessToken);
  }

  async function refresh() {
    const where = step("refresh"), spent = have.refresh;
    const got = await exchange(where, post(metadata.token_endpoint, have.client, { grant_type: "refresh_token", refresh_token: spent }));
    if (!got || got[0].status !== 200) { return; }
    keep({ old: spent });
    await tokens(where, got[0]);
  }

  async function introspect(event) {
    event.preventDefault();
    const token = have[step("introspect-token").value];
    // A refresh token concerns its client alone; everything else is asked by
    // the resource server, as in life.
    const asker = token === have.refresh || token === have.old ? have.client : at.service;
    await exchange(step("introspect"), post(metadata.introspection_endpoint, asker, { token }));
  }

  async function revoke(event) {
    event.preventDefault();
    const name = step("revoke-token").value;
    await exchange(step("revoke"), post(metadata.revocation_endpoint, name === "machine" ? at.service : have.client, { token: have[name] }));
  }

  // --- the page ---

  const names = { access: "access-token", refresh: "refresh-token", machine: "machine-token", old: "old-refresh-token" };

  // refill offers what there is: a step without its token waits.
  function refill() {
    for (const select of show.root.querySelectorAll("[data-pick]")) {
      const picked = select.value;
      const public_ = have.client !== at.web;
      const there = select.dataset.pick.split(" ").filter((name) => have[name])
        // A public client cannot introspect, and nobody else may ask about its refresh token.
        .filter((name) => select.id !== "introspect-token" || !public_ || name === "access" || name === "machine");
      select.replaceChildren(...there.map((name) => new Option(show.word(names[name]), name, false, name === picked)));
      ready(select.closest(".step"), there.length > 0);
    }
    ready(step("userinfo"), have.access);
    ready(step("refresh"), have.refresh);
    const out = new URL(at.issuer + "/oauth2/logout");
    if (have.id) { out.search = new URLSearchParams({ id_token_hint: have.id, post_logout_redirect_uri: at.home }); }
    step("playground-signout").href = out;
  }

  // ready lets a step be sent, or says what it waits for.
  function ready(where, yes) {
    for (const control of where.querySelectorAll("[data-act] button, [data-act] select")) { control.disabled = !yes; }
    const status = show.part(where, "status");
    if (!yes) { show.say(where, show.word("empty")); } else if (status.textContent === show.word("empty")) { show.say(where, ""); }
  }

  // restore brings back what was chosen before the browser left.
  function restore() {
    const { elements } = step("code").querySelector("form");
    if (have.client) { elements.client.value = have.client; }
    if (have.scope) { elements.scope.value = have.scope; }
    // The documents are folded: their boxes are measured when they are seen.
    const more = show.root.querySelector("details");
    more.addEventListener("toggle", () => more.querySelectorAll("pre").forEach(show.fit));
    // What scrolls depends on the width: a phone may be turned.
    window.addEventListener("resize", () => show.root.querySelectorAll("pre").forEach(show.fit));
  }

  function onClick(id, act) { step(id).querySelector("[data-send]").addEventListener("click", act); }
  function onSubmit(id, act) { step(id).querySelector("form").addEventListener("submit", act); }

  async function begin() {
    for (const button of show.root.querySelectorAll("[data-copy]")) { show.copy(button); }
    if (!jwt.ready) {
      show.say(step("discovery"), show.word("no-crypto"), true);
      return;
    }
    for (const act of show.root.querySelectorAll("[data-act]")) { act.hidden = false; }
    restore();
    refill();
    onClick("discovery", discover);
    onSubmit("code", leaveToSignIn);
    onClick("userinfo", userinfo);
    onClick("machine", machine);
    onClick("refresh", refresh);
    onSubmit("introspect", introspect);
    onSubmit("revoke", revoke);
    await discover();
    if (metadata) { await comeBack(); }
    show.root.dataset.ready = "yes";
  }

  begin();
})();
