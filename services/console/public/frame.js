/**
 * Makes a function that asks for `paint` to run once in the next animation frame, however often it is called before.
 * In a hidden tab no frame comes, so nothing is painted until the tab is shown.
 *
 * @param {() => void} paint
 * @param {() => number} [pauseMilliseconds] how long to wait before asking for the frame; 0 when left out
 * @returns {() => void}
 */
export function oncePerFrame(paint, pauseMilliseconds = () => 0) {
  let asked = false;
  const ask = () =>
    requestAnimationFrame(() => {
      asked = false;
      paint();
    });
  return () => {
    if (asked) return;
    asked = true;
    const pause = pauseMilliseconds();
    if (pause > 0) setTimeout(ask, pause);
    else ask();
  };
}
