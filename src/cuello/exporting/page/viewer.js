// The picture before and after, with a divider, zoom and movement: by pointer, fingers and keys.
"use strict";

function makeViewer(canvas, divider, labels) {
  const pen = canvas.getContext("2d"), state = { before: null, after: null, zoom: 1, x: 0, y: 0, fits: true };
  const pointers = new Map();
  let drawing = 0;

  const area = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
  const fitZoom = () => {
    const { width, height } = area();
    return Math.min(width / state.width, height / state.height);
  };
  const draw = () => { drawing ||= requestAnimationFrame(paint); };

  function paint() {
    drawing = 0;
    const { width, height } = area(), ratio = devicePixelRatio || 1;
    if (!width || !state.width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio))
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (state.fits) [state.zoom, state.x, state.y] = [fitZoom(), state.width / 2, state.height / 2];
    else for (const [key, side, room] of [["x", state.width, width], ["y", state.height, height]]) {
      const half = room / 2 / state.zoom;
      state[key] = half * 2 >= side ? side / 2 : Math.min(Math.max(state[key], half), side - half);
    }
    const [left, top] = [width / 2 - state.x * state.zoom, height / 2 - state.y * state.zoom];
    const [wide, high] = [state.width * state.zoom, state.height * state.zoom];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const shownFrom = Math.max(left, 0), shownTo = Math.min(left + wide, width);
    const cut = state.after ? shownFrom + (shownTo - shownFrom) * (divider.value / 100) : width;
    for (const [picture, from, to] of [[state.before, 0, cut], [state.after, cut, width]]) {
      if (!picture || to <= from) continue;
      pen.save();
      pen.beginPath();
      pen.rect(from, 0, to - from, height);
      pen.clip();
      pen.imageSmoothingEnabled = wide * ratio < picture.width * 2;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, left, top, wide, high);
      pen.restore();
    }
    if (!state.after) return;
    state.cut = cut;
    pen.fillStyle = "#0009";
    pen.fillRect(cut - 2, 0, 4, height);
    pen.fillStyle = "#fff";
    pen.fillRect(cut - 1, 0, 2, height);
    pen.beginPath();
    pen.arc(cut, height / 2, 15, 0, 7);
    pen.fill();
    pen.strokeStyle = "#0006";
    pen.stroke();
    pen.strokeStyle = "#222";
    pen.lineWidth = 2;
    pen.beginPath();
    for (const side of [-1, 1]) {
      pen.moveTo(cut + 4 * side, height / 2 - 5);
      pen.lineTo(cut + 9 * side, height / 2);
      pen.lineTo(cut + 4 * side, height / 2 + 5);
    }
    pen.stroke();
    labels.style.setProperty("--cut", `${(100 * cut) / width}%`);
  }

  function zoomBy(factor, x = area().width / 2, y = area().height / 2) {
    const { width, height } = area(), old = state.zoom;
    state.zoom = Math.min(Math.max(old * factor, fitZoom() / 2), 64);
    state.x += (x - width / 2) * (1 / old - 1 / state.zoom);
    state.y += (y - height / 2) * (1 / old - 1 / state.zoom);
    state.fits = false;
    draw();
  }

  function move(dx, dy) {
    state.x -= dx / state.zoom;
    state.y -= dy / state.zoom;
    state.fits = false;
    draw();
  }

  function setCut(x) {
    const from = Math.max(area().width / 2 - state.x * state.zoom, 0);
    const to = Math.min(area().width / 2 + (state.width - state.x) * state.zoom, area().width);
    divider.value = Math.min(Math.max((100 * (x - from)) / (to - from), 0), 100);
    draw();
  }

  const spot = (event) => ({ x: event.offsetX, y: event.offsetY });
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  let divides = false;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, spot(event));
    divides = pointers.size === 1 && state.after && (state.fits || Math.abs(event.offsetX - state.cut) < 24);
    if (divides) setCut(event.offsetX);
  });
  canvas.addEventListener("pointermove", (event) => {
    const old = pointers.get(event.pointerId);
    if (!old) return;
    const two = pointers.size === 2, was = two && spread(), now = spot(event);
    pointers.set(event.pointerId, now);
    if (two) {
      const is = spread();
      zoomBy(is.length / was.length, is.x, is.y);
      move(is.x - was.x, is.y - was.y);
    } else if (divides) setCut(now.x);
    else move(now.x - old.x, now.y - old.y);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });

  const fit = () => { state.fits = true; draw(); };
  const real = () => zoomBy(1 / (devicePixelRatio || 1) / state.zoom);
  const KEYS = {
    ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40),
    "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fit, 1: real,
  };
  canvas.addEventListener("keydown", (event) => {
    const action = !event.ctrlKey && !event.metaKey && KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  divider.addEventListener("input", draw);
  new ResizeObserver(draw).observe(canvas);

  return {
    zoomBy, fit, real, draw,
    show(before, after, { width, height }) {
      const same = state.width === width && state.height === height && state.before === before;
      Object.assign(state, { before, after, width, height });
      if (!same) state.fits = true;
      draw();
    },
  };
}
