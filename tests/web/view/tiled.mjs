/** A mask of 256² tiles for tests: `at(x, y)` gives its bytes. */
export function tiled(width, height, at) {
  const columns = Math.ceil(width / 256);
  const rows = Math.ceil(height / 256);
  const listeners = new Set();
  const tiles = Array.from({ length: columns * rows }, (_, n) => {
    const tile = new Uint8Array(65536);
    const left = (n % columns) * 256;
    const top = Math.floor(n / columns) * 256;
    for (let y = 0; y < Math.min(256, height - top); y++) {
      for (let x = 0; x < Math.min(256, width - left); x++) tile[y * 256 + x] = at(left + x, top + y);
    }
    return tile;
  });
  return {
    width, height, columns, rows,
    tile: (n) => tiles[n],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(x, y, value) {
      tiles[(y >> 8) * columns + (x >> 8)][(y & 255) * 256 + (x & 255)] = value;
      for (const listener of listeners) listener({ x, y, width: 1, height: 1 });
    },
  };
}

/** A mask that shows a rectangle. */
export function box(width, height, left, top, right, bottom) {
  return tiled(width, height, (x, y) => (x >= left && x < right && y >= top && y < bottom ? 255 : 0));
}
