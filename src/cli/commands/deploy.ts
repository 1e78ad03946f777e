import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { packFolder } from '../../client/pack-folder.js';
import { action, UsageError } from '../session.js';

export const deploy = new Command('deploy')
  .description('deploy a folder or a .tar.gz')
  .argument('<folder-or-archive>')
  .action(
    action(async (session, path: string) => {
      const { client, json, print } = session;
      const app = session.app();
      const id = await client.deploy(app, await archiveOf(path));
      let shown = 0;
      for (;;) {
        const { status, output } = await client.deployment(app, id);
        if (!json) process.stderr.write(output.slice(shown));
        shown = output.length;
        if (status === 'success') {
          print({ id, status }, `Deployed ${app}; it answers at ${(await client.app(app)).url}`);
          return;
        }
        if (status !== 'building') throw new Error('The deployment failed, as its output tells.');
        await sleep(300);
      }
    }),
  );

async function archiveOf(path: string): Promise<NodeJS.ReadableStream> {
  const found = await stat(path).catch(() => {
    throw new UsageError(`There is no ${path}. Name a folder or a .tar.gz.`);
  });
  if (!found.isDirectory()) return createReadStream(path);
  if (!(await readdir(path)).includes('Procfile')) {
    throw new UsageError(
      `${path} has no Procfile. Add one that says how to start the application, such as "web: node server.js".`,
    );
  }
  return packFolder(path);
}
