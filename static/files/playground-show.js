// Draws requests, answers, tokens and checks. Everything is set as text: what
// a server answers never becomes markup.
(function () {
  "use strict";

  const root = document.getElementById("playground");
  const { jwt, http } = window.playground;

  // word returns a text of the page in the language of the person.
  function word(name) { return root.getAttribute("data-word-" + name) || name; }

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) { node.className = className; }
    if (text !== undefined) { node.textContent = text; }
    return node;
  }

  function part(step, name) { return step.querySelector("[data-" + name + "]"); }

  function say(step, text, bad) {
    const status = part(step, "status");
    status.textContent = text;
    status.classList.toggle("bad", Boolean(bad));
  }

  // fit lets the keyboard reach a box that scrolls, and only such: every other
  // stop would be one too many.
  function fit(box) {
    if (box.scrollHeight <= box.clientHeight + 1) {
      box.removeAttribute("tabindex");
      return;
    }
    const title = box.parentNode.querySelector("h3, h4");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    if (title) { box.setAttribute("aria-label", title.textContent); }
  }

  function fill(box, text) {
    box.textContent = text;
    fit(box);
  }

  function request(step, what) {
    part(step, "exchange").hidden = false;
    fill(part(step, "request"), what.map(http.asHTTP).join("\n\n"));
    fill(part(step, "curl"), what.map(http.asCurl).join("\n\n"));
  }

  function answer(step, what) {
    fill(part(step, "answer"), what.map(http.asAnswer).join("\n\n"));
    const last = what[what.length - 1];
    say(step, word("answered").replace("%", last.status + (last.reason ? " " + last.reason : "")).replace("%", last.ms + " ms"), last.status >= 400);
  }

  // check is one line: a mark, what was looked at, what was found.
  function check(list, name, ok, found) {
    const item = make("li", ok ? "good" : "bad");
    const mark = make("span", "mark-of", ok ? "✓" : "✗");
    mark.setAttribute("aria-hidden", "true");
    const text = make("span", "", word(name) + " ");
    text.append(make("span", "unseen", word(ok ? "good" : "bad") + " "));
    if (found) {
      const value = make("bdi", "mono", found);
      value.dir = "ltr";
      text.append(value);
    }
    item.append(mark, text);
    list.append(item);
  }

  function code(className, text) {
    const node = make("pre", className, text);
    node.dir = "ltr";
    return node;
  }

  // raw shows the three parts of a compact JWT apart.
  function raw(token, decoded) {
    const node = code("raw", decoded ? "" : token);
    if (decoded) {
      ["jwt-header", "jwt-claims", "jwt-signature"].forEach((name, i) => {
        node.append(i ? "." : "", make("span", name, decoded.parts[i]));
      });
    }
    return node;
  }

  function section(title, body) {
    const node = make("div", "pane");
    node.append(make("h4", "", title), body);
    return node;
  }

  // token shows one token: raw, decoded, verified. verify adds the checks that
  // its kind needs, and is given the list to add them to.
  async function token(step, title, value, verify) {
    const box = make("div", "token");
    const decoded = jwt.decode(value);
    box.append(make("h3", "", title), raw(value, decoded));
    part(step, "tokens").append(box);
    if (!decoded) {
      box.append(make("p", "hint", word("opaque")));
      return;
    }
    const list = make("ul", "checks");
    list.setAttribute("role", "list");
    const grid = make("div", "exchange");
    grid.append(
      section(word("header"), code("", JSON.stringify(decoded.header, null, 2))),
      section(word("claims"), code("", JSON.stringify(decoded.claims, null, 2))),
      section(word("checks"), list));
    grid.classList.add("three");
    box.append(grid);
    box.querySelectorAll("pre").forEach(fit);
    await verify(decoded, (name, ok, found) => check(list, name, ok, found));
  }

  function copy(button) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const step = button.closest(".step");
      await navigator.clipboard.writeText(part(step, "curl").textContent);
      say(step, word("copied"));
    });
  }

  function clear(step) { part(step, "tokens").replaceChildren(); }

  window.playground.show = { root, word, make, part, say, fill, fit, request, answer, check, token, copy, clear };
})();
