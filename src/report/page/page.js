"use strict";
// Everything on the page that moves. Nothing is loaded; without this script tables, pictures and recipes are all there.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const sections = [...document.querySelectorAll("section.input")];

  /** An element with attributes and children; `svg` makes it one of a drawing. */
  function make(tag, attributes = {}, children = [], svg = false) {
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...[].concat(children));
    return element;
  }
  const draw = (tag, attributes, children) => make(tag, attributes, children, true);
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  // ---- Charts ----

  /** Round numbers from `low` to `high`, about `count` of them. */
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5].find((m) => m * power >= rough) || 10);
    const values = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) values.push(i * step || 0);
    return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  }
  const number = (x, digits) => x.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  /** The line of a series as a small drawing. */
  function swatch(style) {
    const line = draw("line", { x1: 0, y1: 4, x2: 22, y2: 4, ...stroke(style) });
    return draw("svg", { class: "swatch", width: 22, height: 8, "aria-hidden": "true" }, line);
  }
  const stroke = (style) => ({ stroke: style.colour, "stroke-dasharray": style.dash });

  /**
   * Lines over a common axis. `series`: name, style, x, y; `reference` among them is drawn lightly. A pointer, a tap or the arrow keys show values.
   */
  function chart(place, { title, series, xLabel, yLabel, digits, controls }) {
    series = series.map((s) => ({ ...s, points: s.x.map((x, i) => [x, s.y[i]]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)) }));
    series = series.filter((s) => s.points.length);
    place.hidden = !series.length;
    place.replaceChildren();
    if (!series.length) return;
    const all = series.flatMap((s) => s.points);
    const width = Math.max(280, Math.round(place.clientWidth || 600)), height = Math.round(clamp(width * 0.55, 220, 340));
    const [left, right, top, bottom] = [52, width - 12, 10, height - 42];
    const most = Math.max(...all.map((p) => p[0])) || 1;
    let [low, high] = [Math.min(...all.map((p) => p[1])), Math.max(...all.map((p) => p[1]))];
    if (high - low < 1e-9) [low, high] = [low - 1, high + 1];
    const up = ticks(low, high, 6), step = up.values.length > 1 ? up.values[1] - up.values[0] : high - low;
    [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
    const across = ticks(0, most, width < 450 ? 4 : 7), upright = ticks(low, high, 6);
    const px = (x) => left + (x / most) * (right - left), py = (y) => bottom - ((y - low) / (high - low)) * (bottom - top);

    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img", "aria-label": `${title}: ${yLabel} over ${xLabel}` });
    for (const y of upright.values) {
      svg.append(draw("line", { class: "grid", x1: left, x2: right, y1: py(y), y2: py(y) }));
      svg.append(draw("text", { x: left - 8, y: py(y) + 4, "text-anchor": "end" }, number(y, upright.digits)));
    }
    for (const x of across.values) svg.append(draw("text", { x: px(x), y: bottom + 18, "text-anchor": "middle" }, number(x, across.digits)));
    svg.append(draw("text", { x: right, y: height - 4, "text-anchor": "end" }, xLabel));
    for (const s of series) {
      const d = s.points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
      svg.append(draw("path", s.reference ? { class: "curve reference", d } : { class: "curve", d, ...stroke(s.style) }));
    }
    const cursor = draw("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
    svg.append(cursor);
    const tip = make("div", { class: "tip", hidden: "" });
    const heading = make("header", {}, [make("h3", {}, title)].concat(controls || []));
    const legend = make("ul", { class: "legend" }, series.map((s) => make("li", {}, [swatch(s.reference ? { colour: "var(--soft)", dash: "1 4" } : s.style), s.name])));
    place.append(heading, make("p", { class: "facts" }, yLabel), svg, legend, tip);

    let at = null;
    function show(x) {
      at = clamp(x, 0, most);
      const rows = series.flatMap((s) => {
        const nearest = s.points.reduce((best, p) => (Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best));
        return [make("span", {}, [swatch(s.reference ? { colour: "var(--soft)", dash: "1 4" } : s.style), s.name]), make("span", {}, number(nearest[1], 2))];
      });
      tip.replaceChildren(make("div", {}, `${xLabel}: ${number(at, digits)}`), make("div", { class: "values" }, rows));
      tip.hidden = false;
      cursor.setAttribute("x1", px(at));
      cursor.setAttribute("x2", px(at));
      cursor.setAttribute("visibility", "visible");
      const scale = svg.clientWidth / width || 1, beside = px(at) * scale + 14;
      const fits = beside + tip.offsetWidth <= place.clientWidth;
      tip.style.left = `${Math.max(0, fits ? beside : px(at) * scale - tip.offsetWidth - 14)}px`;
      tip.style.top = `${svg.getBoundingClientRect().top - place.getBoundingClientRect().top + 8}px`;
    }
    function hide() {
      tip.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    }
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      show((((event.clientX - box.left) / box.width) * width - left) / (right - left) * most);
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (!move) return;
      event.preventDefault();
      show((at ?? most) + (move * most) / 40);
    });
  }

  function charts(section, input) {
    const [curves, spectra] = ["curves", "spectra"].map((name) => section.querySelector(`[data-chart=${name}]`));
    let over = "steps";
    const redraw = () => {
      const button = (name) => {
        const element = make("button", { type: "button", "aria-pressed": String(over === name) }, name);
        element.addEventListener("click", () => {
          over = name;
          redraw();
          curves.querySelector(".switch [aria-pressed=true]").focus();
        });
        return element;
      };
      chart(curves, {
        title: "Training",
        series: input.curves.map((c) => ({ name: c.name, style: c.style, x: c[over], y: c.values })),
        xLabel: over === "steps" ? "optimizer steps" : "seconds of training",
        digits: over === "steps" ? 0 : 1,
        yLabel: "running PSNR, dB",
        controls: make("div", { class: "switch", role: "group", "aria-label": "Horizontal axis" }, [button("steps"), button("seconds")]),
      });
      if (input.spectra) {
        const { axis, frequencies, original, errors } = input.spectra;
        chart(spectra, {
          title: "Power spectrum of the error",
          series: [{ name: "original", reference: true, x: frequencies, y: original }].concat(errors.map((e) => ({ ...e, x: frequencies, y: e.values }))),
          xLabel: axis,
          yLabel: "power, dB of the squared range",
          digits: 3,
        });
      }
    };
    redraw();
    let width = section.clientWidth;
    new ResizeObserver(() => {
      if (section.clientWidth === width) return;
      width = section.clientWidth;
      redraw();
    }).observe(section);
  }

  // ---- Gestures ----

  /**
   * Calls back for wheel, drag, pinch, double click and keys on an element: `zoom(factor, x, y)`, `move(dx, dy)`, `reset()`; places are parts of the
   * element's size. `held()` says whether a finger moves the content rather than the page.
   */
  function gestures(element, { zoom, move, reset, held, canZoomOut }) {
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
      } else if (event.pointerType === "mouse" || held()) {
        move(now[0] - before[0], now[1] - before[1]);
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
      else if (arrows[event.key] && held()) move(...arrows[event.key]);
      else return;
      event.preventDefault();
    });
  }

  // ---- Pictures ----

  /** One zoom for all pictures of a section: `scale`, and where the upper left corner of the whole picture lies in parts of a view. */
  function stage(section) {
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

  // ---- Meshes ----

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  /** Unit normals of the positions: the mean of the faces around each, by area. */
  function normals(positions, faces) {
    const sums = new Float32Array(positions.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [faces[f] * 3, faces[f + 1] * 3, faces[f + 2] * 3];
      const side = (p, i) => positions[p + i] - positions[a + i];
      const u = [side(b, 0), side(b, 1), side(b, 2)], v = [side(c, 0), side(c, 1), side(c, 2)];
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let i = 0; i < 3; i++) sums[corner + i] += n[i];
    }
    for (let p = 0; p < sums.length; p += 3) {
      const length = Math.hypot(sums[p], sums[p + 1], sums[p + 2]) || 1;
      for (let i = 0; i < 3; i++) sums[p + i] /= length;
    }
    return sums;
  }

  const VERTEX = `
    attribute vec3 position, normal;
    uniform mat3 turn;
    uniform vec2 lens;
    varying vec3 n;
    void main() {
      vec3 p = turn * position;
      n = turn * normal;
      float depth = lens.y - p.z;
      gl_Position = vec4(p.xy * lens.x, (depth - lens.y) / 2.0 * depth, depth);
    }`;
  // Clay as in the previews: a warm light from the left above, a cool one from the right, a little from the sky.
  const FRAGMENT = `
    precision mediump float;
    varying vec3 n;
    void main() {
      vec3 m = normalize(n);
      if (!gl_FrontFacing) m = -m;
      vec3 light = mix(vec3(0.08, 0.065, 0.055), vec3(0.17, 0.20, 0.25), m.y * 0.5 + 0.5);
      light += vec3(0.95, 0.86, 0.74) * max(dot(m, normalize(vec3(-0.55, 0.65, 0.62))), 0.0);
      light += vec3(0.10, 0.13, 0.19) * max(dot(m, normalize(vec3(0.80, 0.10, 0.45))), 0.0);
      gl_FragColor = vec4(pow(vec3(0.66, 0.62, 0.58) * light, vec3(1.0 / 2.2)), 1.0);
    }`;

  /** Draws meshes into one canvas; `draw(mesh, turn, zoom)` leaves the picture there. Null without WebGL. */
  function renderer(size) {
    const canvas = make("canvas", { width: size, height: size });
    const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true, alpha: true });
    if (!gl) return null;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
    gl.useProgram(program);
    gl.enable(gl.DEPTH_TEST);
    const buffer = (target, values) => {
      const made = gl.createBuffer();
      gl.bindBuffer(target, made);
      gl.bufferData(target, values, gl.STATIC_DRAW);
      return made;
    };
    const uniform = (name) => gl.getUniformLocation(program, name);
    return {
      canvas,
      load: ({ positions, faces }) => ({
        count: faces.length,
        position: buffer(gl.ARRAY_BUFFER, positions),
        normal: buffer(gl.ARRAY_BUFFER, normals(positions, faces)),
        faces: buffer(gl.ELEMENT_ARRAY_BUFFER, faces),
      }),
      draw(mesh, turn, zoom) {
        gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
        for (const name of ["position", "normal"]) {
          const index = gl.getAttribLocation(program, name);
          gl.bindBuffer(gl.ARRAY_BUFFER, mesh[name]);
          gl.enableVertexAttribArray(index);
          gl.vertexAttribPointer(index, 3, gl.FLOAT, false, 0, 0);
        }
        gl.uniformMatrix3fv(uniform("turn"), false, turn);
        // Rays are nearly parallel, as in the previews: 14 degrees from edge to edge.
        const distance = 1 / Math.sin((7 * Math.PI) / 180);
        gl.uniform2f(uniform("lens"), (0.96 * zoom) / Math.tan((7 * Math.PI) / 180), distance);
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, mesh.faces);
        gl.drawElements(gl.TRIANGLES, mesh.count, gl.UNSIGNED_SHORT, 0);
      },
    };
  }

  // One for all sections: browsers have few WebGL contexts.
  let shared;
  const gpuOfAll = () => (shared === undefined ? (shared = renderer(640)) : shared);

  /** Positions around the origin within the unit ball, y upwards, the front towards the viewer. */
  function unpack({ positions, faces }, { bounds: [low, high], up }) {
    const words = new Uint16Array(bytes(positions).buffer), out = new Float32Array(words.length);
    const sides = [0, 1, 2].map((i) => high[i] - low[i]), radius = Math.hypot(...sides) / 2 || 1;
    for (let p = 0; p < words.length; p += 3) {
      const [x, y, z] = [0, 1, 2].map((i) => ((words[p + i] / 65535 - 0.5) * sides[i]) / radius);
      out.set(up === 1 ? [x, y, z] : [x, z, -y], p);
    }
    let reach = 0;
    for (let p = 0; p < out.length; p += 3) reach = Math.max(reach, Math.hypot(out[p], out[p + 1], out[p + 2]));
    return { positions: out, faces: new Uint16Array(bytes(faces).buffer), reach };
  }

  function meshes(section, input) {
    const block = section.querySelector(".meshes");
    if (!block) return;
    block.hidden = false;
    const canvases = [...block.querySelectorAll("canvas.mesh")];
    const gpu = gpuOfAll();
    if (!gpu) {
      for (const canvas of canvases) {
        const name = canvas.closest("figure").dataset.name;
        const preview = [...section.querySelectorAll(".exhibit")].find((figure) => figure.dataset.name === name)?.querySelector(".seen img");
        canvas.replaceWith(preview ? make("img", { src: preview.src, alt: preview.alt }) : "Meshes need WebGL, which this browser has not.");
      }
      block.querySelector(".hint").textContent = "Meshes cannot be turned here, for this browser has no WebGL.";
      return;
    }
    const unpacked = canvases.map((canvas) => unpack(input.meshes[canvas.dataset.mesh], input.view));
    const loaded = unpacked.map(gpu.load), reach = Math.max(...unpacked.map((mesh) => mesh.reach)) || 1;
    const front = { azimuth: 30, elevation: 18, zoom: 1 };
    const state = { ...front };
    let waiting = false;
    function paint() {
      waiting = false;
      const [a, e] = [state.azimuth, state.elevation].map((degrees) => (degrees * Math.PI) / 180);
      const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
      // Columns of the turn: first around the upright axis, then towards the viewer.
      const turn = [ca, -se * sa, ce * sa, 0, ce, se, -sa, -se * ca, ce * ca];
      canvases.forEach((canvas, i) => {
        gpu.draw(loaded[i], turn, state.zoom / reach);
        const flat = canvas.getContext("2d");
        flat.clearRect(0, 0, canvas.width, canvas.height);
        flat.drawImage(gpu.canvas, 0, 0, canvas.width, canvas.height);
        canvas.dataset.turn = `${state.azimuth.toFixed(1)} ${state.elevation.toFixed(1)} ${state.zoom.toFixed(2)}`;
      });
    }
    const later = () => {
      if (!waiting) requestAnimationFrame(paint);
      waiting = true;
    };
    for (const canvas of canvases) {
      gestures(canvas, {
        zoom(factor) {
          state.zoom = clamp(state.zoom * factor, 0.5, 12);
          later();
        },
        move(dx, dy) {
          state.azimuth -= dx * 220;
          state.elevation = clamp(state.elevation + dy * 220, -90, 90);
          later();
        },
        reset() {
          Object.assign(state, front);
          later();
        },
        held: () => true,
        canZoomOut: () => state.zoom > 0.5,
      });
      canvas.style.touchAction = "none";
    }
    paint();
  }

  // ---- The rest ----

  function players(section) {
    const players = [...section.querySelectorAll("audio")];
    for (const player of players) {
      player.addEventListener("play", () => players.forEach((other) => other !== player && other.pause()));
    }
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      // Selected too, for where a page may not write to the clipboard.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        // It stays selected.
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }

  // A section is made when it is first seen: its width is known then, and meshes need memory.
  const made = new Set();
  function open(section) {
    if (made.has(section)) return;
    made.add(section);
    const input = data.inputs[section.dataset.input];
    charts(section, input);
    slider(section, stage(section));
    meshes(section, input);
    players(section);
  }
  const chooser = document.getElementById("input");
  const choose = (value) => {
    for (const section of sections) {
      section.hidden = value !== "all" && section.dataset.input !== value;
      if (!section.hidden) open(section);
    }
  };
  chooser?.addEventListener("change", () => choose(chooser.value));
  if (chooser) chooser.value = sections[0].dataset.input;
  choose(chooser ? chooser.value : "all");
})();
