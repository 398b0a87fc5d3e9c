// One message as an element: who, words, cards, pictures, buttons.
import { markup } from "/page/markup.js";

const make = (tag, className, html) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (html !== undefined) element.innerHTML = html;
  return element;
};
const LOADING = 128;

export function renderMessage(message, context) {
  const item = make("li", "message" + (message.only_for ? " private" : ""));
  item.dataset.id = message.id;
  const body = make("div");
  body.append(head(message));
  if (message.referenced_message) body.append(make("div", "reply", "↩ " + markup.html(message.referenced_message.content.slice(0, 80), context.state)));
  if (message.flags & LOADING) body.append(make("div", "content thinking", "thinking "));
  if (message.content) body.append(make("div", "content", markup.html(message.content, context.state)));
  for (const embed of message.embeds) body.append(card(embed, context));
  const shown = new Set(message.embeds.flatMap((embed) => [embed.image?.url, embed.thumbnail?.url]));
  const files = message.attachments.filter((file) => !shown.has(file.url));
  if (files.length) body.append(gallery(files, context));
  for (const row of message.components ?? []) body.append(components(row, message, context));
  if (message.reactions?.length) body.append(reactions(message));
  if (message.only_for) body.append(make("div", "only", "Only you can see this"));
  item.append(context.face(message.author.username), body);
  item.oncontextmenu = (event) => openMenu(event, message, context);
  return item;
}

function head(message) {
  const line = make("div", "who");
  const name = make("b");
  name.textContent = message.author.username;
  line.append(name);
  if (message.author.bot) line.append(make("span", "app", "bot"));
  const time = make("time");
  time.textContent = new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  line.append(time);
  return line;
}

function card(embed, context) {
  const box = make("article", "embed");
  if (embed.color) box.style.setProperty("--stripe", "#" + embed.color.toString(16).padStart(6, "0"));
  if (embed.title) box.append(make("h3", "", markup.html(embed.title, context.state)));
  if (embed.description) box.append(make("div", "text", markup.html(embed.description, context.state)));
  if (embed.fields?.length) {
    const list = make("dl");
    for (const field of embed.fields) {
      const pair = make("div", field.inline ? "" : "wide");
      pair.append(make("dt", "", markup.html(field.name, context.state)), make("dd", "", markup.html(field.value, context.state)));
      list.append(pair);
    }
    box.append(list);
  }
  for (const picture of [embed.image, embed.thumbnail]) if (picture) box.append(image(picture.url, embed.title ?? "picture", context));
  if (embed.footer) { const foot = make("footer"); foot.textContent = embed.footer.text; box.append(foot); }
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
  Object.assign(picture, { src: url, alt, title: alt, onclick: () => context.zoom(url) });
  return picture;
}

function components(row, message, context) {
  const box = make("div", "row");
  for (const component of row.components ?? []) {
    if (component.type === 2) box.append(button(component, message, context));
    else if (component.options) box.append(select(component, message, context));
  }
  return box;
}

function button(component, message, context) {
  const element = make("button", `act s${component.style}`);
  element.textContent = [component.emoji?.name, component.label].filter(Boolean).join(" ");
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
  const element = make("select");
  element.append(new Option(component.placeholder ?? "Choose", "", true, true));
  for (const option of component.options) element.append(new Option(option.label, option.value, false, option.default));
  element.onchange = () => context.act({ action: "select", message: message.id, custom_id: component.custom_id, values: [element.value] });
  return element;
}

function reactions(message) {
  const box = make("div", "reactions");
  for (const one of message.reactions) { const chip = make("span"); chip.textContent = `${one.emoji.name} ${one.count}`; box.append(chip); }
  return box;
}

function openMenu(event, message, context) {
  if (!context.menus.length) return;
  event.preventDefault();
  document.querySelector(".menu")?.remove();
  const menu = make("ul", "menu");
  menu.id = "picker";
  Object.assign(menu.style, { position: "fixed", left: `${event.clientX}px`, top: `${event.clientY}px`, right: "auto", bottom: "auto" });
  const entries = context.menus.map((one) => [one.name, { action: "menu", name: one.name, message: message.id }]);
  entries.push(["React with ⭐", { action: "react", message: message.id, emoji: "⭐" }]);
  for (const [label, action] of entries) {
    const item = make("li");
    item.textContent = label;
    item.onclick = () => { menu.remove(); context.act(action); };
    menu.append(item);
  }
  document.body.append(menu);
  document.addEventListener("click", () => menu.remove(), { once: true });
}
