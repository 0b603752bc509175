const PAUSE_MILLISECONDS = 700;
const MAX_SENTENCES = 4;

/**
 * Says to screen readers, politely, what has changed. Sentences that come close together are said as one, and of many
 * only the newest.
 *
 * @param {HTMLElement} region an element with `role="status"`
 * @returns {(sentence: string) => void}
 */
export function announcer(region) {
  /** @type {string[]} */
  let sentences = [];
  const say = () => {
    region.textContent = sentences.slice(-MAX_SENTENCES).join('. ');
    sentences = [];
  };
  return (sentence) => {
    if (sentences.length === 0) setTimeout(say, PAUSE_MILLISECONDS);
    if (sentences.length > MAX_SENTENCES) sentences.shift();
    sentences.push(sentence);
  };
}
