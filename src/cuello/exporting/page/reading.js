// Reads a file that was dropped: PNG by ourselves with all its bits, the rest by the browser, refusing what it would change.
"use strict";

class Refusal extends Error {
  constructor(key, values = {}) {
    super(key);
    Object.assign(this, { key, values });
  }
}

const MOST_BYTES = 1.6e9;

const whiteOf = ({ bits }) => ({ 8: 255, 16: 65535, 32: 1 })[bits];

// Says before decoding whether an image and its result fit into what a browser can hold.
function checkSize(facts) {
  return (width, height, bits, channels) => {
    const values = width * height * channels, size = (values * bits) / 8;
    const pixels = (width * height) / 1e6, megapixels = pixels < 10 ? pixels.toFixed(1) : Math.round(pixels);
    if (size * (1 + facts.scale ** 2) > MOST_BYTES) throw new Refusal("tooLarge", { megapixels });
    if (facts.reach === null && !facts.size && width * height > 4e6) throw new Refusal("tooLargeWhole", { megapixels });
  };
}

// Reads a file; `pace` is told the share that is read, and may end it.
async function readImage(file, facts, pace) {
  await pace(0);
  const bytes = await contentOf(file);
  if (!bytes.length) throw new Refusal("empty");
  if (isPng(bytes)) return decodePng(bytes, checkSize(facts), pace);
  if (isTiff(bytes)) {
    const image = await decodeTiff(bytes, checkSize(facts), pace);
    if (image.bits === 32) checkFloats(image, Boolean(facts.range));
    return image;
  }
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8 ? jpegFacts(bytes) : null;
  if (jpeg && jpeg.components === 4) throw new Refusal("cmyk");
  if (jpeg && jpeg.bits !== 8) throw new Refusal("undecodable");
  if (jpeg) checkSize(facts)(jpeg.width, jpeg.height, 8, jpeg.components);
  let bitmap;
  try {
    const asStored = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" };
    bitmap = await createImageBitmap(file, asStored);
  } catch {
    throw new Refusal(jpeg ? "damaged" : "undecodable");
  }
  const { width, height } = bitmap;
  checkSize(facts)(width, height, 8, 4);
  await pace(0.5);
  const image = { width, height, bits: 8, kept: jpeg && jpeg.profile ? [await profileChunk(jpeg.profile)] : [], notes: moves(bytes) ? [["frames"]] : [] };
  return { ...image, ...(await fromCanvas(bitmap, jpeg && jpeg.components === 1, pace)) };
}

// Tells whether a GIF or WebP is an animation.
function moves(bytes) {
  const letters = (from, to) => String.fromCharCode(...bytes.subarray(from, to)), table = (byte) => (byte & 128 ? 3 << ((byte & 7) + 1) : 0);
  if (letters(0, 4) === "RIFF" && letters(8, 16) === "WEBPVP8X") return Boolean(bytes[20] & 2);
  if (letters(0, 4) !== "GIF8") return false;
  for (let at = 13 + table(bytes[10]), frames = 0; at < bytes.length && bytes[at] !== 0x3b; ) {
    if (bytes[at] === 0x2c && ++frames > 1) return true;
    at += bytes[at] === 0x2c ? 11 + table(bytes[at + 9]) : 2;
    while (at < bytes.length && bytes[at]) at += bytes[at] + 1;
    at++;
  }
  return false;
}

async function contentOf(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    throw error instanceof RangeError ? error : new Refusal("unreadable");
  }
}

// Takes a picture's pixels strip by strip, since a canvas is limited.
async function fromCanvas(bitmap, grey, pace) {
  const { width, height } = bitmap, channels = grey ? 1 : 3, strip = Math.max(1, Math.floor(4e6 / width));
  const pixels = new Uint8Array(width * height * channels), alpha = new Uint8Array(width * height);
  let opaque = true;
  const canvas = new OffscreenCanvas(width, Math.min(strip, height));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Refusal("memory");
  for (let top = 0; top < height; top += strip) {
    const rows = Math.min(strip, height - top);
    pen.clearRect(0, 0, width, strip);
    pen.drawImage(bitmap, 0, -top);
    const data = pen.getImageData(0, 0, width, rows).data;
    for (let k = 0, to = top * width; k < data.length; k += 4, to++) {
      for (let c = 0; c < channels; c++) pixels[to * channels + c] = data[k + c];
      alpha[to] = data[k + 3];
      opaque &&= data[k + 3] === 255;
    }
    await pace(0.5 + (0.5 * (top + rows)) / height);
  }
  bitmap.close();
  return { channels, pixels, alpha: opaque ? null : alpha };
}

// Reads size, components and colour profile from a JPEG's markers.
function jpegFacts(bytes) {
  const profile = [];
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) { at++; continue; }
    const marker = bytes[at + 1], length = (bytes[at + 2] << 8) | bytes[at + 3];
    if (marker === 0xff || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) { at += marker === 0xff ? 1 : 2; continue; }
    if (marker === 0xe2 && String.fromCharCode(...bytes.subarray(at + 4, at + 15)) === "ICC_PROFILE")
      profile.push(bytes.subarray(at + 18, at + 2 + length));
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const [height, width] = [(bytes[at + 5] << 8) | bytes[at + 6], (bytes[at + 7] << 8) | bytes[at + 8]];
      return { bits: bytes[at + 4], height, width, components: bytes[at + 9], profile: profile.length ? profile : null };
    }
    at += 2 + length;
  }
  throw new Refusal("damaged");
}

async function profileChunk(parts) {
  const packed = new Response(new Blob(parts).stream().pipeThrough(new CompressionStream("deflate")));
  const body = new Uint8Array(await packed.arrayBuffer()), name = new TextEncoder().encode("ICC\0\0");
  const content = new Uint8Array(name.length + body.length);
  content.set(name);
  content.set(body, name.length);
  return { name: "iCCP", content };
}
