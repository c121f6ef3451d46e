// Calls the three helpers of supertokens-auth-react for Next.js, as a page on its server would, and prints what they return.
const { createRequire } = require("node:module");
const [packages, apiDomain, cookies] = process.argv.slice(2);
const ssr = createRequire(`${packages}/package.json`)("supertokens-auth-react/nextjs/ssr");

const jar = JSON.parse(cookies);
const store = { get: (name) => (name in jar ? { name, value: jar[name] } : undefined) };
const appInfo = { appName: "consumer", apiDomain, websiteDomain: "http://localhost:3000", apiBasePath: "/auth", websiteBasePath: "/auth" };
ssr.init({ appInfo });

(async () => {
  const action = await ssr.getServerActionSessionWithoutClaimValidation(store);
  const props = await ssr.getServerSidePropsSessionWithoutClaimValidation({ url: "/page", cookies: jar });
  // Without a session it redirects by what Next.js throws, which is not there.
  const component = await ssr.getServerComponentSessionWithoutClaimValidation(store).catch(() => null);
  console.log(JSON.stringify({ action, props, component }));
})();
