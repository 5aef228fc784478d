// The figures behind a plot.

/** @typedef {{name: string, values: number[]}} Series */

/** The next round number whose half is round as well. @param {number} value */
export function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [1, 2, 3, 4, 6, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return Math.max(2, found * power);
}

/**
 * The largest series, and the others as one.
 * @param {Map<string, number[]>} found by name @param {number} most @param {string} others @returns {Series[]}
 */
export function largest(found, most, others) {
  const sum = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0);
  const sorted = [...found].map(([name, values]) => ({ name, values })).filter((one) => sum(one.values)).sort((a, b) => sum(b.values) - sum(a.values));
  if (sorted.length <= most) return sorted;
  const rest = sorted.slice(most - 1);
  const values = rest[0].values.map((_, at) => rest.reduce((total, one) => total + one.values[at], 0));
  return [...sorted.slice(0, most - 1), { name: others, values }];
}
