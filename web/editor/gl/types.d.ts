/** What a renderer draws. */
import type { CleanColours } from "./colours.js";
import type { Ground } from "./ground.js";
import type { SoftShadow } from "./shadow.js";
import type { Rect, SmallMask, Tiled } from "./small.js";
import type { Pane } from "../viewport.js";

export type { Pane, Rect };
/** Red, green and blue, 0 to 1. */
export type Light = [number, number, number];
export type OverlayMode = "none" | "red" | "outline" | "mask";

export interface Scene {
  /** Device px for each CSS px. */
  ratio: number;
  panes: (Pane & { shows: "result" | "photo" })[];
  /** CSS px for each px of the photo. */
  scale: number;
  /** The photo's point in the middle of each pane. */
  x: number;
  y: number;
  /** The result's canvas. */
  frame: Rect;
  ground: Ground;
  shadow: SoftShadow | null;
  overlay: OverlayMode;
  /** Where the photo ends and the result begins, in CSS px from the pane's left; null without a split. */
  split: number | null;
  colours: { stage: Light; checker: [Light, Light] };
  /** Whether only the result is drawn, without checker and surroundings. */
  bare?: boolean;
}

export interface Source {
  photo: ImageBitmap | HTMLCanvasElement;
  mask: Tiled;
  /** The same mask made small. */
  small?: SmallMask;
}

export interface Renderer {
  canvas: HTMLCanvasElement;
  /** Draw with this mask from now on; `redraw` is called when the picture has to be drawn again. */
  show(mask: Source["mask"], small: SmallMask, redraw: () => void): void;
  /** Returns whether there is more to draw in the next frame. */
  draw(scene: Scene): boolean;
  /** In device px. */
  resize(width: number, height: number): void;
  setColours(colours: CleanColours | null): void;
  close(): void;
}
