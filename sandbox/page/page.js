// The sandbox page: shows what one person sees, sends what they do. No framework, no build.
import { Composer } from "/page/composer.js";
import { walkWithArrows } from "/page/dom.js";
import { markup, openSpoilers } from "/page/markup.js";
import { renderMessage } from "/page/messages.js";
import { openModal } from "/page/modal.js";
import { News } from "/page/news.js";
import { zoom } from "/page/viewer.js";
import { Wire } from "/page/wire.js";

const $ = (id) => document.getElementById(id);
const state = { user: null, channel: null, channels: [], people: [], roles: [], bot: null, unread: new Set(), dismissed: new Set(), unveiled: new Set() };
const wire = new Wire(receive, connected);
const news = new News($("messages"), $("newest"), $("said"));

// Loads may overlap, and events come while one is under way: the last load counts, and only if nothing came meanwhile.
let loads = 0, isLoading = false, isStale = false;

async function load() {
  const mine = ++loads;
  let data;
  isLoading = true;
  isStale = false;
  try { data = await wire.state(state.user); } catch {
    $("gone").hidden = false;
    return setTimeout(load, 2000);
  }
  if (mine !== loads) return;
  if (isStale) return load();
  isLoading = false;
  $("gone").hidden = true;
  const isSame = wire.user === data.user, place = isSame && !news.follows ? { channel: state.channel, top: $("messages").scrollTop } : null;
  Object.assign(state, { user: data.user, channels: data.channels, people: data.people, roles: data.roles, bot: data.bot });
  if (!state.channels.some((one) => one.id === state.channel)) state.channel = state.channels[0].id;
  $("guild").textContent = data.guild;
  $("model").textContent = data.note;
  drawPeople();
  drawChannels();
  drawChannel();
  if (place?.channel === state.channel) news.stay(place.top);
  if (!isSame || wire.events.readyState === EventSource.CLOSED) wire.listen(state.user);
}

function connected(isOpen) {
  $("gone").hidden = isOpen;
  if (isOpen) load(); // what happened meanwhile
}

function receive(event) {
  isStale = isLoading;
  if (event.kind === "reload") return load();
  const channel = state.channels.find((one) => one.id === event.channel);
  if (!channel) return load();
  const id = event.kind === "gone" ? event.id : event.message.id;
  const place = channel.messages.findIndex((one) => one.id === id);
  const old = channel.messages[place];
  if (event.kind === "gone") {
    if (place >= 0) channel.messages.splice(place, 1);
  } else if (place >= 0) channel.messages[place] = event.message;
  else channel.messages.push(event.message);
  if (channel.id === state.channel) drawMessage(event, id, old);
  else if (event.kind === "message" && place < 0) { state.unread.add(channel.id); drawChannels(); }
}

// ---- people and channels ----

function drawPeople() {
  const had = $("people").contains(document.activeElement);
  $("people").replaceChildren(...state.people.map((person) => {
    const button = document.createElement("button");
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(person.id === state.user));
    button.tabIndex = person.id === state.user ? 0 : -1;
    button.dataset.name = person.name;
    button.append(face(person.name), person.name, Object.assign(document.createElement("small"), { textContent: person.role }));
    button.onclick = () => { state.user = person.id; composer.reset(); load(); };
    return button;
  }));
  if (had) $("people").querySelector("[aria-checked=true]").focus();
}
// As with radio buttons elsewhere: the arrows choose.
$("people").onkeydown = (event) => { if (walkWithArrows(event, [...$("people").children])) document.activeElement.click(); };

function drawChannels() {
  const had = document.activeElement?.dataset.channel;
  $("channels").replaceChildren(...state.channels.map((channel) => {
    const button = document.createElement("button");
    const isUnread = state.unread.has(channel.id);
    button.dataset.channel = channel.name;
    button.setAttribute("aria-current", String(channel.id === state.channel));
    const mark = { dm: "@", thread: "↳", text: "#" }[channel.kind];
    button.append(Object.assign(document.createElement("span"), { className: "mark", textContent: mark, ariaHidden: "true" }), channel.name);
    if (channel.nsfw) button.append(Object.assign(document.createElement("span"), { className: "badge", textContent: "18+" }));
    else if (isUnread) button.append(Object.assign(document.createElement("span"), { className: "unread", role: "img", ariaLabel: "new messages" }));
    button.onclick = () => { state.channel = channel.id; composer.reset(); state.unread.delete(channel.id); drawChannels(); drawChannel(); };
    return button;
  }));
  if (had) $("channels").querySelector(`[data-channel="${had}"]`)?.focus();
}
$("channels").onkeydown = (event) => { walkWithArrows(event, [...$("channels").children]); };

const current = () => state.channels.find((one) => one.id === state.channel);

// ---- messages ----

function drawChannel() {
  const channel = current();
  $("title").textContent = (channel.kind === "dm" ? "@" : "#") + channel.name;
  $("topic").textContent = channel.topic ?? "";
  $("messages").setAttribute("aria-label", `Messages in ${channel.name}`);
  $("messages").dataset.empty = channel.kind === "dm" ? "Here you can paint in private: type /imagine." : `This is the beginning of #${channel.name}.`;
  const shown = channel.messages.filter((one) => !state.dismissed.has(one.id));
  $("messages").replaceChildren(...shown.map((message) => renderMessage(message, context())));
  coming.clear();
  news.restart();
  rove();
}

function drawMessage(event, id, old) {
  const list = $("messages");
  const shown = list.querySelector(`[data-id="${id}"]`);
  if (event.kind === "gone" || state.dismissed.has(id)) {
    shown?.remove();
    coming.delete(id);
    news.forget(id);
  } else {
    const fresh = renderMessage(event.message, context());
    news.tell(event.message, old, event.message.author.id === state.user);
    if (shown) return replaceSoon(id, fresh);
    list.append(fresh);
  }
  rove();
  news.keepUp();
}

// A changed message takes the old one's place once its pictures are there, so that previews do not flicker.
const coming = new Map();
async function replaceSoon(id, fresh) {
  coming.set(id, fresh);
  const pictures = [...fresh.querySelectorAll("img")].map((picture) => picture.decode().catch(() => {}));
  await Promise.race([Promise.all(pictures), new Promise((resolve) => setTimeout(resolve, 500))]);
  if (coming.get(id) !== fresh) return; // something newer came meanwhile
  coming.delete(id);
  const old = $("messages").querySelector(`[data-id="${id}"]`);
  const focused = old?.contains(document.activeElement) ? document.activeElement : null;
  old?.replaceWith(fresh);
  if (focused) (twin(focused, old, fresh) ?? fresh).focus({ preventScroll: true });
  rove();
  news.keepUp();
}

// What takes the place of a focused part in the new version of its message.
function twin(focused, old, fresh) {
  if (focused === old) return fresh;
  if (focused.dataset.customId) return fresh.querySelector(`[data-custom-id="${CSS.escape(focused.dataset.customId)}"]`);
  if (focused.dataset.url) return fresh.querySelector(`[data-url="${CSS.escape(focused.dataset.url)}"]`);
  return fresh.querySelector(`.${focused.className.split(" ")[0] || "more"}`);
}

// One message is a stop of the Tab key (the newest, or where one is); the arrows lead to the others.
function rove() {
  const items = [...$("messages").children];
  const here = items.find((one) => one.contains(document.activeElement)) ?? items.at(-1);
  items.forEach((one) => { one.tabIndex = one === here ? 0 : -1; });
}
$("messages").addEventListener("focusin", rove);
$("messages").addEventListener("keydown", (event) => {
  if (event.key === "Escape") return $("input").focus();
  if (event.target.matches(".message")) walkWithArrows(event, [...$("messages").children], ["ArrowUp", "ArrowDown"]);
});

const context = () => ({ state, act, face, menus: current().menus, manages: current().manages, zoom, dismiss, compose: (...what) => composer.compose(...what) });

function dismiss(id) {
  state.dismissed.add(id);
  const item = $("messages").querySelector(`[data-id="${id}"]`);
  if (item?.contains(document.activeElement)) $("input").focus();
  item?.remove();
  rove();
}

export function face(name) {
  const hue = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 360;
  const circle = Object.assign(document.createElement("span"), { className: "face", textContent: name[0].toUpperCase(), ariaHidden: "true" });
  circle.style.background = `hsl(${hue} 45% 42%)`;
  return circle;
}

// ---- what one does ----

async function act(action) {
  if (action.action !== "autocomplete") hint("");
  const answer = await wire.act({ user: state.user, channel: state.channel, ...action });
  if (answer.error) hint(answer.error, true);
  if (answer.modal) openModal(answer.modal, state, (values) => act({ action: "modal", token: answer.modal.token, values }));
  return answer;
}

function hint(text, bad = false) {
  $("hint").textContent = text;
  $("hint").classList.toggle("bad", bad);
}

const composer = new Composer({ state: () => state, input: $("input"), form: $("composer"), picker: $("picker"), options: $("options"), chip: $("chip"), act, hint, commands: () => current().commands });
openSpoilers(document.body);
// Relative times ("in 5 seconds") move on by themselves.
setInterval(() => document.querySelectorAll("[data-time]").forEach((one) => { one.textContent = markup.relative(Number(one.dataset.time)); }), 1000);
load();
