/** Hears of a mistake in a file: where, what, and how to mend it. */
export type Complain = (pointer: string, message: string, mend: string) => void;
