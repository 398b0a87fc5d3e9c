// Pictures and files: alone or in a gallery, closed while they are spoilers, opened large at a click.
import { make, press, text } from "/page/dom.js";

const MAX_COLUMNS = 3;

// A picture as a button. shown: {url, alt, width, height, spoiler, type}; context: zoom, state
export function picture(shown, context) {
  const button = press("shot", "", () => (button.classList.contains("veiled") ? unveil(button, shown, context) : context.zoom(shown.url, shown.alt)));
  const image = make("img");
  // Known sides keep the list from jumping when the picture arrives.
  if (shown.width) Object.assign(image, { width: shown.width, height: shown.height });
  Object.assign(image, { src: shown.url, alt: shown.alt });
  button.append(image);
  button.dataset.url = shown.url;
  name(button, shown);
  if (shown.spoiler && !context.state.unveiled.has(shown.url)) veil(button, image);
  else if (shown.description) button.append(badge());
  return button;
}

function name(button, shown) {
  button.setAttribute("aria-label", `Open picture: ${shown.alt}`);
  button.title = shown.alt;
}

function veil(button, image) {
  button.classList.add("veiled");
  image.setAttribute("aria-hidden", "true");
  button.setAttribute("aria-label", "Spoiler: show this picture");
  button.title = "";
  button.append(text(make("span", "veil"), "Spoiler"));
}

function unveil(button, shown, context) {
  // A message that changes is drawn again; what one has opened stays open.
  context.state.unveiled.add(shown.url);
  button.classList.remove("veiled");
  button.querySelector(".veil").remove();
  button.querySelector("img").removeAttribute("aria-hidden");
  if (shown.description) button.append(badge());
  name(button, shown);
}

function badge() {
  const mark = text(make("span", "alt"), "ALT");
  mark.setAttribute("aria-hidden", "true"); // its words are the picture's name already
  return mark;
}

// Pictures side by side: one large, two in a row, one beside two, two by two, then rows of three.
export function gallery(items, context) {
  const box = make("div", `files gallery n${Math.min(items.length, MAX_COLUMNS + 2)}`);
  if (items.length > 1) Object.assign(box, { role: "group", ariaLabel: `${items.length} pictures` });
  for (const item of items) box.append(isPicture(item.type) ? picture(item, context) : file(item, context));
  return box;
}

// Without a type the address alone is known, and only pictures are shown by address.
const isPicture = (type) => !type || type.startsWith("image/");

// A file to download. shown: {url, name, size, spoiler}
export function file(shown, context) {
  const link = make("a", "file");
  const size = shown.size ? ` (${Math.max(1, Math.ceil(shown.size / 1024))} kB)` : "";
  Object.assign(link, { href: shown.url, textContent: shown.name + size, download: shown.name });
  if (!shown.spoiler || context.state.unveiled.has(shown.url)) return link;
  const closed = press("file veiled", "Spoiler: show this file", () => {
    context.state.unveiled.add(shown.url);
    closed.replaceWith(link);
    link.focus();
  });
  return closed;
}

// What is uploaded with a message of the old kind.
export function attached(one) {
  const alt = one.description ?? one.filename;
  return { ...one, alt, name: one.filename, type: one.content_type, spoiler: one.filename.startsWith("SPOILER_") };
}
