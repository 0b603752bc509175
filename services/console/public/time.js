/**
 * A time for people: of the day, with the date where it is another day.
 *
 * @param {number} at milliseconds as of Date.now
 * @param {number} now
 */
export function timeOf(at, now) {
  const date = new Date(at);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return date.toDateString() === new Date(now).toDateString() ? time : `${day} ${time}`;
}

/** @param {number} n */
function two(n) {
  return String(n).padStart(2, '0');
}
