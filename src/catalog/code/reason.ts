// What of a service's source could not be read: a code that scripts may rely on, where, and words.
// docs/import-code.md lists them. What is neither an operation nor one of these is a defect.

export const UNREAD = {
  // A file.
  file_unparsable: "it is not TypeScript or JavaScript as the parser knows it",
  file_too_large: "it is larger than a file that is read",
  file_too_deep: "it is nested deeper than what is read",
  too_much_code: "there is more code than what is read",
  too_many_steps: "reading on would take too long",
  module_unresolved: "it imports a file that is not there, or not read",
  module_computed: "which file it imports is computed",
  // A route, or several.
  path_computed: "its path is computed",
  path_regex: "its path is a regular expression",
  path_pattern: "its path is a pattern that stands for several",
  path_wildcard: "its path has a wildcard",
  method_computed: "its method is computed",
  method_any: "it answers any method",
  method_other: "its method is none that an OpenAPI document has",
  arguments_spread: "its arguments are spread from something that is computed",
  route_twice: "there is a route of this method and path already",
  // A router.
  prefix_computed: "the path that it is mounted at is computed",
  router_unmounted: "nothing that could be read mounts its router",
  mount_unknown: "what is mounted there is computed",
  mount_elsewhere: "what is mounted there is not part of this code",
  plugins_from_folder: "its plugins are whatever lies in a folder",
  app_given_away: "the app is handed to something that is not read",
  call_unknown: "the app has no such method that is known here",
  not_reached: "nothing that could be read runs this, or knows what it is called on",
  framework_unread: "the routes of this framework are not read",
  // A shape: the route is there, and a part of what it takes is not.
  schema_unread: "the shape is built by something that is not read",
  body_unsaid: "nothing says what its body is",
} as const;

export type UnreadReason = keyof typeof UNREAD;

export interface Place {
  /** Below the folder, with forward slashes. */
  readonly file: string;
  readonly line: number;
}

export interface Unread extends Place {
  readonly reason: UnreadReason;
  readonly message: string;
}
