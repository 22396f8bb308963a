// A map of two numbers of the code, and the image that the point on it stands for.
"use strict";

function makeMap({ facts, map, picture, across, down, place, ask }) {
  const count = facts.code.reduce((a, b) => a * b, 1), code = new Float32Array(count), marks = [];
  const [low, high] = facts.code_range;
  let turn = 0, busy = false, again = false;

  for (const [select, chosen] of [[across, 0], [down, Math.min(1, count - 1)]]) {
    for (let k = 0; k < Math.min(count, 512); k++) select.append(new Option(k + 1, k, false, k === chosen));
    select.addEventListener("change", draw);
  }
  across.closest("p").hidden = count <= 2;
  if (facts.code_range[0] > 0 || facts.code_range[1] < 0) code.fill((low + high) / 2);

  const axes = () => [Number(across.value), Number(down.value)];
  const share = (value) => (value - low) / (high - low);

  function draw() {
    const side = map.clientWidth, ratio = devicePixelRatio || 1, pen = map.getContext("2d");
    if (!side) return;
    map.width = map.height = Math.round(side * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(map), ink = style.color, accent = style.getPropertyValue("--accent");
    pen.strokeStyle = ink;
    pen.globalAlpha = 0.18;
    pen.beginPath();
    for (let k = Math.ceil(low); k <= high; k++) {
      pen.moveTo(share(k) * side, 0); pen.lineTo(share(k) * side, side);
      pen.moveTo(0, side - share(k) * side); pen.lineTo(side, side - share(k) * side);
    }
    pen.stroke();
    pen.globalAlpha = 0.7;
    pen.fillStyle = ink;
    const [x, y] = axes(), dot = (values, size) => {
      pen.beginPath();
      pen.arc(share(values[x]) * side, side - share(values[y]) * side, size, 0, 7);
      pen.fill();
    };
    for (const mark of marks) dot(mark, 3);
    pen.globalAlpha = 1;
    pen.fillStyle = accent;
    dot(code, 8);
    pen.strokeStyle = "#fff";
    pen.lineWidth = 2;
    pen.stroke();
    place.textContent = say("place", { x: code[x].toFixed(2), y: code[y].toFixed(2) });
  }

  function decode() {
    draw();
    if (busy) { again = true; return; }
    busy = true;
    ask({ type: "decode", code: code.slice(), turn: ++turn });
  }

  function put(px, py) {
    const [x, y] = axes(), inside = (value) => Math.min(Math.max(value, low), high);
    code[x] = inside(low + px * (high - low));
    if (y !== x) code[y] = inside(low + (1 - py) * (high - low));
    decode();
  }

  const follow = (event) => put(event.offsetX / map.clientWidth, event.offsetY / map.clientHeight);
  map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); follow(event); });
  map.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  map.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const size = event.shiftKey ? 0.1 : 0.02, [x, y] = axes();
    put(share(code[x]) + step[0] * size, 1 - share(code[y]) + step[1] * size);
  });
  new ResizeObserver(draw).observe(map);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  return {
    start: decode,
    draw,
    goTo(values) {
      marks.push(values);
      code.set(values);
      draw();
    },
    decoded({ picture: data }) {
      busy = false;
      if (data) {
        [picture.width, picture.height] = [data.width, data.height];
        picture.getContext("2d").putImageData(data, 0, 0);
      }
      if (again) { again = false; decode(); }
    },
  };
}
