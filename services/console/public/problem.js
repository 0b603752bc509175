/**
 * Why an answer is not 2xx, as one line: the problem's detail (RFC 9457) where there is one.
 *
 * @param {Response} response its body is read
 * @returns {Promise<string>}
 */
export async function problemText(response) {
  const text = await response.text().catch(() => '');
  try {
    const problem = JSON.parse(text);
    const what = problem.detail || problem.title;
    if (typeof what === 'string') return `${what}${problem.code ? ` (${problem.code})` : ''}`;
  } catch {
    // Not JSON: the status has to do.
  }
  return response.statusText || 'the answer does not say why';
}
