// Sends the requests of the playground to its own server, and writes each of
// them as HTTP and as a curl line.
(function () {
  "use strict";

  // A request is { method, url, headers: {}, form: [[name, value]] }. user is
  // a client id and secret for Basic.

  function encode(form) { return new URLSearchParams(form).toString(); }

  // basic form-encodes both halves first (RFC 6749 §2.3.1).
  function basic(user) { return "Basic " + btoa(user.map(encodeURIComponent).join(":")); }

  function headersOf(request) {
    const headers = { ...request.headers };
    if (request.user) { headers.Authorization = basic(request.user); }
    if (request.form) { headers["Content-Type"] = "application/x-www-form-urlencoded"; }
    return headers;
  }

  async function send(request) {
    const begun = performance.now();
    const answer = await fetch(request.url, {
      method: request.method, headers: headersOf(request), body: request.form && encode(request.form),
      credentials: "omit", cache: "no-store", redirect: "error",
    });
    const text = await answer.text();
    let body = null;
    try { body = JSON.parse(text); } catch { /* a JWT, or nothing */ }
    return { status: answer.status, reason: answer.statusText, headers: answer.headers, text, json: body, ms: Math.round(performance.now() - begun) };
  }

  // asHTTP writes what goes over the wire, one form field a line.
  function asHTTP(request) {
    const url = new URL(request.url);
    const lines = [request.method + " " + url.pathname + url.search + " HTTP/1.1", "Host: " + url.host];
    for (const [name, value] of Object.entries(headersOf(request))) { lines.push(name + ": " + value); }
    if (request.form) { lines.push("", request.form.map(([n, v]) => encode([[n, v]])).join("\n&")); }
    return lines.join("\n");
  }

  const shown = ["content-type", "cache-control", "www-authenticate", "retry-after", "etag", "x-request-id"];

  function asAnswer(answer) {
    const lines = ["HTTP/1.1 " + answer.status + (answer.reason ? " " + answer.reason : "")];
    for (const name of shown) {
      if (answer.headers.has(name)) { lines.push(name + ": " + answer.headers.get(name)); }
    }
    if (answer.text) { lines.push("", answer.json ? JSON.stringify(answer.json, null, 2) : answer.text); }
    return lines.join("\n");
  }

  // quote makes one word of a shell.
  function quote(s) { return /^[\w@%+=:,.\/-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'"; }

  function asCurl(request) {
    const words = ["curl -s " + quote(request.url)];
    if (request.method === "POST" && !request.form) { words.push("-X POST"); }
    if (request.user) { words.push("-u " + quote(request.user.join(":"))); }
    for (const [name, value] of Object.entries(request.headers || {})) { words.push("-H " + quote(name + ": " + value)); }
    for (const [name, value] of request.form || []) {
      // --data-urlencode encodes what stands behind the first equals sign.
      words.push((/^[\w.~-]*$/.test(value) ? "-d " : "--data-urlencode ") + quote(name + "=" + value));
    }
    return words.join(" \\\n  ");
  }

  window.playground.http = { send, asHTTP, asAnswer, asCurl };
})();
