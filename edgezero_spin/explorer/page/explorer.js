"use strict";

const MOST_ROWS = 1000;
const $ = (id) => document.getElementById(id);

/** Make an element; texts are never markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "x-edgezero-explorer": "1" }, cache: "no-store" });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.problem || answer.statusText);
  return found;
}

const number = (value) => (value === null || value === undefined ? "" : value.toLocaleString("en"));
const ms = (value) => (value === null || value === undefined ? "" : `${value.toFixed(value < 10 ? 2 : 0)} ms`);
const bytes = (value) => value === null || value === undefined ? "" : value < 1024 ? `${value} B` : value < 1048576 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1048576).toFixed(1)} MiB`;
const statusClass = (status) => status === null ? "quiet" : status >= 500 ? "bad" : status >= 400 ? "warn" : "good";

function table(heads, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", {}, head)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell ?? ""))))));
}

// Requests

const requests = new Map();
let selected = null;
let total = 0;

function matches(request, words) {
  const text = `${request.method} ${request.path}${request.query === null ? "" : "?" + request.query} ${request.component ?? ""} ${request.status ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function filterWords() {
  return $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
}

function rowOf(request, row) {
  const target = request.query === null ? request.path : `${request.path}?${request.query}`;
  row.replaceChildren(
    make("td", { class: "n quiet" }, String(request.number)), make("td", {}, request.method),
    make("td", { class: "code" }, target), make("td", {}, request.component ?? ""),
    make("td", { class: `n ${statusClass(request.status)}` }, request.status === null ? "\u2026" : String(request.status)),
    make("td", { class: "n" }, ms(request.ms)), make("td", { class: "n" }, ms(request.cpu_ms)),
    make("td", { class: "n" }, number(request.instructions)), make("td", { class: "n" }, request.calls ? String(request.calls) : ""));
  if (request.problem) row.title = request.problem;
}

function show(request) {
  requests.set(request.number, request);
  total = Math.max(total, request.number);
  while (requests.size > MOST_ROWS) {
    const oldest = requests.keys().next().value;
    requests.delete(oldest);
    $(`request-${oldest}`)?.remove();
  }
  let row = $(`request-${request.number}`);
  if (row === null) {
    row = make("tr", { id: `request-${request.number}`, class: "new", tabindex: "-1", "aria-selected": "false", onclick: () => select(request.number) });
    $("rows").append(row);
  }
  rowOf(request, row);
  row.hidden = !matches(request, filterWords());
  if (request.number === selected) detail();
}

function counted() {
  $("none").hidden = requests.size > 0;
  $("count").textContent = requests.size ? `${number(requests.size)} of ${number(total)}` : "";
  if ($("follow").checked) $("scroller").scrollTop = $("scroller").scrollHeight;
}

function refilter() {
  const words = filterWords();
  for (const request of requests.values()) {
    const row = $(`request-${request.number}`);
    if (row) row.hidden = !matches(request, words);
  }
}

function select(wanted) {
  const before = $(`request-${selected}`);
  if (before) before.setAttribute("aria-selected", "false");
  selected = wanted;
  const row = $(`request-${wanted}`);
  if (row) {
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    $("follow").checked = false;
  }
  detail();
}

function move(step) {
  const shown = [...requests.keys()].filter((key) => !$(`request-${key}`)?.hidden);
  if (!shown.length) return;
  const at = shown.indexOf(selected);
  select(at < 0 ? shown[step > 0 ? 0 : shown.length - 1] : shown[Math.min(shown.length - 1, Math.max(0, at + step))]);
}

async function detail() {
  const pane = $("detail");
  const wanted = selected;
  if (wanted === null) { pane.hidden = true; pane.replaceChildren(); return; }
  let request;
  try { request = await ask(`api/requests/${wanted}`); } catch (error) {
    request = null;
    if (wanted === selected) pane.replaceChildren(make("p", { class: "bad" }, error.message));
  }
  if (wanted !== selected) return;
  pane.hidden = false;
  if (request === null) return;
  const facts = [
    ["Status", request.status === null ? "under way" : String(request.status)], ["Component", request.component ?? "the host"],
    ["Route", request.route ?? ""], ["At", new Date(request.at * 1000).toLocaleTimeString()], ["Time", ms(request.ms)], ["CPU", ms(request.cpu_ms)],
    ["Instructions", number(request.instructions)], ["Body", bytes(request.bytes)],
  ].filter(([, value]) => value !== "");
  const parts = [
    make("h2", {}, `${request.method} ${request.path}`), make("dl", {}, ...facts.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, value)])),
  ];
  if (request.problem) parts.push(make("h2", { class: "bad" }, "Problem"), make("pre", { class: "bad" }, request.problem));
  if (request.call_list.length) {
    const rows = request.call_list.map((call) => [ms(call.after_ms), make("span", { class: "code", title: call.interface }, call.text),
      call.error ? make("span", { class: "bad" }, call.error) : call.result ?? "", call.ms === null ? "\u2026" : ms(call.ms)]);
    parts.push(make("h2", {}, `Host calls (${number(request.calls)})`), table(["After", "Call", "Result", "Took"], rows));
    if (request.calls > request.call_list.length) parts.push(make("p", { class: "quiet" }, `The first ${request.call_list.length} are kept.`));
  }
  if (request.output.length) {
    parts.push(make("h2", {}, "Output"), ...request.output.map((piece) => make("pre", { class: piece.stream === "stderr" ? "warn" : "" }, piece.text)));
    if (request.output_cut) parts.push(make("p", { class: "quiet" }, "The rest is in the log of the component."));
  }
  pane.replaceChildren(...parts);
}

async function load() {
  const found = await ask("api/requests");
  total = found.total;
  for (const request of found.requests) show(request);
  counted();
}

function listen() {
  const events = new EventSource("api/events");
  events.onopen = () => { state("live", "live"); load().catch(() => {}); overview(); };
  events.onerror = () => state("lost", "no connection: waiting for the host");
  events.onmessage = (message) => { JSON.parse(message.data).forEach(show); counted(); };
}

function state(name, text) {
  $("status").dataset.state = name;
  $("status").textContent = text;
}

// The application

let application = null;

async function overview() {
  try { application = await ask("api/application"); } catch (error) { state("lost", error.message); return; }
  $("name").textContent = application.name || "Explorer";
  $("version").textContent = application.version;
  document.title = `${application.name || "Explorer"} \u2013 Explorer`;
  showLabels();
  showVariables();
  showRoutes();
  showComponents();
}

function showVariables() {
  const rows = application.variables.map((v) => [v.component, make("span", { class: "code" }, v.name),
    v.problem ? make("span", { class: "bad" }, v.problem) : make("span", { class: v.secret ? "quiet" : "code" }, v.value ?? ""), v.secret ? "secret" : ""]);
  $("variables").replaceChildren(rows.length ? table(["Component", "Name", "Value", ""], rows) : make("p", { class: "quiet" }, "No component has variables."));
}

function showRoutes() {
  const base = application.url ?? "";
  const link = (path) => base && !path.includes(":") ? make("a", { href: base + path, target: "_blank", rel: "noopener noreferrer" }, path) : path;
  const rows = application.routes.map((r) => [make("span", { class: "code" }, link(r.path), r.wildcard ? " and below" : ""), r.component, r.description]);
  const parts = [table(["Path", "Component", ""], rows)];
  if (application.openapi) {
    parts.push(make("p", {}, "OpenAPI: ", ...application.openapi.flatMap((path) => [make("a", { href: base + path, target: "_blank", rel: "noopener noreferrer" }, path), " "])));
  }
  $("routes").replaceChildren(...parts);
}

function showComponents() {
  const list = (title, values) => values.length ? [make("dt", {}, title), make("dd", {}, values.join(", "))] : [];
  $("components").replaceChildren(...application.components.map((c) => make("section", {},
    make("h2", {}, c.id), c.description ? make("p", {}, c.description) : null, c.problem ? make("p", { class: "warn" }, c.problem) : null,
    make("dl", {}, make("dt", {}, "File"), make("dd", {}, `${c.source} ${bytes(c.bytes)}`), ...list("Key-value stores", c.key_value_stores), ...list("SQLite databases", c.sqlite_databases),
      ...list("Outbound hosts", c.allowed_outbound_hosts), ...list("Models", c.ai_models), ...list("Environment", c.environment)),
    c.imports.length ? make("details", {}, make("summary", {}, `${c.imports.length} imports`), make("pre", {}, c.imports.join("\n"))) : null)));
}

// Stores

let opened = null;

function showLabels() {
  const button = (kind, label) => make("li", {}, make("button", { type: "button", "aria-current": String(opened === `${kind} ${label}`), onclick: () => open(kind, label) }, label));
  const part = (title, kind, labels) => labels.length ? [make("h2", {}, title), make("ul", { class: "labels" }, ...labels.map((label) => button(kind, label)))] : [];
  const parts = [...part("Key-value", "key-value", application.key_value), ...part("SQLite", "sqlite", application.databases)];
  $("labels").replaceChildren(...(parts.length ? parts : [make("p", { class: "quiet" }, "The application has no stores.")]));
}

function open(kind, label) {
  opened = `${kind} ${label}`;
  showLabels();
  if (kind === "sqlite") openDatabase(label); else openKeys(label);
}

const failed = (error) => make("p", { class: "bad", role: "alert" }, error.message);
const pathOf = (label) => `api/key-value/${encodeURIComponent(label)}`;

async function openKeys(label) {
  const keys = make("tbody", {});
  const value = make("div", { id: "value" });
  const prefix = make("input", { type: "search", placeholder: "Keys that begin with", "aria-label": "Keys that begin with" });
  const more = make("button", { type: "button", hidden: true }, "More");
  let last = "";
  async function page(fresh) {
    if (fresh) { last = ""; keys.replaceChildren(); }
    try {
      const found = await ask(`${pathOf(label)}?prefix=${encodeURIComponent(prefix.value)}&after=${encodeURIComponent(last)}`);
      for (const key of found.keys) {
        keys.append(make("tr", {}, make("td", {}, make("button", { type: "button", class: "code key", onclick: () => openValue(label, key, value, () => page(true)) }, key))));
        last = key;
      }
      more.hidden = !found.more;
    } catch (error) { value.replaceChildren(failed(error)); }
  }
  prefix.addEventListener("input", () => page(true));
  more.addEventListener("click", () => page(false));
  const add = make("button", { type: "button", onclick: () => edit(label, "", "", value, () => page(true)) }, "New entry");
  $("store").replaceChildren(make("div", { class: "bar" }, prefix, add), make("table", { "aria-label": "Keys" }, keys), more, value);
  await page(true);
}

async function openValue(label, key, pane, changed) {
  try {
    const found = await ask(`${pathOf(label)}/value?key=${encodeURIComponent(key)}`);
    if (found.text === null || found.cut) {
      pane.replaceChildren(make("h2", {}, key), make("p", { class: "quiet" }, `${bytes(found.bytes)}, not shown as text`),
        make("pre", {}, (found.base64 ?? found.text).slice(0, 4000)), remove(label, key, pane, changed));
    } else {
      edit(label, key, found.text, pane, changed);
    }
  } catch (error) { pane.replaceChildren(failed(error)); }
}

function remove(label, key, pane, changed) {
  let sure = false;
  const button = make("button", { type: "button", class: "danger", onclick: async () => {
    if (!sure) { sure = true; button.textContent = "Delete it for good?"; return; }
    try {
      await ask(`${pathOf(label)}/value?key=${encodeURIComponent(key)}`, { method: "DELETE" });
      pane.replaceChildren(make("p", { class: "quiet", role: "status" }, `deleted ${key}`));
      changed();
    } catch (error) { pane.append(failed(error)); }
  } }, "Delete");
  return button;
}

function edit(label, key, text, pane, changed) {
  const name = make("input", { type: "text", "aria-label": "Key", placeholder: "Key", readonly: key !== "" });
  name.value = key;
  const field = make("textarea", { "aria-label": "Value", spellcheck: "false" });
  try { field.value = JSON.stringify(JSON.parse(text), null, 2); } catch { field.value = text; }
  const said = make("span", { class: "quiet", role: "status" });
  const save = make("button", { type: "button", class: "first", onclick: async () => {
    try {
      const written = await ask(`${pathOf(label)}/value?key=${encodeURIComponent(name.value)}`, { method: "PUT", body: field.value });
      said.textContent = `saved ${bytes(written.bytes)}`;
      changed();
    } catch (error) { said.replaceChildren(failed(error)); }
  } }, "Save");
  pane.replaceChildren(make("h2", {}, key || "New entry"), make("p", {}, name), field, make("p", { class: "bar" }, save, key ? remove(label, key, pane, changed) : null, said));
  (key ? field : name).focus();
}

async function openDatabase(label) {
  const path = `api/sqlite/${encodeURIComponent(label)}`;
  const result = make("div", {});
  const statement = make("textarea", { "aria-label": "SQL", spellcheck: "false" });
  async function run() {
    try {
      const found = await ask(path, { method: "POST", body: statement.value });
      const note = found.columns.length ? `${found.rows.length}${found.more ? "+" : ""} rows` : `${found.changes} rows changed`;
      result.replaceChildren(make("p", { class: "quiet", role: "status" }, note));
      const cell = (value) => (value === null ? make("i", { class: "quiet" }, "null") : String(value));
      if (found.columns.length) result.append(table(found.columns, found.rows.map((row) => row.map(cell))));
      await tables();
    } catch (error) { result.replaceChildren(failed(error)); }
  }
  const names = make("p", { class: "bar" });
  async function tables() {
    const found = await ask(path);
    names.replaceChildren(...found.tables.map(([name]) => make("button", { type: "button", onclick: () => { statement.value = `select * from "${name.replaceAll('"', '""')}" limit 100`; run(); } }, name)));
  }
  statement.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(); });
  $("store").replaceChildren(names, statement, make("p", { class: "bar" }, make("button", { type: "button", class: "first", onclick: run }, "Run"), make("span", { class: "quiet" }, "Ctrl+Enter")), result);
  try { await tables(); } catch (error) { result.replaceChildren(failed(error)); }
}

// Tabs, keys and colours

const TABS = ["requests", "stores", "variables", "routes", "components"];

function turn(name, focus = false) {
  for (const each of TABS) {
    const chosen = each === name;
    $(each).hidden = !chosen;
    $(`tab-${each}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${each}`).tabIndex = chosen ? 0 : -1;
    if (chosen && focus) $(`tab-${each}`).focus();
  }
  if (name !== "requests") overview();
}

for (const [at, name] of TABS.entries()) {
  const tab = $(`tab-${name}`);
  tab.addEventListener("click", () => turn(name));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); turn(TABS[(at + step + TABS.length) % TABS.length], true); }
  });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur(); else select(null);
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const requestsShown = !$("requests").hidden;
  if (/^[1-5]$/.test(event.key)) turn(TABS[Number(event.key) - 1]);
  else if (event.key === "/") { event.preventDefault(); turn("requests"); $("filter").focus(); }
  else if (requestsShown && (event.key === "ArrowDown" || event.key === "j")) { event.preventDefault(); move(1); }
  else if (requestsShown && (event.key === "ArrowUp" || event.key === "k")) { event.preventDefault(); move(-1); }
});

$("filter").addEventListener("input", refilter);
$("follow").addEventListener("change", counted);
$("clear").addEventListener("click", async () => {
  await ask("api/requests", { method: "DELETE" });
  requests.clear();
  $("rows").replaceChildren();
  select(null);
  counted();
});
const THEMES = ["", "light", "dark"];
function paint(theme) { if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme; }
paint(localStorage.getItem("theme") ?? "");
$("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "") + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  paint(next);
});

listen();
