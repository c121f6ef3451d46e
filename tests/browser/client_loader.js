/* Runs CommonJS packages in a page: `clientModules` maps each file's path to its unmodified code, as a function. */

function clientRequire(name, from = "") {
  const path = clientResolve(name, from);
  const module = (clientRequire.loaded[path] ??= { exports: {} });
  if (!module.code) {
    module.code = clientModules[path];
    const folder = path.slice(0, path.lastIndexOf("/"));
    module.code.call(module.exports, module, module.exports, (inner) => clientRequire(inner, folder));
  }
  return module.exports;
}
clientRequire.loaded = {};

function clientResolve(name, from) {
  const target = name.startsWith(".") ? new URL(name, `file:///${from}/`).pathname.slice(1) : name;
  const bare = target.replace(/\/$/, "");
  const found = [bare, `${bare}.js`, `${bare}/index.js`, clientMains[bare]].find((path) => path in clientModules);
  if (!found) throw new Error(`no module ${name} for ${from}`);
  return found;
}
