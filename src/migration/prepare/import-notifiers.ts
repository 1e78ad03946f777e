import { importAll } from './import-all.js';

export const importNotifiers = importAll({
  title: 'Import notifiers',
  of: ({ notifiers }) => notifiers.map((item) => ({ kind: 'notifier', item })),
});
