// The comparison below drop-downs that choose among all test images and restorers: the kernel restores what is chosen.

const MOST_ROWS = 8; // of the list of restorers

export default {
  render({ model, el }) {
    const root = element("div", { class: "orelib-browser" });
    const line = element("div", { class: "orelib-line", role: "status" });
    const comparison = element("div");
    const kernel = new Kernel(model, line);
    const orders = model.get("orders"), restorers = model.get("restorers");
    const options = (names) => names.map((name) => element("option", { value: name }, name));
    const by = element("select", { name: "by" }, ...options(Object.keys(orders)));
    const image = element("select", { name: "image" });
    const models = element(
      "select", { name: "models", multiple: true, size: Math.min(MOST_ROWS, Math.max(2, restorers.length)) }, ...options(restorers),
    );
    const fill = () => image.replaceChildren(...options(orders[by.value]));
    const show = () => {
      if (by.value !== model.get("by") || !image.length) {
        by.value = model.get("by");
        fill();
      }
      image.value = model.get("image");
      for (const option of models) option.selected = model.get("models").includes(option.value);
    };
    by.addEventListener("change", () => {
      fill(); // and the first of them is shown
      kernel.ask({ by: by.value, image: image.value });
    });
    image.addEventListener("change", () => kernel.ask({ image: image.value }));
    models.addEventListener("change", () => kernel.ask({ models: [...models.selectedOptions].map((option) => option.value) }));
    model.on("change:answered", () => {
      line.classList.toggle("orelib-problem", model.get("problem") !== "");
      if (model.get("problem")) line.textContent = model.get("problem");
      if (!kernel.isOpen()) show();
    });
    const label = (text, select) => element("label", {}, element("span", {}, text), select);
    root.append(
      element("div", { class: "orelib-controls" }, label("sorted by", by), label("test image", image), label("restored by", models), line),
      comparison,
    );
    root.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has other uses for keys
    el.append(root);
    show();
    const end = bind(model, comparison);
    return () => {
      kernel.destroy();
      end();
    };
  },
};
