// TIFF with all its bits: baseline files of one image, as microscopes, tifffile and ImageJ write them.
"use strict";

const TIFF_SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4 };
const TIFF_COMPRESSIONS = {
  2: "CCITT", 3: "CCITT", 4: "CCITT", 6: "JPEG", 7: "JPEG", 32773: "PackBits", 34712: "JPEG 2000", 34887: "LERC",
  34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL",
};
const TIFF_COLOURS = { 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "CFA" };
const TIFF_KEPT = { width: 282, height: 283, unit: 296, profile: 34675, words: 270 };
const TIFF_KINDS = { 8: Uint8Array, 16: Uint16Array, 32: Float32Array };
const MOST_PAGES = 65536;

const isTiff = (bytes) => /^(II[*+]\0|MM\0[*+])/.test(String.fromCharCode(...bytes.subarray(0, 4)));

// Reads one directory: `tag(number)` gives its values as numbers, `next` is where the following one lies, or 0.
function tiffDirectory(view, little, at) {
  const entries = new Map(), room = (from, size) => {
    if (from + size > view.byteLength) throw new Refusal("damaged");
    return from;
  };
  const count = view.getUint16(room(at, 2), little);
  room(at, 6 + 12 * count);
  for (let k = 0, from = at + 2; k < count; k++, from += 12) {
    const type = view.getUint16(from + 2, little), values = view.getUint32(from + 4, little), size = (TIFF_SIZES[type] || 0) * values;
    if (size) entries.set(view.getUint16(from, little), { type, values, size, from: size > 4 ? view.getUint32(from + 8, little) : from + 8 });
  }
  const read = {
    1: (p) => view.getUint8(p), 2: (p) => view.getUint8(p), 3: (p) => view.getUint16(p, little), 4: (p) => view.getUint32(p, little),
    5: (p) => view.getUint32(p, little), 7: (p) => view.getUint8(p), 13: (p) => view.getUint32(p, little),
  };
  const tag = (number, otherwise = []) => {
    const one = entries.get(number);
    if (!one || !read[one.type]) return otherwise;
    const step = one.type === 5 ? 4 : TIFF_SIZES[one.type], from = room(one.from, one.size);
    return Array.from({ length: one.size / step }, (_, k) => read[one.type](from + k * step));
  };
  return { tag, next: view.getUint32(at + 2 + 12 * count, little) };
}

// Says what a file holds, refusing what is not read here.
function tiffFacts(bytes) {
  const little = bytes[0] === 0x49, view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[little ? 2 : 3] === 43) throw new Refusal("tiffKind", { got: "BigTIFF" });
  if (bytes.length < 8) throw new Refusal("damaged");
  const first = tiffDirectory(view, little, view.getUint32(4, little)), one = (number, otherwise) => first.tag(number, [otherwise])[0];
  const [width, height, planes] = [one(256), one(257), one(277, 1)], depths = first.tag(258, [1]), format = one(339, 1);
  const bits = depths[0], colours = one(262, planes >= 3 ? 2 : 1), compression = one(259, 1), predictor = one(317, 1), extra = first.tag(338);
  if (!width || !height || !planes) throw new Refusal("damaged");
  const type = `${{ 1: "uint", 2: "int", 3: "float", 5: "complex", 6: "complex" }[format] || "SampleFormat "}${[...new Set(depths)].join("+")}`;
  if (!["uint8", "uint16", "float32"].includes(type)) throw new Refusal("tiffKind", { got: type });
  if (colours === 0) throw new Refusal("tiffKind", { got: "WhiteIsZero" });
  if (colours > 2) throw new Refusal("tiffKind", { got: TIFF_COLOURS[colours] || `PhotometricInterpretation ${colours}` });
  const channels = colours === 2 ? 3 : 1, more = planes - channels;
  if (more === 1 && extra[0] === 1) throw new Refusal("tiffKind", { got: "premultiplied alpha" });
  if (more > 1 || more < 0 || (more === 1 && extra[0] !== 2)) throw new Refusal("tiffChannels", { planes });
  if (one(32997, 1) > 1) throw new Refusal("tiffKind", { got: `ImageDepth ${one(32997)}` });
  if (one(274, 1) !== 1) throw new Refusal("tiffKind", { got: `Orientation ${one(274)}` });
  if (![1, 5, 8, 32946].includes(compression)) throw new Refusal("tiffPacked", { got: TIFF_COMPRESSIONS[compression] || compression });
  if (predictor > 2) throw new Refusal("tiffPacked", { got: `Predictor ${predictor}` });
  if (one(266, 1) !== 1) throw new Refusal("tiffKind", { got: `FillOrder ${one(266)}` });
  const tiled = first.tag(322).length > 0, separate = planes > 1 && one(284, 1) === 2;
  const piece = tiled ? { w: one(322), h: one(323) } : { w: width, h: Math.min(one(278, height) || height, height) };
  const [offsets, lengths] = tiled ? [first.tag(324), first.tag(325)] : [first.tag(273), first.tag(279)];
  if (!piece.w || !piece.h) throw new Refusal("damaged");
  const across = Math.ceil(width / piece.w), down = Math.ceil(height / piece.h), needed = across * down * (separate ? planes : 1);
  if (!lengths.length && offsets.length === 1 && compression === 1) lengths.push(bytes.length - offsets[0]);
  if (offsets.length < needed || lengths.length < needed) throw new Refusal("damaged");
  const pages = pagesOf(view, little, first);
  const kept = Object.fromEntries(Object.entries(TIFF_KEPT).map(([name, number]) => [name, first.tag(number)]));
  if (pages > 1 || separate) kept.words = []; // they may speak of the shape
  return { little, width, height, planes, bits, channels, compression, predictor, tiled, separate, piece, across, down, offsets, lengths, pages, kept };
}

// Counts the images, smaller copies of others aside; ImageJ writes how many follow without a directory.
function pagesOf(view, little, first) {
  const seen = new Set([view.getUint32(4, little)]), words = String.fromCharCode(...first.tag(270).slice(0, 4096));
  let count = 1;
  for (let at = first.next; at && !seen.has(at) && seen.size < MOST_PAGES; ) {
    seen.add(at);
    let page;
    try {
      page = tiffDirectory(view, little, at);
    } catch {
      break; // the first is whole
    }
    if (!(page.tag(254, [0])[0] & 1)) count++;
    at = page.next;
  }
  const told = words.startsWith("ImageJ=") && words.match(/^images=(\d+)/m);
  return Math.max(count, told ? Number(told[1]) : 1);
}

// Unpacks LZW, the highest bit first, into `size` bytes.
function unlzw(packed, size) {
  if (packed.length > 1 && packed[0] === 0 && packed[1] & 1) throw new Refusal("tiffPacked", { got: "LZW (TIFF 5)" });
  const out = new Uint8Array(size), starts = new Uint32Array(4097), lengths = new Uint32Array(4097);
  let at = 0, next = 258, wide = 9, store = 0, held = 0, last = -1, lastStart = 0, lastLength = 0;
  for (let from = 0; at < size; ) {
    while (held < wide && from < packed.length) {
      store = ((store << 8) | packed[from++]) & 0xffffff;
      held += 8;
    }
    if (held < wide) throw new Refusal("damaged");
    const code = (store >> (held -= wide)) & ((1 << wide) - 1);
    if (code === 257) break;
    if (code === 256) {
      [next, wide, last] = [258, 9, -1];
      continue;
    }
    if (code > next || (last < 0 && code > 255) || (code === next && last < 0)) throw new Refusal("damaged");
    const begin = at;
    if (last >= 0 && next < 4096) [starts[next], lengths[next]] = [lastStart, lastLength + 1]; // what came last, and the next letter
    if (code < 256) out[at++] = code;
    else for (let k = 0, source = starts[code]; k < lengths[code] && at < size; k++) out[at++] = out[source + k];
    if (last >= 0 && next < 4096) next++;
    if (next >= (1 << wide) - 1 && wide < 12) wide++;
    [last, lastStart, lastLength] = [code, begin, code < 256 ? 1 : lengths[code]];
  }
  if (at < size) throw new Refusal("damaged");
  return out;
}

// Brings one strip or tile to numbers of this machine's byte order, differences undone.
async function tiffPiece(bytes, tiff, number, { rows, planes }) {
  const { bits, compression, predictor, little, piece } = tiff, deep = bits / 8, size = piece.w * rows * planes * deep;
  const from = tiff.offsets[number], packed = bytes.subarray(from, from + tiff.lengths[number]);
  if (packed.length < tiff.lengths[number] || (compression === 1 && packed.length < size)) throw new Refusal("damaged");
  const raw = compression === 1 ? packed.slice(0, size) : compression === 5 ? unlzw(packed, size) : await inflated([packed], size);
  if (deep > 1 && !little)
    for (let k = 0; k < raw.length; k += deep) raw.subarray(k, k + deep).reverse();
  if (predictor === 2) {
    const values = new { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[deep](raw.buffer), length = piece.w * planes;
    for (let y = 0; y < rows; y++)
      for (let k = y * length + planes; k < (y + 1) * length; k++) values[k] += values[k - planes];
  }
  return new TIFF_KINDS[bits](raw.buffer);
}

// Decodes the first image.
async function decodeTiff(bytes, check, pace) {
  const tiff = tiffFacts(bytes), { width, height, planes, bits, channels, piece, across, down, separate } = tiff;
  check(width, height, bits, planes);
  const Kind = TIFF_KINDS[bits], pixels = new Kind(width * height * channels), alpha = planes > channels ? new Kind(width * height) : null;
  const total = across * down * (separate ? planes : 1), deep = separate ? 1 : planes;
  for (let number = 0; number < total; number++) {
    const plane = Math.floor(number / (across * down)), place = number % (across * down);
    const top = Math.floor(place / across) * piece.h, left = (place % across) * piece.w;
    const rows = tiff.tiled ? piece.h : Math.min(piece.h, height - top), values = await tiffPiece(bytes, tiff, number, { rows, planes: deep });
    const seen = Math.min(piece.w, width - left);
    for (let y = 0; y < Math.min(rows, height - top); y++)
      for (let c = plane; c < plane + deep; c++) {
        const [out, step, first] = c < channels ? [pixels, channels, c] : [alpha, 1, 0];
        for (let x = 0, from = y * piece.w * deep + c - plane, to = ((top + y) * width + left) * step + first; x < seen; x++, from += deep, to += step) out[to] = values[from];
      }
    await pace((number + 1) / total);
  }
  const notes = tiff.pages > 1 ? [["tiffPages", { count: tiff.pages }]] : [];
  return { width, height, bits, channels, pixels, alpha, kept: [], tiff: tiff.kept, notes };
}

// Refuses floats that say nothing of black and white.
function checkFloats({ pixels, alpha }, ranged) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of alpha ? [pixels, alpha] : [pixels])
    for (const value of values) {
      if (!Number.isFinite(value)) throw new Refusal("notNumbers");
      if (value < low) low = value;
      if (value > high) high = value;
    }
  if (!ranged && (low < 0 || high > 1)) throw new Refusal("floats", { low: +low.toPrecision(6), high: +high.toPrecision(6) });
}

// Writes a TIFF of one image, packed by Deflate, with the resolution, colour profile and words of the one it was made of.
async function encodeTiff(image, pace, scale) {
  const { width, height, channels, bits, pixels, alpha, tiff } = image, planes = channels + (alpha ? 1 : 0), deep = bits / 8;
  const length = width * planes, rows = Math.max(1, Math.min(height, Math.floor(1e6 / (length * deep)))), offsets = [], counts = [], parts = [];
  let at = 8;
  for (let top = 0; top < height; top += rows) {
    const some = Math.min(rows, height - top), values = new pixels.constructor(some * length);
    for (let k = 0, to = 0, from = top * width; k < some * width; k++, from++) {
      for (let c = 0; c < channels; c++) values[to++] = pixels[from * channels + c];
      if (alpha) values[to++] = alpha[from];
    }
    if (bits < 32) for (let y = 0; y < some; y++) for (let k = (y + 1) * length - 1; k >= y * length + planes; k--) values[k] -= values[k - planes];
    const packed = await new Response(new Blob([values]).stream().pipeThrough(new CompressionStream("deflate"))).blob();
    offsets.push(at);
    counts.push(packed.size);
    parts.push(packed);
    at += packed.size;
    if (packed.size % 2) { parts.push(new Uint8Array(1)); at++; }
    await pace((top + some) / height);
  }
  const kept = tiff || {}, rational = ([over, under]) => (over * scale <= 0xffffffff ? [over * scale, under] : [over, Math.max(1, Math.round(under / scale))]);
  const tags = [
    [256, 4, [width]], [257, 4, [height]], [258, 3, Array(planes).fill(bits)], [259, 3, [8]], [262, 3, [channels === 3 ? 2 : 1]],
    ...(scale === 1 && kept.words && kept.words.length ? [[270, 2, kept.words]] : []),
    [273, 4, offsets], [277, 3, [planes]], [278, 4, [rows]], [279, 4, counts],
    ...(kept.width && kept.width.length === 2 ? [[282, 5, rational(kept.width)]] : []),
    ...(kept.height && kept.height.length === 2 ? [[283, 5, rational(kept.height)]] : []),
    [284, 3, [1]],
    ...(kept.unit && kept.unit.length ? [[296, 3, kept.unit]] : []),
    [317, 3, [bits < 32 ? 2 : 1]],
    ...(alpha ? [[338, 3, [2]]] : []),
    [339, 3, Array(planes).fill(bits < 32 ? 1 : 3)],
    ...(kept.profile && kept.profile.length ? [[34675, 7, kept.profile]] : []),
  ];
  return new Blob([tiffHead(at), ...parts, tiffTags(tags, at)], { type: "image/tiff" });
}

function tiffHead(at) {
  const head = new DataView(new ArrayBuffer(8));
  [[0, 0x4949], [2, 42]].forEach(([place, value]) => head.setUint16(place, value, true));
  head.setUint32(4, at, true);
  return head.buffer;
}

// Writes a directory that will lie at `start`, and after it the values that do not fit into it.
function tiffTags(tags, start) {
  const step = (type) => (type === 5 ? 4 : TIFF_SIZES[type]), size = 6 + 12 * tags.length;
  const more = tags.map(([, type, values]) => step(type) * values.length).map((bytes) => (bytes > 4 ? bytes + (bytes % 2) : 0));
  const out = new DataView(new ArrayBuffer(size + more.reduce((a, b) => a + b, 0)));
  out.setUint16(0, tags.length, true);
  let free = size;
  tags.forEach(([number, type, values], k) => {
    const at = 2 + 12 * k;
    out.setUint16(at, number, true);
    out.setUint16(at + 2, type, true);
    out.setUint32(at + 4, values.length / (type === 5 ? 2 : 1), true);
    const place = more[k] ? free : at + 8;
    if (more[k]) out.setUint32(at + 8, start + free, true);
    free += more[k];
    const put = { 1: "setUint8", 2: "setUint16", 4: "setUint32" }[step(type)];
    values.forEach((value, j) => out[put](place + j * step(type), value, true));
  });
  return out.buffer;
}
