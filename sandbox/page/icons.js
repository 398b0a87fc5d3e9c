// The emoji that the bot uses, drawn: many machines, and every headless browser here, have no font for them.
const SHAPES = {
  "🎲": '<rect x="4" y="4" width="16" height="16" rx="3"/><g class="fill"><circle cx="8.5" cy="8.5" r="1.3"/><circle cx="15.5" cy="8.5" r="1.3"/><circle cx="12" cy="12" r="1.3"/><circle cx="8.5" cy="15.5" r="1.3"/><circle cx="15.5" cy="15.5" r="1.3"/></g>',
  "🪄": '<path d="M4 20 13 11M5 6v3M3.5 7.500h3M18 15v3M16.5 16.500h3"/><path class="fill" d="M16 3l1.2 2.800L20 7l-2.8 1.200L16 11l-1.2-2.800L12 7l2.8-1.200z"/>',
  "✏": '<path d="M5 19l1-4L16.5 4.500l3 3L9 18zM14.5 6.500l3 3"/>',
  "🗑": '<path d="M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5"/>',
  "🚩": '<path d="M6 21V4"/><path class="fill" d="M6 4.500h12l-3 4 3 4H6z"/>',
  "✖": '<path d="M6 6l12 12M18 6 6 18"/>',
  "✅": '<path d="M5 13l4.5 4.500L19 7"/>',
  "⭐": '<path class="fill" d="M12 3.500l2.6 5.4 5.9.8-4.3 4.1 1.1 5.9-5.3-2.9-5.3 2.9 1.1-5.900L3.5 9.700l5.9-.800z"/>',
  "⚠": '<path d="M12 4 3 20h18zM12 10v5M12 17.500v.5"/>',
  "ℹ": '<circle cx="12" cy="12" r="9"/><path d="M12 11v6M12 7v.5"/>',
  "🏆": '<path d="M7 4h10v5a5 5 0 0 1-10 0zM7 6H4c0 3 1 5 3.5 5M17 6h3c0 3-1 5-3.5 5M12 14v4M8 20h8"/>',
  "⚖": '<path d="M12 4v16M8 20h8M5 7h14M5 7l-2.5 6h5zM19 7l-2.5 6h5z"/>',
  "🗳": '<path d="M4 12h16v8H4zM9 12V4h6v8M8 15h8"/>',
  "🎨": '<path d="M12 4a8 8 0 1 0 0 16c2 0 2-1.5 1.2-2.600C12.5 16 13.5 15 15 15h2.500c1.5 0 2.5-1.5 2.5-3 0-4.5-3.6-8-8-8z"/><g class="fill"><circle cx="8" cy="10" r="1.2"/><circle cx="12" cy="7.8" r="1.2"/><circle cx="16" cy="10" r="1.2"/></g>',
  "🖼": '<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="M4 17l5-5 4 4 3-3 4 4"/>',
  "🔍": '<circle cx="10.5" cy="10.5" r="6"/><path d="M15 15l5.5 5.500M8 10.500h5M10.500 8v5"/>',
  "✉": '<rect x="3.500" y="6" width="17" height="12" rx="2"/><path d="M4 7l8 6.500L20 7"/>',
  "🧾": '<path d="M6 3.500v17l2-1.300 2 1.300 2-1.300 2 1.300 2-1.300 2 1.300v-17zM9 8h6M9 12h6"/>',
  "🖌": '<path d="M20 4 11 13l2 2L20 4zM10.500 14c-3 0-3 2.500-3 4-.500 1-1.500 1.500-3 1.500 4 1.500 8 0 8-3.500z"/>',
  "🎚": '<path d="M6 4v16M12 4v16M18 4v16M4 9h4M10 15h4M16 8h4"/>',
  "🔔": '<path d="M5 17h14l-1.500-2.500V11a5.500 5.500 0 0 0-11 0v3.500zM10 17a2 2 0 0 0 4 0M12 3.500v2"/>',
  "🎭": '<path d="M4 6c5 1.500 11 1.500 16 0v6c0 4-3 7.500-8 8-5-.500-8-4-8-8zM7.500 11.500c1-1 2-1 3 0M13.500 11.500c1-1 2-1 3 0M8.500 15c2 1.500 5 1.500 7 0"/>',
  "🗂": '<path d="M3.5 19V6h6l2 2.500h9V19z"/>',
};
const PLAIN = /\uFE0F/g;

export function icon(emoji) {
  const shape = SHAPES[emoji.replace(PLAIN, "")];
  return shape ? `<svg class="icon" viewBox="0 0 24 24" role="img" aria-label="${emoji}">${shape}</svg>` : null;
}

const DRAWN = new RegExp(`(?:${Object.keys(SHAPES).join("|")})\uFE0F?`, "gu");

// HTML in which every emoji that we can draw is drawn.
export const drawn = (html) => html.replace(DRAWN, (emoji) => icon(emoji));
