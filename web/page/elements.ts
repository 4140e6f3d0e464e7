/** The element of a document that is known to have it: see index.html. Throws when it has not. */
export function find<E extends Element>(selector: string, type: abstract new () => E, within: ParentNode = document): E {
  const element = within.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} ${selector}`);
  return element;
}

/** A new element with a class and children. Text goes in as text, never as markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function makeButton(className: string, text: string, onClick: () => void): HTMLButtonElement {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** Writes a text only when it is new: nothing is laid out again, nor read aloud twice. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Gives a select its options (value and text), and chooses one; leaves it alone while they are the same, for it may be open. */
export function offer(select: HTMLSelectElement, options: readonly (readonly [value: string, text: string])[], chosen: string): void {
  const same =
    select.length === options.length &&
    options.every(([value, text], i) => select.options[i]?.value === value && select.options[i].text === text);
  if (!same) select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (select.value !== chosen) select.value = chosen;
}
