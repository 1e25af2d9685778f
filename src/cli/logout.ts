// `logout`: the sign-in goes, here at once, and at the provider.
import { end } from "./login.ts";
import { EXIT, note, print, printJson } from "./output.ts";
import { SignIns } from "./sign-ins.ts";
import type { StoredSignIn } from "./sign-ins.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const logout: Verb = {
  name: "logout",
  usage: "logout",
  summary: "end every sign-in of this machine, here and at the provider",
  async run(given) {
    wordsOf(logout, given);
    const gone: StoredSignIn[] = [];
    await new SignIns().change((before) => {
      gone.push(...before);
      return [];
    });
    const told = await Promise.all(gone.map(end));
    if (given.flag("json")) printJson({ ended: gone.length, told: told.filter(Boolean).length });
    else print(gone.length === 0 ? "nobody was signed in" : `signed out (${gone.length})`);
    if (!told.includes(false)) return EXIT.ok;
    note("a provider could not be told; its refresh token is gone from here all the same");
    return EXIT.no;
  },
};
