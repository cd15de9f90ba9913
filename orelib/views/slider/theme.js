// In a notebook's frame, the page takes the theme of JupyterLab, which may differ from the system's.

const light = window.frameElement?.ownerDocument.body.dataset.jpThemeLight;
if (light) document.documentElement.style.colorScheme = light === "true" ? "light" : "dark";
