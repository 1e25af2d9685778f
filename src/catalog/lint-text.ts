// The words of a tool, looked at before anybody approves them: a model reads each of them as if we
// had said it. What a reviewer cannot see is grave; what reads like an order is for his judgement.
// It knows what such attacks look like today, and proves nothing about a text that it lets pass.
import { piecesOf } from "../kernel/visible.ts";

export type TextRule =
  | "hidden_character"
  | "bidirectional_control"
  | "mixed_scripts"
  | "overrides_instructions"
  | "hides_from_user"
  | "orders_calls"
  | "speaks_as_system"
  | "speaks_as_user"
  | "asks_for_secrets"
  | "hidden_markup"
  | "encoded_text"
  | "foreign_address";

export interface TextFault {
  readonly rule: TextRule;
  /** Nobody can approve what he cannot see. */
  readonly grave: boolean;
  readonly said: string;
}

const QUOTED_CHARS_MAX = 60;

// A schema's keywords, and most names: they are most texts of a tool, and say nothing.
const WORD = /^[\w$-]{1,40}$/;

/** Every fault of one text; `origin` is the one that its tool reaches. */
export function lintText(text: string, origin: string | undefined): readonly TextFault[] {
  if (WORD.test(text)) return [];
  const plain = plainOf(text);
  const ordered = ORDERS.flatMap(({ rule, pattern }): TextFault[] => {
    const [found] = pattern.exec(plain) ?? [];
    return found === undefined ? [] : [warning(rule, `says ${quoted(found)}`)];
  });
  return [
    ...unseenIn(text),
    ...scriptsIn(text),
    ...ordered,
    ...markupIn(text),
    ...encodedIn(text),
    ...addressesIn(text, origin),
  ];
}

function warning(rule: TextRule, said: string): TextFault {
  return { rule, grave: false, said };
}

function quoted(text: string): string {
  const short = text.length > QUOTED_CHARS_MAX ? `${text.slice(0, QUOTED_CHARS_MAX)}…` : text;
  return JSON.stringify(short.trim());
}

// As a model reads it: one line, no case, no look-alikes of width, and nothing between the letters.
function plainOf(text: string): string {
  const bare = text.normalize("NFKC").replaceAll(/[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu, "");
  return bare
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll(/[\s*`]+/g, " ");
}

// What is hidden elsewhere and has a place in honest text: an emoji's parts and style, the joiners
// of Arabic and Indic words, spaces of another width, and the line ends of Windows.
const HONEST = new RegExp(
  [
    String.raw`(?<=\p{Emoji})[\u{FE0E}\u{FE0F}]`,
    String.raw`(?<=\p{Extended_Pictographic}[\u{FE0F}\u{1F3FB}-\u{1F3FF}]?)\u{200D}(?=\p{Emoji})`,
    String.raw`(?<=[\p{Script=Arabic}\p{M}])[\u{200C}\u{200D}](?=[\p{Script=Arabic}\p{L}])`,
    String.raw`\p{Zs}`,
    String.raw`\r(?=\n)`,
    String.raw`\t`,
  ].join("|"),
  "gu",
);
const TURNING = /^U\+(?:061C|200E|200F|202[A-E]|206[6-9])$/;

function unseenIn(text: string): readonly TextFault[] {
  const hidden = piecesOf(text.replaceAll(HONEST, " ")).filter((piece) => piece.hidden);
  const [turning, unseen] = [true, false].map((turns) => [
    ...new Set(hidden.map((piece) => piece.text).filter((one) => TURNING.test(one) === turns)),
  ]);
  return [
    ...faultOf("bidirectional_control", turning, "turns the text around it with"),
    ...faultOf("hidden_character", unseen, "has what nobody sees:"),
  ];
}

const NAMED_MAX = 5;

function faultOf(rule: TextRule, found: readonly string[] = [], said: string): TextFault[] {
  if (found.length === 0) return [];
  const more = found.length > NAMED_MAX ? ` and ${found.length - NAMED_MAX} more` : "";
  return [{ rule, grave: true, said: `${said} ${found.slice(0, NAMED_MAX).join(", ")}${more}` }];
}

// Letters that stand for one another on a screen; signs of units (µ, Ω) stand beside Latin ones.
const ALIKE = ["Latin", "Cyrillic", "Greek", "Armenian", "Cherokee"].map(
  (name) => new RegExp(String.raw`\p{Script=${name}}`, "u"),
);
const UNITS = /[\u{B5}\u{2126}\u{3A9}\u{3BC}\u{3C0}\u{394}]/gu;

function scriptsIn(text: string): readonly TextFault[] {
  const words = text.replaceAll(UNITS, "").match(/[\p{L}\p{M}]+/gu) ?? [];
  const mixed = words.find((word) => ALIKE.filter((script) => script.test(word)).length > 1);
  if (mixed === undefined) return [];
  return [warning("mixed_scripts", `mixes alphabets in ${quoted(mixed)}`)];
}

interface Order {
  readonly rule: TextRule;
  /** Over plain text; bounded, so that no text makes it slow. */
  readonly pattern: RegExp;
}

const THE_USER = "(?:user|human|person|customer|operator|anyone|anybody|them|him|her)";
const INSTRUCTIONS =
  "(?:instructions?|rules|prompts?|guidelines|directions|directives|guardrails|polic(?:y|ies)|" +
  "messages|context|training)";
const TOOLS = "(?:tools?|functions?)";
// What honest texts ask their readers for.
const READ =
  "(?:see|refer|note|review|specify|make|ensure|check|wait|contact|visit|read|use|do|be)";

const order = (rule: TextRule, ...alternatives: readonly string[]): Order => ({
  rule,
  pattern: new RegExp(alternatives.join("|")),
});

const ORDERS: readonly Order[] = [
  order(
    "overrides_instructions",
    String.raw`\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|override|overrule|bypass|discard)\b` +
      String.raw`[^.;]{0,30}\b(?:previous|prior|above|earlier|preceding|system|developer|other|` +
      String.raw`your|safety|all)\b[^.;]{0,20}\b${INSTRUCTIONS}\b`,
    String.raw`\b(?:follow|adhere to|obey|new) (?:only )?(?:these|this|the following|my|secret) ` +
      String.raw`(?:new )?instructions?\b`,
  ),
  order(
    "hides_from_user",
    String.raw`\b(?:(?:do|must|should|shall) not|don't|mustn't|never|avoid|without)\b[^.;]{0,20}` +
      String.raw`\b(?:tell|mention|inform|reveal|disclos|show|notify|alert|warn|ask|explain|` +
      String.raw`report|let)(?:e|ing)?\b[^.;]{0,30}\b${THE_USER}\b`,
    String.raw`\b(?:secretly|covertly|behind the scenes)\b`,
    String.raw`\b(?:keep|remains?) (?:this |it )?(?:a )?secret\b`,
    String.raw`\bsilently (?:send|read|forward|call|copy|include)\b`,
  ),
  order(
    "orders_calls",
    String.raw`\b(?:always|must|never|instead|first)[ ,]+(?:also |then )?` +
      String.raw`(?:call|use|invoke|run)\b[^.;]{0,40}\b${TOOLS}\b`,
    String.raw`\b(?:before|after|whenever|when) (?:you )?(?:call|us|invok|runn?)(?:e|ing)? ` +
      String.raw`(?:this|any|other|another|all)\b[^.;]{0,20}\b${TOOLS}\b`,
  ),
  order(
    "speaks_as_system",
    String.raw`<\|[a-z_ ]{2,20}\|>`,
    String.raw`\[/?inst\]`,
    String.raw`\b(?:system prompt|as an ai|you are now|dear (?:ai|model|assistant))\b`,
    String.raw`\byou are an? (?:ai|assistant|agent)\b`,
    String.raw`\b(?:important|attention|urgent|warning) ?!{2,}`,
    String.raw`\b(?:llm|ai|model|assistant|agent)s? (?:must|should always)\b`,
  ),
  order(
    "speaks_as_user",
    String.raw`(?<![/'"-])\b(?:my|i'm|i am|i want|i need)\b(?!['"-])`,
    String.raw`\b(?:to|with|for|give) me\b`,
    String.raw`(?:^|[.!?:] )please (?!${READ}\b)\w+`,
  ),
  order(
    "asks_for_secrets",
    String.raw`~/\.|/etc/(?:passwd|shadow)\b|/proc/self\b|\.ssh\b|\.aws\b`,
    String.raw`\bid_rsa\b|\bmcp\.json\b|(?:^|[ "'(/])\.env\b`,
    String.raw`\b(?:pass|send|put|append|copy|attach|forward|leak|include)(?:ing)?\b[^.;]{0,40}` +
      String.raw`\b(?:conversations?|chat|your instructions|credentials|private keys?|` +
      String.raw`contents? of (?:the |this |that )?files?)\b`,
  ),
];

// Comments, images that are fetched, tags that no page knows, and lines of a transcript.
const MARKUP = new RegExp(
  [
    "<!--",
    String.raw`</?(?:script|style|iframe|important|instructions?|system|secret|hidden|thinking)\b`,
    String.raw`!\[[^\]]{0,200}\]\((?!:)`,
    String.raw`^\[//\]: `,
    String.raw`^\s{0,8}(?:system|assistant|developer|human) ?:`,
    String.raw`\bdata:[a-z]+/[a-z0-9.+-]+[;,]`,
    String.raw`\bjavascript:`,
  ].join("|"),
  "im",
);

function markupIn(text: string): readonly TextFault[] {
  const [found] = MARKUP.exec(text) ?? [];
  return found === undefined
    ? []
    : [warning("hidden_markup", `has ${quoted(found)}, which a page would not show`)];
}

// Long runs that no person reads; the digest of an example has 64 digits at most.
const ENCODED = new RegExp(
  String.raw`(?<![\w/+])(?=\S{0,400}\d)(?=\S{0,400}[A-Za-z])[A-Za-z0-9+/_]{65,}` +
    String.raw`|(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|&#x?[0-9a-f]{2,6};){6}`,
  "i",
);

function encodedIn(text: string): readonly TextFault[] {
  const [found] = ENCODED.exec(text) ?? [];
  if (found === undefined) return [];
  return [warning("encoded_text", `has ${quoted(found.slice(0, 24))}, which no person can read`)];
}

// RFC 2606: names that are nobody's.
const NOBODYS = /(?:^|\.)(?:example(?:\.(?:com|org|net))?|test|invalid|localhost)$/i;
const ADDRESS = new RegExp(
  String.raw`\b(?:https?|wss?|ftp)://([^\s/?#"'<>()[\]]+)` +
    String.raw`|\b[\w.+-]{1,64}@([a-z0-9-]+(?:\.[a-z0-9-]+)+)\b`,
  "gi",
);

function addressesIn(text: string, origin: string | undefined): readonly TextFault[] {
  const own = origin === undefined ? undefined : new URL(origin).host;
  const foreign = [...text.matchAll(ADDRESS)].find(([, host, domain = ""]) => {
    const named = (host ?? domain).toLowerCase().replace(/[.,;:]+$/, "");
    return named !== own && !NOBODYS.test(named.replace(/:\d+$/, ""));
  });
  if (foreign === undefined) return [];
  return [warning("foreign_address", `names ${quoted(foreign[0])}, which is not its connector's`)];
}
