// The comparison itself: controls, stage, divider, scores.
//
// photographs: [{name, note, width, height, sort: {"by what": value}, layers: [{name, title, image, score}, ...]}], where
// image is a WebP file as bytes or as base64 text, and score the text that tells how near the whole image is to dry.
// state: {photograph, left, right, third, mode, position, error, glare}; onChange(state) is called after a gesture.

const MODES = { divider: "divider", two: "two side by side", three: "three side by side" };
const PANELS = { divider: ["left", "right"], two: ["left", "right"], three: ["left", "right", "third"] };
const LOWEST = 160, TALLEST = 620; // px of the screen: between them, the stage has the photograph's proportions
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
    // The width alone, because the height follows from it; and later, because the observer must not trigger itself.
    this.observer = new ResizeObserver(() => this.stage.clientWidth !== this.width && this.later());
    this.observer.observe(this.stage);
    this.whenResized = () => window.devicePixelRatio !== this.density && this.later(); // the browser's own zoom
    window.addEventListener("resize", this.whenResized);
    this.root.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has other uses for keys
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
      "aria-valuemin": 0, "aria-valuemax": 100,
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
        (this.one = button("1:1", "one image pixel a screen pixel", () => this.zoom(1 / (this.place.scale * this.density)))),
        tick("glare", "glare outline", "where the wet photograph outshines the dry one by more than 25 grey levels"),
        tick("error", "error map", "|shown - dry|, mean of the three channels"), this.legend,
      ),
      this.scores,
    );
    for (const [value, text] of Object.entries(MODES)) this.controls.mode.append(element("option", { value }, text));
    new Gestures(this);
  }

  // ---- what is shown --------------------------------------------------------------------------------------------

  show(photographs, state) {
    this.photographs = photographs;
    const orders = [...new Set(photographs.flatMap((photograph) => Object.keys(photograph.sort)))];
    this.order.replaceChildren(...[...orders, "name"].map((value) => element("option", { value }, value)));
    this.order.parentElement.hidden = !orders.length;
    this.photographChoice.hidden = photographs.length < 2;
    this.fillPhotographs();
    this.set(state, false);
  }

  fillPhotographs() {
    const by = this.order.value, sorted = [...this.photographs];
    const key = (photograph) => (by === "name" ? photograph.name : photograph.sort[by] ?? Infinity);
    if (!this.order.parentElement.hidden) sorted.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    this.controls.photograph.replaceChildren(...sorted.map(({ name }) => element("option", { value: name }, name)));
    if (sorted.some(({ name }) => name === this.state.photograph)) this.controls.photograph.value = this.state.photograph;
  }

  // Changes the state; what does not exist in this photograph falls back to what it has.
  set(changes, byHand) {
    const state = { mode: "divider", position: 0.5, error: false, glare: false, ...this.state, ...changes };
    const photograph = this.photographs.find(({ name }) => name === state.photograph) ??
      this.photographs.find(({ name }) => name === this.controls.photograph.value);
    if (this.layers?.photograph !== photograph) this.change(photograph);
    const names = this.layers.names(), restored = names.find((name) => name !== "wet" && name !== "dry");
    const fallback = { left: "wet", right: restored ?? names.at(-1), third: names.includes("dry") ? "dry" : names.at(-1) };
    for (const side of ["left", "right", "third"]) if (!names.includes(state[side])) state[side] = fallback[side];
    state.photograph = photograph.name;
    state.position = clamp(Number(state.position), 0, 1);
    const scored = names.includes("dry");
    if (!scored) state.error = state.glare = false;
    this.state = state;
    for (const name of ["photograph", "mode", "left", "right", "third"]) this.controls[name].value = state[name];
    for (const name of ["error", "glare"]) {
      this.controls[name].checked = state[name];
      this.controls[name].disabled = !scored;
    }
    this.controls.third.parentElement.hidden = state.mode !== "three";
    this.legend.hidden = !state.error;
    this.note.textContent = photograph.note ?? "";
    this.redraw();
    if (byHand) this.onChange({ ...state });
  }

  // Another photograph, or the same one with other layers, of which the view then stays.
  change(photograph) {
    const before = this.layers?.photograph;
    if (!["name", "width", "height"].every((fact) => before?.[fact] === photograph[fact])) this.view = new View();
    this.layers = new Layers(photograph);
    for (const side of ["left", "right", "third"]) {
      this.controls[side].replaceChildren(...photograph.layers.map(({ name, title }) => element("option", { value: name }, title)));
    }
  }

  title(side) {
    return this.layers.of(this.state[side]).title;
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  later() {
    this.redrawFrame ??= requestAnimationFrame(() => this.redraw());
  }

  // Draws each shown layer at the present view once; the divider then only joins the two.
  async redraw() {
    this.redrawFrame = null;
    const { photograph } = this.layers ?? {};
    if (!photograph || !this.stage.clientWidth) return;
    const generation = ++this.generation;
    this.root.dataset.state = "drawing";
    const sides = PANELS[this.state.mode], joined = this.state.mode === "divider";
    let sources;
    try {
      sources = await Promise.all(sides.map((side) => this.sources(this.state[side])));
    } catch (error) {
      if (generation !== this.generation) return;
      this.scores.replaceChildren(`${photograph.name} cannot be shown: ${error.message ?? error}`);
      return;
    }
    if (generation !== this.generation) return;
    const count = joined ? 1 : sides.length;
    this.width = this.stage.clientWidth;
    this.density = window.devicePixelRatio;
    this.panelWidth = (this.width - GAP * (count - 1)) / count;
    this.panelHeight = clamp((this.panelWidth * photograph.height) / photograph.width, LOWEST, TALLEST);
    this.stage.style.height = `${this.panelHeight}px`;
    this.place = this.view.place(photograph, this.panelWidth, this.panelHeight);
    this.percent.textContent = `${Math.round(this.place.scale * 100)} %`;
    this.one.disabled = this.place.fit * this.density >= 1;
    this.stage.classList.toggle("orelib-enlarged", this.view.zoom !== null);
    this.panels = sources.map((layers) => this.panel(layers));
    this.canvas.width = Math.round(this.width * this.density);
    this.canvas.height = Math.round(this.panelHeight * this.density);
    this.divider.hidden = !joined;
    this.tags.forEach((tag, k) => {
      tag.hidden = k >= sides.length;
      if (tag.hidden) return;
      tag.textContent = this.title(sides[k]);
      tag.style.maxWidth = `${(this.place.to - this.place.from) / (joined ? 2 : 1) - 32}px`;
      const atRight = joined && k === 1;
      tag.style.left = atRight ? "auto" : `${k * (this.panelWidth + GAP) + this.place.from + 8}px`;
      tag.style.right = atRight ? `${this.panelWidth - this.place.to + 8}px` : "auto";
    });
    this.canvas.setAttribute("aria-label", `${photograph.name}: ${sides.map((side) => this.title(side)).join(" beside ")}`);
    this.compose();
    this.root.dataset.shown = `${photograph.name}|${sides.map((side) => this.state[side]).join("|")}`;
    this.root.dataset.state = "drawn";
    this.showScores(generation, sides);
  }

  async sources(layer) {
    const sources = [await this.layers.canvas(layer)];
    if (this.state.error && layer !== "dry") sources.push(await this.layers.overlay("error", layer));
    if (this.state.glare) sources.push(await this.layers.overlay("glare"));
    return sources;
  }

  panel(sources) {
    const canvas = element("canvas"), { scale, left, top, seen: [x, y, width, height] } = this.place;
    canvas.width = Math.round(this.panelWidth * this.density);
    canvas.height = Math.round(this.panelHeight * this.density);
    const context = canvas.getContext("2d");
    context.scale(this.density, this.density);
    context.imageSmoothingEnabled = scale < SMOOTH_BELOW;
    context.imageSmoothingQuality = "medium"; // "low" skips pixels of reduced photographs, and so shows noise
    for (const source of sources) {
      context.drawImage(source, x, y, width, height, left + x * scale, top + y * scale, width * scale, height * scale);
    }
    return canvas;
  }

  // Puts the panels on the stage: all that happens while the divider is dragged.
  compose() {
    this.frame = null;
    if (!this.panels) return; // not decoded yet
    if (window.devicePixelRatio !== this.density) this.later(); // another screen, of which no event may tell
    const context = this.canvas.getContext("2d"), { density } = this;
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

  // After a rest, or a screen reader would tell of every step of a zoom.
  async showScores(generation, sides) {
    const { photograph } = this.layers, cancelled = () => generation !== this.generation;
    this.scores.dataset.state = "computing";
    await new Promise((resolve) => setTimeout(resolve, SCORES_AFTER_MS));
    if (cancelled()) return;
    const scored = [...new Set(sides.map((side) => this.state[side]))].map((name) => this.layers.of(name)).filter(({ score }) => score);
    const [, , width, height] = this.place.seen, whole = width === photograph.width && height === photograph.height;
    const head = element(
      "tr", {}, element("td"), element("th", { scope: "col" }, "PSNR, SSIM"),
      element("th", { scope: "col" }, whole ? "" : `of the visible ${width} x ${height} px`),
    );
    const parts = scored.map(() => element("td"));
    const rows = scored.map(({ title, score }, k) => element("tr", {}, element("th", { scope: "row" }, title), element("td", {}, score), parts[k]));
    this.scores.replaceChildren(...(rows.length ? [element("table", {}, head, ...rows)] : []));
    for (const [k, { name }] of whole ? [] : scored.entries()) {
      const [one, dry] = await Promise.all([this.layers.pixels(name, this.place.seen), this.layers.pixels("dry", this.place.seen)]);
      const likeness = await ssim(one, dry, cancelled);
      if (cancelled()) return;
      parts[k].textContent = scoreText(psnr(one, dry), likeness);
    }
    this.scores.dataset.state = "done";
  }

  // ---- what hands and keys ask for ------------------------------------------------------------------------------

  // The divider to a place on the stage, in screen pixels.
  moveDivider(x) {
    const { from, to } = this.place;
    this.state.position = clamp((x - from) / (to - from), 0, 1);
    this.schedule();
  }

  pan(dx, dy) {
    if (this.view.zoom === null) return;
    this.view.x += dx / this.place.scale;
    this.view.y += dy / this.place.scale;
    this.later();
  }

  zoom(factor, px = this.panelWidth / 2, py = this.panelHeight / 2) {
    if (factor === 0) this.view.zoom = null;
    else {
      this.view.zoomAt(factor, px, py, this.place, this.panelWidth, this.panelHeight);
      this.place = this.view.place(this.layers.photograph, this.panelWidth, this.panelHeight); // for the next one
    }
    this.later();
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.whenResized);
    this.generation++;
  }
}
