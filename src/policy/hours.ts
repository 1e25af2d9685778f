// Time windows of rules, in a named time zone, so that summer time is the zone's own affair.
import type { HoursFile } from "../config/rules.ts";

export interface Hours {
  contains(now_ms: number): boolean;
  /** As an agent is told. */
  readonly text: string;
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** Nothing where this machine knows no such zone. */
export function compileHours({ days, from, to, zone }: HoursFile): Hours | undefined {
  const format = formatFor(zone);
  if (format === undefined) return undefined;
  const open = new Set<string>(days);
  const [start, end] = [minutesOf(from), minutesOf(to)];
  const contains = (now_ms: number): boolean => {
    const { day, minute } = localTime(format, now_ms);
    if (start < end) return open.has(day) && minute >= start && minute < end;
    // Past midnight the window is the one of the day before.
    if (minute >= start) return open.has(day);
    return minute < end && open.has(dayBefore(day));
  };
  const when = days.length === DAYS.length ? "every day" : days.join(", ");
  return { contains, text: `from ${from} to ${to} (${zone}), ${when}` };
}

function formatFor(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    const parts = {
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    } as const;
    return new Intl.DateTimeFormat("en-US", { timeZone, ...parts });
  } catch {
    return undefined;
  }
}

function localTime(format: Intl.DateTimeFormat, now_ms: number) {
  const parts = new Map(format.formatToParts(now_ms).map(({ type, value }) => [type, value]));
  const day = (parts.get("weekday") ?? "").toLowerCase();
  return { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}

function minutesOf(time: string): number {
  const [hour, minute] = time.split(":").map(Number);
  return (hour ?? 0) * 60 + (minute ?? 0);
}

function dayBefore(day: string): string {
  return DAYS[(DAYS.indexOf(day) + DAYS.length - 1) % DAYS.length] ?? "";
}
