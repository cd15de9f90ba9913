// An object of known size, marked in a photograph by the two ends of a line.

const LENS = { px: 24, enlarged: 6 }; // how many px of the photograph the lens shows, and how large each of them is
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

export default {
  render({ model, el }) {
    const [width, height] = model.get("size");
    const root = element("div", { class: "orelib-explorer orelib-marker" });
    const stage = element("div", { class: "orelib-stage" });
    const picture = element("img", { alt: model.get("alt"), draggable: "false" });
    const layer = shape("svg", { viewBox: `0 0 ${width} ${height}` });
    const lens = element("canvas", { class: "orelib-lens", width: LENS.px * LENS.enlarged, height: LENS.px * LENS.enlarged });
    const input = element("input", { type: "number", name: "mm", min: 0, step: "any", placeholder: "mm" });
    const output = element("output", { role: "status" });
    const lines = [shape("line", { class: "orelib-halo" }), shape("line", { class: "orelib-line-between" })];
    const ends = [0, 1].map((k) => shape("circle", { tabindex: 0, role: "button", "aria-label": `end ${k + 1} of the line` }));
    layer.append(...lines, ...ends);
    stage.append(picture, layer, lens);
    const label = element("label", {}, element("span", {}, "its length, mm"), input);
    const hint = element("span", { class: "orelib-hint" }, "Click both ends of an object of known size; drag an end, or move it by the arrow keys.");
    root.append(element("div", { class: "orelib-controls" }, hint, label, output), stage);
    root.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has other uses for keys
    el.append(root);
    const address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/webp" }));
    picture.src = address;

    let next = 0, held = null; // the end that a click moves, and the one that is dragged
    const clamp = ([x, y]) => [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
    const at = (event) => {
      const box = picture.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    };
    const move = (k, place) => {
      const points = model.get("points").map((point) => [...point]);
      points[k] = clamp(place);
      model.set("points", points);
      model.save_changes();
    };
    const look = ([x, y]) => {
      const context = lens.getContext("2d");
      const shrunk = picture.naturalWidth / width, side = LENS.px * shrunk, whole = lens.width;
      context.imageSmoothingEnabled = false;
      context.clearRect(0, 0, whole, whole);
      context.drawImage(picture, x * shrunk - side / 2, y * shrunk - side / 2, side, side, 0, 0, whole, whole);
      context.strokeStyle = "#ff00ff";
      context.strokeRect(whole / 2 - 3, whole / 2 - 3, 6, 6);
      lens.classList.toggle("orelib-right", x < width / 2); // away from the hand
      lens.hidden = false;
    };
    const show = () => {
      const points = model.get("points"), unit = width / Math.max(1, picture.clientWidth || 800); // px of a screen's pixel
      const [[x1, y1], [x2, y2]] = points;
      lines.forEach((line, k) => {
        for (const [name, value] of Object.entries({ x1, y1, x2, y2, "stroke-width": (k ? 2 : 5) * unit })) line.setAttribute(name, value);
      });
      ends.forEach((end, k) => {
        for (const [name, value] of Object.entries({ cx: points[k][0], cy: points[k][1], r: 7 * unit, "stroke-width": 2 * unit })) end.setAttribute(name, value);
      });
      const px = Math.hypot(x1 - x2, y1 - y2), mm = model.get("mm");
      output.textContent = mm > 0 ? `${px.toFixed(0)} px are ${mm} mm: ${(px / mm).toPrecision(4)} px per mm` : `${px.toFixed(0)} px`;
    };
    const ready = () => {
      show();
      root.dataset.ready = "yes"; // for tests
    };
    picture.addEventListener("load", ready);
    layer.addEventListener("pointerdown", (event) => {
      const dragged = ends.indexOf(event.target);
      held = dragged >= 0 ? dragged : next;
      next = 1 - held;
      layer.setPointerCapture(event.pointerId);
      if (dragged < 0) move(held, at(event));
      look(model.get("points")[held]);
      ends[held].focus();
      event.preventDefault();
    });
    layer.addEventListener("pointermove", (event) => {
      if (held === null) return;
      move(held, at(event));
      look(model.get("points")[held]);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      layer.addEventListener(end, () => {
        held = null;
        lens.hidden = true;
      });
    }
    ends.forEach((end, k) => {
      end.addEventListener("keydown", (event) => {
        const step = STEPS[event.key];
        if (!step) return;
        event.preventDefault();
        const [x, y] = model.get("points")[k], far = event.shiftKey ? 10 : 1;
        move(k, [x + far * step[0], y + far * step[1]]);
        look(model.get("points")[k]);
      });
      end.addEventListener("blur", () => (lens.hidden = true));
    });
    input.addEventListener("input", () => {
      model.set("mm", Math.max(0, Number(input.value) || 0));
      model.save_changes();
    });
    const fill = () => document.activeElement !== input && (input.value = model.get("mm") || "");
    const events = { "change:points": show, "change:mm": () => (fill(), show()) };
    for (const [name, handler] of Object.entries(events)) model.on(name, handler);
    const sized = new ResizeObserver(show);
    sized.observe(picture);
    lens.hidden = true;
    fill();
    show();
    return () => {
      for (const [name, handler] of Object.entries(events)) model.off(name, handler);
      sized.disconnect();
      URL.revokeObjectURL(address);
    };
  },
};
