/** Runs the benchmarks that are named, or all: `npm run bench -- switch`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const all = ['copy', 'copy-redis', 'copy-rows', 'switch', 'source', 'api', 'copy-mariadb'];
const [named, ...options] = process.argv.slice(2);
if (named !== undefined && !all.includes(named)) {
  process.stderr.write(`There is no benchmark "${named}"; there are ${all.join(', ')}.\n`);
  process.exit(2);
}
for (const one of named === undefined ? all : [named]) {
  const file = fileURLToPath(new URL(`${one}.ts`, import.meta.url));
  const { status } = spawnSync('tsx', [file, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
