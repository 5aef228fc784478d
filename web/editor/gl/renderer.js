/**
 * Draws a scene with WebGL2. The truth is the mask in memory; textures are copies, made again when the context was lost.
 */
import { CHECKER, FADED, GRID, placed } from "./scene.js";
import { FLAT, GROUND, PHOTO, VERTEX } from "./shaders.js";
import { MASK, Tiles, picture, plane } from "./textures.js";

/** @typedef {import("./types.js").Scene} Scene */
/** @typedef {import("./types.js").Rect} Rect */
/** @typedef {import("./types.js").Light} Light */
/** @typedef {import("./types.js").Renderer} Renderer */
/** @typedef {Scene["panes"][0]} Pane */
/** @typedef {{program: WebGLProgram, at: {[name: string]: WebGLUniformLocation | null}}} Program */
/** @typedef {WebGLTexture | null} Texture */

/** A tile of the mask before there is one. */
const NOTHING = new Uint8Array(MASK * MASK);
const OVERLAYS = { none: 0, red: 1, outline: 2, mask: 3 };
const GROUNDS = { none: 0, colour: 1, gradient: 2, picture: 3 };

/** A renderer with a canvas of its own; undefined where the browser gives no working WebGL2. @param {import("./types.js").Source["photo"]} photo
 * @param {{width: number, height: number}} size the mask's */
export function startGL(photo, size) {
  try {
    return new GLRenderer(document.createElement("canvas"), photo, size);
  } catch {
    return undefined;
  }
}

/** @implements {Renderer} */
export class GLRenderer {
  kind = "webgl2";
  #lost = false;
  /** @type {import("./colours.js").CleanColours | null} */
  #colours = null;

  #redraw = () => {};
  #unsubscribe = () => {};

  /** Begins before there is a mask: shaders and the photo are ready when it comes. @param {HTMLCanvasElement} canvas @param {import("./types.js").Source["photo"]} photo
   * @param {{width: number, height: number}} size the mask's */
  constructor(canvas, photo, { width, height }) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false, desynchronized: false });
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    this.canvas = canvas;
    /** @type {import("./types.js").Source} */
    this.source = { photo, mask: /** @type {any} */ ({ width, height, columns: Math.ceil(width / MASK), rows: Math.ceil(height / MASK), tile: () => NOTHING }) };
    this.onLost = (/** @type {Event} */ event) => {
      // Without this the browser never gives the context back.
      event.preventDefault();
      this.#lost = true;
    };
    this.onRestored = () => {
      this.#lost = false;
      this.gpu = this.#build();
      this.#redraw();
    };
    canvas.addEventListener("webglcontextlost", this.onLost);
    canvas.addEventListener("webglcontextrestored", this.onRestored);
    this.gpu = this.#build();
  }

  /** Draw the photo unseen: what the first frame shows of it is on the graphics card then, and shaders are compiled, which most drivers do when they are used. @param {HTMLCanvasElement} small the photo, as small as that frame needs it */
  warm(small) {
    this.gpu.tiles.warm(small);
    const { width, height } = this.source.mask;
    const black = /** @type {Light} */ ([0, 0, 0]);
    this.draw({
      ratio: 1, panes: [{ left: 0, top: 0, width: this.canvas.width, height: this.canvas.height, shows: "result" }], scale: this.canvas.width / width, x: width / 2, y: height / 2,
      frame: { x: 0, y: 0, width, height: height / 2 }, ground: { kind: "none" }, shadow: null, overlay: "none", split: null, colours: { stage: black, checker: [black, black] },
    });
  }

  /** @param {import("./types.js").Source["mask"]} mask @param {import("./small.js").SmallMask} small @param {() => void} redraw */
  show(mask, small, redraw) {
    Object.assign(this.source, { mask, small });
    if (!this.#lost) this.gpu.tiles.renew();
    this.#redraw = redraw;
    this.#unsubscribe = mask.onChange((rect) => this.gpu.tiles.change(rect));
  }

  /** Everything that lives on the graphics card. */
  #build() {
    const { gl } = this;
    const ground = program(gl, GROUND, [
      ...["rect", "size", "kind", "first", "second", "checkerA", "checkerB", "square", "towards", "side"],
      ...["pictureArea", "shadowArea", "picture", "shadow", "split"],
    ]);
    const photo = program(gl, PHOTO, [
      ...["rect", "size", "photo", "mask", "own", "contrast", "overlay", "whole", "clean", "split", "grid", "pixels", "place"],
    ]);
    const flat = program(gl, FLAT, ["rect", "size", "fill"]);
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    /** @type {{of: unknown, texture: Texture}[]} */
    const [behind, dark] = [{ of: null, texture: null }, { of: null, texture: null }];
    return { ground, photo, flat, tiles: new Tiles(gl, this.source), behind, dark, clean: this.#upload(this.#colours) };
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** The subject's own colours, for its soft edge. @param {import("./colours.js").CleanColours | null} colours */
  setColours(colours) {
    this.#colours = colours;
    if (this.#lost) return;
    for (const texture of this.gpu.clean) this.gl.deleteTexture(texture);
    this.gpu.clean = this.#upload(colours);
  }

  /** @param {import("./colours.js").CleanColours | null} colours @returns {Texture[]} */
  #upload(colours) {
    if (!colours) return [];
    return [colours.own, colours.contrast].map((pixels) => plane(this.gl, pixels, colours.width, colours.height, 4));
  }

  /** @param {Scene} scene */
  draw(scene) {
    const { gl } = this;
    if (this.#lost || gl.isContextLost()) return false;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(...scene.colours.stage, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.gpu.tiles.begin(scene.scale * scene.ratio);
    gl.enable(gl.SCISSOR_TEST);
    for (const pane of scene.panes) {
      const sides = [pane.left, pane.top, pane.left + pane.width, pane.top + pane.height].map((at) => at * scene.ratio);
      this.#scissor(sides);
      if (pane.shows === "result") this.#drawGround(scene, pane);
      this.#drawPhoto(scene, pane, sides);
      if (pane.shows === "result") this.#fade(scene, pane);
    }
    // The graphics card begins now, while the page goes on: without a fence it waits until the picture is asked for.
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    gl.deleteSync(fence);
    return this.gpu.tiles.end();
  }

  /** Draw within these sides only: left, top, right, bottom in device px. @param {number[]} sides */
  #scissor(sides) {
    const [left, top, right, bottom] = sides.map(Math.round);
    this.gl.scissor(left, this.canvas.height - bottom, Math.max(0, right - left), Math.max(0, bottom - top));
  }

  /** @param {Scene} scene @param {Pane} pane */
  #drawGround(scene, pane) {
    const { gl } = this;
    const { ground, frame, shadow } = scene;
    const { at } = this.#use(this.gpu.ground, placed(frame, pane, scene));
    gl.disable(gl.BLEND);
    gl.uniform1i(at.kind, GROUNDS[ground.kind]);
    gl.uniform3fv(at.checkerA, scene.colours.checker[0]);
    gl.uniform3fv(at.checkerB, scene.colours.checker[1]);
    gl.uniform1f(at.square, CHECKER * scene.ratio);
    gl.uniform1f(at.split, splitOf(scene, pane));
    if (ground.kind === "colour") gl.uniform4fv(at.first, ground.colour);
    if (ground.kind === "gradient") {
      gl.uniform4fv(at.first, ground.first);
      gl.uniform4fv(at.second, ground.second);
      gl.uniform2f(at.side, frame.width, frame.height);
      gl.uniform2fv(at.towards, direction(ground.degrees, frame));
    }
    if (ground.kind === "picture") {
      if (this.gpu.behind.of !== ground.picture) this.gpu.behind = { of: ground.picture, texture: picture(gl, ground.picture, this.gpu.behind.texture) };
      gl.uniform4fv(at.pictureArea, share(frame, ground.area));
    }
    if (shadow) {
      if (this.gpu.dark.of !== shadow) this.gpu.dark = { of: shadow, texture: plane(gl, shadow.bytes, shadow.width, shadow.height, 1, this.gpu.dark.texture) };
      gl.uniform4fv(at.shadowArea, share(frame, shadow.area));
    } else gl.uniform4f(at.shadowArea, 0, 0, 0, 0);
    bind(gl, at.picture, 0, ground.kind === "picture" ? this.gpu.behind.texture : null);
    bind(gl, at.shadow, 1, shadow ? this.gpu.dark.texture : null);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** @param {Scene} scene @param {Pane} pane @param {number[]} sides of the pane */
  #drawPhoto(scene, pane, sides) {
    const { gl } = this;
    const { width, height } = this.source.mask;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { at } = this.#use(this.gpu.photo, [0, 0, 0, 0]);
    const deviceScale = scene.scale * scene.ratio;
    gl.uniform1i(at.overlay, OVERLAYS[scene.overlay]);
    gl.uniform1i(at.whole, Number(pane.shows === "photo"));
    gl.uniform1i(at.clean, Number(this.gpu.clean.length === 2));
    gl.uniform1f(at.split, splitOf(scene, pane));
    gl.uniform1f(at.grid, scene.scale >= GRID ? deviceScale : 0);
    bind(gl, at.own, 2, this.gpu.clean[0] ?? null);
    bind(gl, at.contrast, 3, this.gpu.clean[1] ?? null);
    for (const { rect, photo, mask, missing } of this.gpu.tiles.seen(pane, scene)) {
      if (missing) this.#scissor(common(sides, placed(missing, pane, scene)));
      gl.uniform4fv(at.rect, placed(rect, pane, scene));
      gl.uniform2f(at.pixels, rect.width, rect.height);
      gl.uniform4f(at.place, rect.x / width, rect.y / height, rect.width / width, rect.height / height);
      bind(gl, at.photo, 0, photo);
      bind(gl, at.mask, 1, mask);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      if (missing) this.#scissor(sides);
    }
  }

  /** Fade what is outside the canvas. @param {Scene} scene @param {Pane} pane */
  #fade(scene, pane) {
    const { gl } = this;
    const [left, top, right, bottom] = placed(scene.frame, pane, scene);
    const { width, height } = this.canvas;
    const { at } = this.#use(this.gpu.flat, [0, 0, 0, 0]);
    const [red, green, blue] = scene.colours.stage.map((value) => value * FADED);
    gl.uniform4f(at.fill, red, green, blue, FADED);
    for (const rect of [[0, 0, width, top], [0, bottom, width, height], [0, top, left, bottom], [right, top, width, bottom]]) {
      if (rect[2] <= rect[0] || rect[3] <= rect[1]) continue;
      gl.uniform4fv(at.rect, rect);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
  }

  /** @param {Program} made @param {number[]} rect */
  #use(made, rect) {
    this.gl.useProgram(made.program);
    this.gl.uniform4fv(made.at.rect, rect);
    this.gl.uniform2f(made.at.size, this.canvas.width, this.canvas.height);
    return made;
  }

  close() {
    this.#unsubscribe();
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onRestored);
    // Browsers keep few contexts; a page that opens many editors must give them back.
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** Where a rectangle lies in another one: left, top, width, height, as shares of it. @param {Rect} rect @param {Rect} area @returns {[number, number, number, number]} */
function share(rect, area) {
  return [(rect.x - area.x) / area.width, (rect.y - area.y) / area.height, rect.width / area.width, rect.height / area.height];
}

/** What lies within the sides of both. @param {number[]} one @param {number[]} other */
function common(one, other) {
  return one.map((side, n) => (n < 2 ? Math.max : Math.min)(side, other[n]));
}

/** Where the result begins, in device px; -1 where all is result. @param {Scene} scene @param {Pane} pane */
function splitOf(scene, pane) {
  return scene.split === null ? -1 : Math.round((pane.left + scene.split) * scene.ratio);
}

/** A gradient's direction as CSS has it: the corners have the colours. @param {number} degrees @param {Rect} frame @returns {[number, number]} */
function direction(degrees, frame) {
  const angle = (degrees * Math.PI) / 180;
  const [across, down] = [Math.sin(angle), -Math.cos(angle)];
  const length = Math.abs(frame.width * across) + Math.abs(frame.height * down);
  return [across / length, down / length];
}

/** @param {WebGL2RenderingContext} gl @param {WebGLUniformLocation | null} at @param {number} unit @param {Texture} texture */
function bind(gl, at, unit, texture) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.uniform1i(at, unit);
}

/** @param {WebGL2RenderingContext} gl @param {string} fragment @param {string[]} uniforms @returns {Program} */
function program(gl, fragment, uniforms) {
  const made = gl.createProgram();
  for (const [kind, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    const logs = (gl.getAttachedShaders(made) ?? []).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(`${gl.getProgramInfoLog(made)} ${logs.join(" ")}`);
  }
  return { program: made, at: Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(made, name)])) };
}
