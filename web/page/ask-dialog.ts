import { find } from "./elements.ts";

interface Question {
  readonly title: string;
  readonly text?: string;
  /** What the button says that does it. */
  readonly action: string;
  /** A name is asked for too, and this is what it has been so far. */
  readonly name?: string;
}

/** Asks the visitor. Resolves to the name (an empty text where none is asked for), or to null when it is not to be done. */
export function askVisitor({ title, text = "", action, name }: Question): Promise<string | null> {
  const dialog = find("#ask", HTMLDialogElement);
  const form = find("form", HTMLFormElement, dialog);
  const input = find("input", HTMLInputElement, dialog);
  find("h2", HTMLElement, dialog).textContent = title;
  const explanation = find("#ask-text", HTMLElement, dialog);
  explanation.textContent = text;
  explanation.hidden = text === "";
  find(".yes", HTMLElement, dialog).textContent = action;
  input.hidden = name === undefined;
  input.required = name !== undefined;
  input.value = name ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  if (name === undefined) find(".no", HTMLElement, dialog).focus();
  else input.select();

  return new Promise((resolve) => {
    const finish = (event: SubmitEvent) => {
      if (input.required && input.value.trim() === "") {
        event.preventDefault();
        input.value = "";
        input.reportValidity();
      }
    };
    const cancel = () => dialog.close("");
    form.addEventListener("submit", finish);
    find(".no", HTMLElement, dialog).addEventListener("click", cancel, { once: true });
    dialog.addEventListener(
      "close",
      () => {
        form.removeEventListener("submit", finish);
        find(".no", HTMLElement, dialog).removeEventListener("click", cancel);
        resolve(dialog.returnValue === "yes" ? input.value.trim() : null);
      },
      { once: true },
    );
  });
}
