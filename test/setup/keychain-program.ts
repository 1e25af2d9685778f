// Puts a key into the keychain of whatever session it runs in, and says what it gets back.
import { findKeychain } from "../../src/cli/keychain.ts";

const keychain = findKeychain();
const before = keychain?.get() ?? null;
const kept = keychain?.set("a-key-of-the-test");
console.log(JSON.stringify({ name: keychain?.name ?? null, before, kept, after: keychain?.get() }));
