import { importAll } from './import-all.js';

export const importAutoscalers = importAll({
  title: 'Import autoscalers',
  of: ({ autoscalers }) => autoscalers.map((item) => ({ kind: 'autoscaler', item })),
});
