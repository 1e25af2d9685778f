// Limits that the kernel holds a worker to, whoever looks: set by a shell that becomes the program.
const ADDRESS_SPACE_KIB = 4 * 1024 * 1024;
const OPEN_FILES_MAX = 64;
/** For a worker whose host is gone and that does not notice: a loop ends by itself. */
const CPU_S_MAX = 600;

/** The command, under `ulimit`; as it is where there is no such shell. */
export function limited(command: readonly string[]): [program: string, ...args: string[]] {
  const [program = "", ...args] = command;
  if (process.platform !== "linux") return [program, ...args];
  const limits = [
    // No memory on disk, and no file grows.
    "ulimit -c 0",
    "ulimit -f 0",
    `ulimit -v ${ADDRESS_SPACE_KIB}`,
    `ulimit -n ${OPEN_FILES_MAX}`,
    `ulimit -t ${CPU_S_MAX}`,
  ];
  return ["/bin/sh", "-c", `${limits.join(" && ")} && exec "$@"`, "sh", ...command];
}
