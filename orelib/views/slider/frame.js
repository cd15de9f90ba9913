// In a notebook, the page's frame is as high as the page, and the page takes JupyterLab's theme, which may differ from
// the system's.

const frame = window.frameElement;
const light = frame?.ownerDocument.body.dataset.jpThemeLight;
if (light) document.documentElement.style.colorScheme = light === "true" ? "light" : "dark";
if (frame) new ResizeObserver(() => (frame.style.height = `${document.body.offsetHeight + 24}px`)).observe(document.body);
