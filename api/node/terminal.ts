/**
 * A text as a terminal may be given it: control characters, with which a text could steer the terminal, and bidirectional controls, with
 * which it could look like another, are replaced by U+FFFD. Line feeds and tabs stay.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, "\ufffd");
}
