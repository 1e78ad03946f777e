import { importAll } from './import-all.js';

/** After the notifiers, which they name. */
export const importAlerts = importAll({
  title: 'Import alerts',
  of: ({ alerts }) => alerts.map((item) => ({ kind: 'alert', item })),
});
