// The comparison itself: controls, stage, divider, scores.
//
// photographs: [{name, note, width, height, sort: {"by what": value}, layers: {wet: {title, image, score}, ...}}], where
// image is a WebP file as bytes or as base64 text, and score the text that tells how near the whole image is to dry.
// state: {photograph, left, right, third, mode, position, error, glare}; onChange(state) is called after a gesture.

const MODES = { divider: "divider", two: "two side by side", three: "three side by side" };
const PANELS = { divider: ["left", "right"], two: ["left", "right"], three: ["left", "right", "third"] };
const TALLEST = 620; // px of the screen
const SMOOTH_BELOW = 3; // from this zoom on, pixels are shown as squares
const GAP = 6; // px between panels
const SCORES_AFTER_MS = 250; // of rest

function mount(root, photographs, state = {}, onChange = () => {}) {
  const comparison = new Comparison(root, onChange);
  comparison.show(photographs, state);
  return comparison;
}

class Comparison {
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
    this.view = new View();
    this.state = {};
    this.frame = null;
    this.generation = 0; // counts what is shown, so that late computations of earlier views are dropped
    this.build();
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.stage);
  }

  build() {
    const choice = (name, label) => {
      const select = element("select", { name, onchange: () => this.set({ [name]: select.value }, true) });
      this.controls[name] = select;
      return element("label", { class: `orelib-${name}` }, `${label} `, select);
    };
    const tick = (name, label, title) => {
      const box = element("input", { type: "checkbox", name, onchange: () => this.set({ [name]: box.checked }, true) });
      this.controls[name] = box;
      return element("label", { title }, box, ` ${label}`);
    };
    const button = (text, label, act) => element("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    this.controls = {};
    this.order = element("select", { name: "order", onchange: () => this.fillPhotographs() });
    this.note = element("span", { class: "orelib-note" });
    this.canvas = element("canvas", { role: "img" });
    this.divider = element("div", {
      class: "orelib-divider", role: "slider", tabindex: 0, "aria-label": "divider", "aria-orientation": "horizontal",
      "aria-valuemin": 0, "aria-valuemax": 100, onkeydown: (event) => this.dividerKey(event),
    });
    this.tags = [0, 1, 2].map(() => element("span", { class: "orelib-tag", "aria-hidden": "true" }));
    this.stage = element(
      "div",
      { class: "orelib-stage", tabindex: 0, role: "group", "aria-label": "photograph; arrow keys move it when it is enlarged, plus and minus zoom" },
      this.canvas, ...this.tags, this.divider,
    );
    this.percent = element("output", { class: "orelib-percent" });
    this.legend = element("span", { class: "orelib-legend", hidden: true }, "error 0", element("i"), "64 grey levels or more");
    this.scores = element("div", { class: "orelib-scores", role: "status", "aria-live": "polite" });
    this.photographChoice = element(
      "span", {}, choice("photograph", "photograph"), element("label", { class: "orelib-order" }, "sorted by ", this.order),
    );
    this.root.classList.add("orelib-compare");
    this.root.replaceChildren(
      element("div", { class: "orelib-row" }, this.photographChoice, this.note),
      element("div", { class: "orelib-row" }, choice("mode", "show"), choice("left", "left"), choice("right", "right"), choice("third", "third")),
      this.stage,
      element(
        "div", { class: "orelib-row" },
        button("−", "zoom out", () => this.zoom(1 / 1.5)), this.percent, button("+", "zoom in", () => this.zoom(1.5)),
        button("fit", "show the whole photograph", () => this.zoom(0)),
        button("1:1", "one image pixel a screen pixel", () => this.zoom(1 / this.place.scale)),
        tick("glare", "glare outline", "where the wet photograph outshines the dry one by more than 25 grey levels"),
        tick("error", "error map", "|shown - dry|, mean of the three channels"), this.legend,
      ),
      this.scores,
    );
    for (const [value, text] of Object.entries(MODES)) this.controls.mode.append(element("option", { value }, text));
    this.pointers = new Map();
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, (event) => this.release(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("dblclick", (event) => this.zoom(2, ...this.inPanel(event)));
    this.stage.addEventListener("keydown", (event) => this.stageKey(event));
  }

  // ---- what is shown --------------------------------------------------------------------------------------------

  show(photographs, state) {
    this.photographs = photographs;
    const orders = [...new Set(photographs.flatMap((photograph) => Object.keys(photograph.sort ?? {})))];
    this.order.replaceChildren(...["name", ...orders].map((value) => element("option", { value }, value)));
    if (orders.length) this.order.value = orders[0];
    this.order.parentElement.hidden = !orders.length;
    this.photographChoice.hidden = photographs.length < 2;
    this.fillPhotographs();
    this.layers = null;
    this.set(state, false);
  }

  fillPhotographs() {
    const by = this.order.value;
    const key = (photograph) => (by === "name" ? photograph.name : photograph.sort[by]);
    const sorted = [...this.photographs].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    this.controls.photograph.replaceChildren(...sorted.map(({ name }) => element("option", { value: name }, name)));
    if (sorted.some(({ name }) => name === this.state.photograph)) this.controls.photograph.value = this.state.photograph;
  }

  // Changes the state; what does not exist in this photograph falls back to what it has.
  set(changes, byHand) {
    const state = { mode: "divider", position: 0.5, error: false, glare: false, ...this.state, ...changes };
    const photograph = this.photographs.find(({ name }) => name === state.photograph) ??
      this.photographs.find(({ name }) => name === this.controls.photograph.value);
    const names = Object.keys(photograph.layers);
    const restored = names.find((name) => name !== "wet" && name !== "dry");
    const fallback = { left: names[0], right: restored ?? names[1], third: names.includes("dry") ? "dry" : names.at(-1) };
    for (const side of ["left", "right", "third"]) if (!names.includes(state[side])) state[side] = fallback[side];
    if (!(state.mode in MODES)) state.mode = "divider";
    state.photograph = photograph.name;
    state.position = clamp(Number(state.position), 0, 1);
    if (this.layers?.photograph !== photograph) {
      this.layers = new Layers(photograph);
      this.view = new View();
      for (const side of ["left", "right", "third"]) {
        const options = names.map((name) => element("option", { value: name }, photograph.layers[name].title));
        this.controls[side].replaceChildren(...options);
      }
    }
    const scored = names.includes("dry");
    if (!scored) state.error = state.glare = false;
    this.state = state;
    for (const name of ["photograph", "mode", "left", "right", "third"]) this.controls[name].value = state[name];
    for (const name of ["error", "glare"]) {
      this.controls[name].checked = state[name];
      this.controls[name].disabled = !scored || (name === "glare" && !names.includes("wet"));
    }
    this.controls.third.parentElement.hidden = state.mode !== "three";
    this.legend.hidden = !state.error;
    this.note.textContent = photograph.note ?? "";
    this.redraw();
    if (byHand) this.onChange({ ...state });
  }

  title(side) {
    return this.layers.photograph.layers[this.state[side]].title;
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  // Draws each shown layer at the present view once; the divider then only joins the two.
  async redraw() {
    const { photograph } = this.layers ?? {};
    if (!photograph || !this.stage.clientWidth) return;
    const generation = ++this.generation;
    const sides = PANELS[this.state.mode], joined = this.state.mode === "divider";
    const width = this.stage.clientWidth, count = joined ? 1 : sides.length;
    this.panelWidth = (width - GAP * (count - 1)) / count;
    this.panelHeight = Math.min(TALLEST, (this.panelWidth * photograph.height) / photograph.width);
    this.stage.style.height = `${this.panelHeight}px`;
    this.place = this.view.place(photograph, this.panelWidth, this.panelHeight);
    this.percent.textContent = `${Math.round(this.place.scale * 100)} %`;
    this.stage.classList.toggle("orelib-enlarged", this.view.zoom !== null);
    const drawn = await Promise.all(sides.map((side) => this.sources(this.state[side])));
    if (generation !== this.generation) return;
    const density = window.devicePixelRatio || 1;
    this.panels = drawn.map((sources) => this.panel(sources, density));
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(this.panelHeight * density);
    this.divider.hidden = !joined;
    this.tags.forEach((tag, k) => {
      tag.hidden = k >= sides.length;
      if (tag.hidden) return;
      tag.textContent = this.title(sides[k]);
      const atRight = joined && k === 1;
      tag.style.left = atRight ? "auto" : `${k * (this.panelWidth + GAP) + this.place.from + 8}px`;
      tag.style.right = atRight ? `${this.panelWidth - this.place.to + 8}px` : "auto";
    });
    this.canvas.setAttribute("aria-label", `${photograph.name}: ${sides.map((side) => this.title(side)).join(" beside ")}`);
    this.compose();
    this.root.dataset.shown = `${photograph.name}|${sides.map((side) => this.state[side]).join("|")}`;
    this.showScores(generation, sides);
  }

  async sources(layer) {
    const sources = [await this.layers.canvas(layer)];
    if (this.state.error && layer !== "dry") sources.push(await this.layers.overlay("error", layer));
    if (this.state.glare) sources.push(await this.layers.overlay("glare"));
    return sources;
  }

  panel(sources, density) {
    const canvas = element("canvas"), { scale, left, top, seen: [x, y, width, height] } = this.place;
    canvas.width = Math.round(this.panelWidth * density);
    canvas.height = Math.round(this.panelHeight * density);
    const context = canvas.getContext("2d");
    context.scale(density, density);
    context.imageSmoothingEnabled = scale < SMOOTH_BELOW;
    for (const source of sources) {
      context.drawImage(source, x, y, width, height, left + x * scale, top + y * scale, width * scale, height * scale);
    }
    return canvas;
  }

  // Puts the panels on the stage: all that happens while the divider is dragged.
  compose() {
    this.frame = null;
    const context = this.canvas.getContext("2d"), density = window.devicePixelRatio || 1;
    if (this.state.mode !== "divider") {
      context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.panels.forEach((panel, k) => context.drawImage(panel, Math.round(k * (this.panelWidth + GAP) * density), 0));
      return;
    }
    const [left, right] = this.panels, at = this.place.from + this.state.position * (this.place.to - this.place.from);
    const split = Math.round(at * density), rest = this.canvas.width - split;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (split > 0) context.drawImage(left, 0, 0, split, left.height, 0, 0, split, left.height);
    if (rest > 0) context.drawImage(right, split, 0, rest, right.height, split, 0, rest, right.height);
    this.divider.style.transform = `translateX(${at}px)`;
    const share = Math.round(this.state.position * 100);
    this.divider.setAttribute("aria-valuenow", share);
    this.divider.setAttribute("aria-valuetext", `${this.title("left")} ${share} %, ${this.title("right")} ${100 - share} %`);
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.compose());
  }

  // ---- scores ---------------------------------------------------------------------------------------------------

  async showScores(generation, sides) {
    const { photograph } = this.layers, layers = [...new Set(sides.map((side) => this.state[side]))];
    const scored = layers.filter((layer) => layer !== "dry" && photograph.layers[layer].score);
    const rows = scored.map((layer) => {
      const { title, score } = photograph.layers[layer];
      const part = element("td");
      return { layer, part, row: element("tr", {}, element("th", { scope: "row" }, title), element("td", {}, score), part) };
    });
    const [x, y, width, height] = this.place.seen, whole = width === photograph.width && height === photograph.height;
    const head = element("tr", {}, element("td"), element("th", { scope: "col" }, "PSNR, SSIM"), element("th", { scope: "col" }, whole ? "" : `of the visible ${width} x ${height} px`));
    this.scores.replaceChildren(...(rows.length ? [element("table", {}, head, ...rows.map(({ row }) => row))] : []));
    this.scores.dataset.state = whole ? "done" : "computing";
    if (whole) return;
    const cancelled = () => generation !== this.generation;
    await new Promise((resolve) => setTimeout(resolve, SCORES_AFTER_MS));
    for (const { layer, part } of rows) {
      if (cancelled()) return;
      const [one, dry] = await Promise.all([this.layers.pixels(layer, this.place.seen), this.layers.pixels("dry", this.place.seen)]);
      const likeness = await ssim(one, dry, cancelled);
      if (likeness === null || cancelled()) return;
      part.textContent = scoreText(psnr(one, dry), likeness);
    }
    this.scores.dataset.state = "done";
  }

  // ---- hands and keys -------------------------------------------------------------------------------------------

  inPanel(event) {
    const box = this.stage.getBoundingClientRect(), x = event.clientX - box.left;
    const pitch = this.state.mode === "divider" ? Infinity : this.panelWidth + GAP;
    return [x % pitch, event.clientY - box.top];
  }

  press(event) {
    if (event.button !== 0 || !this.place) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    // Enlarged, the photograph is moved by dragging it, and the divider by its handle; otherwise by dragging anywhere.
    const joined = this.state.mode === "divider";
    this.dragging = joined && (event.target === this.divider || this.view.zoom === null) ? "divider" : "photograph";
    if (this.dragging === "divider") {
      this.divider.focus({ preventScroll: true });
      this.moveDivider(event);
      event.preventDefault();
    }
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (others.length) {
      const distance = ([x, y]) => Math.hypot(x - others[0][0], y - others[0][1]);
      this.zoom(distance([event.clientX, event.clientY]) / Math.max(1, distance(before)), ...this.inPanel(event));
    } else if (this.dragging === "divider") this.moveDivider(event);
    else this.pan(before[0] - event.clientX, before[1] - event.clientY);
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size) return;
    if (this.dragging === "divider") this.onChange({ ...this.state });
  }

  moveDivider(event) {
    const [x] = this.inPanel(event), { from, to } = this.place;
    this.state.position = clamp((x - from) / (to - from), 0, 1);
    this.schedule();
  }

  pan(dx, dy) {
    if (this.view.zoom === null) return;
    this.view.x += dx / this.place.scale;
    this.view.y += dy / this.place.scale;
    this.redraw();
  }

  zoom(factor, px = this.panelWidth / 2, py = this.panelHeight / 2) {
    if (factor === 0) this.view.zoom = null;
    else this.view.zoomAt(factor, px, py, this.place, this.layers.photograph, this.panelWidth, this.panelHeight);
    this.redraw();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls; pinching a touchpad sends ctrl
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 200), ...this.inPanel(event));
  }

  dividerKey(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const to = {
      ArrowLeft: this.state.position - step, ArrowDown: this.state.position - step, ArrowRight: this.state.position + step,
      ArrowUp: this.state.position + step, Home: 0, End: 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab's command mode, and the stage's own keys, have other uses for arrows
    this.state.position = clamp(to, 0, 1);
    this.compose();
    this.onChange({ ...this.state });
  }

  stageKey(event) {
    const step = 40;
    const act = {
      "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.zoom(0),
      ArrowLeft: () => this.pan(-step, 0), ArrowRight: () => this.pan(step, 0), ArrowUp: () => this.pan(0, -step), ArrowDown: () => this.pan(0, step),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  destroy() {
    this.observer.disconnect();
    this.generation++;
  }
}
