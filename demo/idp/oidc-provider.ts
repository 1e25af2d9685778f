/** oidc-provider, loaded without its notice that a current Node is not yet an LTS one. */

const { console } = globalThis;
const warn = console.warn.bind(console);

// The package says it at import, on stderr, where the demo's own words should stand alone.
console.warn = (first: unknown, ...rest: unknown[]) => {
  if (!String(first).includes("oidc-provider WARNING: Unsupported runtime")) warn(first, ...rest);
};
const loaded = await import("oidc-provider").finally(() => {
  console.warn = warn;
});

export const { Provider, errors, interactionPolicy } = loaded;
