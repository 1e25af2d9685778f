/** The seven people of the demo world: the identity provider and the SaaS both know them. */

export interface Person {
  readonly subject: string;
  readonly name: string;
  readonly email: string;
  /** Absent for the operator, who belongs to no customer of the SaaS. */
  readonly tenant?: string;
  readonly roles: readonly string[];
  /** The SaaS's own idea of a team; decides whose deals a manager sees. */
  readonly team?: string;
}

function person(record: Person): Person {
  return Object.freeze({ ...record, roles: Object.freeze([...record.roles]) });
}

export const PEOPLE: readonly Person[] = Object.freeze([
  person({
    subject: "dana",
    name: "Dana Okafor",
    email: "dana@acme.example",
    tenant: "acme",
    roles: ["support"],
    team: "acme-care",
  }),
  person({
    subject: "mia",
    name: "Mia Lindqvist",
    email: "mia@acme.example",
    tenant: "acme",
    roles: ["sales"],
    team: "acme-north",
  }),
  person({
    subject: "omar",
    name: "Omar Haddad",
    email: "omar@acme.example",
    tenant: "acme",
    roles: ["sales_manager"],
    team: "acme-north",
  }),
  person({
    subject: "zoe",
    name: "Zoe Marchetti",
    email: "zoe@globex.example",
    tenant: "globex",
    roles: ["support"],
    team: "globex-care",
  }),
  person({
    subject: "ines",
    name: "Ines Carvalho",
    email: "ines@acme.example",
    tenant: "acme",
    roles: ["auditor"],
  }),
  person({
    subject: "alex",
    name: "Alex Novak",
    email: "alex@acme.example",
    tenant: "acme",
    roles: ["admin"],
  }),
  person({
    subject: "olga",
    name: "Olga Petrenko",
    email: "olga@operator.example",
    roles: ["operator"],
  }),
]);

export function findPerson(subject: string): Person | undefined {
  return PEOPLE.find((candidate) => candidate.subject === subject);
}
