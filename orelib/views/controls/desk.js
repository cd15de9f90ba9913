// A desk: files chosen in the browser go to the kernel in pieces; what the kernel makes of them is shown below.

const PIECE = 2 ** 20; // bytes: a server refuses messages of more than 10 MB
const SLOW_MS = 3000; // after this long, a line says that the kernel is awaited
const GONE = "The kernel was restarted or has ended: run this cell again to go on.";
const BUSY = "Waiting for the kernel, which may be busy with another cell …";
const AGAIN = "the notebook again: menu Run, then Run All Cells";

export default {
  render({ model, el }) {
    const root = element("div", { class: "orelib-desk" });
    const texts = model.get("texts");
    const input = (attributes) => element("input", { type: "file", multiple: true, hidden: true, ...attributes });
    const files = input({ accept: texts.accept, name: "files" });
    const folder = input({ webkitdirectory: true, name: "folder" });
    const button = (text, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, text);
    const buttons = [
      button(texts.files, () => files.click(), { class: "orelib-main" }),
      button("Choose a folder …", () => folder.click()),
      button("Begin anew", () => ask({ anew: true }, "…"), { title: "An empty desk; what was chosen before stays where it is" }),
    ];
    const bar = element("progress", { hidden: true, max: 1, value: 0 });
    const line = element("span", { class: "orelib-line", role: "status" });
    const remarks = element("ul");
    const next = element("p", { class: "orelib-next" });
    const use = button("", () => ask({ use: true }, "Filing …"), { class: "orelib-main", name: "use" });
    const rows = element("div", { class: "orelib-pairs" });
    if (model.get("is_open")) root.append(element("div", { class: "orelib-head" }, ...buttons, files, folder));
    root.append(element("div", { class: "orelib-head" }, bar, line), remarks, element("div", { class: "orelib-head" }, use, next), rows);
    el.append(root);

    let timer = null, addresses = [], waiting = null;
    const enable = (is) => [...buttons, use].forEach((each) => (each.disabled = !is));
    const say = (text) => (line.textContent = text);
    const begin = () => {
      enable(false);
      root.dataset.state = "busy";
    };
    const patient = () => {
      clearTimeout(timer);
      timer = setTimeout(() => say(BUSY), SLOW_MS);
    };
    const ask = (message, text) => {
      begin();
      if (text) say(text);
      patient();
      model.send(message);
    };

    // One piece at a time: the kernel answers each, so that no queue grows in between.
    const answered = () => new Promise((resolve) => (waiting = resolve));
    const send = async (chosen) => {
      const total = chosen.reduce((sum, file) => sum + file.size, 0) || 1;
      let sent = 0;
      begin();
      bar.hidden = false;
      patient();
      model.send({ begin: true });
      if ((await answered()).failed) return;
      for (const [number, file] of chosen.entries()) {
        say(`${file.name}: file ${number + 1} of ${chosen.length}`);
        for (let at = 0; at === 0 || at < file.size; at += PIECE) {
          const piece = await file.slice(at, at + PIECE).arrayBuffer();
          const name = file.webkitRelativePath || file.name;
          model.send({ file: number, name, last: at + PIECE >= file.size }, undefined, [piece]);
          patient();
          if ((await answered()).failed) return;
          sent += piece.byteLength;
          bar.value = sent / total;
        }
      }
      ask({ end: true }, "Looking at the photographs …");
    };
    for (const choice of [files, folder]) {
      choice.addEventListener("change", () => {
        const chosen = [...choice.files].sort((one, other) => (one.name < other.name ? -1 : 1));
        choice.value = ""; // so that the same files can be chosen again
        if (chosen.length) send(chosen).catch((error) => say(`${error}`));
      });
    }
    root.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has other uses for keys

    const heard = (message) => {
      clearTimeout(timer);
      if (waiting) waiting(message);
      waiting = null;
    };
    const tell = () => {
      const said = model.get("said");
      clearTimeout(timer);
      bar.hidden = true;
      enable(!said.working);
      say(said.line || "");
      line.classList.toggle("orelib-problem", Boolean(said.problem));
      remarks.replaceChildren(...(said.remarks || []).map((text) => element("li", {}, text)));
      use.hidden = !said.action;
      use.textContent = said.action || "";
      next.textContent = said.again ? `${said.again} ${AGAIN}.` : said.next || "";
      root.dataset.state = said.state || ""; // for tests
    };
    const draw = () => {
      const old = addresses;
      addresses = [];
      const picture = (bytes, alt) => {
        addresses.push(URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
        return element("img", { src: addresses.at(-1), alt });
      };
      const figures = model.get("rows").map((row) =>
        element(
          "figure", { "data-split": row.split, "data-proposed": `${row.proposal !== ""}` },
          element("div", {}, picture(row.wet, `${row.name}, wet`), picture(row.dry, `${row.name}, dry`)),
          element("figcaption", {}, element("b", {}, row.split), ` ${row.name}`, ...(row.proposal ? [element("em", {}, row.proposal)] : [])),
        ),
      );
      rows.replaceChildren(...figures);
      old.forEach((address) => URL.revokeObjectURL(address));
    };
    // Jupyter's event for a connection that was lost.
    const lost = () => {
      clearTimeout(timer);
      enable(false);
      say(GONE);
    };
    const events = { "change:said": tell, "change:rows": draw, "msg:custom": heard, comm_live_update: lost };
    for (const [name, handler] of Object.entries(events)) model.on(name, handler);
    tell();
    draw();
    if (model.get("is_open")) ask({ ready: true });
    return () => {
      clearTimeout(timer);
      for (const [name, handler] of Object.entries(events)) model.off(name, handler);
      addresses.forEach((address) => URL.revokeObjectURL(address));
    };
  },
};
