// A picture, large. Esc, the button or a click beside it closes; the focus goes back to where it was.
const dialog = document.getElementById("viewer");

export function zoom(url, alt) {
  Object.assign(dialog.querySelector("img"), { src: url, alt });
  dialog.querySelector("figcaption").textContent = alt;
  dialog.showModal();
}

dialog.addEventListener("click", () => dialog.close());
