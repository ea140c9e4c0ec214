// Sends the answer to the application at once (OAuth 2.0 Form Post Response
// Mode). Without scripts the person presses Continue.
(function () {
  "use strict";
  var form = document.getElementById("formpost");
  var steps = window.performance && performance.getEntriesByType ? performance.getEntriesByType("navigation") : [];
  // Somebody who came here by the back button wants to go further back.
  if (form && !(steps.length && steps[0].type === "back_forward")) { form.submit(); }
})();
