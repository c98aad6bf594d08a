"use strict";
// Shows what the program tells, and tells it what is clicked. All that comes is put in as text.
(() => {
  const base = location.pathname.replace(/\/+$/, "");
  const by = (id) => document.getElementById(id);
  const table = by("list"), filter = by("filter"), shown = by("shown"), keys = by("keys");
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  let seq = Number(table.dataset.seq);
  let over = "over" in document.body.dataset;
  let lost = false;
  let last = -1; // the row that had the focus, from which "n" goes on
  let kept = null; // the row that is shown only because it has the focus

  // What can be wished in a state: the path, and the word on the button.
  const ACTIONS = {
    waiting: [["skip", "Skip"], ["handoff", "Hand off"]],
    opened: [["skip", "Skip"], ["handoff", "Hand off"]],
    handed_off: [["retry", "Reopen"], ["handoff", "New link"]],
    failed: [["retry", "Retry"], ["handoff", "Hand off"]],
    skipped: [["retry", "Reopen"], ["handoff", "Hand off"]],
  };
  const LABELS = { held: "awaiting approval", handed_off: "handed off" };
  const LEFT = ["waiting", "opened", "storing"];
  const bucket = (state) => (LEFT.includes(state) ? "left" : state);

  /** What the program told of a row beside its text: the grant that awaits approval, the link that is out. */
  const told = (row, name) => JSON.parse(row.tr.dataset[name] ?? "null");
  function tell(row, name, value) {
    if (value) row.tr.dataset[name] = JSON.stringify(value);
    else delete row.tr.dataset[name];
  }

  const rows = [...table.querySelectorAll("tr[data-n]")].map((tr) => ({
    tr,
    link: tr.querySelector(".do a"),
    text: [tr.querySelector(".license"), tr.querySelector(".ubi"), tr.parentNode.querySelector(".admin bdi")]
      .map((cell) => cell.textContent).join(" ").toLowerCase(),
  }));
  const license = (row) => row.tr.querySelector(".license bdi").textContent;
  const state = (row) => row.tr.dataset.state;

  function act(row) {
    const cell = row.link.parentNode;
    for (const button of cell.querySelectorAll("button")) button.remove();
    row.link.hidden = over || !["waiting", "opened"].includes(state(row));
    const awaiting = told(row, "awaiting");
    const actions = over || state(row) === "storing" ? [] : (ACTIONS[state(row)] ?? []).map(([wish, word]) => [wish, word, "", ""]);
    // Exactly the grant that is shown is accepted or discarded.
    if (awaiting && !over && state(row) !== "storing") {
      const [of, which] = [` the grant from ${awaiting.by} for`, `?shown=${awaiting.id}`];
      actions.unshift(["accept", "Accept", of, which], ["discard", "Discard", of, which]);
    }
    for (const [wish, word, of, which] of actions) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.wish = `${wish}/${row.tr.dataset.n}${which}`;
      button.textContent = word;
      button.setAttribute("aria-label", `${word}${of} ${license(row)}`);
      cell.append(button);
    }
    const place = row.tr.querySelector(".known");
    place.querySelector(".awaits")?.remove();
    if (awaiting && state(row) !== "held") {
      const said = document.createElement("em");
      said.className = "awaits";
      said.textContent = `The grant of ${awaiting.by} awaits approval.`;
      place.append(said);
    }
    link(row);
  }

  /** Puts a text into a banner; said only where it's another than before. */
  function banner(id, text, button) {
    const place = by(id);
    if ((place.querySelector("p")?.textContent ?? "") !== (text ?? "")) {
      place.replaceChildren();
      if (text) place.appendChild(document.createElement("p")).textContent = text;
    }
    if (text && button && !place.querySelector("button")) place.append(button);
  }

  function goOn() {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.wish = "on";
    button.textContent = "Continue";
    return button;
  }

  function count() {
    const counts = { left: 0, granted: 0, held: 0, handed_off: 0, failed: 0, skipped: 0 };
    for (const row of rows) counts[bucket(state(row))] += 1;
    for (const place of document.querySelectorAll("[data-count]")) {
      const number = counts[place.dataset.count];
      // A status is read out when it's touched: only what has changed is.
      const text = String(number);
      if (place.firstChild.textContent !== text) place.firstChild.textContent = text;
      place.hidden = number === 0 && !["left", "granted"].includes(place.dataset.count);
    }
    for (const chip of document.querySelectorAll("[data-chip]")) chip.lastChild.textContent = counts[chip.dataset.chip];
    by("done").value = rows.length - counts.left;
    document.title = `${lost ? "Stopped" : over ? "Ended" : `${counts.left} left`} · worklist`;
  }

  function sift() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = document.querySelector("[name=state]:checked").value;
    let number = 0;
    kept = null;
    for (const row of rows) {
      const fits = (wanted === "all" || bucket(state(row)) === wanted) && words.every((word) => row.text.includes(word));
      const held = !fits && row.tr.contains(document.activeElement);
      if (held) kept = row;
      if (fits || held) number += 1;
      if (row.tr.hidden === (fits || held)) row.tr.hidden = !(fits || held);
    }
    for (const group of table.tBodies) group.hidden = !group.querySelector("tr[data-n]:not([hidden])");
    by("nothing").hidden = number > 0;
    const said = number === rows.length ? "" : `${number} of ${rows.length} shown`;
    if (shown.textContent !== said) shown.textContent = said;
  }

  function take(news) {
    seq = news.seq;
    const ending = news.ended !== null && !over;
    over = over || news.ended !== null;
    for (const { n, progress, detail, expires, why, awaiting, link } of news.rows) {
      const row = rows[n];
      const focused = row.tr.contains(document.activeElement);
      row.tr.dataset.state = progress;
      const label = LABELS[progress] ?? progress;
      row.tr.querySelector(".state span").textContent = label[0].toUpperCase() + label.slice(1);
      row.tr.querySelector(".known span").textContent = detail;
      row.tr.querySelector(".known small").textContent = why;
      row.tr.querySelector(".expires").textContent = expires ?? "–";
      tell(row, "awaiting", awaiting);
      tell(row, "link", link);
      act(row);
      // Where the focus was is gone: its row has it now, so that the place in the list isn't lost.
      if (focused && (document.activeElement === document.body || document.activeElement.hidden)) rest(row);
    }
    banner("notice", news.notice, goOn());
    banner("end", news.ended);
    if (ending) stop("ended");
    if (news.rows.length) sift();
    count();
  }

  function rest(row) {
    row.tr.tabIndex = -1;
    row.tr.focus({ preventScroll: true });
  }

  function stop(how) {
    over = true;
    document.body.dataset.over = how;
    banner("notice", null);
    by("answer")?.remove();
    for (const row of rows) act(row);
  }

  function lose() {
    lost = true;
    stop("lost");
    banner("end", "biotrack-auth has stopped. This page may be out of date. To continue, run `biotrack-auth renew --resume`.");
    count();
  }

  async function hear() {
    const answer = await fetch(`${base}/news?after=${seq}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const news = await answer.json();
    // Two questions at once: the older answer may come later.
    if (news.seq >= seq) take(news);
  }

  async function listen() {
    for (let failed = 0; !over; await pause(1000)) {
      try {
        await hear();
        failed = 0;
      } catch {
        if ((failed += 1) > 3) return lose();
      }
    }
  }

  async function wish(button) {
    const [action, at] = button.dataset.wish.split(/[/?]/);
    // A discarded grant is gone: it takes two clicks.
    if (action === "discard" && !("sure" in button.dataset)) {
      button.dataset.sure = "";
      button.textContent = "Really discard?";
      button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^Discard/, "Really discard"));
      return;
    }
    // Not disabled, which would take the focus away.
    button.setAttribute("aria-disabled", "true");
    try {
      const answer = await fetch(`${base}/${button.dataset.wish}`, { method: "POST", cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      if (["handoff", "accept", "discard"].includes(action)) {
        const { said, address } = await answer.json();
        if (said) shown.textContent = said;
        if (address) pick(rows[Number(at)], address);
      }
    } catch {
      shown.textContent = "biotrack-auth did not accept that. Try again.";
    }
    // If it was accepted, the news replace the button.
    if (!over) hear().catch(() => {});
    button.removeAttribute("aria-disabled");
  }

  /** Once the news have brought a new link, it's selected. */
  async function pick(row, address) {
    for (let tries = 0; tries < 20; tries += 1) {
      const field = row.tr.querySelector(".link input");
      if (field?.value === address) {
        field.focus();
        return field.select();
      }
      await pause(100);
    }
  }

  /** The link that is out, to be copied by itself or in a message; it stays until its answer comes. */
  function link(row) {
    const out = told(row, "link");
    const there = row.tr.querySelector(".link");
    if (there?.querySelector("input").value === out?.address) {
      if (over) for (const button of there?.querySelectorAll("button") ?? []) button.remove();
      return;
    }
    there?.remove();
    if (!out) return;
    const place = document.createElement("div");
    place.className = "link";
    const field = place.appendChild(document.createElement("input"));
    field.readOnly = true;
    field.value = out.address;
    field.setAttribute("aria-label", `Link for ${license(row)}, to send to its admin`);
    for (const [word, text] of over ? [] : [["Copy", out.address], ["Copy message", out.message]]) {
      const copy = place.appendChild(document.createElement("button"));
      copy.type = "button";
      copy.textContent = word;
      copy.setAttribute("aria-label", `${word} for ${license(row)}`);
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(text);
          copy.textContent = "Copied";
        } catch {
          field.focus();
          field.select();
          copy.textContent = word === "Copy" ? "Press Ctrl-C" : "Not copied";
        }
      });
    }
    row.tr.querySelector(".known").append(place);
  }

  /** Gives the pasted text to the program, which says what came of it. A whole mail goes in pieces. */
  async function take_answer() {
    const PIECE = 1000;
    const field = by("pasted"), said = by("said"), button = by("take");
    if (button.hasAttribute("aria-disabled")) return;
    if (!field.value.trim()) return field.focus();
    button.setAttribute("aria-disabled", "true");
    // By characters: half of one can't be sent.
    const text = [...field.value.toWellFormed?.() ?? field.value];
    try {
      for (let after = 0; after < text.length; after += PIECE) {
        const piece = encodeURIComponent(text.slice(after, after + PIECE).join(""));
        const more = after + PIECE < text.length;
        const path = `${base}/answer?after=${after}${more ? "&more=1" : ""}&text=${piece}`;
        const answer = await fetch(path, { method: "POST", cache: "no-store" });
        if (!answer.ok) throw new Error(answer.status);
        if (more) continue;
        const { taken, said: told } = await answer.json();
        said.textContent = told;
        if (taken) field.value = "";
      }
    } catch {
      said.textContent = "biotrack-auth did not accept that. Try again.";
    }
    button.removeAttribute("aria-disabled");
  }

  function next() {
    const waits = (row) => !row.tr.hidden && !row.link.hidden && state(row) === "waiting";
    const found = [...rows.keys()].map((at) => (last + 1 + at) % rows.length).find((at) => waits(rows[at]));
    if (found === undefined) shown.textContent = "No waiting license is shown.";
    else rows[found].link.focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-wish]");
    if (button && !button.hasAttribute("aria-disabled")) wish(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === filter && event.key === "Escape") {
      filter.value = "";
      return sift();
    }
    const typing = event.target.matches("textarea, input:not([type=radio], [type=checkbox])");
    if (typing || !keys.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") filter.focus();
    else if (event.key === "n") next();
    else return;
    event.preventDefault();
  });
  table.addEventListener("focusin", (event) => {
    const tr = event.target.closest("tr[data-n]");
    if (tr) last = Number(tr.dataset.n);
  });
  table.addEventListener("focusout", () => {
    if (kept) setTimeout(sift);
  });
  filter.addEventListener("input", sift);
  for (const radio of document.querySelectorAll("[name=state]")) radio.addEventListener("change", sift);

  // The style lays rows out as grids, which takes a table's meaning away in some browsers.
  table.setAttribute("role", "table");
  for (const group of [table.tHead, ...table.tBodies]) group.setAttribute("role", "rowgroup");
  for (const tr of table.rows) tr.setAttribute("role", "row");
  for (const cell of table.querySelectorAll("td")) cell.setAttribute("role", "cell");
  for (const cell of table.querySelectorAll("tr[data-n] th")) cell.setAttribute("role", "rowheader");
  for (const cell of table.querySelectorAll("thead th")) cell.setAttribute("role", "columnheader");

  for (const row of rows) act(row);
  if (by("answer")) {
    by("answer").hidden = false;
    by("take").addEventListener("click", take_answer);
    by("pasted").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      take_answer();
    });
  }
  const tools = by("tools");
  tools.hidden = false;
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--bar", `${tools.offsetHeight}px`);
  }).observe(tools);
  if (!over && by("notice").firstChild) by("notice").append(goOn());
  sift();
  count();
  listen();
})();
