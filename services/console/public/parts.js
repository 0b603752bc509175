/**
 * The element that carries `data-part="name"` under `root`.
 *
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} name
 * @param {new () => T} type the class that the element must be of
 * @returns {T}
 * @throws {Error} when the page has no such part: the markup and the modules have come apart
 */
export function part(root, name, type) {
  const found = root.querySelector(`[data-part="${name}"]`);
  if (found instanceof type) return found;
  throw new Error(`the page has no part "${name}"`);
}

/**
 * A fresh copy of the first element in the template `id`.
 *
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} when there is no such template
 */
export function copyOf(id) {
  const template = document.getElementById(id);
  const first = template instanceof HTMLTemplateElement ? template.content.firstElementChild : null;
  if (first instanceof HTMLElement) return /** @type {HTMLElement} */ (first.cloneNode(true));
  throw new Error(`the page has no template "${id}"`);
}
