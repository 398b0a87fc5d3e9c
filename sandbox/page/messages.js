// One message as an element: who, words, pictures, cards, buttons.
import { selectMenu, selected } from "/page/fields.js";
import { icon } from "/page/icons.js";
import { markup } from "/page/markup.js";

const LOADING = 128, BUTTON = 2, COMMAND = 2;

const make = (tag, className, html) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (html !== undefined) element.innerHTML = html;
  return element;
};
const text = (element, words) => Object.assign(element, { textContent: words });

// context: state, act, face, menus, manages, zoom, compose, dismiss
export function renderMessage(message, context) {
  const item = make("li", "message" + (message.only_for ? " private" : ""));
  item.dataset.id = message.id;
  const html = (words) => markup.html(words, context.state);
  const body = make("div");
  body.append(...origin(message, html), head(message, context));
  if (message.flags & LOADING) body.append(make("div", "content thinking", "thinking "));
  if (message.content) body.append(make("div", "content", html(message.content)));
  // Discord shows a message's files above its cards.
  const inCards = new Set(message.embeds.flatMap((embed) => [embed.image?.url, embed.thumbnail?.url]));
  const files = message.attachments.filter((file) => !inCards.has(file.url));
  if (files.length) body.append(gallery(files, context));
  for (const embed of message.embeds) body.append(card(embed, context, html));
  for (const row of message.components ?? []) body.append(components(row, message, context));
  if (message.reactions?.length) body.append(reactions(message));
  if (message.only_for) body.append(privately(message, context));
  item.append(context.face(message.author.username), body);
  item.oncontextmenu = (event) => { event.preventDefault(); openMenu(event, message, context); };
  return item;
}

// What the message answers: a command that somebody used, or another message.
function origin(message, html) {
  const asked = message.interaction_metadata;
  if (message.referenced_message) {
    const { author, content, embeds } = message.referenced_message;
    const words = content || embeds[0]?.title || "a picture";
    return [make("div", "origin", `↩ <b>${html(author.username)}</b> ${html(words.slice(0, 80))}`)];
  }
  if (!asked || message.only_for) return [];
  const verb = asked.type !== COMMAND ? "pressed a button" : asked.command ? `used <b>/${html(asked.command)}</b>` : "used a command";
  return [make("div", "origin", `<b>${html(asked.user.username)}</b> ${verb}`)];
}

function head(message, context) {
  const line = make("div", "who");
  line.append(text(make("b"), message.author.username));
  if (message.author.bot) line.append(make("span", "app", "bot"));
  const when = new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  line.append(text(make("time"), when));
  if (message.edited_timestamp && !message.author.bot) line.append(text(make("time"), "edited"));
  const more = make("button", "more", "⋯");
  more.title = "More";
  more.onclick = (event) => { event.stopPropagation(); openMenu(event, message, context); };
  line.append(more);
  return line;
}

function card(embed, context, html) {
  const box = make("article", "embed");
  if (embed.color) box.style.setProperty("--stripe", "#" + embed.color.toString(16).padStart(6, "0"));
  if (embed.title) box.append(make("h3", "", html(embed.title)));
  if (embed.description) box.append(make("div", "text", html(embed.description)));
  if (embed.fields?.length) {
    const list = make("dl");
    for (const field of embed.fields) {
      const pair = make("div", field.inline ? "" : "wide");
      pair.append(make("dt", "", html(field.name)), make("dd", "", html(field.value)));
      list.append(pair);
    }
    box.append(list);
  }
  for (const picture of [embed.image, embed.thumbnail]) if (picture) box.append(image(picture.url, embed.title ?? "picture", context, picture));
  if (embed.footer) box.append(text(make("footer"), embed.footer.text));
  return box;
}

function gallery(files, context) {
  const box = make("div", "files");
  for (const file of files) {
    if (file.content_type.startsWith("image/")) box.append(image(file.url, file.description ?? file.filename, context, file));
    else {
      const link = make("a", "file");
      Object.assign(link, { href: file.url, textContent: `${file.filename} (${Math.ceil(file.size / 1024)} kB)`, download: file.filename });
      box.append(link);
    }
  }
  return box;
}

function image(url, alt, context, size) {
  const picture = make("img");
  // Known sides keep the list from jumping when the picture arrives.
  if (size?.width) Object.assign(picture, { width: size.width, height: size.height });
  Object.assign(picture, { src: url, alt, title: alt, onclick: () => context.zoom(url, alt) });
  return picture;
}

function components(row, message, context) {
  const box = make("div", "row");
  for (const component of row.components ?? []) box.append(component.type === BUTTON ? button(component, message, context) : select(component, message, context));
  return box;
}

function button(component, message, context) {
  const element = make("button", `act s${component.style}`);
  const emoji = component.emoji?.name;
  if (emoji) element.innerHTML = icon(emoji) ?? "";
  element.append([emoji && !icon(emoji) ? emoji : null, component.label].filter(Boolean).join(" "));
  element.disabled = Boolean(component.disabled);
  element.dataset.customId = component.custom_id ?? "";
  element.onclick = async () => {
    if (component.url) return window.open(component.url, "_blank", "noreferrer");
    element.disabled = true;
    await context.act({ action: "click", message: message.id, custom_id: component.custom_id });
    element.disabled = false;
  };
  return element;
}

function select(component, message, context) {
  const element = selectMenu(component, context.state);
  element.onchange = () => context.act({ action: "select", message: message.id, custom_id: component.custom_id, values: selected(element) });
  return element;
}

function reactions(message) {
  const box = make("div", "reactions");
  for (const one of message.reactions) box.append(make("span", "", `${icon(one.emoji.name) ?? markup.escape(one.emoji.name)} ${one.count}`));
  return box;
}

function privately(message, context) {
  const line = make("div", "only", "Only you can see this · ");
  const link = text(make("button"), "Dismiss");
  link.onclick = () => context.dismiss(message.id);
  line.append(link);
  return line;
}

// ---- what one can do with a message -----------------------------------------------------------------------------------

function openMenu(event, message, context) {
  document.querySelector(".menu")?.remove();
  const menu = make("ul", "menu");
  for (const [label, run] of entries(message, context)) {
    const item = text(make("li"), label);
    item.onclick = () => { menu.remove(); run(); };
    menu.append(item);
  }
  document.body.append(menu);
  const left = Math.min(event.clientX, window.innerWidth - menu.offsetWidth - 8);
  const top = Math.min(event.clientY, window.innerHeight - menu.offsetHeight - 8);
  Object.assign(menu.style, { left: `${left}px`, top: `${top}px` });
  setTimeout(() => document.addEventListener("click", () => menu.remove(), { once: true }));
}

function entries(message, context) {
  if (message.only_for) return [["Dismiss", () => context.dismiss(message.id)]];
  const { act, compose, menus, state } = context;
  const list = [["Reply", () => compose(`↩ ${message.author.username}`, { action: "say", reply_to: message.id })]];
  list.push(["React with a star", () => act({ action: "react", message: message.id, emoji: "⭐" })]);
  for (const one of menus) list.push([one.name, () => act({ action: "menu", name: one.name, message: message.id })]);
  const isOwn = message.author.id === state.user;
  if (isOwn) list.push(["Edit message", () => compose("Edit", { action: "edit", message: message.id }, message.content)]);
  if (isOwn || context.manages) list.push(["Delete message", () => act({ action: "delete", message: message.id })]);
  return list;
}
