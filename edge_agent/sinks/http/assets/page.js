// Keeps a page fresh: the agent says when something changed, the page is asked for again, and the parts of it that
// differ are exchanged. What is exchanged and when, the page says itself (see html.py). Without this script the pages
// are the same, and reload themselves.
"use strict";
(() => {
  const REST_MS = 2000;
  const SLOW_MS = 15000;
  const main = document.getElementById("main");
  const { every, watch, machine } = main.dataset;
  const shown = new Map();
  let stream = null;
  let timer = 0;
  let due = Infinity;
  let asking = false;
  let missed = false;

  const inLocalTime = (part) => {
    for (const time of part.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      const how = { timeStyle: "short", hourCycle: "h23", ...(today ? {} : { dateStyle: "medium" }) };
      time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, how).format(at);
    }
  };

  // What in the fresh part is what somebody is at: a link, a button that copies, or the same place of the same form.
  const twin = (active, fresh) => {
    if (active.form) {
      const form = Array.from(fresh.querySelectorAll("form")).find((each) => each.outerHTML === active.form.outerHTML);
      return form?.elements[Array.from(active.form.elements).indexOf(active)];
    }
    const [name, value] = active.dataset.copy ? ["data-copy", active.dataset.copy] : ["href", active.getAttribute("href")];
    return value && fresh.querySelector(`[${name}="${CSS.escape(value)}"]`);
  };

  const exchange = (old, fresh) => {
    if (!old || !fresh || shown.get(fresh.id) === fresh.outerHTML) return;
    const selection = getSelection();
    if (!selection.isCollapsed && old.contains(selection.anchorNode)) return; // somebody is about to copy it
    shown.set(fresh.id, fresh.outerHTML);
    inLocalTime(fresh);
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(fresh);
    if (active) twin(active, fresh)?.focus();
  };

  const ids = (list) => Array.from(list.children, (child) => child.id).join(" ");

  const show = (fresh) => {
    document.title = fresh.title;
    for (const old of document.querySelectorAll("[role=status]")) {
      const said = fresh.getElementById(old.id)?.textContent;
      if (said !== undefined && said !== old.textContent) old.textContent = said; // a screen reader says it again
    }
    for (const old of document.querySelectorAll("[data-live]")) {
      const part = fresh.getElementById(old.id);
      if (part && "list" in old.dataset && ids(old) === ids(part)) {
        for (const child of Array.from(part.children)) exchange(document.getElementById(child.id), child);
      } else exchange(old, part);
    }
  };

  const ask = async () => {
    due = Infinity;
    asking = true;
    missed = false;
    let answered = false;
    try {
      const answer = await fetch(location.pathname + location.search, {
        cache: "no-store",
        signal: AbortSignal.timeout(10000),
      });
      answered = answer.ok;
      if (answered && !answer.redirected) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // told below
    }
    document.getElementById("stale").hidden = answered;
    asking = false;
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null; // too many listened; perhaps there is room now
      listen();
    }
    if (missed) wake();
    else if (!answered || (watch && stream?.readyState !== EventSource.OPEN)) soon(SLOW_MS);
    else if (every) soon(every * 1000);
  };

  // Something that is planned sooner stays planned: a flood of events must not put it off for ever.
  const soon = (wait) => {
    if (asking) missed = true;
    else if (!document.hidden && performance.now() + wait < due) {
      clearTimeout(timer);
      due = performance.now() + wait;
      timer = setTimeout(ask, wait);
    }
  };
  const wake = () => soon(REST_MS);

  const listen = () => {
    if (!watch || stream || document.hidden) return;
    stream = new EventSource("/api/v1/events");
    for (const kind of ["machine", "removed", "agent"]) {
      stream.addEventListener(kind, (event) => {
        if (machine ? JSON.parse(event.data).id === machine : watch === "all" || watch === kind) wake();
      });
    }
    stream.onerror = wake;
  };

  const rest = () => {
    stream?.close();
    stream = null;
    clearTimeout(timer);
    due = Infinity;
  };

  const copied = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      // The clipboard proper is for https only; what is selected can be copied everywhere.
      getSelection().selectAllChildren(source);
      if (!document.execCommand("copy")) return;
      getSelection().removeAllRanges();
    }
    const label = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = label), 2000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copied(button);
  });
  document.documentElement.classList.add("script");
  inLocalTime(document);
  if (!watch && !every) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : (listen(), soon(0))));
  listen();
  if (every) soon(every * 1000);
})();
