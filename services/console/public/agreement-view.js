/** The two sides are never told apart by the moment in which a message is on its way to the second. */
const PATIENCE_MILLISECONDS = 400;

const number = new Intl.NumberFormat('en');

/**
 * @typedef {import('./agreement.js').Verdict} Verdict
 * @typedef {'idle' | 'waiting' | 'in-step' | 'behind' | 'differ'} Standing
 */

/** Says in a few words whether both transports deliver the same. */
export class AgreementView {
  #element;
  #inStepAt = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /**
   * @param {Verdict} verdict
   * @param {boolean} both whether both transports are in use
   */
  show(verdict, both) {
    const now = performance.now();
    if (verdict.behind === 0) this.#inStepAt = now;
    const late = now - this.#inStepAt > PATIENCE_MILLISECONDS;
    const { standing, text } = judge(verdict, both, late);
    if (this.#element.textContent === text) return;
    this.#element.textContent = text;
    this.#element.dataset.standing = standing;
  }
}

/**
 * @param {Verdict} verdict
 * @param {boolean} both
 * @param {boolean} late
 * @returns {{ standing: Standing, text: string }}
 */
function judge({ compared, behind, ahead, differing }, both, late) {
  if (differing > 0)
    return { standing: 'differ', text: `${number.format(differing)} on one side only, of ${number.format(compared)}` };
  if (!both && compared === 0) return { standing: 'idle', text: 'Connect both to compare them' };
  if (compared === 0) return { standing: 'waiting', text: 'Nothing to compare yet' };
  if (behind > 0 && late) {
    const who = ahead === undefined ? 'One side' : ahead === 'sse' ? 'WebSocket' : 'SSE';
    return { standing: 'behind', text: `${who} is ${number.format(behind)} behind` };
  }
  return { standing: 'in-step', text: `In step: ${number.format(compared)} messages, the same on both` };
}
