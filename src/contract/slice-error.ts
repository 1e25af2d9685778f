// Why a slice cannot be cut: a name that programs read, and a sentence for people.

export type SliceErrorCode =
  | "not_openapi"
  | "operation_not_found"
  | "path_not_found"
  | "reference_not_found"
  | "reference_external"
  | "too_large"
  | "malformed";

export class SliceError extends Error {
  override readonly name = "SliceError";
  readonly code: SliceErrorCode;
  constructor(code: SliceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
