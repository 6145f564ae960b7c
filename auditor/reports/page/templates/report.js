"use strict";
(() => {
  const PAGE = 50;
  const by = (id) => document.getElementById(id);
  const openTarget = () => {
    const target = location.hash.length > 1 && by(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  const label = (rows, heads) => {  // on a phone a row is a card, with its headings beside the cells
    for (const row of rows) [...row.cells].forEach((cell, column) => { cell.dataset.head = heads[column]; });
  };
  const headings = (table) => [...table.tHead.rows[0].cells].map((head) => head.textContent);
  const cards = (place, which) => {
    for (const table of place.querySelectorAll(which)) {
      label(table.tBodies[0].rows, headings(table));
      table.classList.add("labeled");
    }
  };
  cards(document, "table.cards:not(.claim table)");
  document.addEventListener("toggle", (event) => cards(event.target, ".claim table.cards:not(.labeled)"), true);

  const table = by("table");
  if (!table) return;
  const body = table.tBodies[0];
  const cells = (row) => [...row.cells].map((cell) => cell.textContent);
  const rows = [...body.rows].map((row, place) => {
    const texts = cells(row);
    return { row, place, texts, outcome: texts[0], rule: texts[1].slice(0, 6), provider: texts[4].toLowerCase(),
             mark: row.cells[9]?.dataset.mark, state: row.cells[10]?.dataset.state,
             payer: row.querySelector("[data-payer]")?.textContent, all: texts.join(" ").toLowerCase() };
  });
  const fields = { text: by("f-text"), outcome: by("f-outcome"), rule: by("f-rule"), provider: by("f-provider"),
                   mark: by("f-mark"), state: by("f-state"), payer: by("f-payer") };
  const heads = headings(table);
  const names = Object.keys(fields);
  const form = by("controls");
  let shown = rows, page = 0, sorted = { column: -1, down: false };

  const turn = () => {
    const first = page * PAGE, last = Math.min(shown.length, first + PAGE);
    shown.forEach((entry, place) => entry.row.classList.toggle("paged", place < first || place >= last));
    label(shown.slice(first, last).map(({ row }) => row), heads);
    const rest = Number(by("status").dataset.rest);
    const apart = rest ? ` ${rest.toLocaleString("en")} more findings are only in findings.csv.` : "";
    by("status").textContent = shown.length
      ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${shown.length.toLocaleString("en")} matching findings.${apart}`
      : `No finding on this page matches. Clear the filters to see all of them.${apart}`;
    by("pager").hidden = shown.length <= PAGE;
    by("back").disabled = page === 0;
    by("next").disabled = last === shown.length;
  };
  const filter = () => {
    const words = fields.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const provider = fields.provider.value.trim().toLowerCase();
    shown = rows.filter((entry) =>
      (!fields.outcome.value || entry.outcome === fields.outcome.value) &&
      (!fields.rule.value || entry.rule === fields.rule.value) &&
      (!fields.mark?.value || entry.mark === fields.mark.value) &&
      (!fields.state?.value || entry.state === fields.state.value) &&
      (!fields.payer?.value || entry.payer === fields.payer.value) &&
      (!provider || (provider[0] === "=" ? entry.provider === provider.slice(1) : entry.provider.includes(provider))) &&
      words.every((word) => entry.all.includes(word)));
    const kept = new Set(shown);
    for (const entry of rows) entry.row.hidden = !kept.has(entry);
    page = 0;
    turn();
    const given = new URLSearchParams(names.filter((name) => fields[name]?.value).map((name) => [name, fields[name].value]));
    const address = location.pathname + (String(given) ? `?${given}` : "") + location.hash;
    try { history.replaceState(null, "", address); } catch { /* a file that a browser shows without an address */ }
  };
  const sort = (column, kind) => {
    const down = sorted.column === column ? !sorted.down : kind === "number";
    sorted = { column, down };
    const value = (entry) => kind === "number"
      ? parseFloat(entry.texts[column].replace(/[^0-9.-]/g, "")) : entry.texts[column];
    const missing = (found) => found === "" || Number.isNaN(found);
    rows.sort((a, b) => {
      const x = value(a), y = value(b);
      if (missing(x) !== missing(y)) return missing(x) ? 1 : -1;
      const order = missing(x) || x === y ? 0 : x < y ? -1 : 1;
      return (down ? -order : order) || a.place - b.place;
    });
    body.append(...rows.map((entry) => entry.row));
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    filter();
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column, head.dataset.sort));
    // Chromium does not paint buttons in a header that it repeats on the next sheet of paper.
    const plain = document.createElement("span");
    plain.className = "plain";
    plain.textContent = head.textContent;
    head.replaceChildren(button, plain);
  });
  const providers = [...new Set(rows.map((entry) => entry.texts[4]))].sort();
  by("provider-list").append(...providers.slice(0, 2000).map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  }));
  let waiting;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  by("back").addEventListener("click", () => { page -= 1; turn(); });
  by("next").addEventListener("click", () => { page += 1; turn(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-rule], a[data-provider], a[data-mark], a[data-state], a[data-payer]");
    if (!link) return;
    form.reset();
    for (const name of names) if (fields[name]) fields[name].value = link.dataset[name] || "";
    if (link.dataset.provider) fields.provider.value = `=${link.dataset.provider}`;
    setTimeout(filter);
  });
  form.hidden = false;
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, dialog")) return;
    event.preventDefault();
    fields.text.focus();
  });

  const viewer = by("viewer"), view = by("view");
  let current = null;
  const offer = (line) => {  // the command of the decision that is chosen, to be copied
    const command = line.querySelector("code"), decision = command.querySelector("b");
    const choice = document.createElement("select"), button = document.createElement("button"), status = document.createElement("span");
    choice.append(...line.dataset.choices.split(" ").map((state) => new Option(state)));
    choice.setAttribute("aria-label", `Decision on case ${line.dataset.case}`);
    choice.addEventListener("change", () => { decision.textContent = choice.value; status.textContent = ""; });
    button.type = "button";
    button.textContent = "Copy command";
    button.addEventListener("click", () => {
      getSelection().selectAllChildren(command);
      status.textContent = document.execCommand("copy") ? "Copied" : "Selected; copy it with Ctrl+C";
    });
    status.setAttribute("role", "status");
    command.before(choice, button, status);
  };
  const list = () => [...new Set(shown.map((entry) => entry.row.querySelector("th a")?.hash.slice(1)).filter(Boolean))];
  const show = (id) => {
    const source = by(id);
    if (!source) return;
    current = id;
    const copy = source.cloneNode(true);
    copy.removeAttribute("id");
    copy.open = true;
    view.replaceChildren(copy);
    copy.querySelectorAll(".decide").forEach(offer);
    const ids = list(), place = ids.indexOf(id);
    by("earlier").disabled = place <= 0;
    by("later").disabled = place < 0 || place === ids.length - 1;
    if (!viewer.open) viewer.showModal();
    viewer.scrollTop = 0;
  };
  const step = (by_) => { const ids = list(); show(ids[ids.indexOf(current) + by_]); };
  by("main").addEventListener("click", (event) => {
    const link = event.target.closest("#table th a, a.opens");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link.hash.slice(1));
  });
  by("earlier").addEventListener("click", () => step(-1));
  by("later").addEventListener("click", () => step(1));
  by("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.closest("a")) viewer.close();
  });
  const asked = new URLSearchParams(location.search);
  for (const name of names) if (fields[name] && asked.has(name)) fields[name].value = asked.get(name);
  filter();
})();
