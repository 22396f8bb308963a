// A zip of files that are compressed already: stored one after another, with their names in UTF-8.
"use strict";

const ZIP_LIMIT = 0xffffffff;

async function zipped(files) {
  const parts = [], directory = [];
  let at = 0;
  for (const { name, blob } of files) {
    const bytes = new TextEncoder().encode(name), content = new Uint8Array(await blob.arrayBuffer());
    const sum = crc32([content]);
    const fields = (head, size, more) => {
      const out = new DataView(new ArrayBuffer(size));
      out.setUint32(0, head, true);
      const base = more ? 6 : 4;
      if (more) out.setUint16(4, 20, true);
      out.setUint16(base, 20, true);
      out.setUint16(base + 2, 0x0800, true);
      out.setUint16(base + 8, 33, true); // 1 January 1980: a result has no time of its own
      out.setUint32(base + 10, sum, true);
      out.setUint32(base + 14, content.length, true);
      out.setUint32(base + 18, content.length, true);
      out.setUint16(base + 22, bytes.length, true);
      return out;
    };
    const entry = fields(0x02014b50, 46, true);
    entry.setUint32(42, at, true);
    directory.push(new Uint8Array(entry.buffer), bytes);
    parts.push(new Uint8Array(fields(0x04034b50, 30, false).buffer), bytes, blob);
    at += 30 + bytes.length + content.length;
    if (at > ZIP_LIMIT) throw new Refusal("zipTooLarge");
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0), end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  return new Blob([...parts, ...directory, new Uint8Array(end.buffer)], { type: "application/zip" });
}

// Gives each file a name of its own.
function distinct(names) {
  const seen = new Set();
  return names.map((name) => {
    const [, stem, ending] = name.match(/^(.*?)(\.[^.]*)?$/);
    let one = name;
    for (let k = 2; seen.has(one.toLowerCase()); k++) one = `${stem}-${k}${ending || ""}`;
    seen.add(one.toLowerCase());
    return one;
  });
}
