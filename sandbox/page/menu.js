// What one can do with a message, as a menu: by mouse, by finger, and by keyboard with arrows and Esc.
import { make, press, walkWithArrows } from "/page/dom.js";

let close = () => {};

// `place` is where the pointer was, or the button that opens it.
export function openMenu(place, opener, entries) {
  close();
  const menu = make("div", "menu");
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", "What to do with this message");
  for (const [label, run] of entries) {
    const item = press("", label, () => { close(); run(); });
    item.setAttribute("role", "menuitem");
    item.tabIndex = -1;
    menu.append(item);
  }
  document.body.append(menu);
  const left = Math.min(place.x, window.innerWidth - menu.offsetWidth - 8);
  const top = Math.min(place.y, window.innerHeight - menu.offsetHeight - 8);
  Object.assign(menu.style, { left: `${Math.max(8, left)}px`, top: `${Math.max(8, top)}px` });
  behave(menu, opener);
}

function behave(menu, opener) {
  const outside = (event) => { if (!menu.contains(event.target)) close(); };
  close = () => {
    close = () => {};
    document.removeEventListener("pointerdown", outside, true);
    opener?.setAttribute("aria-expanded", "false");
    const had = menu.contains(document.activeElement);
    menu.remove();
    if (had) opener?.focus();
  };
  menu.onkeydown = (event) => {
    if (walkWithArrows(event, [...menu.children], ["ArrowDown", "ArrowUp"])) return;
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); event.stopPropagation(); close(); }
  };
  document.addEventListener("pointerdown", outside, true);
  opener?.setAttribute("aria-expanded", "true");
  menu.firstChild?.focus();
}
