import { Command } from 'commander';
import { differences, takePicture } from '../../client/compare.js';
import { action } from '../session.js';

export const compare = new Command('compare')
  .description('compare all that the API shows of an application in two regions')
  .argument('<source>', 'the region it comes from')
  .argument('<destination>', 'the region it went to')
  .option('--new-name <name>', 'its name in the destination, when that is another')
  .addHelpText(
    'after',
    '\nIds, regions, addresses, invitations that are pending and the state of the moment are left out. Ends with 1 when the rest differs.',
  )
  .action(
    action(
      async (session, source: string, destination: string, { newName }: { newName?: string }) => {
        const app = session.app();
        const [there, here] = await Promise.all([
          takePicture(session.client.inRegion(source), app),
          takePicture(session.client.inRegion(destination), newName ?? app),
        ]);
        const lines = differences(there, here);
        const count = Object.values(here).reduce((sum, items) => sum + items.length, 0);
        session.print(
          { equal: lines.length === 0, differences: lines },
          lines.length === 0 ? `The same: ${count} things compared.` : lines,
        );
        if (lines.length > 0) {
          throw new Error(`${app} differs between ${source} and ${destination}.`);
        }
      },
    ),
  );
