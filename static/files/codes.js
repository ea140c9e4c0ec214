// Copies and prints a list of recovery codes. Without scripts the list is
// there to be written down, and browsers print by themselves.
(function () {
  "use strict";
  var tools = document.getElementById("codes-tools");
  var list = document.getElementById("codes");
  var says = document.getElementById("codes-copied");
  if (!tools || !list || !says) { return; }

  function text() {
    return Array.from(list.querySelectorAll("code"), function (code) { return code.textContent; }).join("\n") + "\n";
  }

  // Where the clipboard may not be written the list is marked, to be copied by
  // hand.
  function mark() { window.getSelection().selectAllChildren(list); }

  document.getElementById("codes-copy").addEventListener("click", function () {
    if (!navigator.clipboard) { mark(); return; }
    navigator.clipboard.writeText(text()).then(function () {
      says.textContent = says.getAttribute("data-words");
    }, mark);
  });
  document.getElementById("codes-print").addEventListener("click", function () { window.print(); });
  tools.hidden = false;
})();
