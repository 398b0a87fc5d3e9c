// node render.mjs PORTRAITS.jsonl OUT.rgb SIZE
// Draws portraits (one JSON object a line, see attributes.py) as raw RGB, SIZE x SIZE x 3 bytes each.
// Head, hair, glasses, earrings and features are Adventurer's (Lisa Wischofsky, CC BY 4.0); eyes, brows, mouths and
// cat ears are drawn here, large, so that a model of few parameters can learn them.
import fs from 'node:fs';
import readline from 'node:readline';
import * as adventurer from '@dicebear/adventurer';
import { createAvatar } from '@dicebear/core';
import { Resvg } from '@resvg/resvg-js';

const VIEW = '52 36 656 656'; // of 762: Adventurer leaves wide margins
const LEFT_EYE = [235, 407];
const RIGHT_EYE = [405, 407];
const MOUTH = [312, 532];
const LINE = 'fill="none" stroke="#000" stroke-linecap="round"';

function openEye([x, y], iris) {
  const [ix, iy] = [x + 3, y + 4];
  return (
    `<ellipse cx="${x}" cy="${y}" rx="66" ry="78" fill="#fff" stroke="#000" stroke-width="10"/>` +
    `<ellipse cx="${ix}" cy="${iy}" rx="52" ry="66" fill="${iris}"/>` +
    `<ellipse cx="${ix}" cy="${iy}" rx="24" ry="32" fill="#000"/>` +
    `<circle cx="${ix - 18}" cy="${iy - 28}" r="17" fill="#fff"/>`
  );
}

const closedEye = ([x, y]) => `<path d="M${x - 62} ${y + 18} Q${x} ${y - 62} ${x + 62} ${y + 18}" ${LINE} stroke-width="13"/>`;

function eyes({ eyes, iris }) {
  const left = eyes === 'closed' ? closedEye(LEFT_EYE) : openEye(LEFT_EYE, iris);
  return left + (eyes === 'open' ? openEye(RIGHT_EYE, iris) : closedEye(RIGHT_EYE));
}

const MOUTHS = {
  smile: `<path d="M-66 -16 Q0 58 66 -16" ${LINE} stroke-width="13"/>`,
  laughing:
    '<path d="M-74 -26 Q0 -8 74 -26 Q66 64 0 64 Q-66 64 -74 -26Z" fill="#8c1f33" stroke="#000" stroke-width="11" stroke-linejoin="round"/>' +
    '<path d="M-36 50 Q0 14 36 50 Q0 66 -36 50Z" fill="#f58a97"/>',
  sad: `<path d="M-60 34 Q0 -40 60 34" ${LINE} stroke-width="13"/>`,
  angry:
    '<rect x="-70" y="-24" width="140" height="52" rx="20" fill="#fff" stroke="#000" stroke-width="11"/>' +
    '<path d="M-66 2H66M-34 -22V26M0 -22V26M34 -22V26" stroke="#000" stroke-width="7"/>',
  surprised: '<ellipse cx="0" cy="8" rx="32" ry="44" fill="#5e1524" stroke="#000" stroke-width="11"/>',
  'tongue out':
    '<path d="M-4 8V44a30 30 0 0 0 60 0V-2" fill="#f58a97" stroke="#000" stroke-width="10"/>' +
    `<path d="M-68 -20 Q0 36 68 -20" ${LINE} stroke-width="13"/>`,
};

const BROWS = {
  normal: 'M175 322 Q235 292 295 320 M345 320 Q405 292 465 322',
  angry: 'M165 288 L300 340 M475 288 L340 340',
  sad: 'M168 336 Q240 316 298 282 M472 336 Q400 316 342 282',
  high: 'M175 296 Q235 254 295 290 M345 290 Q405 254 465 296',
};
const BROWS_OF = { smile: 'normal', laughing: 'high', sad: 'sad', angry: 'angry', surprised: 'high', 'tongue out': 'normal' };

const mouth = ({ expression }) => `<g transform="translate(${MOUTH.join(' ')})">${MOUTHS[expression]}</g>`;
const brows = ({ expression }) =>
  `<path d="${BROWS[BROWS_OF[expression]]}" ${LINE} stroke-width="${expression === 'angry' ? 22 : 14}"/>`;
const scaled = (body, x, y, factor) =>
  `<g transform="translate(${x} ${y}) scale(${factor}) translate(${-x} ${-y})">${body}</g>`;

function catEars(color) {
  const triangle = (a, b, c, fill, width) =>
    `<path d="M${a} L${b} L${c} Z" fill="${fill}" stroke="#000" stroke-width="${width}" stroke-linejoin="round"/>`;
  return (
    triangle('165 250', '185 60', '330 165', color, 10) + triangle('200 220', '205 110', '285 170', '#f5a3b5', 0) +
    triangle('400 160', '545 60', '570 255', color, 10) + triangle('445 165', '525 110', '540 225', '#f5a3b5', 0)
  );
}

function adventurerParts(portrait) {
  const shown = (value) => (value && value.length ? 100 : 0);
  const options = {
    seed: 's',
    hair: [portrait.hair],
    hairColor: [portrait.hairColor],
    skinColor: [portrait.skin],
    eyes: ['variant20'],
    eyebrows: ['variant10'],
    mouth: ['variant29'],
    glasses: [portrait.glasses || 'variant01'],
    glassesProbability: shown(portrait.glasses),
    earrings: [portrait.earrings || 'variant01'],
    earringsProbability: shown(portrait.earrings),
    features: portrait.features,
    featuresProbability: shown(portrait.features),
    hairProbability: 100,
  };
  const text = createAvatar(adventurer, options).toString();
  const body = text
    .slice(text.indexOf('</metadata>') + '</metadata>'.length, text.lastIndexOf('</svg>'))
    .replace(/<mask id="viewboxMask">.*?<\/mask>/s, '')
    .replace(/^<g mask="url\(#viewboxMask\)">/, '');
  const group = '<g transform="translate(-161 -83)">'; // every component starts with it, in a fixed order
  const [base, , , , features, glasses, hair, earrings] = body.slice(0, body.lastIndexOf('</g>')).split(group);
  const closed = (part) => (part && part !== '</g>' ? group + part : '');
  return { base, features: closed(features), glasses: closed(glasses), hair: closed(hair), earrings: closed(earrings) };
}

function draw(portrait, size) {
  const { base, features, glasses, hair, earrings } = adventurerParts(portrait);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${VIEW}" width="${size}" height="${size}">` +
    `<rect width="762" height="762" fill="${portrait.background}"/>` +
    (portrait.catEars ? catEars('#' + portrait.hairColor) : '') +
    base + features + eyes(portrait) + brows(portrait) + mouth(portrait) +
    scaled(glasses, 318, 407, 1.16) + hair + earrings + '</svg>'
  );
}

function rgb(portrait, size) {
  const svg = draw(portrait, size);
  const { pixels } = new Resvg(svg, { fitTo: { mode: 'width', value: size }, font: { loadSystemFonts: false } }).render();
  const bytes = Buffer.allocUnsafe(size * size * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    bytes[to++] = pixels[from];
    bytes[to++] = pixels[from + 1];
    bytes[to++] = pixels[from + 2];
  }
  return bytes;
}

const [, , input, output, size] = process.argv;
const file = fs.openSync(output, 'w');
for await (const line of readline.createInterface({ input: fs.createReadStream(input) })) {
  fs.writeSync(file, rgb(JSON.parse(line), Number(size)));
}
fs.closeSync(file);
