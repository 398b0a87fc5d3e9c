// The sandbox page: shows what one person sees, sends what they do. No framework, no build.
import { markup } from "/page/markup.js";
import { renderMessage } from "/page/messages.js";
import { Composer } from "/page/composer.js";
import { openModal } from "/page/modal.js";

const $ = (id) => document.getElementById(id);
const state = { user: null, channel: null, channels: [], people: [], roles: [], bot: null, unread: new Set(), dismissed: new Set() };
let events = null;

async function load() {
  const query = state.user ? `?user=${state.user}` : "";
  const data = await (await fetch("/page-api/state" + query)).json();
  Object.assign(state, { user: data.user, channels: data.channels, people: data.people, roles: data.roles, bot: data.bot });
  if (!state.channels.some((one) => one.id === state.channel)) state.channel = state.channels[0].id;
  $("guild").textContent = data.guild;
  $("model").textContent = data.note;
  drawPeople();
  drawChannels();
  drawChannel();
  listen();
}

function listen() {
  events?.close();
  events = new EventSource(`/page-api/events?user=${state.user}`);
  events.onmessage = (event) => receive(JSON.parse(event.data));
}

function receive(event) {
  if (event.kind === "reload") return load();
  const channel = state.channels.find((one) => one.id === event.channel);
  if (!channel) return load();
  const id = event.kind === "gone" ? event.id : event.message.id;
  const place = channel.messages.findIndex((one) => one.id === id);
  if (event.kind === "gone") {
    if (place >= 0) channel.messages.splice(place, 1);
  } else if (place >= 0) channel.messages[place] = event.message;
  else channel.messages.push(event.message);
  if (channel.id === state.channel) drawMessage(event, id);
  else if (event.kind === "message" && place < 0) { state.unread.add(channel.id); drawChannels(); }
}

function drawPeople() {
  $("people").replaceChildren(...state.people.map((person) => {
    const button = document.createElement("button");
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(person.id === state.user));
    button.dataset.name = person.name;
    button.append(face(person.name), person.name, Object.assign(document.createElement("small"), { textContent: person.role }));
    button.onclick = () => { state.user = person.id; composer.reset(); load(); };
    return button;
  }));
}

function drawChannels() {
  $("channels").replaceChildren(...state.channels.map((channel) => {
    const button = document.createElement("button");
    button.dataset.channel = channel.name;
    button.setAttribute("aria-current", String(channel.id === state.channel));
    const mark = { dm: "@", thread: "↳", text: "#" }[channel.kind];
    button.append(Object.assign(document.createElement("span"), { className: "mark", textContent: mark }), channel.name);
    if (channel.nsfw) button.append(Object.assign(document.createElement("span"), { className: "badge", textContent: "18+" }));
    else if (state.unread.has(channel.id)) button.append(Object.assign(document.createElement("span"), { className: "unread" }));
    button.onclick = () => { state.channel = channel.id; composer.reset(); state.unread.delete(channel.id); drawChannels(); drawChannel(); };
    return button;
  }));
}

const current = () => state.channels.find((one) => one.id === state.channel);

function drawChannel() {
  const channel = current();
  $("title").textContent = (channel.kind === "dm" ? "@" : "#") + channel.name;
  $("topic").textContent = channel.topic ?? "";
  $("messages").dataset.empty = channel.kind === "dm" ? "Here you can paint in private: type /imagine." : `This is the beginning of #${channel.name}.`;
  const shown = channel.messages.filter((one) => !state.dismissed.has(one.id));
  $("messages").replaceChildren(...shown.map((message) => renderMessage(message, context())));
  follows = true;
  keepUp();
}

function drawMessage(event, id) {
  const list = $("messages");
  const old = list.querySelector(`[data-id="${id}"]`);
  if (event.kind === "gone" || state.dismissed.has(id)) { old?.remove(); coming.delete(id); }
  else {
    const fresh = renderMessage(event.message, context());
    if (old) return replaceSoon(id, fresh);
    list.append(fresh);
  }
  keepUp();
}

// A changed message takes the old one's place once its pictures are there, so that previews do not flicker.
const coming = new Map();
async function replaceSoon(id, fresh) {
  coming.set(id, fresh);
  const pictures = [...fresh.querySelectorAll("img")].map((picture) => picture.decode().catch(() => {}));
  await Promise.race([Promise.all(pictures), new Promise((resolve) => setTimeout(resolve, 500))]);
  if (coming.get(id) !== fresh) return; // something newer came meanwhile
  coming.delete(id);
  $("messages").querySelector(`[data-id="${id}"]`)?.replaceWith(fresh);
  keepUp();
}

// A reader at the end stays there while messages grow and pictures arrive.
let follows = true;
const keepUp = () => { if (follows) $("messages").scrollTop = $("messages").scrollHeight; };
$("messages").addEventListener("scroll", (event) => {
  const list = event.currentTarget;
  follows = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
});
$("messages").addEventListener("load", keepUp, true);

const context = () => ({ state, act, face, menus: current().menus, manages: current().manages, zoom, dismiss, compose: (...what) => composer.compose(...what) });

function dismiss(id) {
  state.dismissed.add(id);
  $("messages").querySelector(`[data-id="${id}"]`)?.remove();
}

function zoom(url, alt) {
  Object.assign($("viewer").querySelector("img"), { src: url, alt });
  $("viewer").showModal();
}
$("viewer").onclick = () => $("viewer").close();

export function face(name) {
  const hue = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 360;
  const circle = Object.assign(document.createElement("span"), { className: "face", textContent: name[0].toUpperCase() });
  circle.style.background = `hsl(${hue} 45% 48%)`;
  return circle;
}

async function act(action) {
  if (action.action !== "autocomplete") hint("");
  const body = JSON.stringify({ user: state.user, channel: state.channel, ...action });
  const answer = await (await fetch("/page-api/act", { method: "POST", body })).json();
  if (answer.error) hint(answer.error, true);
  if (answer.modal) openModal(answer.modal, state, (values) => act({ action: "modal", token: answer.modal.token, values }));
  return answer;
}

function hint(text, bad = false) {
  $("hint").textContent = text;
  $("hint").classList.toggle("bad", bad);
}

const composer = new Composer({ state: () => state, input: $("input"), form: $("composer"), picker: $("picker"), options: $("options"), chip: $("chip"), act, hint, commands: () => current().commands });
// Relative times ("in 5 seconds") move on by themselves.
setInterval(() => document.querySelectorAll("[data-time]").forEach((one) => { one.textContent = markup.relative(Number(one.dataset.time)); }), 1000);
load();
