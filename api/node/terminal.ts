/**
 * Makes a text safe for a terminal. Replaces control characters, which could control the terminal, and bidirectional controls, which could
 * disguise the text, by U+FFFD. Keeps line feeds and tabs.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, "\ufffd");
}
