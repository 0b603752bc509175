const WIDTH = 240;
const HEIGHT = 36;

/**
 * The path of a filled line through `values`, in a box of 240 × 36. The scale follows the highest value, and never goes
 * below 4, so that a lone message is a small bump and not a mountain.
 *
 * @param {readonly number[]} values
 */
export function sparkline(values) {
  const top = Math.max(4, ...values);
  const step = WIDTH / (values.length - 1);
  const points = values.map((value, at) => `${round(at * step)} ${round(HEIGHT - 1 - (value / top) * (HEIGHT - 4))}`);
  return { line: `M${points.join('L')}`, area: `M0 ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}Z` };
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
