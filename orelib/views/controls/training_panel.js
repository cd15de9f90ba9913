// The panel of a training: a bar, curves, a validation image, and the button Stop.

const AGAIN_MS = 1000; // between two calls to a kernel that did not answer
const CALLS = 4; // after so many, it does not hear the button

const DEAF =
  "The kernel does not hear this button while it trains. Its own stop button, ■ in the toolbar, does the same: press it once.";
const STOPPED = "Stopped. Run this cell again, and the training goes on."; // the cell's own message says more

export default {
  render({ model, el }) {
    const root = element("div", { class: "orelib-panel" });
    const title = element("strong");
    const bar = element("progress", { "aria-label": "steps done" });
    const line = element("span", { class: "orelib-steps" });
    const button = element("button", { type: "button", title: "Ends after this step; run the cell again to go on" }, "Stop");
    const curves = element("div", { class: "orelib-row" });
    const pictures = element("div", { class: "orelib-row" });
    const says = element("div", { class: "orelib-says", role: "status" });
    root.append(element("div", { class: "orelib-head" }, title, bar, line, button), says, curves, pictures);
    el.append(root);

    let timer = null;
    const answered = () => clearTimeout(timer);
    button.addEventListener("click", () => {
      button.disabled = true;
      says.textContent = "Stopping after this step …";
      call(1);
    });
    const call = (number) => {
      model.send({ stop: true });
      timer = setTimeout(() => {
        if (number < CALLS) call(number + 1);
        else says.textContent = DEAF;
      }, AGAIN_MS);
    };

    const tell = () => {
      const said = model.get("said");
      const isRunning = said.state === "running";
      title.textContent = said.title;
      bar.max = said.steps;
      bar.value = said.step;
      line.textContent = said.line;
      button.hidden = !isRunning && said.state !== "stopping";
      if (!isRunning) {
        answered();
        button.disabled = true;
        says.textContent = said.state === "stopped" ? STOPPED : said.says || "Stopping after this step …";
      }
      root.dataset.state = said.state; // for tests and colours
      root.dataset.step = said.step;
    };
    const draw = () => (curves.innerHTML = model.get("curves").join("")); // SVG that the kit's own code made, of numbers
    let addresses = [];
    const show = () => {
      const old = addresses;
      addresses = model.get("pictures").map(({ webp }) => URL.createObjectURL(new Blob([webp], { type: "image/webp" })));
      const figures = model.get("pictures").map(({ alt, caption }, k) =>
        element("figure", {}, element("img", { src: addresses[k], alt }), element("figcaption", {}, caption)),
      );
      pictures.replaceChildren(...figures);
      old.forEach((address) => URL.revokeObjectURL(address));
    };
    // Jupyter's event for a connection that was lost.
    const lost = () => {
      if (!["running", "stopping"].includes(model.get("said").state)) return;
      answered();
      button.hidden = true;
      says.textContent = "The kernel was restarted or has ended: run this cell again, and the training goes on from its last checkpoint.";
    };
    const events = { "change:said": tell, "change:curves": draw, "change:pictures": show, "msg:custom": answered, comm_live_update: lost };
    for (const [name, handler] of Object.entries(events)) model.on(name, handler);
    tell();
    draw();
    show();
    return () => {
      answered();
      for (const [name, handler] of Object.entries(events)) model.off(name, handler);
      addresses.forEach((address) => URL.revokeObjectURL(address));
    };
  },
};
