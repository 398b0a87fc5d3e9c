// Keeping a reader at the end of the messages, or telling what is new to one who has scrolled up.
import { picturesIn, wordsOf } from "/page/layout.js";

const NEAR_PX = 60, LOADING = 128;
const isThinking = (message) => Boolean((message.flags ?? 0) & LOADING);

export class News {
  // list: the scrolling element; button: leads to the newest; said: what a screen reader hears
  constructor(list, button, said) {
    Object.assign(this, { list, button, said });
    this.follows = true;
    this.newest = null;
    list.addEventListener("scroll", () => this.scrolled());
    list.addEventListener("load", () => this.keepUp(), true);
    new ResizeObserver(() => this.keepUp()).observe(list);
    button.onclick = () => this.jump();
  }

  scrolled() {
    this.follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < NEAR_PX;
    if (this.follows) this.hide();
  }

  keepUp() {
    if (this.follows) this.list.scrollTop = this.list.scrollHeight;
  }

  restart() {
    this.follows = true;
    this.hide();
    this.keepUp();
  }

  // Back to where the reader was before the messages were drawn again.
  stay(top) {
    this.follows = false;
    this.list.scrollTop = top;
  }

  hide() {
    this.newest = null;
    this.button.hidden = true;
  }

  // A message came, or one changed: `old` is what it was.
  tell(message, old, isOwn) {
    if (isThinking(message)) return; // the answer is news, not that there will be one
    const had = old && !isThinking(old) ? picturesIn(old) : null;
    if (had && [...picturesIn(message)].every((name) => had.has(name))) return;
    const words = wordsOf(message).slice(0, 60);
    this.said.textContent = `${message.author.username}: ${words}`;
    if (isOwn && !old) this.follows = true; // who writes wants to see it
    if (this.follows) return;
    this.newest = message.id;
    this.button.hidden = false;
    this.button.querySelector("span").textContent = `${message.author.username}: ${words}`;
  }

  forget(id) {
    if (this.newest === id) this.hide();
  }

  jump() {
    const target = this.list.querySelector(`[data-id="${this.newest}"]`);
    const isLast = target === this.list.lastElementChild;
    if (isLast) this.list.scrollTop = this.list.scrollHeight;
    else target?.scrollIntoView({ block: "nearest" });
    this.hide();
    target?.focus({ preventScroll: true });
  }
}
