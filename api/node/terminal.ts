/**
 * Makes a text safe for a terminal. Replaces control characters, which could control the terminal, and bidirectional controls, which could
 * disguise the text, by U+FFFD. Keeps line feeds and tabs.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, "\ufffd");
}

/** JSON of a value for a terminal, with all control characters and bidirectional controls escaped. */
export function printableJson(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, 2).replaceAll(/[\u007f-\u009f]|\p{Bidi_Control}/gu, escaped);
}
