/** The rooms of the house, top floor first. A room imports from those below it only. */
const rooms = [
  'cli',
  'dev',
  'client',
  'server',
  'api',
  'migration',
  'events',
  'agent',
  'region',
  'postgresql',
  'shared',
];

const downwardsOnly = rooms.flatMap((room, floor) =>
  rooms.slice(0, floor).map((above) => ({
    name: `${room}-does-not-know-${above}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: `^src/${above}/` },
  })),
);

/** The control plane and the agent meet only over the region protocol; only `dev` and `cli` start both. */
const strangers = ['server', 'api', 'migration', 'events'].map((room) => ({
  name: `${room}-does-not-know-agent`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/agent/' },
}));

module.exports = {
  forbidden: [
    ...downwardsOnly,
    ...strangers,
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies-at-run-time',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
