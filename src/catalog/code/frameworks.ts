// Frameworks whose routes are not read: by what is imported, or by where a file lies.

export const FRAMEWORKS = new Set(
  (
    "koa koa-router @koa/router @hapi/hapi hapi restify polka elysia h3 nitropack itty-router " +
    "find-my-way next next/server @nestjs/common @nestjs/core routing-controllers tsoa " +
    "@tsoa/runtime inversify-express-utils @trpc/server @feathersjs/feathers @feathersjs/express " +
    "sails @loopback/rest @remix-run/node @remix-run/express @sveltejs/kit astro moleculer-web " +
    "@ts-rest/core @ts-rest/express @ts-rest/fastify graphql-yoga hyper-express uWebSockets.js " +
    "micro @oak/oak trouter express-file-routing @decorators/express @overnightjs/core " +
    "@tsed/common @tsed/schema"
  ).split(" "),
);

/** Next's and SvelteKit's: the file's place is the route. */
const BY_PLACE =
  /(?:^|\/)(?:pages\/api\/.+|app\/(?:.+\/)?route|routes\/(?:.+\/)?\+server)\.[cm]?[jt]sx?$/;

export function isRouteByPlace(file: string): boolean {
  return BY_PLACE.test(file);
}
