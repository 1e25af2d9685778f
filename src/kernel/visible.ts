// Text of others, for a human who decides by it: what has no shape of its own on a screen, or moves
// what stands around it, is shown by its number.

const ALTERNATIVES = [
  // Controls, formats (bidirectional ones among them), lone surrogates, private and unassigned
  // characters; what is ignored where it cannot be shown; line ends that are none; braille's blank.
  String.raw`(?!\n)[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u{2800}]`,
  // Spaces that are not the space.
  String.raw`(?! )\p{Zs}`,
  // More marks on one letter than a language puts there: they reach into other lines.
  String.raw`(?<=\p{M}{4})\p{M}`,
];
const HIDDEN = new RegExp(`(${ALTERNATIVES.join("|")})`, "u");

export interface Piece {
  /** As it stands, or the number of one hidden character: `U+202E`. */
  readonly text: string;
  readonly hidden: boolean;
}

export function piecesOf(text: string): readonly Piece[] {
  // Every second part is one that `HIDDEN` matched.
  return text.split(HIDDEN).map((part, i) => {
    return i % 2 === 0 ? { text: part, hidden: false } : { text: numberOf(part), hidden: true };
  });
}

/** In one line of text, where there is no other way to mark it. */
export function visibleText(text: string): string {
  return piecesOf(text)
    .map(({ text: part, hidden }) => (hidden ? `<${part}>` : part))
    .join("");
}

function numberOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
