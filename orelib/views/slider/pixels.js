// What the slider computes from pixels: scores of a part of an image, the error map, the glare outline.
// Images are ImageData: RGBA bytes, row by row.

const WINDOW = 11; // px, the Gaussian window of SSIM (Wang et al. 2004), sigma 1.5
const SIGMA = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;
const SLICE_MS = 10; // long computations pause this often, so that dragging stays smooth
const GLARE_EXCESS = 25; // grey levels by which glare outshines the dry image, as in orelib.metrics.glare_of
const ERROR_FULL = 64; // grey levels: errors from here on have the brightest colour

const luma = (data, k) => 0.299 * data[k] + 0.587 * data[k + 1] + 0.114 * data[k + 2];

// PSNR in dB over RGB, eq. 11 and 12; infinite for equal images.
function psnr(one, other) {
  const a = one.data, b = other.data;
  let sum = 0;
  for (let k = 0; k < a.length; k += 4) {
    for (let c = 0; c < 3; c++) sum += (a[k + c] - b[k + c]) ** 2;
  }
  return 10 * Math.log10((255 ** 2 * 3 * (a.length / 4)) / sum);
}

const WEIGHTS = (() => {
  const raw = Array.from({ length: WINDOW }, (_, k) => Math.exp(-((k - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)));
  const sum = raw.reduce((total, weight) => total + weight);
  return raw.map((weight) => weight / sum);
})();

// SSIM, eq. 6-10, as orelib.metrics.ssim: each channel, windows wholly inside, averaged. NaN under 11 px a side.
// Rows are filtered across once and kept while the window passes over them. null when `cancelled()` became true.
async function ssim(one, other, cancelled) {
  const { width, height } = one;
  const across = width - WINDOW + 1, down = height - WINDOW + 1;
  if (across < 1 || down < 1) return NaN;
  let sum = 0, pauseAt = performance.now() + SLICE_MS;
  for (let channel = 0; channel < 3; channel++) {
    const rows = []; // of the last 11 image rows: filtered x, y, xx, yy, xy, one after the other
    for (let y = 0; y < height; y++) {
      rows.push(filterRow(one.data, other.data, channel, y, width, across, rows.length === WINDOW ? rows.shift() : null));
      if (rows.length === WINDOW) sum += rowOfSsim(rows, across);
      if (performance.now() > pauseAt) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (cancelled()) return null;
        pauseAt = performance.now() + SLICE_MS;
      }
    }
  }
  return sum / (3 * across * down);
}

function filterRow(a, b, channel, y, width, across, reused) {
  const out = reused ?? new Float64Array(5 * across);
  for (let x = 0; x < across; x++) {
    let mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (let k = 0, at = 4 * (y * width + x) + channel; k < WINDOW; k++, at += 4) {
      const p = a[at], q = b[at], wp = WEIGHTS[k] * p, wq = WEIGHTS[k] * q;
      mx += wp; my += wq; xx += wp * p; yy += wq * q; xy += wp * q;
    }
    out[x] = mx; out[across + x] = my; out[2 * across + x] = xx; out[3 * across + x] = yy; out[4 * across + x] = xy;
  }
  return out;
}

function rowOfSsim(rows, across) {
  let sum = 0;
  for (let x = 0; x < across; x++) {
    let mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (let k = 0; k < WINDOW; k++) {
      const row = rows[k], weight = WEIGHTS[k];
      mx += weight * row[x]; my += weight * row[across + x];
      xx += weight * row[2 * across + x]; yy += weight * row[3 * across + x]; xy += weight * row[4 * across + x];
    }
    const structure = (2 * (xy - mx * my) + C2) / (xx - mx * mx + (yy - my * my) + C2);
    sum += structure * ((2 * mx * my + C1) / (mx * mx + my * my + C1));
  }
  return sum;
}

// As orelib.views.compare writes the scores of the whole image.
function scoreText(psnr, ssim) {
  const decibels = psnr === Infinity ? "∞" : psnr.toFixed(2);
  return `${decibels} dB, ${Number.isNaN(ssim) ? "-" : ssim.toFixed(4)}`;
}

// |image - dry|, mean of the channels, as colours: black over violet and orange to pale yellow.
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

function heat(share) {
  const at = Math.min(share, 1) * (HEAT.length - 1), low = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[low].map((value, c) => value + (at - low) * (HEAT[low + 1][c] - value));
}

function errorMap(image, dry) {
  const map = new ImageData(image.width, image.height);
  const colours = Array.from({ length: 256 }, (_, level) => heat(level / ERROR_FULL));
  const a = image.data, b = dry.data;
  for (let k = 0; k < a.length; k += 4) {
    const error = (Math.abs(a[k] - b[k]) + Math.abs(a[k + 1] - b[k + 1]) + Math.abs(a[k + 2] - b[k + 2])) / 3;
    const colour = colours[Math.round(error)];
    map.data[k] = colour[0]; map.data[k + 1] = colour[1]; map.data[k + 2] = colour[2]; map.data[k + 3] = 255;
  }
  return map;
}

// The rim of the glare, transparent elsewhere; thicker in large photographs, which are shown reduced.
function glareOutline(wet, dry) {
  const { width, height } = wet;
  const glare = new Uint8Array(width * height);
  for (let i = 0; i < glare.length; i++) glare[i] = luma(wet.data, 4 * i) - luma(dry.data, 4 * i) > GLARE_EXCESS ? 1 : 0;
  const thickness = Math.max(1, Math.round(Math.max(width, height) / 900));
  const outline = new ImageData(width, height);
  const mark = (x, y) => {
    for (let dy = 0; dy < thickness; dy++) {
      for (let dx = 0; dx < thickness; dx++) {
        const at = 4 * (Math.min(y + dy, height - 1) * width + Math.min(x + dx, width - 1));
        outline.data[at] = 0; outline.data[at + 1] = 255; outline.data[at + 2] = 255; outline.data[at + 3] = 255;
      }
    }
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (!glare[i]) continue;
      const inside = x > 0 && x < width - 1 && y > 0 && y < height - 1 &&
        glare[i - 1] && glare[i + 1] && glare[i - width] && glare[i + width];
      if (!inside) mark(x, y);
    }
  }
  return outline;
}
