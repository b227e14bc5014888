// Meshes that can be turned, all together.

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
  // The original fills a canvas, whatever specks others have far from it.
  const original = unpacked[canvases.findIndex((canvas) => canvas.dataset.mesh === "0")];
  const loaded = unpacked.map(gpu.load), reach = (original ? original.reach : Math.max(...unpacked.map((mesh) => mesh.reach))) || 1;
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
      held: () => false,
      sideways: true,
      canZoomOut: () => state.zoom > 0.5,
    });
  }
  paint();
}
