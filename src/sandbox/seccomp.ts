// The seccomp filter of level `os`: a classic BPF program, written here so that no library of the
// machine decides what it holds. Refused calls answer EPERM; unknown ones ENOSYS, as an older
// kernel would; another architecture's calls end the process.
// @see Linux, Documentation/userspace-api/seccomp_filter.rst

const AUDIT_ARCH_X86_64 = 0xc000003e;
const CLONE_THREAD = 0x00010000;

/** Opcodes of linux/bpf_common.h, with the return values of linux/seccomp.h. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const JUMP_SET = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const KILL_PROCESS = 0x80000000;

/** Offsets into struct seccomp_data. */
const AT_NUMBER = 0;
const AT_ARCH = 4;
const AT_FIRST_ARGUMENT = 16;

/** x86-64's numbers, and only there (arch/x86/entry/syscalls/syscall_64.tbl). */
const CLONE = 56;
/** The last that was looked at when this list was made: what came later is not there. */
const LAST_KNOWN = 462;
const NOT_THERE = "clone3=435 io_uring_setup=425 io_uring_enter=426 io_uring_register=427";
const REFUSED = `
  No network and no sockets at all, since the worker has its two pipes:
    socket=41 connect=42 accept=43 sendto=44 sendmsg=46 bind=49 listen=50 socketpair=53
    accept4=288 sendmmsg=307
  No other process, and no look into one:
    fork=57 vfork=58 ptrace=101 process_vm_readv=310 process_vm_writev=311 kcmp=312
    pidfd_send_signal=424 pidfd_open=434 pidfd_getfd=438 process_madvise=440 process_mrelease=448
  No namespaces, mounts or roots:
    unshare=272 setns=308 mount=165 umount2=166 pivot_root=155 chroot=161 open_tree=428
    move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442
    statmount=457 listmount=458
  No keys, kernel programs, performance counters, or faults that the guest handles:
    add_key=248 request_key=249 keyctl=250 bpf=321 perf_event_open=298 userfaultfd=323
    fanotify_init=300 memfd_create=319 memfd_secret=447
  No way round path names:
    name_to_handle_at=303 open_by_handle_at=304 quotactl=179 quotactl_fd=443
  Nothing of the machine itself:
    init_module=175 delete_module=176 finit_module=313 kexec_load=246 kexec_file_load=320
    reboot=169 swapon=167 swapoff=168 acct=163 syslog=103 settimeofday=164 clock_settime=227
    adjtimex=159 clock_adjtime=305 sethostname=170 setdomainname=171 iopl=172 ioperm=173
    modify_ldt=154 personality=135 vhangup=153 nfsservctl=180 lookup_dcookie=212
  No memory that others share, or that has a place:
    shmget=29 shmat=30 semget=64 msgget=68 mq_open=240 vmsplice=278 mbind=237
    set_mempolicy=238 migrate_pages=256 move_pages=279 set_mempolicy_home_node=450
    map_shadow_stack=453
`;

function numbersIn(list: string): number[] {
  return [...list.matchAll(/\w+=(\d+)/g)].map((match) => Number(match[1]));
}

interface Jump {
  readonly code: number;
  readonly value: number;
  /** Where it goes if so; otherwise on to the next instruction. */
  readonly to: "eperm" | "enosys";
}

/** The filter for this machine; nothing where there is none for its architecture. */
export function seccompFilter(arch: string = process.arch): Buffer | undefined {
  return arch === "x64" ? assemble() : undefined;
}

function assemble(): Buffer {
  const equal = (value: number, to: Jump["to"]): Jump => ({ code: JUMP_EQUAL, value, to });
  const byNumber: Jump[] = [
    // Above the last known stand the calls of the x32 architecture too.
    { code: JUMP_GREATER, value: LAST_KNOWN, to: "enosys" },
    ...numbersIn(NOT_THERE).map((number) => equal(number, "enosys")),
    ...numbersIn(REFUSED).map((number) => equal(number, "eperm")),
  ];
  const head: Instruction[] = [
    [LOAD, 0, 0, AT_ARCH],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH_X86_64],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, AT_NUMBER],
  ];
  // A thread is a clone of this process; any other clone would be another process.
  const clone: Instruction[] = [
    [JUMP_EQUAL, 0, 3, CLONE],
    [LOAD, 0, 0, AT_FIRST_ARGUMENT],
    [JUMP_SET, 1, 0, CLONE_THREAD],
    [RETURN, 0, 0, EPERM],
  ];
  const ends = { eperm: 1, enosys: 2 } as const;
  const jumps = byNumber.map(({ code, value, to }, i): Instruction => {
    const past = byNumber.length - i - 1 + clone.length + ends[to];
    return [code, past, 0, value];
  });
  const tail: Instruction[] = [
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, EPERM],
    [RETURN, 0, 0, ENOSYS],
  ];
  return encode([...head, ...jumps, ...clone, ...tail]);
}

/** struct sock_filter: the operation, how far to jump if true and if false, an operand. */
type Instruction = [code: number, yes: number, no: number, operand: number];

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, yes, no, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(yes, i * 8 + 2);
    bytes.writeUInt8(no, i * 8 + 3);
    bytes.writeUInt32LE(operand, i * 8 + 4);
  }
  return bytes;
}
