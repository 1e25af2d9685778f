// One promise: the home of its sentence (DESIGN, INTERFACE, or the issue that asked: I2 …), and it.

export interface Requirement {
  readonly source: string;
  readonly behavior: string;
}
