// Reads JWTs and verifies them against a JWK Set with the browser's own
// cryptography, as a client library would.
(function () {
  "use strict";

  // What importKey and verify need for each algorithm (RFC 7518 §3.1).
  const algorithms = {
    ES256: { key: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" }, hash: "SHA-256" },
    RS256: { key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, verify: { name: "RSASSA-PKCS1-v1_5" }, hash: "SHA-256" },
    PS256: { key: { name: "RSA-PSS", hash: "SHA-256" }, verify: { name: "RSA-PSS", saltLength: 32 }, hash: "SHA-256" },
    EdDSA: { key: { name: "Ed25519" }, verify: { name: "Ed25519" }, hash: "SHA-512" },
  };

  function bytesOf(base64url) {
    const binary = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0));
  }

  function base64url(bytes) {
    return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function json(part) { return JSON.parse(new TextDecoder().decode(bytesOf(part))); }

  // decode returns the parts of a compact JWT, or null for anything else: an
  // opaque token is none.
  function decode(token) {
    const parts = String(token).split(".");
    if (parts.length !== 3) { return null; }
    try {
      return { header: json(parts[0]), claims: json(parts[1]), parts };
    } catch {
      return null;
    }
  }

  // verify resolves to whether a key of the set made the signature, and which.
  async function verify(jwt, keys) {
    const how = algorithms[jwt.header.alg];
    const jwk = keys.find((k) => k.kid === jwt.header.kid && k.alg === jwt.header.alg);
    if (!how || !jwk) { return { ok: false, kid: jwt.header.kid }; }
    const key = await crypto.subtle.importKey("jwk", { ...jwk, use: undefined, key_ops: undefined }, how.key, false, ["verify"]);
    const signed = new TextEncoder().encode(jwt.parts[0] + "." + jwt.parts[1]);
    return { ok: await crypto.subtle.verify(how.verify, key, bytesOf(jwt.parts[2]), signed), kid: jwk.kid };
  }

  // half is at_hash: the left half of the hash of a token (OIDC Core §3.1.3.6).
  async function half(token, alg) {
    const digest = await crypto.subtle.digest(algorithms[alg].hash, new TextEncoder().encode(token));
    return base64url(digest.slice(0, digest.byteLength / 2));
  }

  async function challenge(verifier) {
    return base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  }

  function random() { return base64url(crypto.getRandomValues(new Uint8Array(32))); }

  window.playground = { jwt: { decode, verify, half, challenge, random, ready: Boolean(window.crypto && crypto.subtle) } };
})();
