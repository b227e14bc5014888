// Sections, which are made when they are first seen.

const data = JSON.parse(document.getElementById("data").textContent);
const sections = [...document.querySelectorAll("section.input")];

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
  slider(section, stage(section, input.axes));
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
