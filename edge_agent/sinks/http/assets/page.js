// Keeps the page fresh: the agent says when something changed, and the parts of the page that differ are exchanged.
// Without this script the page is the same, and reloads itself.
"use strict";
(() => {
  const REST_MS = 2000;
  const SLOW_MS = 15000;
  const PARTS = ["head", "alarms", "foot"];
  const shown = new Map();
  let stream = null;
  let timer = 0;
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

  const exchange = (old, fresh) => {
    if (!fresh || shown.get(fresh.id) === fresh.outerHTML) return;
    shown.set(fresh.id, fresh.outerHTML);
    inLocalTime(fresh);
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(fresh);
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };

  const ids = (list) => Array.from(list.children, (tile) => tile.id).join(" ");

  const show = (fresh) => {
    document.title = fresh.title;
    for (const id of PARTS) exchange(document.getElementById(id), fresh.getElementById(id));
    const tiles = document.getElementById("tiles");
    const freshTiles = fresh.getElementById("tiles");
    if (ids(tiles) !== ids(freshTiles)) {
      tiles.parentElement.replaceWith(freshTiles.parentElement);
      inLocalTime(freshTiles);
      shown.clear();
    } else {
      for (const tile of Array.from(freshTiles.children)) exchange(document.getElementById(tile.id), tile);
    }
  };

  const ask = async () => {
    timer = 0;
    asking = true;
    missed = false;
    let answered = false;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.ok) {
        show(new DOMParser().parseFromString(await answer.text(), "text/html"));
        answered = true;
      }
    } catch {
      // told below
    }
    document.getElementById("stale").hidden = answered;
    asking = false;
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null; // too many listened; perhaps there is room now
      listen();
    }
    if (missed) soon(REST_MS);
    else if (!answered || stream?.readyState !== EventSource.OPEN) soon(SLOW_MS);
  };

  const soon = (wait) => {
    if (asking) missed = true;
    else if (!timer && !document.hidden) timer = setTimeout(ask, wait);
  };

  const listen = () => {
    if (stream || document.hidden) return;
    stream = new EventSource("/api/v1/events");
    for (const kind of ["machine", "removed", "agent"]) stream.addEventListener(kind, () => soon(REST_MS));
    stream.onerror = () => soon(REST_MS);
  };

  const rest = () => {
    stream?.close();
    stream = null;
    clearTimeout(timer);
    timer = 0;
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : (listen(), soon(0))));
  inLocalTime(document);
  listen();
})();
