// Pictures side by side under one zoom, and one over the other under a slider.

/**
 * Calls back for wheel, drag, pinch, double click and keys on an element: `zoom(factor, x, y)`, `move(dx, dy)`, `reset()`; places are parts of the
 * element's size. `held()` says whether a finger moves the content rather than the page. With `sideways` a finger moves it to the sides alone, so that the
 * page still scrolls, and two fingers do the rest.
 */
function gestures(element, { zoom, move, reset, held, canZoomOut, sideways = false }) {
  const pointers = new Map();
  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  element.addEventListener("wheel", (event) => {
    // At its smallest the page scrolls on.
    if (event.deltaY > 0 && !canZoomOut()) return;
    event.preventDefault();
    zoom(Math.exp(-clamp(event.deltaY * (event.deltaMode ? 16 : 1), -200, 200) / 300), ...place(event));
  }, { passive: false });
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    pointers.set(event.pointerId, place(event));
    if (event.pointerType === "mouse") event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture?.(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event), others = [...pointers].filter(([id]) => id !== event.pointerId);
    pointers.set(event.pointerId, now);
    if (others.length) {
      const other = others[0][1], distance = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoom(distance(now) / Math.max(distance(before), 1e-3), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      if (sideways) move(0, (now[1] - before[1]) / 2);
    } else if (event.pointerType === "mouse" || held()) {
      move(now[0] - before[0], now[1] - before[1]);
    } else if (sideways) {
      move(now[0] - before[0], 0);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, (event) => pointers.delete(event.pointerId));
  // Two fingers zoom the content and not the page.
  element.addEventListener("touchmove", (event) => (event.touches.length > 1 || held()) && event.cancelable && event.preventDefault(), { passive: false });
  element.addEventListener("dblclick", reset);
  element.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoom(1.5, 0.5, 0.5);
    else if (event.key === "-") zoom(1 / 1.5, 0.5, 0.5);
    else if (event.key === "0") reset();
    else if (arrows[event.key] && (held() || sideways)) move(...arrows[event.key]);
    else return;
    event.preventDefault();
  });
}

// ---- Pictures ----

/**
 * Puts round numbers on the sides of a view whose picture has `axes`, the horizontal one and the upright one, of which the zoomed part is seen.
 */
function graduate(view, axes, { scale, x, y }) {
  const [across, upright] = axes.map(({ unit, ends: [low, high] }, side) => {
    const begin = side ? 1 - y - scale : x, length = side ? view.clientHeight : view.clientWidth;
    const value = (place) => low + ((place - begin) / scale) * (high - low);
    const { values, digits } = ticks(value(0), value(1), length / (side ? 30 : 90));
    // Not where the numbers of the other side are, nor over the end.
    const [first, last] = side ? [26 / length, 1 - 12 / length] : [64 / length, 1 - 30 / length];
    const places = values.map((v) => [v, begin + ((v - low) / (high - low)) * scale]);
    return places.filter(([, place]) => place > first && place < last).map(([v, place]) => [`${number(v, digits)} ${unit}`, `${place * 100}%`]);
  });
  const labels = view.querySelector(".axes") ?? view.appendChild(make("div", { class: "axes", "aria-hidden": "true" }));
  labels.replaceChildren(
    ...across.map(([text, place]) => make("span", { class: "across", style: `left: ${place}` }, text)),
    ...upright.map(([text, place]) => make("span", { class: "upright", style: `bottom: ${place}` }, text)),
  );
}

/**
 * One zoom for all pictures of a section: `scale`, and where the upper left corner of the whole picture lies in parts of a view. `axes` are what lies
 * along the pictures, if not places.
 */
function stage(section, axes) {
  const views = [...section.querySelectorAll(".view")];
  const state = { scale: 1, x: 0, y: 0 };
  function apply() {
    state.x = clamp(state.x, 1 - state.scale, 0);
    state.y = clamp(state.y, 1 - state.scale, 0);
    for (const view of views) {
      for (const image of view.querySelectorAll("img")) {
        image.style.transform = `translate(${state.x * 100}%, ${state.y * 100}%) scale(${state.scale})`;
      }
      const image = view.querySelector("img");
      view.classList.toggle("zoomed", state.scale > 1);
      view.classList.toggle("coarse", view.clientWidth * state.scale > 1.5 * image.naturalWidth);
      if (axes) graduate(view, axes, state);
    }
  }
  const mostScale = () => Math.max(16, ...views.map((view) => (view.querySelector("img").naturalWidth * 24) / (view.clientWidth || 400)));
  function zoom(factor, x, y) {
    const scale = clamp(state.scale * factor, 1, mostScale()), ratio = scale / state.scale;
    state.x = x - (x - state.x) * ratio;
    state.y = y - (y - state.y) * ratio;
    state.scale = scale;
    apply();
  }
  const actions = {
    zoom,
    move(dx, dy) {
      state.x += dx;
      state.y += dy;
      apply();
    },
    reset() {
      Object.assign(state, { scale: 1, x: 0, y: 0 });
      apply();
    },
    held: () => state.scale > 1,
    canZoomOut: () => state.scale > 1,
  };
  for (const view of views) gestures(view, actions);
  for (const button of section.querySelectorAll("button.place")) {
    button.title = "Show in the pictures";
    button.addEventListener("click", () => {
      const [x, y, width, height] = button.dataset.place.split(" ").map(Number);
      const scale = Math.min(mostScale(), 0.6 / Math.max(width, height));
      Object.assign(state, { scale, x: 0.5 - (x + width / 2) * scale, y: 0.5 - (y + height / 2) * scale });
      apply();
      section.querySelector(".stage").scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
  }
  apply();
  if (axes) {
    // In a wider view there is room for more numbers.
    const resized = new ResizeObserver(apply);
    views.forEach((view) => resized.observe(view));
  }
  return apply;
}

/** The line between two pictures in one place. */
function slider(section, apply) {
  const slider = section.querySelector(".slider");
  if (!slider) return;
  const pictures = [...section.querySelectorAll(".stage .view.seen img")];
  const [under, over, cut, line, range] = [".under", ".over", ".cut", ".line", "input"].map((name) => slider.querySelector(name));
  const choose = (select, image) => {
    const set = () => {
      image.src = pictures[select.value].src;
      image.alt = pictures[select.value].alt;
    };
    select.addEventListener("change", set);
    set();
  };
  choose(slider.querySelector(".left"), under);
  choose(slider.querySelector(".right"), over);
  const set = (percent) => {
    range.value = percent;
    cut.style.clipPath = `inset(0 0 0 ${range.value}%)`;
    line.style.left = `${range.value}%`;
  };
  range.addEventListener("input", () => set(range.value));
  const view = slider.querySelector(".view");
  const follow = (event) => {
    const box = view.getBoundingClientRect();
    set(((event.clientX - box.left) / box.width) * 100);
    event.stopPropagation();
  };
  line.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    line.setPointerCapture?.(event.pointerId);
    follow(event);
  });
  line.addEventListener("pointermove", (event) => event.buttons && follow(event));
  slider.hidden = false;
  range.style.maxWidth = view.style.maxWidth;
  set(50);
  under.decode?.().then(apply, apply);
}
