/** An app that is up, and whose worker, when there is one, is at work. */
export const upAndAtWork = {
  Procfile: 'web: node server.cjs\nworker: echo at work; exec sleep 600\n',
  'server.cjs':
    "require('node:http').createServer((_, answer) => answer.end('up')).listen(process.env.PORT, () => console.log('listening'))",
};
