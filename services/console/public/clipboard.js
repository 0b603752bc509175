const SAID_MILLISECONDS = 1_500;

/**
 * Copies a text and says so on the button for a moment. Away from HTTPS and localhost a browser has no clipboard to
 * give; the button then says that it did not work.
 *
 * @param {string} text
 * @param {HTMLButtonElement} button
 */
export async function copyText(text, button) {
  const label = button.dataset.label ?? button.textContent ?? '';
  button.dataset.label = label;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed here';
  }
  setTimeout(() => {
    button.textContent = label;
  }, SAID_MILLISECONDS);
}
