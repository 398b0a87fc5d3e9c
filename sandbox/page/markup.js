import { drawn } from "/page/icons.js";

// Discord's markup as far as the bot uses it. Text is escaped first; only our own tags are added.
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

// A block of code, code within a line, or an escaped sign; in code nothing is escaped.
const CODE = /```(?:\w+\n)?([\s\S]+?)```\n?|`([^`]+)`|\\([\\*_`~|<>@#\-:[\]()])/g;

const escape = (raw) => raw.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const named = (list, id, other) => escape(list.find((one) => one.id === id)?.name ?? other);

export const markup = {
  escape,
  relative(seconds) {
    const away = seconds - Date.now() / 1000;
    const [unit, size] = UNITS.find(([, length]) => Math.abs(away) >= length) ?? UNITS[3];
    return format.format(Math.round(away / size), unit);
  },
  // Discord's styles: R is "in 2 hours" and goes on counting, the others are a date, a time or both.
  moment(seconds, style) {
    const options = { t: { timeStyle: "short" }, d: { dateStyle: "short" } }[style] ?? { dateStyle: "long", timeStyle: "short" };
    return new Intl.DateTimeFormat("en-GB", options).format(seconds * 1000);
  },
  time(at, style) {
    if (style !== "R") return `<span>${this.moment(Number(at), style)}</span>`;
    return `<span data-time="${at}">${this.relative(Number(at))}</span>`;
  },
  // `state` names the people, channels and roles that the text mentions.
  html(text, state) {
    const kept = [];
    const keep = (html) => `\u0000${kept.push(html) - 1}\u0000`;
    let out = text.replace(CODE, (_, block, code, sign) => {
      if (block !== undefined) return keep(`<code class="block">${escape(block.replace(/^\n|\n$/g, ""))}</code>`);
      return keep(code !== undefined ? `<code>${escape(code)}</code>` : escape(sign));
    });
    out = out.replace(/<t:(\d+)(?::(\w))?>/g, (_, at, style) => keep(this.time(at, style)));
    out = out.replace(/<@!?(\d+)>/g, (_, id) => keep(`<b class="mention">@${named(state.people, id, "someone")}</b>`));
    out = out.replace(/<@&(\d+)>/g, (_, id) => keep(`<b class="mention">@${named(state.roles, id, "role")}</b>`));
    out = out.replace(/<#(\d+)>/g, (_, id) => keep(`<b class="mention">#${named(state.channels, id, "channel")}</b>`));
    out = out.replace(/\[([^\]]+)\]\((https?:[^)\s]+)\)/g, (_, label, url) => keep(`<a href="${escape(url)}" rel="noreferrer" target="_blank">${escape(label)}</a>`));
    out = escape(out);
    out = drawn(blocks(inline(out)));
    return out.replace(/\u0000(\d+)\u0000/g, (_, number) => kept[Number(number)]);
  },
};

const SPOILER = '<span class="spoiler" role="button" tabindex="0" aria-expanded="false" aria-label="Spoiler">$1</span>';

function inline(html) {
  return html
    .replace(/\*\*(.+?)\*\*/g, "<b>$1</b>")
    .replace(/__(.+?)__/g, "<u>$1</u>")
    .replace(/~~(.+?)~~/g, "<s>$1</s>")
    .replace(/(^|[^\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])/gm, "$1<i>$2</i>")
    .replace(/(^|[^\w])_([^\s_](?:[^_\n]*[^\s_])?)_(?!\w)/gm, "$1<i>$2</i>")
    .replace(/\|\|([\s\S]+?)\|\|/g, SPOILER);
}

// What a line begins with makes it a heading, small, a quotation or an item; plain lines stay as they are.
const LINES = [
  [/^(#{1,3}) (.+)$/, (found) => `<h${found[1].length + 2} class="md">${found[2]}</h${found[1].length + 2}>`],
  [/^-# (.+)$/, (found) => `<small class="sub">${found[1]}</small>`],
  [/^&gt; (.*)$/, (found) => `<blockquote>${found[1]}</blockquote>`],
  [/^ *[-*] (.+)$/, (found) => `<div class="item">${found[1]}</div>`],
];

function blocks(html) {
  let out = "", isPlain = false;
  for (const line of html.split("\n")) {
    const [pattern, draw] = LINES.find(([one]) => one.test(line)) ?? [];
    // Blocks end their line themselves; only between two plain lines is a line break something to see.
    out += draw ? draw(line.match(pattern)) : (isPlain ? "\n" : "") + line;
    isPlain = !draw;
  }
  return out;
}

// Spoilers in texts open at a click, Enter or Space, wherever on the page they are.
export function openSpoilers(root) {
  const open = (event) => {
    const spoiler = event.target.closest?.(".spoiler:not(.open)");
    if (!spoiler || (event.key && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    spoiler.classList.add("open");
    spoiler.removeAttribute("aria-label");
    spoiler.setAttribute("aria-expanded", "true");
  };
  root.addEventListener("click", open);
  root.addEventListener("keydown", open);
}
