/* What JavaScript adds: everything here also works without it, by forms, links, <dialog open> and popovers. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const words = document.getElementById("words")?.dataset || {};
  const on = (type, selector, handler, options) =>
    document.addEventListener(type, (event) => {
      const found = event.target.closest?.(selector);
      if (found) handler(found, event);
    }, options);

  /* Theme: shown at once, kept by the server */
  on("click", "[data-theme-choice]", (control) => { root.dataset.theme = control.dataset.themeChoice; });

  /* Toasts */
  const region = document.getElementById("toasts");
  const retire = (toast) => {
    if (!toast.matches(".toast-error, .toast-warning")) setTimeout(() => toast.matches(":hover, :focus-within") ? retire(toast) : toast.remove(), 8000);
  };
  const toast = (text, tone = "info", action) => {
    if (!region) return;
    const box = document.createElement("div");
    box.className = `toast toast-${tone}`;
    const body = document.createElement("div");
    body.textContent = text;
    box.append(body);
    if (action) {
      const again = document.createElement("button");
      again.type = "button"; again.className = "link"; again.textContent = action.label;
      again.addEventListener("click", () => { box.remove(); action.run(); });
      body.append(" ", again);
    }
    const close = document.createElement("button");
    close.type = "button"; close.className = "copy dismiss"; close.setAttribute("aria-label", words.dismiss || "×"); close.textContent = "×";
    box.append(close);
    region.append(box);
    retire(box);
  };
  region?.querySelectorAll(".toast").forEach(retire);
  on("click", ".toast .dismiss", (button) => button.closest(".toast").remove());
  document.addEventListener("toast", (event) => toast(event.detail.text || event.detail.value, event.detail.tone));

  /* Copy */
  on("click", "[data-copy]", async (button) => {
    const text = button.dataset.copy;
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text; area.className = "visually-hidden"; document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); button.focus();
    }
    button.dataset.done = "";
    toast(words.copied || "OK", "success");
    setTimeout(() => delete button.dataset.done, 2000);
  });

  /* Dialogs: the button would load the page with its dialog open; here it opens at once, once the form is filled in */
  on("click", "[data-dialog]", (button, event) => {
    if (button.matches("[data-when-valid]") && !button.form.checkValidity()) return;
    const box = document.getElementById(button.dataset.dialog);
    if (box?.showModal) { event.preventDefault(); if (!box.open) box.showModal(); }
  });
  on("click", "dialog [data-close]", (button, event) => {
    const box = button.closest("dialog");
    event.preventDefault();
    box.close();
    if (new URLSearchParams(location.search).has("confirm")) {
      const url = new URL(location.href); url.searchParams.delete("confirm"); history.replaceState(null, "", url);
    }
  });
  document.addEventListener("mousedown", (event) => {
    const box = event.target;
    if (box instanceof HTMLDialogElement && box.open) {
      const edge = box.getBoundingClientRect();
      if (event.clientX < edge.left || event.clientX > edge.right || event.clientY < edge.top || event.clientY > edge.bottom) box.close();
    }
  });
  /* One that came open with the page: closed, the focus goes to the control that would have opened it */
  const openerOf = (box) => {
    const named = document.querySelector(`[data-dialog="${CSS.escape(box.id)}"]`);
    const control = named || [...(box.closest("form")?.elements || [])].find((each) => each.type === "submit" && !box.contains(each));
    const menu = control?.closest("[popover]");
    return menu ? document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`) : control;
  };
  const modalise = () => document.querySelectorAll("dialog[open]").forEach((box) => {
    if (box.matches(":modal")) return;
    box.close();
    openerOf(box)?.focus({ preventScroll: true });
    box.showModal();
  });

  /* Popovers where the browser cannot anchor them by itself */
  const anchored = CSS.supports("position-area: block-end");
  const place = (box, by) => {
    const from = by.getBoundingClientRect(), own = box.getBoundingClientRect(), gap = 6;
    const below = from.bottom + gap + own.height < innerHeight || from.top < own.height;
    box.style.margin = "0";
    box.style.insetBlockStart = `${Math.max(8, below ? from.bottom + gap : from.top - own.height - gap)}px`;
    const start = box.matches(".menu-start, .why") ? from.left : from.right - own.width;
    box.style.insetInlineStart = `${Math.min(Math.max(8, start), innerWidth - own.width - 8)}px`;
  };
  document.addEventListener("toggle", (event) => {
    const box = event.target;
    if (!box.matches?.(".menu, .why")) return;
    const by = document.querySelector(`[popovertarget="${CSS.escape(box.id)}"]`);
    by?.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "open" && by && !anchored) place(box, by);
  }, true);
  on("keydown", ".menu", (box, event) => {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.target.matches("input, select, textarea")) return;
    const items = [...box.querySelectorAll("a[href], button:not([disabled])")];
    const now = items.indexOf(document.activeElement);
    const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key];
    items[(next + items.length) % items.length]?.focus();
    event.preventDefault();
  });
  /* Why a control is disabled: also on hover and focus */
  const why = (button, shown) => {
    const box = document.getElementById(button.getAttribute("popovertarget"));
    if (box && box.matches(":popover-open") !== shown) shown ? box.showPopover({ source: button }) : box.hidePopover();
  };
  document.addEventListener("pointerenter", (event) => { if (event.target.matches?.("[data-why]") && event.pointerType === "mouse") why(event.target, true); }, true);
  document.addEventListener("pointerleave", (event) => { if (event.target.matches?.("[data-why]") && event.pointerType === "mouse") why(event.target, false); }, true);
  on("focusin", "[data-why]", (button) => { if (button.matches(":focus-visible")) why(button, true); });
  on("focusout", "[data-why]", (button) => why(button, false));

  /* Passwords: the eye, and thirty seconds */
  const mask = (button, shown) => {
    const input = document.getElementById(button.dataset.eye);
    if (!input) return;
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.setAttribute("aria-label", shown ? words.hide : words.show);
    clearTimeout(button.timer);
    if (shown) button.timer = setTimeout(() => mask(button, false), 30000);
  };
  on("click", "[data-eye]", (button) => mask(button, button.getAttribute("aria-pressed") !== "true"));
  const conceal = (box) => {
    const form = box.querySelector("template")?.content.firstElementChild?.cloneNode(true);
    if (!form || !box.isConnected) return;
    const focused = box.contains(document.activeElement);
    box.replaceWith(form);
    window.htmx?.process(form);
    if (focused) form.querySelector("button")?.focus();
  };
  on("click", "[data-hide-now]", (button) => conceal(button.closest("[data-hide-after]")));
  const watchSecrets = (scope) => scope.querySelectorAll("[data-hide-after]:not([data-watched])").forEach((box) => {
    box.dataset.watched = "";
    setTimeout(() => conceal(box), Number(box.dataset.hideAfter) * 1000);
    box.querySelector("[data-copy]")?.focus();
  });

  /* One press, one request */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
    setTimeout(() => release(form), 15000);
  });
  const release = (form) => { delete form.dataset.sent; form.querySelectorAll("[aria-busy]").forEach((b) => b.removeAttribute("aria-busy")); };
  addEventListener("pageshow", (event) => { if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(release); });

  /* Counters: how many letters are left */
  const countLetters = (area) => {
    let note = area.nextElementSibling?.matches("[data-letters]") ? area.nextElementSibling : null;
    if (!note) { note = document.createElement("span"); note.className = "hint end"; note.dataset.letters = ""; area.after(note); }
    note.textContent = `${area.value.length.toLocaleString("en")} / ${area.maxLength.toLocaleString("en")}`;
  };
  on("input", "textarea[maxlength]", countLetters);

  /* Chosen files: their names and sizes, and which are too large, before anything is sent */
  const unitOf = (bytes) => (bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);
  on("change", 'input[type="file"][data-max-size]', (input) => {
    const shown = input.nextElementSibling?.matches("[data-chosen]") ? input.nextElementSibling : document.createElement("ul");
    shown.className = "files"; shown.dataset.chosen = ""; shown.setAttribute("aria-live", "polite");
    let wrong = false;
    shown.replaceChildren(...[...input.files].map((file) => {
      const line = document.createElement("li"), name = document.createElement("span"), size = document.createElement("span");
      name.className = "name"; name.textContent = file.name;
      size.className = "size"; size.textContent = unitOf(file.size);
      line.append(name, size);
      if (file.size > Number(input.dataset.maxSize)) { wrong = true; size.className = "wrong"; size.textContent += ` – ${input.dataset.tooLarge}`; }
      return line;
    }));
    input.after(shown);
    wrong ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
  });

  /* Selecting rows */
  const countSelected = (list) => {
    const boxes = [...list.querySelectorAll("td.select input")], some = boxes.filter((box) => box.checked).length;
    const bulk = list.querySelector(".bulk"), all = list.querySelector("[data-select-all]");
    bulk?.toggleAttribute("data-some", some > 0);
    const text = bulk?.querySelector("[data-selected-count]");
    if (text) text.textContent = `${some} ${text.dataset.selectedCount}`;
    if (all) { all.checked = some > 0 && some === boxes.length; all.indeterminate = some > 0 && some < boxes.length; }
  };
  on("change", ".select input", (box) => {
    const list = box.closest(".list");
    if (box.matches("[data-select-all]")) list.querySelectorAll("td.select input").forEach((each) => { each.checked = box.checked; });
    countSelected(list);
  });

  /* Search suggestions: arrows, Enter, Escape */
  const options = (input) => [...document.getElementById(input.getAttribute("aria-controls"))?.querySelectorAll('[role="option"]') || []];
  const choose = (input, items, index) => {
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    items[index]?.scrollIntoView({ block: "nearest" });
    index >= 0 ? input.setAttribute("aria-activedescendant", items[index].id) : input.removeAttribute("aria-activedescendant");
  };
  const shut = (input) => { const box = document.getElementById(input.getAttribute("aria-controls")); if (box) box.replaceChildren(); input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  on("keydown", "[role=combobox]", (input, event) => {
    const items = options(input), now = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "Escape" && items.length) { shut(input); event.preventDefault(); }
    else if (event.key === "ArrowDown" && items.length) { choose(input, items, (now + 1) % items.length); event.preventDefault(); }
    else if (event.key === "ArrowUp" && items.length) { choose(input, items, now <= 0 ? items.length - 1 : now - 1); event.preventDefault(); }
    else if (event.key === "Enter" && now >= 0) { event.preventDefault(); items[now].click(); }
  });
  on("focusout", ".search", (form, event) => { const input = form.querySelector("[role=combobox]"); if (input && !form.contains(event.relatedTarget)) setTimeout(() => shut(input), 120); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select, [contenteditable]")) { const input = document.getElementById("top-search"); if (input?.offsetParent) { event.preventDefault(); input.focus(); } }
  });

  /* A list comes back as it was left: its breadcrumb gets the state of its last visit */
  const remember = () => document.querySelector(".list") && sessionStorage.setItem(`list:${location.pathname}`, location.search);
  on("click", ".crumbs a", (link) => { if (!link.search) link.search = sessionStorage.getItem(`list:${link.pathname}`) || ""; }, true);
  /* A date range is sent by its own button, not by its first date */
  on("change", ".toolbar .menu-body", (box, event) => event.stopPropagation(), true);

  /* htmx: busy regions, errors, fresh content */
  const timers = new WeakMap();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const target = event.detail.target;
    if (target?.matches?.(".list")) timers.set(target, setTimeout(() => target.setAttribute("aria-busy", "true"), 300));
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const target = event.detail.target;
    clearTimeout(timers.get(target));
    target?.removeAttribute?.("aria-busy");
    if (event.detail.elt.matches?.("[role=combobox]")) event.detail.elt.setAttribute("aria-expanded", String(options(event.detail.elt).length > 0));
    const form = event.detail.elt.closest?.("form");
    if (form) release(form);
  });
  const failed = (event) => {
    const { requestConfig: asked, target } = event.detail;
    if (event.detail.elt?.matches?.("[role=combobox]")) return;
    const again = asked?.verb === "get" ? { label: words.retry, run: () => window.htmx.ajax("GET", asked.path, { target, swap: "outerHTML" }) } : undefined;
    toast(words.failed, "error", again);
  };
  document.addEventListener("htmx:pushedIntoHistory", remember);
  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach((name) => document.addEventListener(name, failed));
  const measure = () => document.querySelectorAll(".table-wrap").forEach((wrap) => {
    const wide = wrap.firstElementChild?.scrollWidth > wrap.clientWidth + 1;
    wrap.toggleAttribute("data-wide", wide);
  });
  let resized;
  addEventListener("resize", () => { cancelAnimationFrame(resized); resized = requestAnimationFrame(measure); });
  const prepare = (scope) => {
    measure();
    remember();
    watchSecrets(scope);
    scope.querySelectorAll("textarea[maxlength]").forEach(countLetters);
    scope.querySelectorAll(".list").forEach(countSelected);
    scope.querySelector("[data-focus]")?.focus();
  };
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentElement || document));

  modalise();
  prepare(document);
})();
