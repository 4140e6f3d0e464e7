import { find } from "./elements.ts";

interface Question {
  readonly title: string;
  readonly text?: string;
  /** Label of the confirming button. */
  readonly action: string;
  /** Label of the other button. Default `Cancel`. */
  readonly refusal?: string;
  /** Asks for a name too; its initial value. */
  readonly name?: string;
}

/** Asks the visitor. Resolves to the name (empty when none is requested), or to null when the visitor refuses. */
export function askVisitor({ title, text = "", action, refusal = "Cancel", name }: Question): Promise<string | null> {
  const dialog = find("#ask", HTMLDialogElement);
  const form = find("form", HTMLFormElement, dialog);
  const input = find("input", HTMLInputElement, dialog);
  find("h2", HTMLElement, dialog).textContent = title;
  const explanation = find("#ask-text", HTMLElement, dialog);
  explanation.textContent = text;
  explanation.hidden = text === "";
  find(".yes", HTMLElement, dialog).textContent = action;
  find(".no", HTMLElement, dialog).textContent = refusal;
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
