// Server-sent events, read as they come: only what an MCP server's answer needs of them.
// @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

/** Takes pieces of a stream; answers with the data of each event that is whole by then. */
export class EventStream {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });
  /** Of the line that is not whole yet: looked at once each. */
  private readonly rest: string[] = [];
  private readonly data: string[] = [];

  /** Throws where it is not UTF-8. */
  feed(piece: Uint8Array): readonly string[] {
    const text = this.decoder.decode(piece, { stream: true });
    if (text === "") return [];
    // A line that ends in CR may go on with the LF of the next piece.
    const isOpen = !/[\r\n]/.test(text) && !this.rest.at(-1)?.endsWith("\r");
    this.rest.push(text);
    if (isOpen) return [];
    const all = this.rest.splice(0).join("");
    const end = all.endsWith("\r") ? all.length - 1 : all.length;
    const lines = all.slice(0, end).split(/\r\n|\n|\r/);
    this.rest.push((lines.pop() ?? "") + all.slice(end));
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): readonly string[] {
    if (/^data(?::|$)/.test(line)) this.data.push(line.slice(5).replace(/^ /, ""));
    if (line !== "" || this.data.length === 0) return [];
    const data = this.data.splice(0).join("\n");
    // An event of nothing only says that the stream is there.
    return data === "" ? [] : [data];
  }
}
