// What a widget of ours asks its kernel, and what it says when nobody answers.

const SLOW_MS = 1500; // after this long, a line says that the answer is awaited

// Questions to the kernel, one at a time, so that a dragged slider does not queue a hundred: while one is open, only the
// newest of the others is kept. The model has the counters `asked` and `answered`.
class Kernel {
  constructor(model, el, line) {
    this.model = model;
    this.el = el;
    this.line = line;
    this.next = null;
    this.timer = null;
    model.on("change:answered", () => this.answered());
    // Jupyter marks a widget whose kernel was restarted or has ended by a class on the element around it.
    this.observer = new MutationObserver(() => this.isGone() && this.say());
    requestAnimationFrame(() => {
      for (let at = el; at && at !== document.body; at = at.parentElement) {
        this.observer.observe(at, { attributes: true, attributeFilter: ["class"] });
      }
    });
  }

  isGone() {
    return this.el.closest(".jupyter-widgets-disconnected") !== null;
  }

  isOpen() {
    return this.model.get("asked") !== this.model.get("answered");
  }

  // Sets some traits and asks for an answer to them.
  ask(changes) {
    this.next = { ...this.next, ...changes };
    if (this.isGone()) this.say();
    else if (!this.isOpen()) this.send();
  }

  send() {
    for (const [name, value] of Object.entries(this.next)) this.model.set(name, value);
    this.next = null;
    this.model.set("asked", this.model.get("asked") + 1);
    this.model.save_changes();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), SLOW_MS);
  }

  answered() {
    if (this.isOpen()) return;
    clearTimeout(this.timer);
    this.line.textContent = "";
    if (this.next) this.send();
  }

  say() {
    this.line.textContent = this.isGone()
      ? "The kernel was restarted or has ended: run this cell again to go on."
      : "Waiting for the kernel, which may be busy with another cell …";
  }

  destroy() {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }
}
