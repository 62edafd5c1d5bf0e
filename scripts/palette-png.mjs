// Makes pictures of pages small: a PNG of 256 colours, which is all that text on a few grounds needs.
// Needs Node 20.15, for its CRC-32.
import { crc32, deflateSync } from "node:zlib";

const COLORS = 256;
const MOST_FREQUENT = 80;

/** The same picture with 256 of its colours; every other one becomes the nearest of them. */
export async function toPalette(browser, png) {
  const page = await browser.newPage();
  const { width, height, pixels } = await page.evaluate(readPixels, `data:image/png;base64,${png.toString("base64")}`);
  await page.close();
  const { palette, indexes } = quantize(Buffer.from(pixels, "base64"));
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) indexes.copy(lines, y * (width + 1) + 1, y * width, (y + 1) * width);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // eight bits, palette
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  const data = deflateSync(lines, { level: 9 });
  return Buffer.concat([signature, chunk("IHDR", header), chunk("PLTE", palette), chunk("IDAT", data), chunk("IEND")]);
}

/** Runs in the browser, which can read a PNG. */
async function readPixels(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, width, height);
  let text = "";
  for (let at = 0; at < data.length; at += 32_768) text += String.fromCharCode(...data.subarray(at, at + 32_768));
  return { width, height, pixels: btoa(text) };
}

function quantize(pixels) {
  const counts = new Map();
  const colorAt = (at) => pixels.readUInt32BE(at) >>> 8;
  for (let at = 0; at < pixels.length; at += 4) counts.set(colorAt(at), (counts.get(colorAt(at)) ?? 0) + 1);
  const colors = choose([...counts].sort(([, a], [, b]) => b - a).map(([color]) => color));
  const nearest = new Map([...counts.keys()].map((color) => [color, nearestOf(colors, color)]));
  const indexes = Buffer.alloc(pixels.length / 4);
  for (let at = 0; at < pixels.length; at += 4) indexes[at / 4] = nearest.get(colorAt(at));
  return { palette: Buffer.from(colors.flatMap(channels)), indexes };
}

/** The most frequent, which are the grounds; then one of every kind, so that no hue is lost to shades of grey. */
function choose(colors) {
  const kinds = new Map();
  for (const color of colors.toReversed()) kinds.set(color & 0xf0f0f0, color);
  const others = colors.filter((color) => kinds.get(color & 0xf0f0f0) === color);
  return [...new Set([...colors.slice(0, MOST_FREQUENT), ...others])].slice(0, COLORS);
}

function nearestOf(colors, wanted) {
  const distance = (color) => channels(color).reduce((sum, value, at) => sum + (value - channels(wanted)[at]) ** 2, 0);
  let best = 0;
  for (let at = 1; at < colors.length; at++) if (distance(colors[at]) < distance(colors[best])) best = at;
  return best;
}

function channels(color) {
  return [color >> 16, (color >> 8) & 255, color & 255];
}

function chunk(type, data = Buffer.alloc(0)) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
