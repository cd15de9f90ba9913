// An explorer: controls, and a picture that the kernel draws.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export default {
  render({ model, el }) {
    const root = element("div", { class: "orelib-explorer" });
    const picture = element("img", { draggable: "false" });
    const line = element("div", { class: "orelib-line", role: "status" });
    const kernel = new Kernel(model, line);
    const change = (name, value) => kernel.ask({ values: { ...model.get("values"), ...kernel.next?.values, [name]: value } });
    const rows = Object.entries(model.get("controls")).map(([name, control]) => row(name, control, model, change, picture));
    root.append(element("div", { class: "orelib-controls" }, ...rows), picture, line);
    root.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has other uses for keys
    el.append(root);

    let address = null;
    const draw = () => {
      const old = address;
      address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/webp" }));
      picture.onload = () => {
        if (old) URL.revokeObjectURL(old);
        root.dataset.answered = model.get("answered"); // for tests: what is on the screen, and
      };
      picture.src = address;
      picture.alt = model.get("alt");
    };
    model.on("change:picture", draw);
    model.on("change:answered", () => {
      picture.alt = model.get("alt");
      line.classList.toggle("orelib-problem", model.get("problem") !== "");
      if (model.get("problem")) line.textContent = model.get("problem");
      root.dataset.answered = model.get("answered");
    });
    const count = () => (root.dataset.asked = model.get("asked")); // what was asked for
    model.on("change:asked", count);
    count();
    draw();
    return () => {
      kernel.destroy();
      if (address) URL.revokeObjectURL(address);
    };
  },
};

function row(name, control, model, change, picture) {
  const label = control.label || name;
  if (control.kind === "place") return place(name, label, control, model, change, picture);
  const input =
    control.kind === "choice"
      ? element("select", { name }, ...control.options.map((option) => element("option", { value: option }, option)))
      : element("input", { type: "range", name, min: control.low, max: control.high, step: control.step });
  const output = element("output");
  const show = () => {
    const value = model.get("values")[name];
    input.value = value;
    output.textContent = control.kind === "slider" ? input.value : "";
  };
  input.addEventListener("input", () => {
    output.textContent = control.kind === "slider" ? input.value : "";
    change(name, control.kind === "slider" ? Number(input.value) : input.value);
  });
  model.on("change:values", () => document.activeElement !== input && show()); // not under the reader's hand
  show();
  return element("label", {}, element("span", {}, label), input, output);
}

// The place is set on the picture itself; the row only says how.
function place(name, label, control, model, change, picture) {
  const [left, top, right, bottom] = control.area;
  const clamp = (share) => Math.min(1, Math.max(0, share));
  let latest = model.get("values")[name];
  const move = (value) => change(name, (latest = value.map(clamp)));
  const at = (event) => {
    const box = picture.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
    return [(x - left) / (right - left), (y - top) / (bottom - top)];
  };
  const inside = (value) => value.every((share) => share >= 0 && share <= 1);
  let dragging = false;
  picture.tabIndex = 0;
  picture.classList.add("orelib-place");
  picture.addEventListener("pointerdown", (event) => {
    if (!inside(at(event))) return;
    dragging = true;
    picture.setPointerCapture(event.pointerId);
    move(at(event));
  });
  picture.addEventListener("pointermove", (event) => dragging && move(at(event)));
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => (dragging = false));
  picture.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    move([0, 1].map((k) => latest[k] + arrow[k] * control.step));
  });
  model.on("change:values", () => (latest = dragging ? latest : model.get("values")[name]));
  return element("span", { class: "orelib-hint" }, `${label}: click in the picture, or use the arrow keys on it`);
}
