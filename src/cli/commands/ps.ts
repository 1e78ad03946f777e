import { Command } from 'commander';
import { z } from 'zod';
import { appHealth } from '../../region/model.js';
import { action } from '../session.js';
import { table } from '../table.js';

export const ps = new Command('ps').description('show the processes and how they do').action(
  action(async (session) => {
    const answer = z.object({ health: appHealth });
    const { health } = await session.client.get(`/apps/${session.app()}/health`, answer);
    const rows = health.processes.map(({ name, state, crashes }) => [name, state, `${crashes}`]);
    session.print(health, [
      `${session.app()} is ${health.state}.`,
      ...table([['PROCESS', 'STATE', 'CRASHES'], ...rows]),
      ...(health.reason ? [health.reason] : []),
    ]);
  }),
);
