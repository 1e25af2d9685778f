// Styles that services are written in, beside the plain ones: classes, tables, folders, lateness.
import { expect } from "vitest";
import { verifies } from "../../../verifies.ts";
import { operationIn, readFiles, routesOf, unreadOf } from "./reading.ts";

verifies("import.code-routes", "routes of controllers and apps that are classes are found", () => {
  const read = readFiles({
    "tsconfig.json": `{ "compilerOptions": { "paths": { "@/*": ["./*"] } } }`,
    "server.ts": `import App from "@/app"; import { Users } from "@/users";
      import { Auth } from "./auth";
      new App([new Users(), new Auth()]).listen();`,
    "app.ts": `import express from "express";
      export default class App {
        public app: express.Application;
        constructor(routes: Routes[]) { this.app = express(); this.add(routes); }
        listen() { this.app.listen(1); }
        private add(routes: Routes[]) {
          routes.forEach((route) => { this.app.use("/api", route.router); });
          this.app.get("/version", this.version.bind(this));
        }
        private version(req, res) { res.json(1); }
      }`,
    "base.ts": `import { Router } from "express";
      export abstract class Base {
        router = Router();
        constructor(protected path: string) { this.add(); }
        abstract add(): void;
        route({ method, path, handler }) { this.router[method](this.path + path, handler); }
      }`,
    "users.ts": `import { Base } from "./base";
      export class Users extends Base {
        constructor() { super("/users"); }
        add() {
          this.route({ method: "get", path: "", handler: this.list });
          this.route({ method: "delete", path: "/:id", handler: (q, s) => s.end() });
        }
        list = async (req, res) => res.json(await find({ page: req.query.page }));
      }`,
    "auth.ts": `import { Router } from "express";
      export class Auth {
        path = "/auth";
        router = Router();
        constructor() { this.router.post(\`\${this.path}/login\`, this.login); }
        login = (req, res) => { const { email, ...rest } = req.body; res.json(save(rest)); };
      }`,
  });
  expect(routesOf(read)).toEqual([
    "DELETE /api/users/{id} users.ts:6",
    "GET /api/users users.ts:5",
    "GET /version app.ts:8",
    "POST /api/auth/login auth.ts:5",
  ]);
  expect(unreadOf(read)).toEqual(["auth.ts:5 body_unsaid"]);
});

verifies("import.code-routes", "routes that loops, folders and callbacks add are found", () => {
  const read = readFiles({
    "index.js": `const express = require("express"), fs = require("fs"), path = require("path");
      (async function main() {
        const app = express();
        const files = fs.readdirSync(path.join(__dirname, "routes"));
        files.filter((f) => f.endsWith(".js")).forEach((f) => {
          app.use(\`/\${path.basename(f, ".js")}\`, require(path.join(__dirname, "routes", f)));
        });
        const table = { "GET /t/users": h, "POST /t/users": h };
        Object.keys(table).forEach((k) => {
          const [m, p] = k.split(" ");
          app[m.toLowerCase()](p, table[k]);
        });
        for (const m of ["put", "patch"]) app[m]("/both", h);
        connect(process.env.DB, {}, () => { app.get("/after-db", h); });
        Promise.all([1]).then(() => app.get("/after-promise", h));
        switch (process.env.MODE) { case "a": app.get("/mode-a", h); }
        let dyn = "/dyn"; if (process.env.X) dyn = "/other"; app.get(dyn, h);
        const get = app.get.bind(app);
        app.use("/wrapped", (req, res, next) => sub(req, res, next));
        const sub = express.Router(); sub.get("/inside", h);
      })();
      function h(req, res) { res.send(); }`,
    "routes/orders.js": `const router = (module.exports = require("express").Router());
      router.use("/:id/items", require("../items")());`,
    "routes/readme.txt": "",
    "items.js": `const { Router } = require("express");
      module.exports = function () {
        const r = Router(); r.post("/", (q, s) => s.end()); return r;
      };`,
  });
  expect(routesOf(read)).toEqual([
    "GET /after-db index.js:14",
    "GET /after-promise index.js:15",
    "GET /mode-a index.js:16",
    "GET /t/users index.js:11",
    "PATCH /both index.js:13",
    "POST /orders/{id}/items items.js:3",
    "POST /t/users index.js:11",
    "PUT /both index.js:13",
  ]);
  expect(read.places.get("GET /mode-a")?.notes[0]).toContain("only if process.env.MODE");
  expect(unreadOf(read)).toEqual([
    "index.js:17 path_computed",
    "index.js:18 call_unknown",
    "index.js:18 app_given_away",
    "index.js:20 router_unmounted",
  ]);
});

verifies("import.code-routes", "an app that only fastify-cli starts is found", () => {
  const read = readFiles({
    "package.json": `{ "scripts": { "start": "tsc && fastify start -l info dist/app.js" } }`,
    "src/app.ts": `import autoload from "@fastify/autoload"; import { join } from "desm";
      export default async function (fastify, opts) {
        fastify.register(autoload, { dir: join(import.meta.url, "routes"), options: { ...opts } });
      }`,
    "src/routes/users/index.ts": `export default async (fastify) => {
        fastify.get("/:id", async (request) => request.params.id);
      };`,
  });
  expect(routesOf(read)).toEqual(["GET /users/{id} src/routes/users/index.ts:2"]);
  expect(unreadOf(read)).toEqual([]);
});

verifies(
  "import.code-shapes",
  "a body that is handed on whole is not said to be what is seen",
  () => {
    const read = readFiles({
      "app.ts": `import express from "express"; const app = express();
      app.post("/a", (req, res) => { log(req.body.name); store.add(req.body); });
      app.post("/b", (req, res) => { store.add({ ...req.body, by: req.user }); });
      app.post("/c", (req, res) => { res.json(req.body.name); });`,
    });
    expect(unreadOf(read)).toEqual(["app.ts:2 body_unsaid", "app.ts:3 body_unsaid"]);
    expect(operationIn(read, "POST /c")["requestBody"]).toMatchObject({
      content: { "application/json": { schema: { properties: { name: {} } } } },
    });
  },
);

verifies("import.code-routes", "frameworks whose routes are not read are said", () => {
  const read = readFiles({
    "src/cats.controller.ts": `import { Controller, Get } from "@nestjs/common";
      @Controller("cats") export class Cats { @Get(":id") one() { return 1; } }`,
    "app/api/users/route.ts": `export async function GET() { return new Response(); }`,
    "pages/api/hello.js": `export default (req, res) => res.end();`,
    "bun.ts": `Bun.serve({ routes: { "/x": () => new Response() } });`,
    "node.ts": `import { createServer as x } from "node:http"; import http from "node:http";
      http.createServer((q, s) => s.end()).listen(1);`,
    "koa.js": `const Koa = require("koa");`,
  });
  expect(routesOf(read)).toEqual([]);
  expect(unreadOf(read)).toEqual([
    "app/api/users/route.ts:1 framework_unread",
    "bun.ts:1 framework_unread",
    "koa.js:1 framework_unread",
    "node.ts:2 framework_unread",
    "pages/api/hello.js:1 framework_unread",
    "src/cats.controller.ts:1 framework_unread",
  ]);
});
