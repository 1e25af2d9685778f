// The filter, run by a small interpreter of classic BPF: what it answers to which system call.
import { describe, expect } from "vitest";
import { seccompFilter } from "../../../src/sandbox/seccomp.ts";
import { verifies } from "../../verifies.ts";

const X86_64 = 0xc000003e;
const NAMES: Readonly<Record<number, string>> = {
  0x7fff0000: "allow",
  0x00050001: "EPERM",
  0x00050026: "ENOSYS",
  0x80000000: "kill",
};

/** Runs the program on one struct seccomp_data, as the kernel would. */
function decide(number: number, first = 0, arch = X86_64): string {
  const program = seccompFilter("x64");
  if (program === undefined) throw new Error("no filter");
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  data.writeUInt32LE(first, 16);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const [yes, no] = [program.readUInt8(at + 2), program.readUInt8(at + 3)];
    const operand = program.readUInt32LE(at + 4);
    const jump = (holds: boolean): number => (holds ? yes : no) * 8;
    switch (program.readUInt16LE(at)) {
      case 0x20:
        accumulator = data.readUInt32LE(operand);
        break;
      case 0x15:
        at += jump(accumulator === operand);
        break;
      case 0x25:
        at += jump(accumulator > operand);
        break;
      case 0x45:
        at += jump((accumulator & operand) !== 0);
        break;
      case 0x06:
        return NAMES[operand] ?? String(operand);
      default:
        throw new Error("an instruction that the filter should not have");
    }
  }
  throw new Error("the program ends without an answer");
}

describe("the seccomp filter", () => {
  verifies("sandbox.levels", "it lets through what Node needs", () => {
    // read write close mmap futex exit_group openat epoll_wait execve brk getrandom
    for (const number of [0, 1, 3, 9, 202, 231, 257, 232, 59, 12, 318]) {
      expect(decide(number)).toBe("allow");
    }
  });

  verifies(
    "sandbox.levels",
    "it refuses sockets, processes, mounts, keys and kernel programs",
    () => {
      // socket connect bind ptrace fork unshare setns mount keyctl bpf init_module memfd_create
      for (const number of [41, 42, 49, 101, 57, 272, 308, 165, 250, 321, 175, 319]) {
        expect(decide(number)).toBe("EPERM");
      }
    },
  );

  verifies(
    "sandbox.levels",
    "a clone may be a thread and nothing else; clone3 is not there",
    () => {
      const [CLONE, CLONE3, THREAD, SIGCHLD] = [56, 435, 0x00010000, 17];
      expect(decide(CLONE, THREAD | 0x100)).toBe("allow");
      expect(decide(CLONE, SIGCHLD)).toBe("EPERM");
      expect(decide(CLONE, 0)).toBe("EPERM");
      expect(decide(CLONE3, THREAD)).toBe("ENOSYS");
    },
  );

  verifies("sandbox.levels", "io_uring, later calls and the x32 architecture are not there", () => {
    for (const number of [425, 426, 427, 463, 999, 0x40000000, 0x40000029, 0xffffffff]) {
      expect(decide(number)).toBe("ENOSYS");
    }
  });

  verifies("sandbox.levels", "a call of another architecture ends the process", () => {
    for (const arch of [0x40000003, 0xc00000b7, 0]) expect(decide(0, 0, arch)).toBe("kill");
  });

  verifies(
    "sandbox.levels",
    "an architecture without a filter has none, rather than a wrong one",
    () => {
      expect(seccompFilter("arm64")).toBeUndefined();
    },
  );
});
