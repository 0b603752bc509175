const ID = /^(\d+)-(\d+)$/;

/**
 * True when the message id `a` was given after `b`, both of one channel.
 * Clients need not understand ids; this page looks into them to prove that nothing came twice or in the wrong order.
 * Two ids of another form than `<milliseconds>-<sequence>` only have to differ.
 *
 * @param {string} a
 * @param {string} b
 */
export function isAfter(a, b) {
  const left = ID.exec(a);
  const right = ID.exec(b);
  if (left === null || right === null) return a !== b;
  return (byDigits(left[1], right[1]) || byDigits(left[2], right[2])) > 0;
}

/**
 * Orders two numbers by their digits, which 64 bits need: a JavaScript number would round them.
 *
 * @param {string} a
 * @param {string} b
 */
function byDigits(a = '', b = '') {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
