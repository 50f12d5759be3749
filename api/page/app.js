// The page: a live map, what the server holds, and a box to ask in.
//
// Everything comes from the server's own API: SQL for rows, the overlord for supervisors. Nothing is assumed about
// the data: a datasource with a latitude and a longitude is drawn, and its name decides as what.
//
//   discover (every 10 s) ─► layers { devices, events, alerts }
//   poll (every second)   ─► fresh rows ─► sparks and pulses ─► draw (every frame, while something moves)

import { drawZurich } from "/page/zurich.js";

const WINDOW_MS = 120_000;
const POLL_MS = 1_000;
const OVERVIEW_MS = 3_000;
const DISCOVER_MS = 10_000;
const ROWS_PER_POLL = 2_000;
const DEVICES_MAX = 10_000;
const RESULT_ROWS_MAX = 1_000;
const SPARK_MS = 1_600;

const $ = (selector) => document.querySelector(selector);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const number = new Intl.NumberFormat("en");

// ---------------------------------------------------------------- asking

class ServerError extends Error {
  constructor(status, body) {
    super(body.errorMessage ?? body.error ?? `HTTP ${status}`);
    this.detail = [body.error, body.category, body.errorClass, `HTTP ${status}`].filter(Boolean).join(" · ");
  }
}

async function ask(path, init = {}) {
  const response = await fetch(path, { credentials: "same-origin", ...init });
  const text = await response.text();
  let body;
  try {
    body = text === "" ? null : JSON.parse(text);
  } catch {
    body = { errorMessage: text };
  }
  if (!response.ok) throw new ServerError(response.status, body ?? {});
  return body;
}

/** Runs a statement; gives names, types and rows. */
async function sql(query, { context = {}, signal } = {}) {
  const body = JSON.stringify({
    query, resultFormat: "array", header: true, typesHeader: true, sqlTypesHeader: true, context,
  });
  const headers = { "Content-Type": "application/json" };
  const [names, types, sqlTypes, ...rows] = await ask("/druid/v2/sql", { method: "POST", headers, body, signal });
  return { names, types, sqlTypes, rows };
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
const literal = (ms) => `TIMESTAMP '${new Date(ms).toISOString().slice(0, 23).replace("T", " ")}'`;

// ---------------------------------------------------------------- what there is to draw

const layers = { devices: null, events: null, alerts: null };

function roleOf(table) {
  if (/alert|alarm/i.test(table)) return "alerts";
  if (/device|sensor|station|asset/i.test(table)) return "devices";
  return "events";
}

/** A datasource that can be drawn: its name and the columns that matter. */
function layerOf(table, columns) {
  const find = (pattern, wanted) => columns.find((c) => pattern.test(c.name) && wanted(c.type))?.name;
  const numeric = (type) => /FLOAT|DOUBLE|DECIMAL|REAL/.test(type);
  const counted = (type) => /BIGINT|INTEGER/.test(type);
  const text = (type) => /CHAR/.test(type);
  const latitude = find(/lat(itude)?$/i, numeric);
  const longitude = find(/(lon(gitude)?|lng)$/i, numeric);
  if (!latitude || !longitude) return null;
  return {
    table, latitude, longitude,
    id: find(/^(device|sensor|station)?_?id$/i, text) ?? find(/id$/i, text),
    outcome: find(/notification|outcome|status|result/i, text),
    weight: find(/count|total/i, counted),
    cursor: 0,
    rows: [],
  };
}

async function discover() {
  const { rows } = await sql(
    "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'druid'");
  const tables = new Map();
  for (const [table, name, type] of rows) {
    if (!tables.has(table)) tables.set(table, []);
    tables.get(table).push({ name, type });
  }
  const found = {};
  for (const [table, columns] of [...tables].sort()) {
    const layer = layerOf(table, columns);
    if (layer) found[roleOf(table)] ??= layer;
  }
  for (const role of Object.keys(layers)) {
    if (layers[role]?.table !== found[role]?.table) layers[role] = found[role] ?? null;
  }
  const note = $("#map-note");
  note.hidden = Boolean(layers.devices || layers.events || layers.alerts);
  note.textContent = tables.size === 0
    ? "No datasource yet. Post a supervisor, and its rows appear here."
    : "No datasource has a latitude and a longitude.";
  suggest(found.events ?? found.alerts ?? found.devices, [...tables.keys()].sort());
  if (layers.devices) await loadDevices(layers.devices);
}

/** Puts a statement into the box that works here, unless something was written there. */
function suggest(layer, tables) {
  const box = $("#statement");
  if (box.value !== (box.dataset.suggested ?? "") || document.activeElement === box) return;
  const table = layer?.table ?? tables[0];
  box.value = table
    ? `SELECT TIME_FLOOR(__time, 'PT1M') AS "minute", COUNT(*) AS "rows"\nFROM ${quoted(table)}\nGROUP BY 1\nORDER BY 1 DESC\nLIMIT 20`
    : "SELECT * FROM INFORMATION_SCHEMA.SCHEMATA";
  box.dataset.suggested = box.value;
}

async function loadDevices(layer) {
  const id = layer.id ? quoted(layer.id) : "''";
  const { rows } = await sql(
    `SELECT ${quoted(layer.latitude)}, ${quoted(layer.longitude)}, ${id} FROM ${quoted(layer.table)} LIMIT ${DEVICES_MAX}`);
  layer.rows = rows.filter(placed).map(([lat, lon, name]) => ({ lat, lon, name }));
  count("devices", layer.rows.length);
  map.stale = true;
}

const placed = ([lat, lon]) => Number.isFinite(lat) && Number.isFinite(lon);

// ---------------------------------------------------------------- what is new

/** The rows of a layer since the last look, oldest first. */
async function fresh(layer) {
  const since = layer.cursor ? literal(layer.cursor) : `CURRENT_TIMESTAMP - INTERVAL '2' MINUTE`;
  const column = (name) => (name ? quoted(name) : "NULL");
  const { rows } = await sql(
    `SELECT ${quoted(layer.latitude)}, ${quoted(layer.longitude)}, __time, ${column(layer.id)}, ` +
    `${column(layer.outcome)}, ${column(layer.weight)} FROM ${quoted(layer.table)} ` +
    `WHERE __time > ${since} ORDER BY __time DESC LIMIT ${ROWS_PER_POLL}`);
  const news = rows.reverse().map(([lat, lon, time, name, outcome, weight]) =>
    ({ lat, lon, time: Date.parse(time), name, outcome, weight: weight ?? 1 }));
  if (news.length > 0) layer.cursor = news.at(-1).time;
  return news;
}

function keep(layer, news) {
  layer.rows.push(...news);
  const latest = layer.rows.at(-1)?.time ?? 0;
  const oldest = Math.min(latest, Date.now()) - WINDOW_MS;
  layer.rows = layer.rows.filter((row) => row.time > oldest).slice(-60_000);
}

const refused = (row) => /reject|denied|fail|error/i.test(row.outcome ?? "");

async function poll() {
  const begun = performance.now();
  const { events, alerts } = layers;
  const [someEvents, someAlerts] = await Promise.all([events ? fresh(events) : [], alerts ? fresh(alerts) : []]);
  if (events) {
    keep(events, someEvents);
    spark(someEvents);
    map.warmthStale = true;
  }
  if (alerts) {
    const first = alerts.shown === undefined;
    keep(alerts, someAlerts);
    count("alerts", alerts.rows.length);
    if (someAlerts.length > 0 || first) showAlerts(alerts);
  }
  if (events || alerts) figure("latency", `${Math.round(performance.now() - begun)} ms`);
}

/** Counts of the last two minutes: more rows may have come than are drawn. */
async function countEvents() {
  const { events } = layers;
  if (!events) return;
  const outcome = events.outcome ? quoted(events.outcome) : "''";
  const { rows } = await sql(
    `SELECT ${outcome} AS "outcome", COUNT(*) AS "n" FROM ${quoted(events.table)} ` +
    `WHERE __time > CURRENT_TIMESTAMP - INTERVAL '2' MINUTE GROUP BY 1`);
  const sum = (some) => some.reduce((total, [, n]) => total + n, 0);
  count("events", sum(rows));
  count("rejected", sum(rows.filter(([text]) => refused({ outcome: text }))));
}

// ---------------------------------------------------------------- the map

const canvas = $("#canvas");
const map = {
  stale: true, warmthStale: true, base: document.createElement("canvas"), warmth: document.createElement("canvas"),
  project: null, sparks: [], width: 0, height: 0,
};

/** Fresh events flash one after the other, as they happened, over the time to the next look. */
function spark(news) {
  const shown = news.filter((row) => placed([row.lat, row.lon])).slice(-600);
  const span = Math.max(1, (shown.at(-1)?.time ?? 0) - (shown[0]?.time ?? 0));
  const begun = performance.now();
  for (const row of shown) {
    const at = begun + Math.min(1, (row.time - shown[0].time) / span) * POLL_MS;
    map.sparks.push({ lat: row.lat, lon: row.lon, at, refused: refused(row) });
  }
  map.sparks = map.sparks.slice(-3_000);
}

/** The middle 99 of a hundred: one stray position must not shrink all others to a dot. */
function extent(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const cut = Math.floor(sorted.length * 0.005);
  return [sorted[cut], sorted[sorted.length - 1 - cut]];
}

function project() {
  const all = Object.values(layers).filter(Boolean).flatMap((layer) => layer.rows).filter((r) => placed([r.lat, r.lon]));
  if (all.length === 0) return null;
  const [south, north] = extent(all.map((row) => row.lat));
  const [west, east] = extent(all.map((row) => row.lon));
  const [lat, lon] = [(south + north) / 2, (west + east) / 2];
  const narrow = Math.max(0.05, Math.cos((lat * Math.PI) / 180));
  const scale = Math.min(
    (map.width - 56) / Math.max(1e-4, (east - west) * narrow),
    (map.height - 56) / Math.max(1e-4, north - south));
  return {
    x: (row) => map.width / 2 + (row.lon - lon) * narrow * scale,
    y: (row) => map.height / 2 - (row.lat - lat) * scale,
    lat: (y) => lat - (y - map.height / 2) / scale,
    lon: (x) => lon + (x - map.width / 2) / (narrow * scale),
  };
}

function resize() {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio || 1;
  Object.assign(map, { width, height, ratio, stale: true });
  for (const target of [canvas, map.base, map.warmth]) {
    target.width = Math.max(1, Math.round(width * ratio));
    target.height = Math.max(1, Math.round(height * ratio));
  }
}

/** What does not move: water, grid and devices. Drawn once, copied every frame. */
function drawBase() {
  map.stale = false;
  map.warmthStale = true;
  map.project = project();
  const pen = map.base.getContext("2d");
  pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  if (!map.project) return;
  drawZurich(pen, map.project);
  drawGrid(pen);
  pen.fillStyle = "rgb(110 138 166 / 0.6)";
  for (const row of layers.devices?.rows ?? []) {
    pen.beginPath();
    pen.arc(map.project.x(row), map.project.y(row), 1.6, 0, 7);
    pen.fill();
  }
}

/** Where the events of the last two minutes were: one glow a place, larger for more, amber as far as refused. */
function drawWarmth() {
  map.warmthStale = false;
  const pen = map.warmth.getContext("2d");
  pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  pen.globalCompositeOperation = "lighter";
  const places = new Map();
  for (const row of layers.events?.rows ?? []) {
    if (!placed([row.lat, row.lon])) continue;
    const key = `${row.lat},${row.lon}`;
    const place = places.get(key) ?? { lat: row.lat, lon: row.lon, all: 0, refused: 0 };
    place.all += 1;
    place.refused += refused(row) ? 1 : 0;
    places.set(key, place);
  }
  const most = Math.max(1, ...[...places.values()].slice(0, 50_000).map((place) => place.all));
  for (const place of places.values()) {
    const share = place.all / most;
    const bad = place.refused / place.all > 0.2;
    pen.fillStyle = bad ? `rgb(240 180 94 / ${0.1 + 0.3 * share})` : `rgb(111 211 192 / ${0.04 + 0.12 * share})`;
    disc(pen, map.project.x(place), map.project.y(place), 2 + 5 * Math.sqrt(share));
  }
}

function drawGrid(pen) {
  const { project: p, width, height } = map;
  pen.strokeStyle = "rgb(140 165 190 / 0.07)";
  pen.fillStyle = "rgb(140 155 172 / 0.45)";
  pen.font = "10px ui-monospace, monospace";
  pen.lineWidth = 1;
  const step = niceStep(Math.abs(p.lat(0) - p.lat(height)) / 5);
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  for (let lat = Math.ceil(p.lat(height) / step) * step; lat <= p.lat(0); lat += step) {
    const y = Math.round(p.y({ lat })) + 0.5;
    line(pen, 0, y, width, y);
    pen.fillText(lat.toFixed(digits), 6, y - 4);
  }
  for (let lon = Math.ceil(p.lon(0) / step) * step; lon <= p.lon(width); lon += step) {
    const x = Math.round(p.x({ lon })) + 0.5;
    line(pen, x, 0, x, height);
    pen.fillText(lon.toFixed(digits), x + 4, height - 6);
  }
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough) ?? power;
}

function draw(now) {
  requestAnimationFrame(draw);
  if (document.hidden || map.width === 0) return;
  if (map.stale) drawBase();
  const pen = canvas.getContext("2d");
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(map.base, 0, 0);
  if (!map.project) {
    map.stale = Boolean(layers.events?.rows.length || layers.alerts?.rows.length);
    return;
  }
  if (map.warmthStale) drawWarmth();
  pen.drawImage(map.warmth, 0, 0);
  pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  pen.globalCompositeOperation = "lighter";
  map.sparks = map.sparks.filter((one) => now - one.at < SPARK_MS);
  for (const one of map.sparks) if (now >= one.at) drawSpark(pen, one, (now - one.at) / SPARK_MS);
  pen.globalCompositeOperation = "source-over";
  for (const row of layers.alerts?.rows ?? []) if (placed([row.lat, row.lon])) drawAlert(pen, row, now);
}

function drawSpark(pen, one, age) {
  const x = map.project.x(one);
  const y = map.project.y(one);
  const colour = one.refused ? "240 180 94" : "111 211 192";
  const fade = (1 - age) ** 2;
  pen.fillStyle = `rgb(${colour} / ${0.85 * fade})`;
  disc(pen, x, y, one.refused ? 2.6 : 2);
  pen.fillStyle = `rgb(${colour} / ${0.14 * fade})`;
  disc(pen, x, y, calm.matches ? 6 : 3 + 11 * Math.sqrt(age));
}

function drawAlert(pen, row, now) {
  const x = map.project.x(row);
  const y = map.project.y(row);
  const left = Math.max(0.25, 1 - (Date.now() - row.time) / WINDOW_MS);
  const beat = calm.matches ? 0.3 : (now / 1_800 + (row.time % 1_000) / 1_000) % 1;
  const size = 5 + Math.min(9, Math.sqrt(row.weight));
  pen.strokeStyle = `rgb(255 122 107 / ${(1 - beat) * left})`;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.arc(x, y, size + beat * 22, 0, 7);
  pen.stroke();
  pen.fillStyle = `rgb(255 122 107 / ${0.25 + 0.5 * left})`;
  disc(pen, x, y, size * 0.55);
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

function point(event) {
  const tip = $("#tip");
  const near = map.project ? nearest(event.offsetX, event.offsetY) : null;
  tip.hidden = !near;
  if (!near) return;
  const { row, kind } = near;
  const what = kind === "alerts" ? `alert, ${row.weight}\n${clock(row.time)}` : "device";
  tip.textContent = `${what}\n${row.name ?? ""}\n${row.lat.toFixed(5)}, ${row.lon.toFixed(5)}`;
  const right = event.offsetX > map.width - 260;
  tip.style.left = `${event.offsetX + (right ? -250 : 26)}px`;
  tip.style.top = `${event.offsetY + canvas.offsetTop + 14}px`;
}

function nearest(x, y) {
  for (const kind of ["alerts", "devices"]) {
    let best = null;
    for (const row of layers[kind]?.rows ?? []) {
      const distance = Math.hypot(map.project.x(row) - x, map.project.y(row) - y);
      if (distance < (best?.distance ?? 9)) best = { row, kind, distance };
    }
    if (best) return best;
  }
  return null;
}

// ---------------------------------------------------------------- what the server holds

const figure = (name, text) => { $(`[data-figure="${name}"]`).textContent = text; };
const count = (name, value) => { $(`[data-count="${name}"]`).textContent = number.format(value); };
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function bytes(size) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  for (; size >= 1_000 && at < units.length - 1; at += 1) size /= 1_000;
  return `${size >= 100 || at === 0 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

function fill(body, rows, width) {
  const lines = rows.map((cells) => {
    const line = element("tr");
    line.append(...cells);
    return line;
  });
  if (lines.length === 0) {
    const cell = element("td", "none", "empty");
    cell.colSpan = width;
    lines.push(element("tr"));
    lines[0].append(cell);
  }
  body.replaceChildren(...lines);
}

let before = null;

async function showDatasources() {
  const { rows } = await sql(
    'SELECT "datasource", SUM(num_rows), COUNT(*), SUM("size") FROM sys.segments WHERE is_active = 1 GROUP BY 1 ORDER BY 1');
  fill($("#datasources"), rows.map(([name, held, segments, size]) => [
    element("td", name),
    element("td", number.format(held ?? 0), "number"),
    element("td", number.format(segments), "number"),
    element("td", size > 0 ? bytes(size) : "in memory", "number"),
  ]), 4);
  const total = rows.reduce((sum, row) => sum + (row[1] ?? 0), 0);
  const now = performance.now();
  figure("rows", number.format(total));
  if (before) figure("rate", number.format(Math.max(0, Math.round(((total - before.total) * 1_000) / (now - before.now)))));
  before = { total, now };
}

async function showSupervisors() {
  const all = await ask("/druid/indexer/v1/supervisor?state=true");
  const statuses = await Promise.all(all.map(({ id }) =>
    ask(`/druid/indexer/v1/supervisor/${encodeURIComponent(id)}/status`).catch(() => null)));
  let lag = 0;
  fill($("#supervisors"), all.map((one, i) => {
    const payload = statuses[i]?.payload;
    const mine = payload?.aggregateLag;
    lag += Math.max(0, mine ?? 0);
    const state = element("span", one.detailedState ?? one.state, `state ${one.healthy ? "good" : "bad"}`);
    if (one.suspended) state.className = "state";
    const cell = element("td");
    cell.append(state);
    const problem = payload?.recentErrors?.at(-1)?.message;
    if (problem) cell.title = problem;
    return [element("td", one.id), cell, element("td", mine === undefined ? "–" : number.format(mine), "number")];
  }), 3);
  figure("lag", all.length > 0 ? number.format(lag) : "–");
}

function showAlerts(layer) {
  layer.shown = true;
  const lines = layer.rows.slice(-40).reverse().map((row) => {
    const item = element("li");
    const time = element("time", clock(row.time));
    time.dateTime = new Date(row.time).toISOString();
    const device = element("span", row.name ?? `${row.lat}, ${row.lon}`, "device");
    device.title = row.name ?? "";
    item.append(time, device, element("b", number.format(row.weight)));
    return item;
  });
  $("#alerts").replaceChildren(...(lines.length > 0 ? lines : [element("li", "none", "empty")]));
}

// ---------------------------------------------------------------- asking by hand

let running = null;

async function run() {
  cancel();
  const mine = { abort: new AbortController(), id: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random()}` };
  running = mine;
  $("#error").hidden = true;
  $("#outcome").textContent = "running …";
  const begun = performance.now();
  try {
    const context = { sqlQueryId: mine.id, sqlOuterLimit: RESULT_ROWS_MAX + 1 };
    const result = await sql($("#statement").value, { context, signal: mine.abort.signal });
    const more = result.rows.length > RESULT_ROWS_MAX;
    const rows = more ? `the first ${number.format(RESULT_ROWS_MAX)} rows` : `${number.format(result.rows.length)} rows`;
    $("#outcome").textContent = `${rows} in ${Math.round(performance.now() - begun)} ms`;
    showResult(result);
  } catch (error) {
    if (running !== mine && error.name === "AbortError") return;
    $("#outcome").textContent = error.name === "AbortError" ? "cancelled" : "";
    if (error.name !== "AbortError") showError(error);
  } finally {
    if (running === mine) running = null;
  }
}

function cancel() {
  if (!running) return;
  running.abort.abort();
  fetch(`/druid/v2/sql/${encodeURIComponent(running.id)}`, { method: "DELETE" }).catch(() => {});
}

function showError(error) {
  const text = error instanceof TypeError ? "the connection was cut before the result was complete" : error.message;
  $("#error").textContent = error.detail ? `${text}\n\n${error.detail}` : text;
  $("#error").hidden = false;
  $("#result").replaceChildren();
}

function showResult({ names, types, sqlTypes, rows }) {
  const table = element("table");
  const head = element("tr");
  const numeric = types.map((type, i) =>
    /LONG|FLOAT|DOUBLE/.test(type) && !/TIMESTAMP|DATE|BOOLEAN/.test(sqlTypes[i]) ? "number" : "");
  names.forEach((name, i) => {
    const cell = element("th", name, numeric[i]);
    cell.scope = "col";
    cell.title = `${sqlTypes[i]} (${types[i]})`;
    head.append(cell);
  });
  const body = rows.slice(0, RESULT_ROWS_MAX).map((row) => {
    const line = element("tr");
    line.append(...row.map((value, i) => value === null
      ? element("td", "NULL", "null")
      : element("td", typeof value === "object" ? JSON.stringify(value) : String(value), numeric[i])));
    return line;
  });
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  table.tBodies[0].append(...body);
  $("#result").replaceChildren(table);
}

// ---------------------------------------------------------------- the rhythm

let paused = false;

/** Repeats a task, never twice at once, not while nobody looks. Its failure shows in the lamp. */
function repeat(task, every) {
  const turn = async () => {
    if (!paused && !document.hidden) {
      try {
        await task();
        connected(true);
      } catch (error) {
        connected(false, error.message);
      }
    }
    setTimeout(turn, every);
  };
  turn();
}

function connected(up, reason) {
  const lamp = $("#connection");
  lamp.className = up ? "up" : "down";
  const text = up ? "live" : reason;
  const label = lamp.querySelector(".text");
  if (label.textContent !== text) label.textContent = text;
}

$("#run").addEventListener("click", run);
$("#statement").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
addEventListener("keydown", (event) => { if (event.key === "Escape") cancel(); });
$("#pause").addEventListener("click", () => {
  paused = !paused;
  $("#pause").setAttribute("aria-pressed", String(paused));
  $("#pause").textContent = paused ? "Resume" : "Pause";
});
canvas.addEventListener("mousemove", point);
canvas.addEventListener("mouseleave", () => { $("#tip").hidden = true; });
new ResizeObserver(resize).observe(canvas);

repeat(discover, DISCOVER_MS);
repeat(poll, POLL_MS);
repeat(async () => { await Promise.all([showDatasources(), showSupervisors(), countEvents()]); }, OVERVIEW_MS);
requestAnimationFrame(draw);
