// The comparison as a Jupyter widget, for anywidget.

export default {
  render({ model, el }) {
    const root = element("div");
    el.append(root);
    return bind(model, root);
  },
};
