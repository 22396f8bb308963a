// Run a file that `cuello export RUN NAME.onnx` wrote, in Node: `npm install onnxruntime-node` (or onnxruntime-web).
//
//     node onnx_run.mjs denoise.onnx noisy.ppm clean.ppm
//     node onnx_run.mjs pets.onnx cat.ppm
//
// Images are binary PGM (P5, grey) or PPM (P6, colour) of 8 bits, the channels being the network's; other programs write
// them from anything (`magick noisy.png noisy.ppm`). A classifier's probabilities are printed, in the order of its classes.
import { readFile, writeFile } from "node:fs/promises";

async function runtime() {
  const places = process.env.ONNXRUNTIME ? [process.env.ONNXRUNTIME] : ["onnxruntime-node", "onnxruntime-web"];
  for (const place of places) {
    try {
      const ort = await import(place);
      return ort.default?.InferenceSession ? ort.default : ort;
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Error(`found none of ${places.join(", ")}: npm install onnxruntime-node`);
}

function pixelsOf(content) {
  const head = /^(P[56])\s+(\d+)\s+(\d+)\s+255\s/.exec(content.subarray(0, 100).toString("latin1"));
  if (!head) throw new Error("needed a binary PGM or PPM of 8 bits, without comments");
  const [channels, width, height] = [head[1] === "P5" ? 1 : 3, Number(head[2]), Number(head[3])];
  const data = content.subarray(head[0].length);
  if (data.length < channels * width * height) throw new Error("the image is cut short");
  return { channels, width, height, data };
}

const KINDS = { float32: [Float32Array, 1], uint8: [Uint8Array, 255], uint16: [Uint16Array, 65535] }; // and what is white

function planes({ channels, width, height, data }, type) {
  const [Kind, white] = KINDS[type];
  const size = width * height;
  const value = (at) => (data[(at % size) * channels + Math.floor(at / size)] * white) / 255;
  return Kind.from({ length: channels * size }, (_, at) => value(at));
}

async function main(model, source, target) {
  const ort = await runtime();
  if (ort.env?.wasm) ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(await readFile(model)), { logSeverityLevel: 3 });
  const image = pixelsOf(await readFile(source));
  const shape = [1, image.channels, image.height, image.width];
  // The file's other inputs keep their usual values, which ONNX Runtime for JavaScript cannot replace: white is 1.
  const type = session.inputMetadata?.find((one) => one.name === "image")?.type ?? "float32"; // as --dtype said
  const { result } = await session.run({ image: new ort.Tensor(type, planes(image, type), shape) });
  if (result.dims.length === 2) {
    for (const [place, share] of result.data.entries()) console.log(`${place} ${share.toFixed(4)}`);
    return;
  }
  if (!target) throw new Error("where does the result go? Type: node onnx_run.mjs MODEL.onnx IN OUT");
  const [, channels, height, width] = result.dims;
  const pixels = Buffer.alloc(channels * height * width);
  for (let at = 0; at < pixels.length; at++) {
    const value = result.data[(at % channels) * height * width + Math.floor(at / channels)];
    pixels[at] = Math.min(255, Math.max(0, Math.round((255 * value) / KINDS[result.type][1])));
  }
  const head = Buffer.from(`${channels === 1 ? "P5" : "P6"}\n${width} ${height}\n255\n`);
  await writeFile(target, Buffer.concat([head, pixels]));
}

if (process.argv.length < 4) {
  console.error("node onnx_run.mjs MODEL.onnx IN [OUT]");
  process.exit(2);
}
try {
  await main(...process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
