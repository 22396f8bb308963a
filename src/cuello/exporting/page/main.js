// What the page does: takes files, hands them to the worker, shows what comes back.
"use strict";

const at = (id) => document.getElementById(id);
const text = (id) => at(id).textContent;
const facts = JSON.parse(text("facts"));
const entries = [], seen = new Set(), limit = { pictures: 256e6 };
let chosen = null, status = ["loading"], ready = false, worker, map;
const viewer = makeViewer(at("canvas"), at("divider"), at("stage"));

function start() {
  const missing = [typeof DecompressionStream, typeof OffscreenCanvas, typeof createImageBitmap, typeof WebAssembly];
  if (missing.includes("undefined")) return stopped("old");
  const program = new Blob([text("ort"), "\n", text("work")], { type: "text/javascript" });
  worker = new Worker(URL.createObjectURL(program));
  worker.onmessage = ({ data }) => CAME[data.type](data);
  worker.onerror = (event) => { event.preventDefault(); stopped("broken", { error: event.message || "worker" }); };
  addEventListener("DOMContentLoaded", load);
  if (facts.kind === "codes") {
    const parts = { map: at("map"), picture: at("decoded"), across: at("across"), down: at("down"), place: at("place") };
    map = makeMap({ facts, ...parts, ask: (message) => worker.postMessage(message) });
  }
  return undefined;
}

// Hands the network over, which stands behind the program in the file, so that the page is there before it is read.
function load() {
  const models = Object.fromEntries([...document.querySelectorAll("script[data-model]")].map((one) => [one.dataset.model, one.textContent]));
  worker.postMessage({ type: "load", wasm: text("wasm"), models, about: facts });
}

function stopped(key, values) {
  status = [key, values];
  for (const one of entries) if (working(one)) Object.assign(one, { state: "failed", failed: [key, values] });
  document.body.dataset.state = "broken";
  render();
}

function add(files) {
  if (document.body.dataset.state === "broken") return;
  for (const file of files) {
    const entry = { id: entries.length, file, name: file.name || "image.png", state: "waiting", share: 0 };
    entries.push(entry);
    chosen ??= entry;
    worker.postMessage({ type: "work", id: entry.id, file });
  }
  render();
}

// Adds what was dropped; of folders the files in them, hidden ones aside.
async function take({ items, files }) {
  const found = [...items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
  if (!found.some((one) => one && one.isDirectory)) return add(files);
  const inside = [];
  for (const one of found) if (one) await collect(one, inside);
  if (inside.length) return add(inside);
  status = ["nothing"];
  return renderStatus();
}

async function collect(found, files) {
  const asked = (what) => new Promise((give, refuse) => what(give, refuse));
  if (found.name.startsWith(".")) return;
  try {
    if (found.isFile) files.push(await asked((give, refuse) => found.file(give, refuse)));
    if (!found.isDirectory) return;
    const reader = found.createReader();
    for (let some; (some = await asked((give, refuse) => reader.readEntries(give, refuse))).length; )
      for (const one of some.sort((a, b) => a.name.localeCompare(b.name))) await collect(one, files);
  } catch {
    files.push(new File([], found.name)); // the worker says that there is nothing in it
  }
}

function redo(entry, how) {
  Object.assign(entry, { state: "waiting", share: 0, given: how.level !== undefined, blob: null, failed: null });
  worker.postMessage({ type: "work", id: entry.id, file: entry.file, ...how });
  render();
}

const CAME = {
  ready() {
    [ready, status] = [true, ["ready"]];
    document.body.dataset.state = "ready";
    if (map) map.start();
    render();
  },
  broken: ({ key, values }) => stopped(key, values),
  progress({ id, stage, share, parts }) {
    Object.assign(entries[id], { state: "working", share });
    status = [stage, { name: entries[id].name, percent: Math.floor(100 * share), ...parts }];
    renderList();
    renderStatus();
  },
  async shown({ id, before, after, ...rest }) {
    const entry = entries[id];
    Object.assign(entry, rest, { state: after ? "packing" : "done", ...(await pictures(before, after)) });
    forget(entry);
    if (!after) status = ["done", { name: entry.name }];
    if (entry.code && map) map.goTo(entry.code);
    if (chosen.state === "failed") chosen = entry;
    if (map && entry === chosen) map.start();
    document.body.dataset.shown = Number(document.body.dataset.shown || 0) + 1;
    render();
  },
  async pictures({ id, before, after }) {
    Object.assign(entries[id], { asked: false, ...(await pictures(before, after)) });
    forget(entries[id]);
    render();
  },
  file({ id, blob, ending }) {
    const entry = entries[id];
    Object.assign(entry, { state: "done", blob, ending });
    status = ["done", { name: entry.name }];
    render();
  },
  failed({ id, key, values }) {
    const entry = entries[id];
    Object.assign(entry, { state: "failed", failed: [key, values] });
    status = ["ready"];
    render();
  },
  decoded: (data) => map.decoded(data),
};

const pictures = async (before, after) => ({ before: await createImageBitmap(before), after: after ? await createImageBitmap(after) : null });
const bytesOf = ({ before, after }) => [before, after].reduce((sum, one) => sum + (one ? 4 * one.width * one.height : 0), 0);

// Lets go of pictures that were not looked at for long; those that the worker can make again.
function forget(newest) {
  seen.delete(newest);
  seen.add(newest);
  let held = [...seen].reduce((sum, one) => sum + bytesOf(one), 0);
  if (!["image", "classify"].includes(facts.kind)) return;
  for (const one of seen) {
    if (held <= limit.pictures) return;
    if (one === chosen || one === newest || one.state !== "done") continue;
    held -= bytesOf(one);
    for (const picture of [one.before, one.after]) if (picture) picture.close();
    Object.assign(one, { before: null, after: null });
    seen.delete(one);
  }
}

// Takes the pictures of the image that is to be seen, or has them made again.
function look(entry) {
  chosen = entry;
  if (entry.before) forget(entry);
  else if (entry.state === "done" && !entry.asked) {
    entry.asked = true;
    worker.postMessage({ type: "show", id: entry.id, file: entry.file, blob: entry.blob, range: entry.range });
  }
  render();
}

const working = (entry) => ["waiting", "working", "packing"].includes(entry.state);
const finishedFiles = () => entries.filter((one) => one.blob);
const named = (entry) => `${entry.name.replace(/\.[^.]*$/, "")}-${facts.suffix}.${entry.ending}`;
const number = (value) => (value < 0.005 ? "0" : value.toLocaleString(language, { maximumSignificantDigits: 3 }));

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function render() {
  document.documentElement.lang = language;
  document.title = `${say(`title.${facts.words}`)} · ${facts.name}`;
  for (const one of document.querySelectorAll("[data-say]"))
    one.textContent = say(one.dataset.say, { scale: facts.scale, count: facts.classes.length });
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", say(one.dataset.label));
  renderStatus();
  renderList();
  renderChosen();
  if (map) map.draw();
}

function renderStatus() {
  at("status").textContent = say(...status);
  at("cancel").hidden = !entries.some(working);
  const share = entries.length ? entries.reduce((sum, one) => sum + (working(one) ? one.share : 1), 0) / entries.length : 0;
  at("progress").hidden = ready && !entries.some(working);
  if (ready) at("progress").value = share; else at("progress").removeAttribute("value");
}

function renderList() {
  const list = at("list");
  at("files").hidden = !entries.length || (entries.length === 1 && entries[0].state !== "failed");
  while (list.children.length < entries.length) {
    const item = document.createElement("li"), button = document.createElement("button");
    const entry = entries[list.children.length];
    button.type = "button";
    button.append(document.createElement("span"), document.createElement("small"));
    button.addEventListener("click", () => look(entry));
    item.append(button);
    list.append(item);
  }
  entries.forEach((entry, k) => {
    const button = list.children[k].firstChild, [name, said] = button.children;
    name.textContent = entry.name;
    said.textContent =
      entry.state === "failed" ? say(...entry.failed)
      : entry.state === "waiting" ? say("waiting")
      : working(entry) ? `${Math.floor(100 * entry.share)} %`
      : entry.scores && !entry.after ? `${facts.classes[best(entry.scores)]} ${percent(Math.max(...entry.scores))}` : "✓";
    button.className = entry.state;
    button.setAttribute("aria-current", entry === chosen);
  });
  at("all").hidden = finishedFiles().length < 2;
}

const best = (scores) => scores.indexOf(Math.max(...scores));
const percent = (share) => share.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 });

function renderChosen() {
  const entry = chosen, picture = entry && entry.before;
  at("result").hidden = !picture;
  document.body.classList.toggle("filled", Boolean(picture));
  if (!picture) return;
  const [width, height] = entry.after ? entry.resultSize : entry.size, both = Boolean(entry.after);
  viewer.show(entry.before, entry.after, { width, height });
  for (const id of ["divider", "before", "after"]) at(id).hidden = !both;
  const sides = ([w, h]) => `${w}×${h}`;
  const said = both
    ? say("sizes", { size: sides(entry.size), result: sides(entry.resultSize), bits: entry.bits })
    : say("sizeOnly", { size: sides(entry.size), bits: entry.bits });
  const parts = [`${entry.name}: ${said}`];
  if (typeof entry.level === "number") parts.push(say(entry.given ? "given" : "measured", { level: number(255 * entry.level) }));
  if (both && entry.after.width < width) parts.push(say("reduced"));
  at("sizes").textContent = parts.join(" · ");
  at("notes").textContent = (entry.notes || []).map((note) => say(...note)).join(" ");
  at("download").hidden = !both;
  at("download").disabled = !entry.blob;
  at("download").textContent = entry.blob ? `${say("download")} (${{ png: "PNG", tif: "TIFF" }[entry.ending]})` : say("download");
  at("noise").hidden = !facts.conditioned;
  at("level").placeholder = say("estimated");
  if (at("told") && entry.label !== undefined) at("told").value = entry.label;
  renderScores(entry);
}

function renderScores({ scores, label }) {
  const table = at("scores");
  table.hidden = !scores;
  if (!scores) return;
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 5);
  table.tBodies[0].replaceChildren(
    ...order.map((k) => {
      const row = document.createElement("tr"), [name, bar, share] = ["th", "td", "td"].map((tag) => document.createElement(tag));
      name.textContent = facts.classes[k];
      name.scope = "row";
      const meter = document.createElement("meter");
      Object.assign(meter, { min: 0, max: 1, value: scores[k] });
      meter.setAttribute("aria-hidden", "true");
      bar.append(meter);
      share.textContent = percent(scores[k]);
      row.append(name, bar, share);
      if (k === label) row.className = "told";
      return row;
    }),
  );
}

at("file").addEventListener("change", (event) => { add(event.target.files); event.target.value = ""; });
at("language").addEventListener("click", () => { language = language === "en" ? "es" : "en"; render(); });
at("cancel").addEventListener("click", () => {
  for (const one of entries) if (working(one)) worker.postMessage({ type: "cancel", id: one.id });
});
at("download").addEventListener("click", () => save(chosen.blob, named(chosen)));
at("all").addEventListener("click", async () => {
  const done = finishedFiles(), names = distinct(done.map(named));
  status = ["zipping"];
  renderStatus();
  try {
    save(await zipped(done.map((one, k) => ({ name: names[k], blob: one.blob }))), `${facts.suffix}.zip`);
    status = ["ready"];
  } catch (error) {
    status = error instanceof Refusal ? [error.key, error.values] : ["memory"];
  }
  renderStatus();
});
at("noise").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = at("level").value;
  redo(chosen, given === "" ? {} : { level: Math.min(Math.max(Number(given) / 255, 0), 1) });
});
if (at("told")) at("told").addEventListener("change", () => redo(chosen, { label: Number(at("told").value) }));
for (const [id, action] of [["in", () => viewer.zoomBy(1.5)], ["out", () => viewer.zoomBy(1 / 1.5)], ["fit", viewer.fit], ["real", viewer.real]])
  at(id).addEventListener("click", action);
addEventListener("paste", (event) => { if (event.clipboardData.files.length) add(event.clipboardData.files); });
for (const type of ["dragenter", "dragover", "dragleave", "drop"])
  addEventListener(type, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", type === "dragenter" || type === "dragover");
    if (type === "drop") take(event.dataTransfer);
  });
start();
document.body.classList.add("started");
render();
