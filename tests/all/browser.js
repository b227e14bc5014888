// Put into a page by tests/all/browser.rs: uses it as a reader would and sends what came of it back as JSON.
addEventListener("load", async () => {
  const found = {};
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const all = (selector) => [...document.querySelectorAll(selector)];
  try {
    await Promise.all(all("img[src]").map((image) => image.decode()));
    await wait(100);
    found.images = all("img[src]").length;
    found.broken = all("img[src]").filter((image) => !image.naturalWidth).length;
    found.loaded = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
    found.wide = document.documentElement.scrollWidth > innerWidth;
    found.alt = all("img[src]").filter((image) => !image.alt).length;

    // Tables, as they are shown
    const shown = (element) => element.offsetParent !== null;
    const cells = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim()));
    found.tables = all("table").filter(shown).map(cells);

    // Colours (WCAG 2.1, relative luminance and contrast)
    const luminance = (colour) => {
      const linear = colour.match(/[\d.]+/g).slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const colours = getComputedStyle(document.body);
    const [ink, paper] = [colours.color, colours.backgroundColor].map(luminance);
    found.dark = paper < ink;
    found.contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);

    // Inputs
    const chooser = document.getElementById("input");
    const seen = () => all("section.input").filter(shown).map((section) => section.dataset.input);
    if (chooser) {
      found.seen = ["all", "1", "0"].map((value) => {
        chooser.value = value;
        chooser.dispatchEvent(new Event("change"));
        return seen();
      });
    }

    // Charts
    const curves = document.querySelector("[data-chart=curves]");
    found.curves = curves.querySelectorAll("path.curve").length;
    found.over = [curves.querySelector("svg").getAttribute("aria-label")];
    all("[data-chart=curves] .switch button")[1].click();
    found.over.push(curves.querySelector("svg").getAttribute("aria-label"));
    const box = curves.querySelector("svg").getBoundingClientRect();
    // At the beginning of the axis, and at its end.
    found.tips = [box.left, box.right].map((clientX) => {
      const at = { clientX, clientY: box.top + box.height / 2, bubbles: true };
      curves.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", at));
      const tip = curves.querySelector(".tip");
      return tip.hidden ? [] : [...tip.querySelectorAll(".values > span")].map((span) => span.textContent);
    });
    // Above all lines, and below them, at the beginning.
    found.tips_of_many = [box.top, box.bottom].map((clientY) => {
      curves.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", { clientX: box.left, clientY, bubbles: true }));
      const tip = curves.querySelector(".tip"), values = tip.querySelector(".values");
      return { values: [...values.children].map((span) => span.textContent), rest: values.nextElementSibling?.textContent ?? null };
    });

    // Zoom
    const view = document.querySelector(".stage .view"), images = all(".stage .view img, .slider .view img");
    // The numbers along every picture of the stage and the slider, and where they are.
    const marks = () => {
      const marks = (view) => [...view.querySelectorAll(".axes span")].map((span) => [span.textContent, span.style.left || span.style.bottom]);
      return { transform: images[0].style.transform, views: all(".stage .view, .slider .view").map(marks) };
    };
    const state = () => [...new Set(images.map((image) => image.style.transform))];
    if (view) {
      const place = view.getBoundingClientRect();
      const middle = { clientX: place.left + place.width / 2, clientY: place.top + place.height / 2, bubbles: true, cancelable: true };
      found.transforms = [state()];
      found.marks = [marks()];
      for (let i = 0; i < 8; i++) view.dispatchEvent(new WheelEvent("wheel", { ...middle, deltaY: -200 }));
      found.transforms.push(state());
      found.coarse = view.classList.contains("coarse");
      const pointer = (type, x) => view.dispatchEvent(new PointerEvent(type, { ...middle, clientX: middle.clientX + x, pointerId: 1, pointerType: "mouse", button: 0 }));
      view.setPointerCapture = () => {};
      pointer("pointerdown", 0);
      pointer("pointermove", 20);
      pointer("pointerup", 20);
      found.transforms.push(state());
      view.dispatchEvent(new MouseEvent("dblclick", middle));
      found.transforms.push(state());
      view.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
      found.transforms.push(state());
      for (const key of ["ArrowDown", "ArrowRight"]) view.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      found.marks.push(marks());
      view.dispatchEvent(new KeyboardEvent("keydown", { key: "0", bubbles: true }));
      // Two fingers, whose distance doubles.
      const finger = (type, pointerId, x) => view.dispatchEvent(new PointerEvent(type, { ...middle, clientX: middle.clientX + x, pointerId, pointerType: "touch" }));
      finger("pointerdown", 2, -20);
      finger("pointerdown", 3, 20);
      finger("pointermove", 3, 60);
      found.transforms.push(state());
      finger("pointerup", 2, -20);
      finger("pointerup", 3, 60);
      view.dispatchEvent(new KeyboardEvent("keydown", { key: "0", bubbles: true }));
      const button = document.querySelector("button.place");
      // All of its text on one line, and not a word a line.
      found.button_is_wide = button && button.offsetWidth > 2 * button.offsetHeight && button.scrollWidth <= button.offsetWidth;
      button?.click();
      found.transforms.push(state());
    }

    // Slider
    const slider = document.querySelector(".slider");
    if (slider && !slider.hidden) {
      const range = slider.querySelector("input"), right = slider.querySelector(".right");
      range.value = 25;
      range.dispatchEvent(new Event("input"));
      found.cut = slider.querySelector(".cut").style.clipPath;
      right.value = String(right.options.length - 1);
      right.dispatchEvent(new Event("change"));
      found.over_is_last = slider.querySelector(".over").src === all(".stage .view.seen img").at(-1).src;
      found.under_is_first = slider.querySelector(".under").src === all(".stage .view.seen img")[0].src;
    }

    // Sounds
    const ready = (player) => player.readyState > 0 || new Promise((done) => (player.onloadedmetadata = done));
    await Promise.race([Promise.all(all("audio").map(ready)), wait(5000)]);
    found.seconds = all("audio").map((player) => player.duration);

    // Meshes
    found.hint = document.querySelector(".meshes .hint")?.textContent;
    found.in_their_place = all(".meshes figure img").length;
    const canvases = all("canvas.mesh");
    const painted = (canvas) => new Set(canvas.getContext("2d").getImageData(200, 200, 240, 240).data).size;
    found.painted = canvases.map(painted);
    found.turns = canvases.map((canvas) => [canvas.dataset.turn]);
    canvases[0]?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    await wait(200);
    canvases.forEach((canvas, i) => found.turns[i].push(canvas.dataset.turn));
    if (canvases.length) {
      // One finger, whose way up and down is the page's.
      const place = canvases[0].getBoundingClientRect();
      canvases[0].setPointerCapture = () => {};
      const finger = (type, x, y) => canvases[0].dispatchEvent(new PointerEvent(type, { clientX: place.left + x * place.width, clientY: place.top + y * place.height, pointerId: 7, pointerType: "touch", bubbles: true }));
      finger("pointerdown", 0.5, 0.5);
      finger("pointermove", 0.4, 0.2);
      finger("pointerup", 0.4, 0.2);
      await wait(200);
      found.touched = canvases[0].dataset.turn;
      found.touch_action = getComputedStyle(canvases[0]).touchAction;
    }

    document.querySelector("details").open = true;
    document.querySelector("button.copy").click();
    found.copied = getSelection().toString();
  } catch (error) {
    problems.push(`check: ${error.stack || error}`);
  }
  found.problems = problems;
  fetch("/found", { method: "POST", body: JSON.stringify(found) });
});
