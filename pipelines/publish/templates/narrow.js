/* Short tables that stand on the page: a form's choices narrow their rows. */
"use strict";

(() => {
  addEventListener("DOMContentLoaded", () => {
    for (const form of document.querySelectorAll("form[data-narrows]")) {
      const table = document.getElementById(form.dataset.narrows);
      const status = form.querySelector("[role=status]");
      const rows = [...table.tBodies[0].rows];
      const narrow = () => {
        const asked = [...form.querySelectorAll("select")].filter((control) => control.value);
        let kept = 0;
        for (const row of rows) {
          const stays = asked.every((control) => row.dataset[control.name] === control.value);
          row.hidden = !stays;
          kept += stays ? 1 : 0;
        }
        status.textContent = `${kept} of ${rows.length} rows`;
      };
      form.addEventListener("change", narrow);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.hidden = false;
      narrow();
    }
    // A link to something inside a closed part opens it.
    const reveal = () => {
      const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target) {
        for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
        target.scrollIntoView();
      }
    };
    addEventListener("hashchange", reveal);
    reveal();
  });
})();
