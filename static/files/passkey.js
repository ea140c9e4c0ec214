// Asks the browser for passkeys: for forms with data-passkey "get" or
// "create". The challenge comes from the address in data-options, the answer
// goes into the hidden fields, and the server decides. A browser without
// passkeys sees the page as if this script were not there.
(function () {
  "use strict";

  if (!window.PublicKeyCredential || !navigator.credentials || !window.fetch || !window.AbortController || !window.URLSearchParams) { return; }

  var asking = null; // what the browser is asked just now: one thing at a time
  var renew = 0;     // when it is asked anew by itself
  var renewAfter = 4 * 60 * 1000; // a challenge lasts five minutes

  function bytes(text) {
    var raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    var out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { out[i] = raw.charCodeAt(i); }
    return out;
  }

  function text(buffer) {
    var raw = "";
    new Uint8Array(buffer).forEach(function (b) { raw += String.fromCharCode(b); });
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function stop() {
    clearTimeout(renew);
    if (asking) { asking.abort(); }
    asking = null;
  }

  function begin() {
    stop();
    asking = new AbortController();
    return asking;
  }

  function options(form, signal) {
    var body = new URLSearchParams();
    body.set("form_token", form.elements.form_token.value);
    return fetch(form.getAttribute("data-options"), {
      method: "POST", body: body, credentials: "same-origin", redirect: "manual", signal: signal, headers: { Accept: "application/json" }
    }).then(function (answer) {
      if (answer.type === "opaqueredirect") { // they have to sign in again first
        location.assign(form.action);
        return new Promise(function () {});
      }
      if (!answer.ok) { throw new Error("no challenge: " + answer.status); }
      return answer.json();
    }).then(function (asked) {
      var key = asked.publicKey;
      key.challenge = bytes(key.challenge);
      if (key.user) { key.user.id = bytes(key.user.id); }
      (key.allowCredentials || []).concat(key.excludeCredentials || []).forEach(function (one) { one.id = bytes(one.id); });
      return asked;
    });
  }

  // The credential as JSON, without what the server does not read.
  function written(credential) {
    var said = credential.response;
    var response = { clientDataJSON: text(said.clientDataJSON) };
    if (said.attestationObject) {
      response.attestationObject = text(said.attestationObject);
      response.transports = said.getTransports ? said.getTransports() : [];
    } else {
      response.authenticatorData = text(said.authenticatorData);
      response.signature = text(said.signature);
      if (said.userHandle) { response.userHandle = text(said.userHandle); }
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response });
  }

  // Asks and sends the form. mediation is "conditional" for what the browser
  // offers while a field is filled.
  function run(form, mediation) {
    var now = begin();
    return options(form, now.signal).then(function (asked) {
      var request = { publicKey: asked.publicKey, signal: now.signal };
      if (mediation) { request.mediation = mediation; }
      var create = form.getAttribute("data-passkey") === "create";
      return (create ? navigator.credentials.create(request) : navigator.credentials.get(request)).then(function (credential) {
        var remember = document.querySelector("input[type=checkbox][name=remember]");
        form.elements.ceremony.value = asked.ceremony;
        form.elements.credential.value = written(credential);
        if (form.elements.remember && remember) { form.elements.remember.value = remember.checked ? "on" : ""; }
        form.submit();
      });
    });
  }

  function suggest(form) {
    var field = document.getElementById(form.getAttribute("data-conditional"));
    if (!field || !window.PublicKeyCredential.isConditionalMediationAvailable) { return; }
    window.PublicKeyCredential.isConditionalMediationAvailable().then(function (can) {
      if (!can || asking) { return; }
      field.setAttribute("autocomplete", "username webauthn");
      run(form, "conditional").catch(function () {}); // nobody pressed anything: nothing to tell
      renew = setTimeout(function () { stop(); suggest(form); }, renewAfter);
    });
  }

  function serve(form) {
    var status = form.querySelector("[role=status]");
    var busy = false;
    function say(words) { if (status) { status.textContent = words || ""; } }
    function idle() { busy = false; form.removeAttribute("aria-busy"); }

    form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (busy) { return; }
      busy = true;
      form.setAttribute("aria-busy", "true");
      say("");
      run(form).catch(function (problem) {
        var cancelled = problem.name === "NotAllowedError" || problem.name === "AbortError";
        var known = problem.name === "InvalidStateError" && form.getAttribute("data-known");
        idle();
        stop();
        say(known || form.getAttribute(cancelled ? "data-cancelled" : "data-failed"));
        suggest(form);
      });
    });
    // The back button may bring the page back as it was left.
    window.addEventListener("pageshow", function (event) {
      idle();
      if (event.persisted) { stop(); suggest(form); }
    });
    form.hidden = false;
    suggest(form);
  }

  document.addEventListener("submit", function (event) {
    if (!event.target.hasAttribute("data-passkey")) { stop(); } // another way was chosen
  }, true);
  window.addEventListener("pagehide", stop);

  document.querySelectorAll("[data-without-passkey]").forEach(function (note) { note.hidden = true; });
  document.querySelectorAll("form[data-passkey]").forEach(serve);
})();
