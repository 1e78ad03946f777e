import { importAll } from './import-all.js';

export const importScmLink = importAll({
  title: 'Import the SCM link',
  of: ({ scmLink }) => (scmLink ? [{ kind: 'scmLink', item: scmLink }] : []),
});
