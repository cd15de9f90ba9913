// A photograph's layers as canvases, and where the photograph lies on the screen.

const LARGEST_ZOOM = 32; // screen pixels an image pixel

function fromBase64(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k);
  return bytes;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

// One photograph's layers as canvases, decoded when first shown, with their overlays.
class Layers {
  constructor(photograph) {
    this.photograph = photograph;
    this.canvases = new Map();
  }

  names() {
    return this.photograph.layers.map(({ name }) => name);
  }

  of(name) {
    return this.photograph.layers.find((layer) => layer.name === name);
  }

  canvas(layer) {
    return this.once(`image ${layer}`, () => this.decode(this.of(layer).image));
  }

  overlay(kind, layer) {
    return this.once(`${kind} ${kind === "error" ? layer : ""}`, async () => {
      const [one, dry] = await Promise.all([this.pixels(kind === "error" ? layer : "wet"), this.pixels("dry")]);
      const computed = kind === "error" ? errorMap(one, dry) : glareOutline(one, dry);
      return this.filled((context) => context.putImageData(computed, 0, 0));
    });
  }

  // What `make` promises, asked for once.
  once(key, make) {
    if (!this.canvases.has(key)) this.canvases.set(key, make());
    return this.canvases.get(key);
  }

  async decode(image) {
    const bytes = typeof image === "string" ? fromBase64(image) : image;
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" }), { colorSpaceConversion: "none" });
    const canvas = this.filled((context) => context.drawImage(bitmap, 0, 0));
    bitmap.close();
    return canvas;
  }

  async pixels(layer, [x, y, width, height] = [0, 0, this.photograph.width, this.photograph.height]) {
    return (await this.canvas(layer)).getContext("2d").getImageData(x, y, width, height);
  }

  filled(draw) {
    const canvas = element("canvas");
    canvas.width = this.photograph.width;
    canvas.height = this.photograph.height;
    // Kept in memory: pixels are read back for scores, and drawing from there is as fast where no GPU is.
    draw(canvas.getContext("2d", { willReadFrequently: true }));
    return canvas;
  }
}

// Where the photograph lies on the screen: screen pixels an image pixel, and the image point at a panel's centre.
class View {
  constructor() {
    this.zoom = null; // null: as large as fits
    this.x = this.y = 0;
  }

  place(photograph, panelWidth, panelHeight) {
    const { width, height } = photograph;
    const fit = Math.min(panelWidth / width, panelHeight / height);
    if (this.zoom !== null && this.zoom <= fit) this.zoom = null; // the panel has grown
    const scale = this.zoom === null ? fit : this.zoom;
    const halfWide = Math.min(panelWidth / scale, width) / 2, halfTall = Math.min(panelHeight / scale, height) / 2;
    this.x = this.zoom === null ? width / 2 : clamp(this.x, halfWide, width - halfWide);
    this.y = this.zoom === null ? height / 2 : clamp(this.y, halfTall, height - halfTall);
    const left = panelWidth / 2 - this.x * scale, top = panelHeight / 2 - this.y * scale;
    // The part of the panel that the photograph covers, and the whole image pixels that are seen there.
    const from = Math.max(0, left), to = Math.min(panelWidth, left + width * scale);
    const x = Math.max(0, Math.floor((0 - left) / scale + 1e-6)), y = Math.max(0, Math.floor((0 - top) / scale + 1e-6));
    const right = Math.min(width, Math.ceil((panelWidth - left) / scale - 1e-6));
    const bottom = Math.min(height, Math.ceil((panelHeight - top) / scale - 1e-6));
    return { scale, fit, left, top, from, to, seen: [x, y, right - x, bottom - y] };
  }

  // Zooms so that the image point under (px, py) of a panel stays there.
  zoomAt(factor, px, py, place, panelWidth, panelHeight) {
    const zoom = clamp(place.scale * factor, place.fit, LARGEST_ZOOM);
    if (zoom <= place.fit * 1.001) {
      this.zoom = null;
      return;
    }
    const x = (px - place.left) / place.scale, y = (py - place.top) / place.scale;
    this.zoom = zoom;
    this.x = x - (px - panelWidth / 2) / zoom;
    this.y = y - (py - panelHeight / 2) / zoom;
  }
}
