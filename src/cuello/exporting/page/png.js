// PNG with all its bits: the browser's canvas gives 8 of 16, and multiplies colours by their transparency.
"use strict";

const PNG_HEAD = [137, 80, 78, 71, 13, 10, 26, 10];
const PNG_CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PNG_KEPT = ["iCCP", "sRGB", "gAMA", "cHRM", "pHYs"];
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

function isPng(bytes) {
  return PNG_HEAD.every((one, k) => bytes[k] === one);
}

// Splits a PNG into its header, the chunks before the pixels, and its compressed pixels.
function pngParts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = [], data = [];
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) throw new Refusal("damaged");
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (name === "IDAT") data.push(content);
    else chunks.push({ name, content });
    if (name === "IEND") break;
    at += 12 + length;
  }
  const header = chunks[0];
  if (!header || header.name !== "IHDR" || header.content.length !== 13 || !data.length) throw new Refusal("damaged");
  const fields = new DataView(header.content.buffer, header.content.byteOffset, 13);
  const [width, height] = [fields.getUint32(0), fields.getUint32(4)];
  const [bits, kind, interlaced] = [fields.getUint8(8), fields.getUint8(9), fields.getUint8(12)];
  if (!width || !height || !(kind in PNG_CHANNELS) || ![1, 2, 4, 8, 16].includes(bits)) throw new Refusal("damaged");
  return { width, height, bits, kind, interlaced, chunks, data };
}

// Gives what packed parts hold, bit by bit.
async function* unpackedParts(parts) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  try {
    for (;;) {
      let part;
      try {
        part = await reader.read();
      } catch {
        throw new Refusal("damaged");
      }
      if (part.done) return;
      yield part.value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Unpacks into one array of a known size.
async function inflated(parts, size) {
  const out = new Uint8Array(size);
  let at = 0;
  for await (const part of unpackedParts(parts)) {
    out.set(part.subarray(0, size - at), at);
    at += part.length;
    if (at >= size) return out;
  }
  throw new Refusal("damaged");
}

// Undoes a row's filter in place; its first byte is the filter's number, and `above` the row before it, zeros for the first.
function unfilter(row, above, step) {
  const filter = row[0], length = row.length;
  if (filter === 1) for (let k = 1 + step; k < length; k++) row[k] += row[k - step];
  else if (filter === 2) for (let k = 1; k < length; k++) row[k] += above[k];
  else if (filter === 3) for (let k = 1; k < length; k++) row[k] += ((k > step ? row[k - step] : 0) + above[k]) >> 1;
  else if (filter === 4)
    for (let k = 1; k < length; k++) {
      const left = k > step ? row[k - step] : 0, up = above[k], corner = k > step ? above[k - step] : 0;
      const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
      row[k] += a <= b && a <= c ? left : b <= c ? up : corner;
    }
  else if (filter) throw new Refusal("damaged");
}

function packedValue(raw, rowStart, x, bits) {
  if (bits === 8) return raw[rowStart + x];
  const place = x * bits;
  return (raw[rowStart + (place >> 3)] >> (8 - bits - (place & 7))) & ((1 << bits) - 1);
}

// Decodes to colours and transparency of 8 or 16 bits, row by row, so that what is unpacked is never held twice.
async function decodePng(bytes, check, pace) {
  const png = pngParts(bytes);
  const { width, height, bits, kind } = png;
  check(width, height, bits === 16 ? 16 : 8, kind === 3 ? 4 : PNG_CHANNELS[kind]);
  const planes = PNG_CHANNELS[kind], step = Math.max(1, (planes * bits) >> 3);
  const passes = (png.interlaced ? ADAM7 : [[0, 0, 1, 1]])
    .map(([x, y, dx, dy]) => ({ x, y, dx, dy, w: Math.ceil((width - x) / dx), h: Math.ceil((height - y) / dy) }))
    .filter((pass) => pass.w > 0 && pass.h > 0);
  const Kind = bits === 16 ? Uint16Array : Uint8Array, samples = new Kind(width * height * planes);
  const total = passes.reduce((sum, pass) => sum + pass.h, 0), bytesOf = (pass) => 1 + Math.ceil((pass.w * planes * bits) / 8);
  let number = 0, y = 0, filled = 0, done = 0, row = new Uint8Array(bytesOf(passes[0])), above = new Uint8Array(row.length);
  const place = (pass) => {
    const to = (pass.y + y * pass.dy) * width + pass.x;
    if (bits === 8 && pass.dx === 1) samples.set(row.subarray(1), to * planes);
    else
      for (let k = 0; k < pass.w * planes; k++) {
        const where = pass.dx === 1 ? to * planes + k : (to + Math.floor(k / planes) * pass.dx) * planes + (k % planes);
        samples[where] = bits === 16 ? (row[1 + 2 * k] << 8) | row[2 + 2 * k] : packedValue(row, 1, k, bits);
      }
  };
  for await (const part of unpackedParts(png.data)) {
    for (let from = 0; from < part.length && number < passes.length; ) {
      const some = part.subarray(from, from + row.length - filled);
      row.set(some, filled);
      [from, filled] = [from + some.length, filled + some.length];
      if (filled < row.length) break;
      unfilter(row, above, step);
      place(passes[number]);
      [row, above, filled] = [above, row, 0];
      done++;
      if (++y < passes[number].h) continue;
      y = 0;
      if (++number < passes.length) [row, above] = [new Uint8Array(bytesOf(passes[number])), new Uint8Array(bytesOf(passes[number]))];
    }
    if (number === passes.length) break;
    await pace(done / total);
  }
  if (number < passes.length) throw new Refusal("damaged");
  const kept = png.chunks.filter((chunk) => PNG_KEPT.includes(chunk.name));
  const notes = png.chunks.some((chunk) => chunk.name === "acTL") ? [["frames"]] : [];
  return { width, height, bits: bits === 16 ? 16 : 8, kept, notes, ...pngColours(png, samples, planes) };
}

// Separates colours from transparency; looks palettes up, and stretches fewer than 8 bits.
function pngColours({ chunks, bits, kind }, samples, planes) {
  const chunk = (name) => (chunks.find((one) => one.name === name) || {}).content;
  const hidden = chunk("tRNS"), count = samples.length / planes, Kind = samples.constructor;
  if (kind === 3) {
    const palette = chunk("PLTE");
    if (!palette) throw new Refusal("damaged");
    const pixels = new Uint8Array(count * 3), alpha = hidden ? new Uint8Array(count).fill(255) : null;
    for (let k = 0; k < count; k++) {
      for (let c = 0; c < 3; c++) pixels[3 * k + c] = palette[3 * samples[k] + c];
      if (alpha && samples[k] < hidden.length) alpha[k] = hidden[samples[k]];
    }
    return { channels: 3, pixels, alpha };
  }
  const white = bits === 16 ? 65535 : 255;
  if (kind === 4 || kind === 6) {
    const colours = planes - 1, pixels = new Kind(count * colours), alpha = new Kind(count);
    for (let k = 0; k < count; k++) {
      for (let c = 0; c < colours; c++) pixels[k * colours + c] = samples[k * planes + c];
      alpha[k] = samples[k * planes + colours];
    }
    return { channels: colours, pixels, alpha };
  }
  let alpha = null;
  if (hidden && hidden.length >= 2 * planes) {
    alpha = new Kind(count).fill(white);
    for (let k = 0; k < count; k++) {
      let same = true;
      for (let c = 0; c < planes; c++) same &&= samples[k * planes + c] === ((hidden[2 * c] << 8) | hidden[2 * c + 1]);
      if (same) alpha[k] = 0;
    }
  }
  if (bits < 8) for (let k = 0; k < samples.length; k++) samples[k] *= 255 / ((1 << bits) - 1);
  return { channels: planes, pixels: samples, alpha };
}

const CRC = new Uint32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(parts) {
  let crc = 0xffffffff;
  for (const part of parts) for (let k = 0; k < part.length; k++) crc = CRC[(crc ^ part[k]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function pngChunk(name, content) {
  const start = new Uint8Array(8), end = new Uint8Array(4);
  new DataView(start.buffer).setUint32(0, content.length);
  for (let k = 0; k < 4; k++) start[4 + k] = name.charCodeAt(k);
  new DataView(end.buffer).setUint32(0, crc32([start.subarray(4), content]));
  return [start, content, end];
}

// Gives filtered rows a few at a time, so that a large image is never held twice.
function filteredRows({ width, height, channels, bits, pixels, alpha }, told) {
  const planes = channels + (alpha ? 1 : 0), deep = bits === 16 ? 2 : 1, step = planes * deep;
  const length = width * step, plain = [new Uint8Array(length), new Uint8Array(length)];
  let y = 0;
  return new ReadableStream({
    pull(controller) {
      const rows = Math.min(height - y, Math.max(1, Math.floor(262144 / length)));
      const out = new Uint8Array(rows * (length + 1));
      for (let r = 0; r < rows; r++, y++) {
        const row = plain[y & 1], above = plain[1 - (y & 1)];
        for (let x = 0, to = 0; x < width; x++)
          for (let c = 0; c < planes; c++) {
            const value = c < channels ? pixels[(y * width + x) * channels + c] : alpha[y * width + x];
            if (deep === 2) row[to++] = value >> 8;
            row[to++] = value & 255;
          }
        const at = r * (length + 1);
        out[at] = y ? 2 : 1; // the row above, or, in the first row, the pixel to the left
        for (let k = 0; k < length; k++) out[at + 1 + k] = row[k] - (y ? above[k] : k >= step ? row[k - step] : 0);
      }
      controller.enqueue(out);
      told(y / height);
      if (y >= height) controller.close();
    },
  });
}

// Writes a PNG of 8 or 16 bits, and what the image said of its colours.
async function encodePng(image, pace) {
  const header = new Uint8Array(13), fields = new DataView(header.buffer);
  fields.setUint32(0, image.width);
  fields.setUint32(4, image.height);
  fields.setUint8(8, image.bits);
  fields.setUint8(9, (image.channels === 3 ? 2 : 0) + (image.alpha ? 4 : 0));
  let share = 0;
  const reader = filteredRows(image, (done) => { share = done; }).pipeThrough(new CompressionStream("deflate")).getReader();
  const parts = [new Uint8Array(PNG_HEAD), ...pngChunk("IHDR", header)];
  for (const { name, content } of image.kept || []) parts.push(...pngChunk(name, content));
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(...pngChunk("IDAT", part.value));
    await pace(share);
  }
  parts.push(...pngChunk("IEND", new Uint8Array(0)));
  return new Blob(parts, { type: "image/png" });
}
