// What `cuello apply` does around a network, in the same numbers: ranges, the noise's level, tiles, transparency.
"use strict";

const TILE = 256;

// Tiles along one axis: what is read, and what is kept of it.
function tilesAlong(length, tile, reach, stride) {
  const margin = Math.ceil(reach / stride) * stride, spans = [];
  for (let from = 0; from < length; from += tile) {
    const to = Math.min(from + tile, length);
    const stop = Math.min(Math.ceil((to + margin) / stride) * stride, length);
    spans.push({ start: Math.max(from - margin, 0), stop, from, to });
  }
  return spans;
}

// The estimate of a noise's level, as in cuello.degrade.level, which says what each of these is.
const LEVEL = { block: 8, step: 4, low: [1, 7], high: [8, 15], share: 0.003, fewest: 16, repeats: 0.505, frame: 0.25, edges: 1.5 };
Object.assign(LEVEL, { blank: 0.05, uncut: 0.02, touched: 1.5 / 64, mostCut: 0.7 });
const WAVES = Array.from({ length: 8 }, (_, a) =>
  Array.from({ length: 8 }, (_, i) => (a ? 0.5 : Math.SQRT1_2 / 2) * Math.cos((Math.PI / 8) * a * (i + 0.5))),
);
const NEIGHBOURS = [[0, 1], [1, 0], [1, 1], [1, -1], [0, 2], [2, 0]];

function mirrored(k, length) {
  const period = 2 * length, place = ((k % period) + period) % period;
  return place < length ? place : period - 1 - place;
}

// The largest share of a block's pixels that equal their neighbour in one direction; `lines` are its rows.
function repeated(lines, x) {
  let most = 0;
  for (const [down, right] of NEIGHBOURS) {
    let same = 0;
    const from = x + Math.max(0, -right), to = x + 8 - Math.max(0, right);
    for (let r = 0; r < 8 - down; r++)
      for (let k = from, here = lines[r], there = lines[r + down]; k < to; k++) if (here[k] === there[k + right]) same++;
    most = Math.max(most, same / ((8 - down) * (to - from)));
  }
  return most;
}

// Mean squares of the low and the high frequencies of a block whose columns were transformed already.
function energies(down, x, width) {
  let [low, high] = [0, 0];
  for (let u = 0, from = x; u < 8; u++, from += width) {
    const [a, b, c, d] = [down[from], down[from + 1], down[from + 2], down[from + 3]];
    const [e, f, g, h] = [down[from + 4], down[from + 5], down[from + 6], down[from + 7]];
    for (let v = 0; v < 8; v++) {
      const order = u + v, wave = WAVES[v];
      if (order < LEVEL.low[0] || (order >= LEVEL.low[1] && order < LEVEL.high[0])) continue;
      const sum = wave[0] * a + wave[1] * b + wave[2] * c + wave[3] * d + wave[4] * e + wave[5] * f + wave[6] * g + wave[7] * h;
      if (order < LEVEL.low[1]) low += sum * sum;
      else high += sum * sum;
    }
  }
  return [low / 27, high / 28];
}

// The standard deviation of a plane's noise, in units of white; `fill(y, line)` gives a row of it.
async function noiseLevel(fill, width, height, pace) {
  const wide = Math.max(width, 8), high = Math.max(height, 8), line = new Float32Array(width);
  const lines = Array.from({ length: 8 }, () => new Float32Array(wide)), down = new Float64Array(8 * wide);
  const across = Math.floor((wide - 8) / LEVEL.step) + 1, rows = Math.floor((high - 8) / LEVEL.step) + 1, count = rows * across;
  const [low, noise, cut, repeats] = [0, 1, 2, 3].map(() => new Float32Array(count));
  let [least, most] = [Infinity, -Infinity];
  for (let y = 0; y < height; y++) {
    fill(y, line);
    for (const value of line) [least, most] = [Math.min(least, value), Math.max(most, value)];
    if (y % 64 === 63) await pace((0.2 * y) / height);
  }
  for (let row = 0, at = 0; row < rows; row++) {
    for (let r = 0; r < 8; r++) {
      fill(mirrored(row * LEVEL.step + r, height), line);
      for (let x = 0; x < wide; x++) lines[r][x] = line[x < width ? x : mirrored(x, width)];
    }
    down.fill(0);
    for (let u = 0; u < 8; u++)
      for (let r = 0; r < 8; r++) {
        const factor = WAVES[u][r], values = lines[r];
        for (let x = 0, to = u * wide; x < wide; x++, to++) down[to] += factor * values[x];
      }
    for (let k = 0; k < across; k++, at++) {
      const x = k * LEVEL.step;
      let ends = 0;
      for (const values of lines) for (let i = x; i < x + 8; i++) if (values[i] === least || values[i] === most) ends++;
      [cut[at], repeats[at]] = [ends / 64, repeated(lines, x)];
      if (repeats[at] <= LEVEL.repeats) [low[at], noise[at]] = energies(down, x, wide);
    }
    if (row % 16 === 15) await pace(0.2 + (0.8 * row) / rows);
  }
  return levelOf({ low, noise, cut, repeats });
}

// The level that a plane's blocks tell.
function levelOf({ low, noise, cut, repeats }) {
  const count = low.length, wanted = Math.max(LEVEL.fewest, Math.ceil(Math.fround(count * LEVEL.share)));
  const kept = (share) => 1 - 1.655 * Math.min(share, LEVEL.mostCut) + 0.665 * Math.min(share, LEVEL.mostCut) ** 2;
  let [clean, edges, blank, drawn] = [0, 0, 0, 0];
  for (let k = 0; k < count; k++) {
    if (repeats[k] <= LEVEL.repeats) continue;
    drawn++;
    if (cut[k] > LEVEL.touched) blank++;
    else if (clean++, repeats[k] <= 0.999) edges++;
  }
  const frame = clean <= LEVEL.frame * count && edges <= LEVEL.edges * (clean - edges);
  const left = [];
  for (let k = 0; k < count; k++)
    if (cut[k] <= LEVEL.mostCut && !(repeats[k] > LEVEL.repeats && (frame || cut[k] > LEVEL.touched))) left.push(k);
  const uncut = left.reduce((sum, k) => sum + (cut[k] <= LEVEL.touched), 0);
  if (left.length < Math.min(wanted, count / 2) || (blank > LEVEL.blank * count && uncut < LEVEL.uncut * (count - drawn))) return 0;
  const whole = Float32Array.from(left, (k) => low[k] / kept(cut[k])), last = whole.slice().sort()[Math.min(wanted, left.length) - 1];
  const variance = (bound) => {
    let [of, by] = [0, 0];
    left.forEach((k, i) => {
      if (whole[i] <= bound) [of, by] = [of + noise[k], by + kept(cut[k])];
    });
    return of / by;
  };
  return Math.sqrt(variance(Math.max(last, variance(last))));
}

const percentile = (sorted, share) => {
  const place = share * (sorted.length - 1), low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
};

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

// The range that nearly all values fill, where that is less than a tenth of white; null elsewhere.
function littleRange(values, white) {
  let step = Math.max(1, Math.floor(values.length / 1e6));
  while (divisor(step, values.length) > 1) step++;
  const some = new values.constructor(Math.ceil(values.length / step));
  for (let k = 0, from = 0; k < some.length; k++, from += step) some[k] = values[from];
  some.sort();
  let low = percentile(some, 0.001), high = percentile(some, 0.999);
  let [least, most] = [values[0], values[0]];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (low === high) [low, high] = [least, most];
  const room = 0.1 * (high - low) || Math.max(1, Math.abs(low));
  const range = { black: low - room, white: high + room, estimated: true };
  return least < most && range.white - range.black < 1.2 * 0.1 * white ? range : null;
}

// The range an image is restored within: the network's own, a little one, or its type's.
function rangeOf(image, facts) {
  if (!facts.range) return littleRange(image.pixels, whiteOf(image));
  const { black, white, estimated } = facts.range;
  if (!estimated)
    for (const value of image.pixels)
      if (value < black || value > white) throw new Refusal("outside", { range: `${black}..${white}`, value });
  return facts.range;
}

// Where a pixel is hidden, the place of the nearest one that is seen: rows first, then the envelope of parabolas.
function nearestSeen(alpha, width, height) {
  const row = new Int32Array(width * height).fill(-1), place = new Int32Array(width * height);
  for (let x = 0; x < width; x++) {
    for (let y = 0, last = -1; y < height; y++) row[y * width + x] = alpha[y * width + x] ? (last = y) : last;
    for (let y = height - 1, last = -1; y >= 0; y--) {
      const k = y * width + x;
      if (alpha[k]) last = y;
      if (last >= 0 && (row[k] < 0 || last - y < y - row[k])) row[k] = last;
    }
  }
  const stack = new Int32Array(width), ends = new Float64Array(width + 1);
  for (let y = 0; y < height; y++) {
    const cost = (x) => (row[y * width + x] - y) ** 2 + x * x;
    let top = -1;
    for (let x = 0; x < width; x++) {
      if (row[y * width + x] < 0) continue;
      let cut = -Infinity;
      while (top >= 0 && (cut = (cost(x) - cost(stack[top])) / (2 * (x - stack[top]))) <= ends[top]) top--;
      stack[++top] = x;
      ends[top] = top ? cut : -Infinity;
    }
    for (let x = 0, k = 0; x < width; x++) {
      while (k < top && ends[k + 1] < x) k++;
      place[y * width + x] = row[y * width + stack[k]] * width + stack[k];
    }
  }
  return place;
}

// Gives hidden pixels the colour of the nearest that is seen.
function covered({ pixels, alpha, width, height, channels }) {
  if (!alpha || !alpha.includes(0) || alpha.every((one) => one === 0)) return pixels;
  const place = nearestSeen(alpha, width, height), out = pixels.slice();
  for (let k = 0; k < alpha.length; k++)
    if (!alpha[k]) for (let c = 0; c < channels; c++) out[k * channels + c] = pixels[place[k] * channels + c];
  return out;
}

// Enlarges a plane of floats by Keys' cubic, mirrored at the edges.
function cubicLarger(plane, width, height, scale) {
  const kernel = (x) => (x <= 1 ? 1.5 * x ** 3 - 2.5 * x ** 2 + 1 : x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0);
  const weights = (side) =>
    Array.from({ length: side * scale }, (_, i) => {
      const centre = (i + 0.5) / scale - 0.5, first = Math.floor(centre) - 1, period = 2 * side;
      return Array.from({ length: 4 }, (_, k) => {
        const place = (((first + k) % period) + period) % period;
        return [place < side ? place : period - 1 - place, kernel(Math.abs(centre - first - k))];
      });
    });
  const across = weights(width), down = weights(height), wide = width * scale;
  const middle = new Float64Array(wide * height), out = new Float64Array(wide * height * scale);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < wide; x++)
      for (const [place, weight] of across[x]) middle[y * wide + x] += weight * plane[y * width + place];
  for (let y = 0; y < height * scale; y++)
    for (const [place, weight] of down[y]) for (let x = 0; x < wide; x++) out[y * wide + x] += weight * middle[place * wide + x];
  let [least, most] = [Infinity, -Infinity];
  for (const value of plane) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return out.map((value) => Math.min(Math.max(value, least), most));
}

const roundEven = (value) => {
  const low = Math.floor(value), part = value - low;
  return part < 0.5 || (part === 0.5 && low % 2 === 0) ? low : low + 1;
};

// Restores an image's colours tile by tile; `run` takes (N, C, h, w) and gives (N, C, s h, s w), both in [0, 1].
// `pace(stage, share)` is told what is done, and may end it.
async function restored(image, facts, { run, level, pace }) {
  const { width, height, channels, bits } = image, { scale, stride } = facts, white = whiteOf(image);
  const given = covered(image), Kind = image.pixels.constructor, wide = width * scale;
  const seen = { ...image, pixels: given }, out = new Kind(wide * height * scale * channels);
  const split = bits === 16 && facts.channels === 1 && channels > 1 && !facts.range;
  const planes = Array.from({ length: channels }, (_, c) => c), notes = [], levels = [];
  const groups = split ? planes.map((c) => [c]) : [planes];
  const ranges = groups.map((group) => {
    const pixels = split ? given.filter((_, k) => k % channels === group[0]) : given;
    return split ? littleRange(pixels, white) : rangeOf(seen, facts);
  });
  if (!ranges.some(Boolean) && split) groups.splice(0, groups.length, planes);
  const spans = (length) => {
    const padded = Math.ceil(length / stride) * stride;
    const tile = facts.reach === null ? padded + stride : TILE;
    return tilesAlong(padded, Math.ceil(tile / stride) * stride, facts.reach ?? 0, stride);
  };
  const rows = spans(height), columns = spans(width), total = rows.length * columns.length * groups.length;
  let done = 0;
  for (const [number, group] of groups.entries()) {
    const range = ranges[number], black = range ? range.black : 0, span = range ? range.white - range.black : white;
    const share = (y, x, c) => (given[(Math.min(y, height - 1) * width + Math.min(x, width - 1)) * channels + c] - black) / span;
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    let told = level === null || level === undefined ? null : range && range.estimated ? Math.min(1, (level * white) / span) : level;
    if (facts.conditioned && told === null) {
      told = 0;
      for (const c of group) {
        const fill = (y, line) => {
          for (let x = 0, from = y * width * channels + c; x < width; x++, from += channels) line[x] = inside((given[from] - black) / span);
        };
        const before = (number * group.length + group.indexOf(c)) / channels;
        told += (await noiseLevel(fill, width, height, (part) => pace("measuring", before + part / channels))) / group.length;
      }
    }
    if (told !== null) levels.push(range && range.estimated ? (told * span) / white : told);
    if (range && range.estimated && !facts.range) notes.push(["little", { range: `${+range.black.toPrecision(6)}..${+range.white.toPrecision(6)}` }]);
    const beyond = range && range.estimated && scale > 1 ? outsideOf(given, group, { ...image, black, span, scale }) : null;
    await pace("working", done / total, { done, total });
    for (const row of rows)
      for (const column of columns) {
        const [h, w] = [row.stop - row.start, column.stop - column.start], size = h * w;
        const more = facts.channels > 1 && group.length === 1; // grey through a network of colours
        const depth = more ? facts.channels : group.length, x = new Float32Array(depth * size);
        for (let c = 0; c < depth; c++)
          for (let r = 0, to = c * size; r < h; r++)
            for (let k = 0; k < w; k++) x[to++] = inside(share(row.start + r, column.start + k, group[more ? 0 : c]));
        const y = await run(x, facts.channels === 1 ? [depth, 1, h, w] : [1, depth, h, w], told);
        const larger = size * scale * scale, stop = Math.min(row.to, height) * scale, end = Math.min(column.to, width) * scale;
        for (let r = row.from * scale; r < stop; r++)
          for (let k = column.from * scale; k < end; k++) {
            const from = (r - row.start * scale) * w * scale + (k - column.start * scale);
            for (let c = 0; c < group.length; c++) {
              let value = y[c * larger + from];
              if (more) {
                for (let other = 1; other < depth; other++) value += y[other * larger + from];
                value /= depth;
              }
              const to = (r * wide + k) * channels + group[c];
              if (range && range.estimated && (beyond || scale === 1)) {
                const own = beyond ? beyond[c][r * wide + k] : (given[to] - black) / span, rest = beyond ? own : own - inside(own);
                if (rest > 0 ? value >= 0.5 : value <= 0.5) value += rest;
              }
              const level = range ? value * span + black : Math.fround(value) * white;
              out[to] = bits === 32 ? level : Math.min(Math.max(roundEven(range ? level : Math.fround(level)), 0), white);
            }
          }
        await pace("working", ++done / total, { done, total });
      }
  }
  return { ...finished(image, out, scale), range: seenRange(ranges, image), notes, level: levels.length ? levels.reduce((a, b) => a + b) / levels.length : null };
}

// What is black and white on the screen, where more than 8 bits fill little of theirs; null for the type's own.
function seenRange(ranges, { bits }) {
  if (bits === 8 || !ranges.every(Boolean)) return null;
  return { black: Math.min(...ranges.map((one) => one.black)), white: Math.max(...ranges.map((one) => one.white)) };
}

// What of the values lies outside an estimated range, enlarged; null where nothing does.
function outsideOf(pixels, group, { width, height, channels, black, span, scale }) {
  const outside = (value) => value < black || value > black + span;
  if (!pixels.some(outside)) return null;
  const planes = group.map((c) =>
    Float32Array.from({ length: width * height }, (_, k) => {
      const share = (pixels[k * channels + c] - black) / span;
      return share - Math.min(Math.max(share, 0), 1);
    }),
  );
  return planes.map((plane) => cubicLarger(plane, width, height, scale));
}

// Puts transparency back, and under it the colours that nobody saw.
function finished(image, out, scale) {
  const { width, height, channels } = image, wide = width * scale;
  let alpha = image.alpha;
  if (alpha && scale > 1) alpha = alpha.constructor.from(cubicLarger(alpha, width, height, scale), image.bits === 32 ? Number : roundEven);
  if (alpha && image.alpha.includes(0) && image.alpha.some((one) => one !== 0))
    for (let k = 0; k < alpha.length; k++) {
      if (alpha[k]) continue;
      const from = Math.floor(k / wide / scale) * width + Math.floor((k % wide) / scale);
      for (let c = 0; c < channels; c++) out[k * channels + c] = image.pixels[from * channels + c];
    }
  return { width: wide, height: height * scale, channels, bits: image.bits, pixels: out, alpha, kept: image.kept, tiff: image.tiff };
}

// Brings an image to a size and number of channels as floats (C, H, W) in [0, 1]: means of areas, or the nearest pixel.
function fitted(image, { width, height }, channels) {
  const white = whiteOf(image), out = new Float32Array(channels * width * height), given = covered(image);
  const value = (k, c) => {
    if (image.channels === channels) return given[k * channels + c] / white;
    if (image.channels === 1) return given[k] / white;
    return (0.299 * given[3 * k] + 0.587 * given[3 * k + 1] + 0.114 * given[3 * k + 2]) / white;
  };
  for (let c = 0, to = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, to++) {
        const [top, left] = [Math.floor((y * image.height) / height), Math.floor((x * image.width) / width)];
        const bottom = Math.max(top + 1, Math.floor(((y + 1) * image.height) / height));
        const right = Math.max(left + 1, Math.floor(((x + 1) * image.width) / width));
        let sum = 0;
        for (let r = top; r < bottom; r++) for (let k = left; k < right; k++) sum += value(r * image.width + k, c);
        out[to] = sum / ((bottom - top) * (right - left));
      }
  return out;
}
