// Says how hard a new password is to guess, while it is typed. It is a guess
// itself: the server decides. Nothing leaves the page.
(function () {
  "use strict";

  var rows = ["1234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm"];

  // Whether b is what a lazy finger types after a: the same, the next one of
  // the alphabet, or its neighbour on a keyboard.
  function follows(a, b) {
    var step = b.codePointAt(0) - a.codePointAt(0);
    if (step >= -1 && step <= 1) { return true; }
    return rows.some(function (row) {
      var at = row.indexOf(a);
      return at >= 0 && (row[at + 1] === b || at > 0 && row[at - 1] === b);
    });
  }

  // The characters that a guesser could not foretell from those before: no
  // runs, and no stretch of three that was there already.
  function fresh(chars) {
    var count = Math.min(chars.length, 2);
    var seen = new Set();
    for (var i = 2; i < chars.length; i++) {
      var here = chars.slice(i - 2, i + 1).join("");
      var run = follows(chars[i - 1], chars[i]) && follows(chars[i - 2], chars[i - 1]);
      if (!seen.has(here) && !run) { count++; }
      seen.add(here);
    }
    return count;
  }

  function kinds(text) {
    return [/[0-9]/, /[A-Z]/, /[a-z]/, /[^0-9A-Za-z]/].filter(function (kind) { return kind.test(text); }).length;
  }

  // 0: shorter than the server takes; 1 to 4: easy to guess to very good.
  function level(text, least) {
    text = text.normalize("NFKC");
    var chars = Array.from(text.toLowerCase());
    if (Array.from(text).length < least) { return 0; }
    if (new Set(chars).size < 6) { return 1; }
    var worth = fresh(chars) + 2 * (kinds(text) - 1);
    return worth < 12 ? 1 : worth < 17 ? 2 : worth < 24 ? 3 : 4;
  }

  function watch(box) {
    var input = document.getElementById(box.getAttribute("data-strength"));
    var meter = box.querySelector("meter");
    var says = box.querySelector("[role=status]");
    if (!input || !meter || !says) { return; }
    var least = Number(box.getAttribute("data-least"));
    var words = box.getAttribute("data-words").split("|");
    function show() {
      box.hidden = input.value === "";
      var now = level(input.value.slice(0, 1024), least);
      meter.value = now;
      if (says.textContent !== words[now]) { says.textContent = words[now]; }
    }
    input.addEventListener("input", show);
    show();
  }

  document.querySelectorAll("[data-strength]").forEach(watch);
})();
