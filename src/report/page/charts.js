// Training curves and spectra.

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
const stroke = (style) => ({ stroke: style.colour, "stroke-dasharray": style.dash, "stroke-width": style.width ?? 2, "stroke-opacity": style.opacity ?? 1 });

/** As many values as a pointer shows at once. */
const SHOWN = 12;

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
  /** Values at `x`, the largest first; of many those around `y`, which without a pointer is the top. */
  function show(x, y = Infinity) {
    at = clamp(x, 0, most);
    const values = series.flatMap((s) => {
      // Behind its last point a series has no value to show.
      if (at > s.points.at(-1)[0] + most / 200) return [];
      const nearest = s.points.reduce((best, p) => (Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best));
      return [{ s, value: nearest[1] }];
    });
    values.sort((a, b) => b.value - a.value);
    const above = values.filter(({ value }) => value > y).length;
    const first = clamp(above - SHOWN / 2, 0, Math.max(0, values.length - SHOWN));
    const shown = values.slice(first, first + SHOWN);
    const rows = shown.flatMap(({ s, value }) => [
      make("span", {}, [swatch(s.reference ? { colour: "var(--soft)", dash: "1 4" } : s.style), s.name]),
      make("span", {}, number(value, 2)),
    ]);
    const rest = values.length - shown.length;
    tip.replaceChildren(
      make("div", {}, `${xLabel}: ${number(at, digits)}`),
      make("div", { class: "values" }, rows),
      ...(rest ? [make("div", {}, `and ${rest} more, ${first} above`)] : []),
    );
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
    const x = ((event.clientX - box.left) / box.width) * width, y = ((event.clientY - box.top) / box.height) * height;
    show(((x - left) / (right - left)) * most, low + ((bottom - y) / (bottom - top)) * (high - low));
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
  // Before the curves are drawn, which then have the whole width.
  spectra.hidden = !input.spectra;
  // Under a budget of seconds a fast model makes a hundred times the steps of a slow one, whose curve would be a dot.
  const ends = input.curves.map((c) => c.steps.at(-1)).filter(Boolean);
  let over = Math.max(...ends) > 3 * Math.min(...ends) ? "seconds" : "steps";
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
