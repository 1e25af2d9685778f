// The anchors that the configuration names.
import { dirname, resolve } from "node:path";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import { createFileAnchor } from "./anchor-file.ts";
import { createHttpAnchor } from "./anchor-http.ts";
import { createSyslogAnchor } from "./anchor-syslog.ts";
import type { Anchor } from "./anchor.ts";

export function createAnchors(config: Config, clock: Clock): readonly Anchor[] {
  return config.ledger.anchors.map((anchor, i) => {
    switch (anchor.kind) {
      case "file":
        return createFileAnchor(resolve(dirname(config.file), anchor.path));
      case "http": {
        const authorization = config.anchor_secrets.get(i);
        return createHttpAnchor({
          url: anchor.url,
          ...(authorization === undefined ? {} : { authorization }),
        });
      }
      case "syslog":
        return createSyslogAnchor({ ...anchor, clock });
    }
  });
}
