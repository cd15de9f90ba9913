// The comparison, bound to the traits of a Jupyter widget; returns what ends it.

const SYNCED = ["photograph", "left", "right", "third", "mode", "position", "error", "glare"];

function bind(model, root) {
  const state = () => Object.fromEntries(SYNCED.map((name) => [name, model.get(name)]));
  const comparison = mount(root, model.get("photographs"), state(), (changed) => {
    for (const name of SYNCED) model.set(name, changed[name]);
    model.save_changes();
  });
  model.on("change:photographs", () => comparison.show(model.get("photographs"), state()));
  for (const name of SYNCED) {
    model.on(`change:${name}`, () => {
      if (comparison.state[name] !== model.get(name)) comparison.set({ [name]: model.get(name) }, false);
    });
  }
  return () => comparison.destroy();
}
