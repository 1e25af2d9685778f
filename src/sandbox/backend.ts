// IsolationBackend: how a process is started where it can do little. Only bytes cross it, so that a
// container or a virtual machine on another host fits as well as a child of our own.
import type { Readable, Writable } from "node:stream";

/** What isolation a worker has (DESIGN section 2). `external` claims what `os` claims. */
export type Level = "process" | "os" | "external";

export interface Usage {
  readonly rss_bytes: number;
  readonly cpu_ms: number;
}

export interface WorkerSpec {
  /** The stage: all that the worker may read. */
  readonly folder: string;
  /** The program, relative to the folder. */
  readonly entry: string;
  /** The words after it. */
  readonly args?: readonly string[];
  readonly heap_mib_max: number;
  /**
   * Whether Node's own checks are on. Where not, the jail holds alone: so it is for MCP servers,
   * and for the probe, which must find it tight like that.
   */
  readonly permission: boolean;
}

export interface IsolatedProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when it is gone, with how. Never rejects. */
  readonly exited: Promise<string>;
  /** What it has used; nothing where the system does not say, or it is gone. */
  usage(): Usage | undefined;
  /** At once and for good; it cannot be asked to leave. */
  kill(): void;
}

export interface IsolationBackend {
  readonly level: Level;
  /** Whether `usage` ever answers: where not, memory and CPU are the backend's own to bound. */
  readonly measured: boolean;
  /** All that a worker may find in `/`; unset where only the operator knows. */
  readonly root?: readonly string[];
  spawn(spec: WorkerSpec): IsolatedProcess;
}

/** A level that was asked for cannot be had. Nothing runs at a lower one instead. */
export class IsolationUnavailable extends Error {
  override readonly name = "IsolationUnavailable";
}
