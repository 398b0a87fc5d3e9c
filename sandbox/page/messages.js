// One message as an element: who, words, pictures, cards, buttons.
import { row } from "/page/controls.js";
import { make, press, text } from "/page/dom.js";
import { icon } from "/page/icons.js";
import { component, wordsOf } from "/page/layout.js";
import { markup } from "/page/markup.js";
import { openMenu } from "/page/menu.js";
import { attached, gallery, picture } from "/page/pictures.js";

const LOADING = 128, V2 = 1 << 15, COMMAND = 2;

// context: state, act, face, menus, manages, zoom, compose, dismiss
export function renderMessage(message, context) {
  const item = make("li", "message" + (message.only_for ? " private" : ""));
  Object.assign(item, { role: "article", tabIndex: -1 });
  item.dataset.id = message.id;
  const html = (words) => markup.html(words, context.state);
  const body = make("div");
  const top = head(message);
  item.setAttribute("aria-label", `${message.author.username}, ${time(message)}: ${wordsOf(message).slice(0, 80)}`);
  body.append(...origin(message, html), top);
  if (message.flags & LOADING) body.append(make("div", "content thinking", "thinking "));
  if (message.flags & V2) body.append(...message.components.map((one) => component(one, message, context, html)));
  else body.append(...classic(message, context, html));
  if (message.reactions?.length) body.append(reactions(message));
  if (message.only_for) body.append(privately(message, context));
  item.append(context.face(message.author.username), body);
  const open = (place) => openMenu(place, item.querySelector(".more"), entries(message, context));
  item.oncontextmenu = (event) => {
    event.preventDefault();
    // The menu key has no place of its own: then it is where the message's button is.
    const box = item.querySelector(".more").getBoundingClientRect();
    open(event.clientX || event.clientY ? { x: event.clientX, y: event.clientY } : { x: box.left, y: box.bottom });
  };
  top.querySelector(".more").onclick = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    open({ x: box.left, y: box.bottom });
  };
  return item;
}

// Content, files above the cards as Discord has them, cards, rows of buttons.
function classic(message, context, html) {
  const parts = message.content ? [make("div", "content", html(message.content))] : [];
  const inCards = new Set(message.embeds.flatMap((embed) => [embed.image?.url, embed.thumbnail?.url]));
  const files = message.attachments.filter((one) => !inCards.has(one.url));
  if (files.length) parts.push(gallery(files.map(attached), context));
  parts.push(...message.embeds.map((embed) => card(embed, context, html)));
  return [...parts, ...(message.components ?? []).map((one) => row(one, message, context))];
}

// What the message answers: a command that somebody used, or another message.
function origin(message, html) {
  const asked = message.interaction_metadata;
  if (message.referenced_message) {
    const { author } = message.referenced_message;
    return [make("div", "origin", `↩ <b>${markup.escape(author.username)}</b> ${markup.escape(wordsOf(message.referenced_message).slice(0, 80))}`)];
  }
  if (!asked || message.only_for) return [];
  const verb = asked.type !== COMMAND ? "pressed a button" : asked.command ? `used <b>/${html(asked.command)}</b>` : "used a command";
  return [make("div", "origin", `<b>${html(asked.user.username)}</b> ${verb}`)];
}

const time = (message) => new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

function head(message) {
  const line = make("div", "who");
  line.append(text(make("b"), message.author.username));
  if (message.author.bot) line.append(make("span", "app", "bot"));
  line.append(text(make("time"), time(message)));
  if (message.edited_timestamp && !message.author.bot) line.append(text(make("time"), "edited"));
  const more = press("more", "⋯");
  more.title = "More";
  more.setAttribute("aria-label", `More for the message of ${message.author.username}`);
  more.setAttribute("aria-haspopup", "menu");
  more.setAttribute("aria-expanded", "false");
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
  for (const one of [embed.image, embed.thumbnail]) if (one) box.append(picture({ ...one, alt: embed.title ?? "picture" }, context));
  if (embed.footer) box.append(text(make("footer"), embed.footer.text));
  return box;
}

function reactions(message) {
  const box = make("div", "reactions");
  for (const one of message.reactions) box.append(make("span", "", `${icon(one.emoji.name) ?? markup.escape(one.emoji.name)} ${one.count}`));
  return box;
}

function privately(message, context) {
  const line = make("div", "only", "Only you can see this · ");
  line.append(press("", "Dismiss", () => context.dismiss(message.id)));
  return line;
}

// ---- what one can do with a message -----------------------------------------------------------------------------------

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
