// Mouse, fingers and keys on the stage, turned into what a comparison does: divide, move, zoom.

class Gestures {
  constructor(comparison) {
    this.shown = comparison;
    this.pointers = new Map(); // those that are down: where each was last
    const { stage, divider } = comparison;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      stage.addEventListener(name, (event) => this.release(event));
    }
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => comparison.zoom(2, ...this.inPanel(event)));
    stage.addEventListener("keydown", (event) => this.stageKey(event));
    divider.addEventListener("keydown", (event) => this.dividerKey(event));
  }

  inPanel(event) {
    const box = this.shown.stage.getBoundingClientRect(), x = event.clientX - box.left;
    const pitch = this.shown.state.mode === "divider" ? Infinity : this.shown.panelWidth + GAP;
    return [x % pitch, event.clientY - box.top];
  }

  press(event) {
    if (event.button !== 0 || !this.shown.place) return;
    this.shown.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    // Enlarged, the photograph is moved by dragging it, and the divider by its handle; otherwise by dragging anywhere.
    // Two fingers are for the photograph.
    const joined = this.shown.state.mode === "divider" && this.pointers.size === 1;
    const onDivider = event.target === this.shown.divider || this.shown.view.zoom === null;
    this.dragging = joined && onDivider ? "divider" : "photograph";
    this.tapped = this.undecided = true;
    if (this.dragging === "photograph") return;
    event.preventDefault();
    this.shown.divider.focus({ preventScroll: true });
    // A finger may yet turn out to scroll the page.
    if (event.pointerType === "mouse") this.shown.moveDivider(this.inPanel(event)[0]);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.tapped = false;
    const down = Math.abs(event.clientY - before[1]), across = Math.abs(event.clientX - before[0]);
    if (event.pointerType === "touch" && this.dragging === "divider" && this.undecided && down >= across) return;
    this.undecided = false;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (others.length) {
      const distance = ([x, y]) => Math.hypot(x - others[0][0], y - others[0][1]);
      this.shown.zoom(distance([event.clientX, event.clientY]) / Math.max(1, distance(before)), ...this.inPanel(event));
    } else if (this.dragging === "divider") this.shown.moveDivider(this.inPanel(event)[0]);
    else this.shown.pan(before[0] - event.clientX, before[1] - event.clientY);
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size || this.dragging !== "divider") return;
    if (event.type === "pointerup" && this.tapped) this.shown.moveDivider(this.inPanel(event)[0]);
    this.shown.onChange({ ...this.shown.state });
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls; pinching a touchpad sends ctrl
    event.preventDefault();
    this.shown.zoom(Math.exp(-event.deltaY / 200), ...this.inPanel(event));
  }

  dividerKey(event) {
    const { position } = this.shown.state, step = event.shiftKey ? 0.1 : 0.01;
    const less = position - step, more = position + step;
    const to = { ArrowLeft: less, ArrowDown: less, ArrowRight: more, ArrowUp: more, Home: 0, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the stage's own keys move the photograph
    this.shown.state.position = clamp(to, 0, 1);
    this.shown.compose();
    this.shown.onChange({ ...this.shown.state });
  }

  stageKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zoom = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 }[event.key];
    const pan = { ArrowLeft: [-40, 0], ArrowRight: [40, 0], ArrowUp: [0, -40], ArrowDown: [0, 40] }[event.key];
    if (zoom !== undefined) this.shown.zoom(zoom);
    else if (pan) this.shown.pan(...pan);
    else return;
    event.preventDefault();
  }
}
