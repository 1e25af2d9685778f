/** How the SaaS says no. */

/** A refusal the API makes on purpose. */
export class ApiError extends Error {
  readonly status: number;
  readonly error: string;
  readonly field: string | undefined;
  constructor(status: number, error: string, message: string, field?: string) {
    super(message);
    this.status = status;
    this.error = error;
    this.field = field;
  }
}

export function notFound(what: string): ApiError {
  return new ApiError(404, "not_found", `There is no such ${what}.`);
}
