// Comfort for the pages. Every page works without this file.
(function () {
  "use strict";

  // A button shows and hides the password.
  function reveal(button) {
    var input = document.getElementById(button.getAttribute("data-reveal"));
    if (!input) { return; }
    button.hidden = false;
    input.style.paddingInlineEnd = (button.offsetWidth + 16) + "px";
    button.addEventListener("click", function () {
      var show = input.type === "password";
      input.type = show ? "text" : "password";
      button.textContent = button.getAttribute(show ? "data-hide" : "data-show");
      input.focus();
    });
    if (input.form) {
      // Browsers remember what stood in text fields.
      input.form.addEventListener("submit", function () { input.type = "password"; });
    }
  }

  // A form is sent once. The button stays enabled: its value must be sent.
  function once(form) {
    var sent = false;
    form.addEventListener("submit", function (event) {
      if (sent) { event.preventDefault(); return; }
      sent = true;
      form.setAttribute("aria-busy", "true");
    });
    // The back button may bring the page back as it was left.
    window.addEventListener("pageshow", function () {
      sent = false;
      form.removeAttribute("aria-busy");
    });
  }

  // A logo that does not load leaves the monogram behind it.
  function logo(image) {
    function gone() { image.hidden = true; }
    image.addEventListener("error", gone);
    if (image.complete && !image.naturalWidth) { gone(); }
  }

  function each(selector, use) {
    var found = document.querySelectorAll(selector);
    for (var i = 0; i < found.length; i++) { use(found[i]); }
  }

  each("[data-reveal]", reveal);
  each("form[data-once]", once);
  each(".tile img", logo);
})();
