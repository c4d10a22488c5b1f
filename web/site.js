/**
 * Small comforts of the public site; every page works without it. Loads nothing, keeps nothing.
 */
(() => {
  "use strict";
  /** An app that opens takes the focus away well before this. */
  const APP_OPENS_WITHIN_MS = 2500;

  /** Shows the hint under a link into the app when nothing came up. */
  const watch = (link) => {
    const hint = document.getElementById(link.dataset.hint ?? "");
    if (hint === null) return;
    let left = false;
    const leave = () => {
      left = true;
    };
    addEventListener("blur", leave, { once: true });
    addEventListener("pagehide", leave, { once: true });
    document.addEventListener("visibilitychange", leave, { once: true });
    setTimeout(() => {
      if (!left) hint.hidden = false;
    }, APP_OPENS_WITHIN_MS);
  };

  for (const link of document.querySelectorAll("a[data-hint]")) {
    link.addEventListener("click", () => watch(link));
    // After one tap on "create", the new account opens by itself; a mouse may belong to a computer without the app.
    if (link.hasAttribute("data-open") && matchMedia("(pointer: coarse)").matches) link.click();
  }

  const copy = async (text) => {
    if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
    // Pages without TLS have no clipboard API.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  };

  for (const button of document.querySelectorAll("button[data-copy]")) {
    const name = button.textContent;
    button.hidden = false;
    const done = () => {
      button.textContent = button.dataset.done;
      setTimeout(() => {
        button.textContent = name;
      }, 2000);
    };
    button.addEventListener("click", () => {
      // Where it fails, the text stands on the page, to be copied by hand.
      copy(button.dataset.copy).then(done, () => {});
    });
  }

  for (const form of document.querySelectorAll("form[data-busy]")) {
    const button = form.querySelector("button");
    const name = button.textContent;
    form.addEventListener("submit", () => {
      button.textContent = form.dataset.busy;
      // Disabled after the form is on its way.
      setTimeout(() => {
        button.disabled = true;
      });
    });
    // Back from the next page: as if nothing had happened.
    addEventListener("pageshow", () => {
      button.disabled = false;
      button.textContent = name;
    });
  }

  // A menu closes when somebody goes elsewhere.
  const menu = document.querySelector("details.languages");
  document.addEventListener("click", (event) => {
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu?.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
