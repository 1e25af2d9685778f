// A local MCP server of one of our sessions: a process in the jail, which starts when its tools are
// first looked at. It gets no token: there is nothing that it could reach with one.
import { refusal } from "../../kernel/errors.ts";
import type { Seat } from "./servers.ts";
import type { StdioServer } from "./stdio-server.ts";
import type { UpstreamAnswer, UpstreamMcp, UpstreamTurn } from "./upstream.ts";
import { listPages, resultIn } from "./messages.ts";
import type { Json } from "./messages.ts";

/** The seat, as the gate speaks to it. `name` is the connector's, for the record. */
export function stdioUpstream(seat: Seat, name: string): UpstreamMcp {
  const url = `stdio:${name}`;
  return {
    list: (turn) =>
      seat.use(async () => {
        const signal = endOf(turn);
        const server = await seat.started(signal);
        if (!server.ok) return { ok: false, refusal: server.refusal, sent: false };
        const asking = { server: server.value, signal, url };
        return listPages(turn, (params, left) =>
          ask({ ...asking, turn: left }, "tools/list", params),
        );
      }),
    call: (tool, args, turn) =>
      seat.use(async () => {
        const server = seat.running;
        // What it was told before is lost with it, and who asks does not know that yet.
        if (server === undefined) return { ok: false, refusal: over(), sent: false, gone: true };
        const params = { name: tool, arguments: args };
        const answer = await ask({ server, signal: endOf(turn), url, turn }, "tools/call", params);
        return answer.ok ? resultIn(answer.value) : answer;
      }),
    close: () => seat.close(),
  };
}

interface Asking {
  readonly server: StdioServer;
  readonly signal: AbortSignal;
  readonly url: string;
  readonly turn: UpstreamTurn;
}

function endOf({ signals, left_ms }: UpstreamTurn): AbortSignal {
  return AbortSignal.any([...signals, AbortSignal.timeout(Math.max(0, Math.ceil(left_ms())))]);
}

async function ask(asking: Asking, method: string, params: Json): Promise<UpstreamAnswer<Json>> {
  const { server, signal, url, turn } = asking;
  turn.note()({ method, url, request_id: turn.call_id });
  turn.moved(Buffer.byteLength(JSON.stringify(params)));
  const answer = await server.ask(method, params, signal);
  if (!answer.ok) {
    const { sent } = answer;
    return { ok: false, refusal: answer.refusal, sent, ...(server.alive ? {} : { gone: true }) };
  }
  turn.moved(answer.bytes);
  if (answer.bytes <= turn.bytes_max) return { ok: true, value: answer.result };
  const reason = `The answer is larger than ${turn.bytes_max} bytes.`;
  return { ok: false, refusal: refusal("downstream_error", { reason }), sent: true };
}

function over() {
  const reason = "The MCP server's process has ended, and with it what it was told.";
  return refusal("downstream_unavailable", { reason, retry_after_ms: 1000 });
}
