// The new components: texts, sections, galleries, files, separators and containers with what is in them.
import { button, row } from "/page/controls.js";
import { make, press } from "/page/dom.js";
import { file, gallery, picture } from "/page/pictures.js";

const ROW = 1, BUTTON = 2, SECTION = 9, TEXT = 10, THUMBNAIL = 11, GALLERY = 12, FILE = 13, SEPARATOR = 14, CONTAINER = 17;

// context as for messages; html turns Discord's markup into HTML
export function component(one, message, context, html) {
  switch (one.type) {
    case ROW: return row(one, message, context);
    case BUTTON: return button(one, message, context);
    case SECTION: return section(one, message, context, html);
    case TEXT: return make("div", "text", html(one.content));
    case THUMBNAIL: return thumbnail(one, context);
    case GALLERY: return gallery(one.items.map(shown), context);
    case FILE: return file({ url: one.file.url, name: one.name ?? nameIn(one.file.url), size: one.size, spoiler: one.spoiler || isSpoiler(one.name) }, context);
    case SEPARATOR: return separator(one);
    case CONTAINER: return container(one, message, context, html);
    default: return make("div");
  }
}

const nameIn = (url) => decodeURIComponent(url.split("/").pop());
const isSpoiler = (name) => Boolean(name?.startsWith("SPOILER_"));

function shown(item) {
  const { media, description } = item;
  const name = nameIn(media.url);
  const isHidden = item.spoiler || isSpoiler(name);
  return { url: media.url, width: media.width, height: media.height, type: media.content_type, alt: description ?? "Picture without a description", description, name, spoiler: isHidden };
}

function thumbnail(one, context) {
  const small = picture(shown(one), context);
  small.classList.add("thumbnail");
  return small;
}

function section(one, message, context, html) {
  const box = make("div", "section"), words = make("div");
  words.append(...one.components.map((inner) => component(inner, message, context, html)));
  box.append(words, component(one.accessory, message, context, html));
  return box;
}

function separator(one) {
  const line = make(one.divider === false ? "div" : "hr", "separator" + (one.spacing === 2 ? " large" : ""));
  if (one.divider === false) line.setAttribute("aria-hidden", "true");
  return line;
}

function container(one, message, context, html) {
  const box = make("section", "card");
  if (one.accent_color !== null && one.accent_color !== undefined) box.style.setProperty("--stripe", "#" + one.accent_color.toString(16).padStart(6, "0"));
  box.append(...one.components.map((inner) => component(inner, message, context, html)));
  const key = `${message.id}:${one.id}`;
  if (!one.spoiler || context.state.unveiled.has(key)) return box;
  box.inert = true;
  const wrap = make("div", "veiled-card");
  wrap.append(box, press("veil", "Spoiler: show this", () => {
    context.state.unveiled.add(key);
    box.inert = false;
    wrap.replaceWith(box);
  }));
  return wrap;
}

// All words of a message, whichever kind it is: for a line that names it.
export function wordsOf(message) {
  const found = [message.content, message.embeds?.[0]?.title];
  const walk = (one) => {
    if (one.spoiler) return; // closed here, too
    if (one.type === TEXT) found.push(one.content);
    (one.components ?? []).forEach(walk);
  };
  (message.components ?? []).forEach(walk);
  return found.filter(Boolean).map(plain).filter(Boolean).join(" · ") || "a picture";
}

const plain = (words) => words.replace(/^(#{1,3}|-#|>) /gm, "").replace(/\*\*|__|~~|\|\|.*?\|\||`/g, "").replace(/<t:\d+(:\w)?>|<[@#][!&]?\d+>/g, "").replace(/\s+/g, " ").trim();

// The files that there are to look at, but for a preview: that a picture has come is news, that a bar has moved is not.
export const picturesIn = (message) => new Set(message.attachments.map((one) => one.filename).filter((name) => !name.startsWith("preview.")));
