// The worker: it holds the network, and does all that takes time.
"use strict";

let facts, sessions;
const tell = (type, values = {}, moved = []) => self.postMessage({ type, ...values }, moved);
const breath = () => new Promise((go) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); go(); };
  port2.postMessage(0);
});

// A module that uses one instruction of wasm SIMD.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

async function unpacked(text) {
  const letters = Uint8Array.fromBase64 ? "" : atob(text);
  const packed = letters ? new Uint8Array(letters.length) : Uint8Array.fromBase64(text);
  for (let k = 0; k < letters.length; k++) packed[k] = letters.charCodeAt(k);
  return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

async function load({ wasm, models, about }) {
  facts = about;
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(new Uint8Array(SIMD))) throw new Refusal("noSimd");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = await unpacked(wasm);
  sessions = {};
  for (const [name, model] of Object.entries(models))
    sessions[name] = await ort.InferenceSession.create(await unpacked(model), { graphOptimizationLevel: "all" });
  ort.env.wasm.wasmBinary = undefined;
}

// Runs a network; what is given by name are floats and their shape.
async function ran(name, given) {
  const session = sessions[name], feeds = {};
  for (const [input, { values, shape }] of Object.entries(given)) feeds[input] = new ort.Tensor("float32", values, shape);
  const results = await session.run(feeds), result = results[session.outputNames[0]];
  const values = result.data;
  for (const key of Object.keys(results)) if (results[key] !== result) results[key].dispose();
  return values;
}

function imageRunner() {
  const { image, level } = facts.inputs;
  return (x, shape, told) => {
    const given = { [image]: { values: x, shape } };
    if (level) given[level] = { values: new Float32Array(shape[0]).fill(told), shape: [shape[0], ...Array(facts.level_axes - 1).fill(1)] };
    return ran("image", given);
  };
}

// A picture for the screen, within a range: as it is, or, of a large one, the mean of blocks.
function shown({ width, height, channels, bits, pixels, alpha }, range) {
  const block = Math.max(1, Math.ceil(Math.sqrt((width * height) / 16e6)), Math.ceil(Math.max(width, height) / 8192));
  const w = Math.floor(width / block) || 1, h = Math.floor(height / block) || 1;
  const white = whiteOf({ bits }), data = new Uint8ClampedArray(4 * w * h), count = block * block;
  const [low, factor] = range ? [range.black, 255 / (range.white - range.black)] : [0, 255 / white];
  for (let y = 0, to = 0; y < h; y++)
    for (let x = 0; x < w; x++, to += 4) {
      const sums = [0, 0, 0, 0];
      for (let r = 0; r < block; r++)
        for (let k = 0; k < block; k++) {
          const at = Math.min(y * block + r, height - 1) * width + Math.min(x * block + k, width - 1);
          for (let c = 0; c < 3; c++) sums[c] += pixels[at * channels + (channels === 3 ? c : 0)];
          sums[3] += alpha ? alpha[at] : white;
        }
      for (let c = 0; c < 3; c++) data[to + c] = (sums[c] / count - low) * factor;
      data[to + 3] = ((sums[3] / count) * 255) / white;
    }
  return new ImageData(data, w, h);
}

function grid(values, { width, height }, channels) {
  const pixels = new Uint8Array(width * height * channels);
  for (let k = 0; k < width * height; k++)
    for (let c = 0; c < channels; c++) pixels[k * channels + c] = roundEven(255 * Math.min(Math.max(values[c * width * height + k], 0), 1));
  return { width, height, channels, bits: 8, pixels, alpha: null };
}

// Where each stage of the work on an image begins and ends, as shares of all of it.
const STAGES = { reading: [0, 0.1], measuring: [0.1, 0.2], working: [0.2, 0.9], packing: [0.9, 1] };

// Tells, ten times a second, how far the work is; a job that was stopped ends there.
function pacer(id, job) {
  let told = -Infinity, last = "", most = 0;
  return async (stage, share, parts) => {
    if (stage === last && performance.now() - told < 100) return;
    const [from, to] = STAGES[stage];
    most = Math.max(most, from + share * (to - from));
    tell("progress", { id, stage, share: most, parts });
    [told, last] = [performance.now(), stage];
    await breath();
    if (job.over) throw new Refusal("cancelled");
  };
}

const WORK = {
  async image(image, { id, level, pace }) {
    if (facts.size && (image.height !== facts.size[0] || image.width !== facts.size[1]))
      throw new Refusal("otherSize", { needed: `${facts.size[1]}×${facts.size[0]}`, got: `${image.width}×${image.height}` });
    const result = await restored(image, facts, { run: imageRunner(), level, pace });
    const { range } = result, notes = [...(image.notes || []), ...result.notes, ...(range ? [["stretched"]] : [])];
    tell("shown", { id, before: shown(image, range), after: shown(result, range), notes, level: result.level, range, ...sizes(image, result) });
    const write = result.tiff ? encodeTiff : encodePng, blob = await write(result, (share) => pace("packing", share), facts.scale);
    tell("file", { id, blob, ending: result.tiff ? "tif" : "png" });
  },
  async classify(image, { id }) {
    const size = room(image), values = fitted(image, size, facts.channels);
    const shape = [1, facts.channels, size.height, size.width];
    const scores = await ran("image", { [facts.inputs.image]: { values, shape } });
    tell("shown", { id, before: shown(image), scores: Float32Array.from(scores), notes: brought(image, size), ...sizes(image, image) });
  },
  async explain(image, { id, label, pace }) {
    const size = room(image), values = fitted(image, size, facts.channels), { condition } = facts.inputs;
    const given = { [facts.inputs.image]: { values, shape: [1, facts.channels, size.height, size.width] } };
    let told = label, scores = null;
    if (sessions.classifier) {
      scores = Float32Array.from(await ran("classifier", { [facts.inputs.classifier]: given[facts.inputs.image] }));
      if (told === undefined) told = scores.indexOf(Math.max(...scores));
    }
    if (condition) {
      told ??= 0;
      const shares = new Float32Array(facts.classes.length);
      shares[told] = 1;
      given[condition] = { values: shares, shape: [1, shares.length] };
    }
    const map = grid(await ran("image", given), size, 1), seen = { ...grid(values, size, facts.channels), kept: [] };
    tell("shown", { id, before: shown(seen), after: shown(map), scores, label: told, notes: brought(image, size), ...sizes(seen, map) });
    tell("file", { id, blob: await encodePng(map, (share) => pace("packing", share)), ending: "png" });
  },
  async codes(image, { id, pace }) {
    const size = room(image), values = fitted(image, size, facts.channels);
    const code = await ran("encoder", { [facts.inputs.encoder]: { values, shape: [1, facts.channels, size.height, size.width] } });
    const kept = Float32Array.from(code), seen = grid(values, size, facts.channels), result = grid(await decoded(kept), size, facts.channels);
    tell("shown", { id, before: shown(seen), after: shown(result), code: kept, notes: brought(image, size), ...sizes(seen, result) });
    tell("file", { id, blob: await encodePng(result, (share) => pace("packing", share)), ending: "png" });
  },
};

const decoded = (code) => ran("decoder", { [facts.inputs.decoder]: { values: code, shape: [1, ...facts.code] } });
const sizes = (before, after) => ({ size: [before.width, before.height], resultSize: [after.width, after.height], bits: after.bits });

// The size that the network takes: its own, or the image's.
function room(image) {
  if (facts.size) return { width: facts.size[1], height: facts.size[0] };
  checkSize({ scale: 1, reach: null, size: null })(image.width, image.height, image.bits, image.channels);
  return { width: image.width, height: image.height };
}

function brought(image, { width, height }) {
  const notes = image.notes || [];
  if (image.width === width && image.height === height) return notes;
  return [...notes, ["brought", { from: `${image.width}×${image.height}`, to: `${width}×${height}` }]];
}

const CALLS = {
  async load(message) {
    try {
      await load(message);
      tell("ready");
      return true;
    } catch (error) {
      tell("broken", failure(error, "broken"));
      return false;
    }
  },
  async work({ id, file, job, ...how }) {
    const pace = pacer(id, job);
    try {
      if (job.over) throw new Refusal("cancelled");
      const image = await readImage(file, facts, (share) => pace("reading", share));
      await WORK[facts.kind](image, { id, pace, ...how });
    } catch (error) {
      if (job.over !== "replaced") tell("failed", { id, ...failure(error, "failed") });
    }
  },
  // The pictures of an image that was worked on, once more: they are not kept of many.
  async show({ id, file, blob, range }) {
    const idle = async () => {};
    try {
      const before = shown(await readImage(file, facts, idle), range);
      tell("pictures", { id, before, after: blob && shown(await readImage(blob, facts, idle), range) });
    } catch (error) {
      tell("failed", { id, ...failure(error, "failed") });
    }
  },
  async decode({ code, turn }) {
    const [height, width] = facts.size;
    try {
      tell("decoded", { turn, picture: shown(grid(await decoded(code), { width, height }, facts.channels)) });
    } catch (error) {
      tell("decoded", { turn, ...failure(error, "failed") });
    }
  },
};

function failure(error, otherwise) {
  if (error instanceof Refusal) return { key: error.key, values: error.values };
  if (error instanceof RangeError || /memory|allocation/i.test(String(error))) return { key: "memory", values: {} };
  return { key: otherwise, values: { error: String((error && error.message) || error) } };
}

// One thing after another, once the network is there; that a job is to end is noted at once.
const jobs = new Map();
let begin, queue = new Promise((go) => { begin = go; });
self.onmessage = ({ data }) => {
  if (data.type === "load") return CALLS.load(data).then((works) => works && begin());
  if (data.type === "cancel") return Object.assign(jobs.get(data.id), { over: "stopped" });
  if (data.type === "show") return CALLS.show(data);
  if (data.type === "work") {
    if (jobs.has(data.id)) Object.assign(jobs.get(data.id), { over: "replaced" });
    jobs.set(data.id, (data.job = {}));
  }
  queue = queue.then(() => CALLS[data.type](data));
  return undefined;
};
