// The other side of these scripts: a Go test with a browser. A script names an
// address on its standard output, the browser goes there, signs in and allows
// what is asked, and what came of it returns on standard input.
import { createInterface } from 'node:readline';

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();

// visit returns the address that the application was answered at, as a URL,
// or a POST Request when the answer was a form (form_post).
export async function visit(address, { as = 'alice@example.com', decision = 'allow' } = {}) {
  const page = await ask({ visit: String(address), as, decision });
  if (!page.left) throw new Error(`the browser stays at ${page.url} (${page.status}): ${page.text}`);
  if (!page.form) return new URL(page.url);
  return new Request(page.url, { method: 'POST', body: new URLSearchParams(page.form) });
}

// look returns the page of the server that the browser ends at.
export async function look(address) {
  const page = await ask({ visit: String(address) });
  if (page.left) throw new Error(`the browser was sent to ${page.url}`);
  return page;
}

async function ask(question) {
  process.stdout.write(JSON.stringify(question) + '\n');
  const { value, done } = await lines.next();
  if (done) throw new Error('the browser is gone');
  return JSON.parse(value);
}

// run plays the scenario that the command line names: node file.mjs NAME ISSUER ARGUMENTS...
export async function run(scenarios) {
  const [name, issuer, ...rest] = process.argv.slice(2);
  try {
    if (!scenarios[name]) throw new Error(`no scenario ${name}`);
    await scenarios[name](new URL(issuer), ...rest);
  } catch (err) {
    console.error(err);
    process.exitCode = 1;
  } finally {
    input.close();
  }
}
