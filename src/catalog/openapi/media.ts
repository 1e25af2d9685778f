// Media types: which of those that an operation takes or gives are JSON, or a form.

export function isJsonType(type: string): boolean {
  return /^(?:application|text)\/(?:[\w.+-]+\+)?json\b|^\*\/\*|^application\/\*/i.test(type);
}

export function isFormType(type: string): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(type);
}

/** What the broker says of a body that it sends. */
export function isPlainJson(type: string): boolean {
  return /^(?:application\/json|application\/\*|\*\/\*)(?:\s*;|$)/i.test(type);
}
