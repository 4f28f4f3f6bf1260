// Chooses the product of a button, or the dot nearest to the pointer, which it names; shows one category alone.
// `element` is the component's root and `trigger` tells the server; Gradio hands both in.
const REACH = 22; // pixels
const read = new WeakMap(); // the dots of a plot are parsed once

function dotsOf(plot) {
  if (!read.has(plot)) read.set(plot, JSON.parse(plot.dataset.dots));
  return read.get(plot);
}

function nearest(event) {
  const plot = event.target.closest(".er-plot");
  if (!plot) return null;
  const box = plot.getBoundingClientRect(), view = plot.querySelector("svg").viewBox.baseVal;
  const scale = box.width / view.width, only = plot.parentElement.dataset.only;
  let best = null, least = REACH * REACH;
  for (const dot of dotsOf(plot)) {
    if (only !== undefined && String(dot[4]) !== only) continue;
    const across = box.left + dot[2] * scale - event.clientX, down = box.top + dot[3] * scale - event.clientY;
    const distance = across * across + down * down;
    if (distance < least) [best, least] = [dot, distance];
  }
  return { plot, dot: best, scale };
}

function name(event) {
  const found = nearest(event);
  if (!found) return;
  const label = found.plot.querySelector(".er-named");
  found.plot.classList.toggle("er-over", found.dot !== null);
  label.hidden = found.dot === null;
  if (label.hidden) return;
  label.textContent = found.dot[1];
  label.style.left = found.dot[2] * found.scale + "px";
  label.style.top = found.dot[3] * found.scale + "px";
  label.classList.toggle("er-leftwards", found.dot[2] * found.scale > 0.6 * found.plot.clientWidth);
}

element.addEventListener("pointermove", name);
element.addEventListener("pointerdown", name);
element.addEventListener("pointerout", (event) => {
  const plot = event.target.closest(".er-plot");
  if (plot && !plot.contains(event.relatedTarget)) plot.querySelector(".er-named").hidden = true;
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && button.dataset.product !== undefined) return trigger("select", { product: button.dataset.product });
  if (button) {
    const map = button.closest(".er-map"), alone = button.getAttribute("aria-pressed") === "true";
    for (const other of map.querySelectorAll(".er-group")) other.setAttribute("aria-pressed", "false");
    for (const path of map.querySelectorAll(".er-dot"))
      path.classList.toggle("er-faint", !alone && path.dataset.group !== button.dataset.group);
    if (alone) delete map.dataset.only;
    else map.dataset.only = button.dataset.group;
    button.setAttribute("aria-pressed", String(!alone));
    return;
  }
  const found = nearest(event);
  if (found && found.dot) trigger("select", { product: found.dot[0] });
});
