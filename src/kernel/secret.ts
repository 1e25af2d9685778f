// Secret: a value that cannot be printed, logged or serialised by accident (DESIGN section 1).
import { hash } from "node:crypto";

const REDACTED = "[redacted]";
const values = new WeakMap<Secret, string>();

/**
 * Holds a credential outside the reach of `JSON.stringify`, template strings and `inspect`:
 * the value lives in a WeakMap, so that not even a spread copies it.
 */
export class Secret {
  constructor(value: string) {
    values.set(this, value);
  }

  /** The value itself. Called where it is sent or verified, nowhere else. */
  reveal(): string {
    const value = values.get(this);
    if (value === undefined) throw new TypeError("this Secret was not made by its constructor");
    return value;
  }

  /** Lowercase hex SHA-256 of the value: a name for it that gives nothing away. */
  digest(): string {
    return hash("sha256", this.reveal(), "hex");
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
