// What a widget of ours asks its kernel, and what it says when nobody answers.

const SLOW_MS = 1500; // after this long, a line says that the answer is awaited

// Questions to the kernel, one at a time, so that a dragged slider does not queue a hundred: while one is open, only the
// newest of the others is kept. The model has the counters `asked` and `answered`.
class Kernel {
  constructor(model, line) {
    this.model = model;
    this.line = line;
    this.next = null;
    this.timer = null;
    this.isGone = false;
    this.whenAnswered = () => this.answered();
    // Jupyter's event for a connection that was lost: the kernel was restarted or has ended.
    this.whenLost = () => {
      this.isGone = true;
      this.say();
    };
    model.on("change:answered", this.whenAnswered);
    model.on("comm_live_update", this.whenLost);
  }

  isOpen() {
    return this.model.get("asked") !== this.model.get("answered");
  }

  // Sets some traits and asks for an answer to them.
  ask(changes) {
    this.next = { ...this.next, ...changes };
    if (this.isGone || !this.isOpen()) this.send(); // the connection may be back
  }

  send() {
    for (const [name, value] of Object.entries(this.next)) this.model.set(name, value);
    this.next = null;
    this.model.set("asked", this.model.get("asked") + 1);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), SLOW_MS); // first, because a connection that is gone may throw
    this.model.save_changes();
  }

  answered() {
    if (this.isOpen()) return;
    this.isGone = false;
    clearTimeout(this.timer);
    this.line.textContent = "";
    if (this.next) this.send();
  }

  say() {
    this.line.textContent = this.isGone
      ? "The kernel was restarted or has ended: run this cell again to go on."
      : "Waiting for the kernel, which may be busy with another cell or have ended …";
  }

  destroy() {
    clearTimeout(this.timer);
    this.model.off("change:answered", this.whenAnswered);
    this.model.off("comm_live_update", this.whenLost);
  }
}
